#!/usr/bin/env python3
"""Make the data of the end-to-end tests: small images and examples, the same bytes every time. Standard library alone.

    python3 make_data.py DIR

DIR gets images/*.png, rows.jsonl (40 examples, mixed: images with three questions each, two images in an example, text
alone) and validation.jsonl (5 examples).
"""

import json
import random
import struct
import sys
import zlib
from pathlib import Path


def png(width, height, pixel):
    """A PNG file of RGB pixels, `pixel(x, y) -> (r, g, b)`."""
    lines = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def main(folder):
    chance = random.Random(7)
    (folder / "images").mkdir(parents=True)
    names = []
    for index in range(10):
        width, height = 56 + 14 * (index % 3), 56 + 9 * (index % 4)  # some need a resize
        left, top = chance.randrange(8, width - 24), chance.randrange(8, height - 20)
        colour = tuple(chance.randrange(256) for _ in range(3))

        def pixel(x, y, left=left, top=top, colour=colour):
            inside = left <= x < left + 18 and top <= y < top + 12
            return colour if inside else (230 - x, 235 - y, 200 + (x * y) % 50)

        names.append(f"images/{index}.png")
        (folder / names[-1]).write_bytes(png(width, height, pixel))

    def row(name, images, question, answer):
        prompt = "".join("<image>" for _ in images) + question
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        return {"id": name, "images": images, "messages": messages}

    def point():
        return f"({chance.randrange(60)}, {chance.randrange(60)})"

    rows = [row(f"p{i}-q{q}", [p], f"Where is box {q}?", point()) for i, p in enumerate(names) for q in range(3)]
    rows += [row(f"two-{i}", names[i : i + 2], "Which box is larger?", "the first") for i in range(4)]
    rows += [row(f"text-{i}", [], f"{i} + {i + 3} = ?", str(2 * i + 3)) for i in range(6)]
    chance.shuffle(rows)
    validation = [row(f"v{i}", [p], "Where is the box?", point()) for i, p in enumerate(names[:4])]
    validation.append(row("v-text", [], "1 + 1 = ?", "2"))
    for name, some in (("rows", rows), ("validation", validation)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in some))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
