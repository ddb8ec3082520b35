#!/usr/bin/env python3
"""A pack of many rows, each with a small image of its own, as another program may write one: for start.py.

    large_pack.py --rows 1000000 --output million.h5

Needs h5py and NumPy. All of it is made in memory: 2 GB for a million rows.
"""

import argparse
import hashlib
import json
import struct
import zlib

import h5py
import numpy

SIDE = 32


def png(number):
    """A plain image of a colour for each number."""
    line = b"\0" + bytes([number % 256, number // 256 % 256, number // 65536 % 256]) * SIDE

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress(line * SIDE, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def row(number):
    question = {"role": "user", "content": f"<image>Where is button {number}?"}
    answer = {"role": "assistant", "content": "(141,359)"}
    return {"id": f"row-{number}", "images": [f"images/{number}.png"], "messages": [question, answer]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--output", required=True)
    a = parser.parse_args()
    images = [png(number) for number in range(a.rows)]
    rows = "".join(json.dumps(row(number)) + "\n" for number in range(a.rows))
    lengths = numpy.array([len(image) for image in images], "<i8")
    digests = b"".join(hashlib.sha256(image).digest() for image in images)
    index = {
        "/rows": numpy.frombuffer(rows.encode(), "u1"),
        "/images/names": numpy.frombuffer(b"".join(b"images/%d.png\0" % n for n in range(a.rows)), "u1"),
        "/images/offsets": numpy.cumsum(lengths) - lengths,
        "/images/lengths": lengths,
        "/images/sha256": numpy.frombuffer(digests, "u1").reshape(a.rows, 32),
    }
    digest = hashlib.sha256()
    for path, values in index.items():
        digest.update(f"{path} {values.nbytes}\n".encode() + values.tobytes())
    with h5py.File(a.output, "w") as file:
        file.attrs["format"] = numpy.bytes_("imagelora-pack")
        file.attrs["schema_version"] = numpy.int64(1)
        for path, values in index.items():
            file[path] = values
        file["/index_sha256"] = numpy.frombuffer(digest.digest(), "u1")
        file["/images/bytes"] = numpy.frombuffer(b"".join(images), "u1")


if __name__ == "__main__":
    main()
