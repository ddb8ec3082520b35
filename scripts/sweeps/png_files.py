"""PNG files of every kind, and nearly valid ones, from a random.Random; the standard library and numpy write them."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [(color, depth) for color, depths in DEPTHS.items() for depth in depths]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def samples(r, width, height, channels, depth):
    """Noise, or a slope with few values: small files, and something to see for the resampling."""
    numbers = np.random.default_rng(r.randrange(2**32))
    if r.random() < 0.5:
        return numbers.integers(0, 2**depth, (height, width, channels), dtype=np.uint32)
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        (x * numbers.integers(0, 9) + y * numbers.integers(0, 9) + numbers.integers(0, 99)) for _ in range(channels)
    ]
    return (np.stack(planes, axis=-1) * max(2**depth // 256, 1) % 2**depth).astype(np.uint32)


def packed(block, depth):
    """Scanlines without filters, one bytes a row."""
    height = block.shape[0]
    flat = block.reshape(height, -1)
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in flat]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in flat]
    bits = ((flat[:, :, None] >> np.arange(depth - 1, -1, -1, dtype=np.uint32)) & 1).reshape(height, -1)
    return [np.packbits(row.astype(np.uint8)).tobytes() for row in bits]


def filtered(rows, step, r, kinds=(0, 1, 2, 3, 4)):
    """The rows, each with a filter's byte before it; `step` is bytes a pixel."""
    out, above = [], np.zeros(len(rows[0]), np.int32)
    for row in rows:
        now = np.frombuffer(row, np.uint8).astype(np.int32)
        left = np.concatenate([np.zeros(step, np.int32), now])[: len(now)]
        corner = np.concatenate([np.zeros(step, np.int32), above])[: len(now)]
        kind = r.choice(kinds)
        if kind == 4:
            guess = left + above - corner
            a, b, c = abs(guess - left), abs(guess - above), abs(guess - corner)
            guess = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        else:
            guess = (0, left, above, (left + above) // 2)[kind]
        out.append(bytes([kind]) + ((now - guess) % 256).astype(np.uint8).tobytes())
        above = now
    return b"".join(out)


def scanlines(pixels, depth, interlaced, r):
    step = max(pixels.shape[2] * depth // 8, 1)
    passes = [pixels[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [pixels]
    return b"".join(filtered(packed(block, depth), step, r) for block in passes if block.size)


def transparency(r, color, depth, entries):
    """A tRNS of the kind's form: colours that occur, colours that cannot, alphas of a palette's indices."""
    if color == 3:
        form = r.randrange(4)
        length = r.randint(1, entries)
        if form == 0:  # Pillow keeps a single transparent index as a number
            alphas = [255] * length
            alphas[r.randrange(length)] = 0
            return bytes(alphas)
        if form == 1:
            return bytes(r.choice((0, 255)) for _ in range(length))
        return bytes(r.randrange(256) for _ in range(length))
    top = 2**depth if r.random() < 0.7 else 65536
    return b"".join(struct.pack(">H", r.randrange(top)) for _ in range(1 if color == 0 else 3))


def ancillary(r, color):
    """(before PLTE, before IDAT, after IDAT): chunks that change no pixel."""
    text = chunk(b"tEXt", b"Comment\0" + bytes(r.randrange(32, 127) for _ in range(r.randint(0, 60))))
    first = [
        chunk(b"gAMA", struct.pack(">I", r.choice((45455, 100000, 22727)))),
        chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        chunk(b"sRGB", b"\0"),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(r.randrange(256) for _ in range(200)))),
        chunk(b"sBIT", bytes([5] * (3 if color == 3 else CHANNELS[color]))),
    ]
    second = [
        chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        text,
        chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"x" * 40)),
        chunk(b"iTXt", b"Title\0\0\0\0\0" + "é".encode()),
        chunk(b"prVt", b"private"),
        chunk(b"tIME", struct.pack(">HBBBBB", 2020, 1, 1, 0, 0, 0)),
        chunk(b"eXIf", exif(r.randint(1, 8))[6:]),
    ]

    def some(chunks):
        return b"".join(c for c in chunks if r.random() < 0.25)

    return some(first), some(second), some([text, chunk(b"prVt", b"after")])


def exif(orientation):
    """The content of an APP1 segment; an eXIf chunk has it without its first 6 bytes."""
    return b"Exif\0\0MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1" + struct.pack(">H", orientation) + b"\0\0\0\0\0\0"


def data_chunks(r, data):
    """The compressed data in one IDAT or many, empty ones too."""
    if r.random() < 0.5:
        return chunk(b"IDAT", data)
    cuts = sorted(r.randrange(len(data) + 1) for _ in range(r.randint(1, 6)))
    return b"".join(chunk(b"IDAT", data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)]))


