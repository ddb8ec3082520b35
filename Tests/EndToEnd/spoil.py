#!/usr/bin/env python3
"""Damage a file for the end-to-end tests. Standard library alone.

    spoil.py CHANGE [TENSOR] FILE

For safetensors: cut-header, long-header, far-offset, overlap, drop TENSOR, add TENSOR, reshape TENSOR, nudge TENSOR.
For any file: tear (its second half is gone), flip (one bit in the middle). png-huge: a PNG that states 60000 x 60000.
For a PNG: png-no-end (IEND is gone), png-turned (an EXIF orientation of 6).
"""

import json
import struct
import sys
import zlib
from pathlib import Path


def read(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def drop(header, data, name):
    begin, end = header.pop(name)["data_offsets"]
    for entry in header.values():
        if "data_offsets" in entry and entry["data_offsets"][0] >= end:
            entry["data_offsets"] = [offset - (end - begin) for offset in entry["data_offsets"]]
    return data[:begin] + data[end:]


def main(change, *arguments):
    path = Path(arguments[-1])
    tensor = arguments[0]
    if change == "tear":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif change == "flip":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif change == "png-huge":
        chunks = (b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(bytes(99)))
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + b"".join(
                struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
            )
        )
    elif change == "png-no-end":
        path.write_bytes(path.read_bytes()[:-12])
    elif change == "png-turned":
        exif = b"eXIfMM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
        chunk = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
        data = path.read_bytes()
        path.write_bytes(data[:33] + chunk + data[33:])
    elif change == "cut-header":
        path.write_bytes(path.read_bytes()[:100])
    elif change == "long-header":
        path.write_bytes(struct.pack("<Q", 1 << 62) + path.read_bytes()[8:])
    else:
        header, data = read(path)
        names = [name for name in header if name != "__metadata__"]
        if change == "far-offset":
            header[names[-1]]["data_offsets"][1] += 1 << 40
        elif change == "overlap":
            header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]
            header[names[1]]["shape"] = header[names[0]]["shape"]
        elif change == "drop":
            data = drop(header, data, tensor)
        elif change == "add":
            header[tensor] = {"dtype": "F32", "shape": [4], "data_offsets": [len(data), len(data) + 16]}
            data += bytes(16)
        elif change == "reshape":
            header[tensor]["shape"] = header[tensor]["shape"][::-1] + [1]
        elif change == "nudge":
            begin = header[tensor]["data_offsets"][0]
            data = data[:begin] + bytes([data[begin] ^ 1]) + data[begin + 1 :]
        else:
            sys.exit(f"spoil.py: unknown change {change}")
        write(path, header, data)


main(*sys.argv[1:])
