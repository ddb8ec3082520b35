"""Which scalars match a regular expression in `tokenizers`, for the scripts that make fixtures."""

from tokenizers import Regex, pre_tokenizers

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def members(expression):
    """The scalars that match a one-character expression, as ranges: first, last, first, last, ..."""
    split, found = pre_tokenizers.Split(Regex(expression), "removed"), []
    for start in range(0, len(SCALARS), 4096):
        block, kept = SCALARS[start : start + 4096], set()
        for _, (a, b) in split.pre_tokenize_str("".join(map(chr, block))):
            kept.update(range(a, b))
        found += [c for i, c in enumerate(block) if i not in kept]
    ranges = []
    for c in found:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return [x for pair in ranges for x in pair]