def png(r, width, height, color, depth, interlaced=None, with_transparency=None, plain=False):
    """(the file's parts, what it is): parts are the chunks before IDAT, the compressed data, the chunks after it."""
    interlaced = r.random() < 0.3 if interlaced is None else interlaced
    pixels = samples(r, width, height, CHANNELS[color], depth)
    before = after = palette = trns = b""
    second = b""
    if not plain:
        before, second, after = ancillary(r, color)
    if color == 3:
        entries = r.choice((2**depth, 2**depth, r.randint(1, 2**depth)))
        palette = chunk(b"PLTE", bytes(r.randrange(256) for _ in range(3 * entries)))
        if entries < 2**depth and r.random() < 0.7:  # otherwise some indices have no entry
            pixels %= entries
    can_have = color in (0, 2, 3)
    if can_have and (r.random() < 0.3 if with_transparency is None else with_transparency):
        trns = chunk(b"tRNS", transparency(r, color, depth, len(palette[8:-4]) // 3 if palette else 0))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    what = f"png colour {color} depth {depth}{' interlaced' if interlaced else ''}{' tRNS' if trns else ''}"
    data = zlib.compress(scanlines(pixels, depth, interlaced, r), r.choice((0, 1, 6, 9)))
    return [SIGNATURE + header + before + palette + trns + second, data, after + chunk(b"IEND", b"")], what


def whole(r, parts):
    return parts[0] + data_chunks(r, parts[1]) + parts[2]


def damaged(r, width, height, kind):
    """A file with one fault; its kind's number goes round, so every fault occurs."""
    color, depth = r.choice([k for k in KINDS if k not in ((0, 1), (0, 2), (3, 1), (3, 2))])
    (head, data, tail), what = png(r, width, height, color, depth, plain=True)
    idat, iend = chunk(b"IDAT", data), chunk(b"IEND", b"")
    wrong = idat[:-4] + bytes([idat[-4] ^ 1]) + idat[-3:]
    cut = r.randrange(8, max(9, len(data) - 1))
    half = len(data) // 2
    text = chunk(b"tEXt", b"Comment\0x")
    raw = zlib.decompress(data)
    faults = [
        ("without IEND", head + idat),
        ("IEND cut short", head + idat + iend[:6]),
        ("IEND without its CRC", head + idat + iend[:8]),
        ("IDAT with a wrong CRC", head + wrong + iend),
        ("IDAT without its CRC, end of file", head + idat[:-4]),
        ("IEND with a wrong CRC", head + idat + iend[:-1] + b"\0"),
        ("bytes after the end", head + idat + iend + bytes(r.randrange(256) for _ in range(50))),
        ("zeros after the end", head + idat + iend + bytes(1000)),
        ("a second PNG after the end", (head + idat + iend) * 2),
        ("cut in IDAT", head + idat[: 8 + cut]),
        ("cut at half of the data, chunk whole", head + chunk(b"IDAT", data[:half]) + iend),
        ("cut in IDAT, padded with zeros", head + idat[: 8 + half] + bytes(len(idat) - half - 8)),
        ("text with a wrong CRC before IDAT", head + text[:-1] + b"\0" + idat + iend),
        ("text with a wrong CRC after IDAT", head + idat + text[:-1] + b"\0" + iend),
        ("IHDR with a wrong CRC", head[:29] + bytes([head[29] ^ 1]) + head[30:] + idat + iend),
        ("wrong Adler checksum", head + chunk(b"IDAT", data[:-4] + b"\1\2\3\4") + iend),
        ("without Adler checksum", head + chunk(b"IDAT", data[:-4]) + iend),
        ("more rows than the header has", head + chunk(b"IDAT", zlib.compress(raw + raw)) + iend),
        ("fewer rows than the header has", head + chunk(b"IDAT", zlib.compress(raw[: len(raw) // 2])) + iend),
        ("bytes after the compressed data", head + chunk(b"IDAT", data + b"rest") + iend),
        ("empty IDATs", head + chunk(b"IDAT", b"") + idat + chunk(b"IDAT", b"") + iend),
        (
            "IDAT on both sides of a text",
            head + chunk(b"IDAT", data[:half]) + text + chunk(b"IDAT", data[half:]) + iend,
        ),
        ("without IDAT", head + iend),
        ("unknown critical chunk", head + chunk(b"CRIT", b"x") + idat + iend),
        ("a filter that is none", head + chunk(b"IDAT", zlib.compress(b"\7" + raw[1:])) + iend),
        ("one bit of the data flipped", head + chunk(b"IDAT", flipped(r, data)) + iend),
        ("palette missing or one too many", head.replace(b"PLTE", b"pLTE") + idat + iend),
        ("wrong signature", b"\x89PNG\r\n\x1a\r" + head[8:] + idat + iend),
        ("signature alone", SIGNATURE),
        ("without its last byte", head + idat + iend[:-1]),
        ("length of IDAT beyond the file", head + struct.pack(">I", len(data) + 100) + idat[4:] + iend),
        ("trailing CR LF conversion", (head + idat + iend).replace(b"\n", b"\r\n")),
        ("line of text before", b"\n" + head + idat + iend),
    ]
    name, file = faults[kind % len(faults)]
    return file, f"{what}: {name}"


def flipped(r, data):
    at = r.randrange(2, len(data) - 4)
    return data[:at] + bytes([data[at] ^ (1 << r.randrange(8))]) + data[at + 1 :]
