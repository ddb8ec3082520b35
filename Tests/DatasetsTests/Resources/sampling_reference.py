"""Independent values for SamplerTests and NormalSourceTests: python3 sampling_reference.py"""

import math
import struct

MASK = (1 << 64) - 1
INCREMENT = 0x9E3779B97F4A7C15


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class SplitMix64:
    def __init__(self, seed, stream=None):
        self.state = seed
        if stream is not None:
            self.state = mix(mix((seed + INCREMENT) & MASK) ^ (stream * INCREMENT & MASK))

    def next(self):
        self.state = (self.state + INCREMENT) & MASK
        return mix(self.state)

    def below(self, bound):
        uneven = ((1 << 64) - bound) % bound
        while True:
            high, low = divmod(self.next() * bound, 1 << 64)
            if low >= uneven:
                return high

    def shuffle(self, elements):
        for last in range(len(elements) - 1, 0, -1):
            other = self.below(last + 1)
            elements[last], elements[other] = elements[other], elements[last]
        return elements


def order(rows, seed, epoch, keys=None):
    generator = SplitMix64(seed, epoch)
    if keys is None:
        return generator.shuffle(list(range(rows)))
    groups = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    return sum(generator.shuffle(list(groups.values())), [])


def dealt(parts, seed, epoch, keys):
    """The order of an epoch of several files, each a list of rows and how many of them an epoch takes."""
    pieces = []
    for file, (rows, taken) in enumerate(parts):
        groups = {}
        for row in rows:
            groups.setdefault(keys[row], []).append(row)
        # Whole permutations, enough of them, and of these the epoch's part.
        drawn = []
        for permutation in range((epoch + 1) * taken // len(rows) + 1):
            shuffled = SplitMix64(seed, (file << 48) + permutation).shuffle(list(groups.values()))
            drawn += [(permutation, number, row) for number, group in enumerate(shuffled) for row in group]
        drawn = drawn[epoch * taken : (epoch + 1) * taken]
        for name in dict.fromkeys(piece[:2] for piece in drawn):
            places = [place for place, piece in enumerate(drawn) if piece[:2] == name]
            middle = (places[0] + places[-1] + 1) / (2 * taken)
            pieces.append((middle, len(pieces), [drawn[place][2] for place in places]))
    return [row for _, _, piece in sorted(pieces) for row in piece]


def logarithm(x):
    """The same sums in the same order as naturalLogarithm, so that bits can be compared."""
    significand, exponent = math.frexp(x)
    significand, exponent = 2 * significand, exponent - 1
    if significand > 1.4142135623730951:
        significand, exponent = significand / 2, exponent + 1
    z = (significand - 1) / (significand + 1)
    total = 0.0
    for odd in range(23, 0, -2):
        total = total * (z * z) + 1 / odd
    return exponent * 0.6931471805599453 + 2 * z * total


def gaussians(seed, stream, count, log=math.log):
    generator, numbers = SplitMix64(seed, stream), []

    def symmetric():
        bits = generator.next()
        return ((bits - (1 << 64) if bits >> 63 else bits) >> 11) * 2.0**-52

    while len(numbers) < count:
        u, v = symmetric(), symmetric()
        s = u * u + v * v
        if 0 < s < 1:
            factor = math.sqrt(-2 * log(s) / s)
            numbers += [u * factor, v * factor]
    return numbers[:count]


if __name__ == "__main__":
    generator = SplitMix64(1234567)
    print("published", [generator.next() for _ in range(5)])
    print("order 10 seed 7 epochs 0, 1", order(10, 7, 0), order(10, 7, 1))
    print("order 10 seed 8 epoch 0", order(10, 8, 0))
    print("grouped", order(9, 3, 0, [5, 1, 5, 2, 1, 9, 2, 5, 4]))
    keys = [row // 2 for row in range(12)]
    for epoch in (0, 1, 3):
        print("dealt", epoch, dealt([(range(5), 5), (range(5, 9), 6), (range(9, 12), 2)], 3, epoch, keys))
    generator = SplitMix64(42, 3)
    print("below", [generator.below(6) for _ in range(12)])
    print("gaussians", gaussians(2024, 5, 6))
    digest = 0
    for number in gaussians(0, 0, 10000, logarithm):
        digest = (digest * 31 + struct.unpack("<Q", struct.pack("<d", number))[0]) & MASK
    print("bits of 10000", digest)
