#!/usr/bin/env python3
"""Write the reference values of Tests/PreprocessingTests/Resources with Pillow and transformers.

    python scripts/make-image-fixtures.py Tests/PreprocessingTests/Resources

Needs Pillow >= 13 (earlier ones resize in another order), numpy, torch and transformers >= 5.23
(tested with Pillow 13.0.0, transformers 5.23).
Images come from a linear congruential generator that the Swift tests repeat, so only digests are stored.
"""

import base64
import hashlib
import io
import json
import math
import random
import struct
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from transformers import Qwen2_5_VLConfig
from transformers.image_transforms import convert_to_rgb
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

OUT = Path(sys.argv[1])
random.seed(1)


def noise(seed, count):
    """Bytes of state >> 24, state = state * 1664525 + 1013904223 mod 2^32, beginning with the seed's successor."""
    state, out = seed, bytearray(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state >> 24
    return bytes(out)


def picture(seed, width, height):
    return Image.frombytes("RGB", (width, height), noise(seed, 3 * width * height))


def sha(data):
    return hashlib.sha256(data).hexdigest()


def save(name, value):
    # One record a line: small, and a change shows.
    lines = ",\n".join(json.dumps(v, separators=(",", ":")) for v in value)
    (OUT / name).write_text(f"[\n{lines}\n]\n")


# ---- resize ------------------------------------------------------------------------------------------------------
sizes = [
    (1, 1, 28, 28),
    (1, 1, 1, 1),
    (2, 3, 28, 56),
    (300, 2, 28, 28),
    (3, 700, 28, 140),
    (64, 48, 64, 48),
    (64, 48, 64, 28),
    (64, 48, 28, 48),
    (385, 640, 364, 644),
    (500, 400, 28, 28),
    (28, 28, 252, 308),
    (100, 100, 90, 80),
    (100, 100, 90, 79),
    (108, 240, 84, 196),
]
sizes += [tuple(random.randint(1, 160) for _ in range(4)) for _ in range(100)]
resize = []
for i, (w, h, nw, nh) in enumerate(sizes):
    out = picture(i, w, h).resize((nw, nh), Image.BICUBIC)
    resize.append(dict(width=w, height=h, toWidth=nw, toHeight=nh, seed=i, sha256=sha(out.tobytes())))
save("resize.json", resize)

# ---- decode ------------------------------------------------------------------------------------------------------
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, seed, interlaced=False, palette=None, extra=b""):
    """A PNG of noise of any colour type, depth and interlacing, its scanlines unfiltered."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    samples = np.frombuffer(noise(seed, width * height * channels * 2), ">u2").astype(np.uint32) >> (16 - depth)
    samples = samples.reshape(height, width, channels)

    def pack(block):
        raw = b""
        for row in block:
            bits = "".join(format(int(v), f"0{depth}b") for v in row.reshape(-1))
            bits += "0" * (-len(bits) % 8)
            raw += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        return raw

    passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    raw = b"".join(pack(p) for p in passes if p.size)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"PLTE", palette) if palette else b"")
        + extra
        + chunk(b"IDAT", zlib.compress(raw, 9))
        + chunk(b"IEND", b"")
    )


decode = []


def add(name, data):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    decode.append(
        dict(
            name=name,
            base64=base64.b64encode(data).decode(),
            width=image.width,
            height=image.height,
            sha256=sha(image.tobytes()),
        )
    )


for interlaced in (False, True):
    for color, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (4, (8, 16)), (6, (8, 16))):
        for depth in depths:
            add(
                f"png colour {color} depth {depth} interlaced {interlaced}",
                png(11, 9, depth, color, depth + color, interlaced),
            )
    for depth in (1, 2, 4, 8):
        add(
            f"png palette depth {depth} interlaced {interlaced}",
            png(11, 9, depth, 3, depth, interlaced, noise(depth, 3 << depth)),
        )
add("png palette shorter than the indices", png(11, 9, 4, 3, 3, palette=noise(3, 15)))
add("png palette with tRNS", png(11, 9, 4, 3, 3, palette=noise(3, 48), extra=chunk(b"tRNS", noise(4, 16))))
add("png grey with tRNS", png(11, 9, 8, 0, 3, extra=chunk(b"tRNS", b"\0\7")))
add("png RGB with tRNS", png(11, 9, 8, 2, 3, extra=chunk(b"tRNS", b"\0\1\0\2\0\3")))
gamma = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"sBIT", b"\5\6\5")
add("png with gAMA and sBIT", png(11, 9, 8, 2, 3, extra=gamma))
add("png one pixel", png(1, 1, 8, 2, 3, True))
filtered = io.BytesIO()
Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 50).convert("RGB").save(filtered, "PNG", optimize=True)
add("png with filters", filtered.getvalue())

smooth = picture(7, 5, 4).resize((37, 29), Image.BICUBIC)


def jpeg(image, **options):
    data = io.BytesIO()
    image.save(data, "JPEG", **options)
    return data.getvalue()


for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
    for progressive in (False, True):
        add(
            f"jpeg {subsampling} progressive {progressive}",
            jpeg(smooth, quality=80, subsampling=subsampling, progressive=progressive),
        )
wide = jpeg(smooth, quality=90, subsampling="4:2:2")
assert wide.count(b"\1\x21\0") == 1
add("jpeg 4:4:0 by swapped factors", wide.replace(b"\1\x21\0", b"\1\x12\0"))
add("jpeg grey", jpeg(smooth.convert("L")))
add("jpeg RGB", jpeg(smooth, keep_rgb=True))
add("jpeg restart markers", jpeg(smooth, restart_marker_blocks=2))
turned = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
add("jpeg with orientation, not applied", jpeg(smooth, exif=turned))
cmyk = jpeg(smooth.convert("CMYK"))
add("jpeg CMYK", cmyk)
adobe = cmyk.index(b"Adobe")
add("jpeg YCCK", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :])
add("jpeg one pixel", jpeg(picture(1, 1, 1)))


# BMP, GIF and TIFF are written here, since Pillow writes few of their kinds.
def samples(seed, count, bits):
    return [v >> (8 - bits) for v in noise(seed, count)]


def packed(values, bits):
    """Samples of fewer than eight bits, the first in the highest ones, padded to a byte."""
    text = "".join(format(v, f"0{bits}b") for v in values)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def bmp(width, height, bits, seed, colors=0, masks=None, header=40, top_down=False, palette=None):
    """A BMP of noise. `masks`: those of bit fields."""
    stride = (width * bits + 31) // 32 * 4
    rows = [noise(seed + y, stride) for y in range(height)]
    entry = 3 if header == 12 else 4
    if bits <= 8 and palette is None:
        palette = noise(seed, entry * (colors or 1 << bits))
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IIiHHIIIIII", header, width, -height if top_down else height, 1, bits,
                           3 if masks else 0, 0, 0, 0, colors, 0)  # fmt: skip
        fields = struct.pack(f"<{len(masks)}I", *masks) if masks else b""
        info += fields + bytes(max(0, header - len(info) - len(fields)))
    start = 14 + len(info) + len(palette or b"")
    head = b"BM" + struct.pack("<IHHI", start + stride * height, 0, 0, start)
    return head + info + (palette or b"") + b"".join(rows)


for bits in (1, 4, 8, 16, 24, 32):
    add(f"bmp {bits} bits", bmp(11, 9, bits, bits))
    add(f"bmp {bits} bits from the top", bmp(7, 5, bits, bits, top_down=True))
for bits in (1, 4, 8, 24):
    add(f"bmp {bits} bits with an old header", bmp(11, 9, bits, bits, header=12))
add("bmp grey", bmp(11, 9, 8, 3, palette=b"".join(bytes([i, i, i, 0]) for i in range(256))))
add("bmp black and white", bmp(11, 9, 1, 3, palette=b"\0\0\0\0\xff\xff\xff\0"))
add("bmp white and black", bmp(11, 9, 1, 3, palette=b"\xff\xff\xff\0\0\0\0\0"))
add("bmp with a short palette", bmp(11, 9, 8, 3, colors=5))
add("bmp with a long header", bmp(11, 9, 24, 3, header=124))
for masks in (
    (0xF800, 0x7E0, 0x1F),
    (0x7C00, 0x3E0, 0x1F),
):
    add(f"bmp bit fields {masks}", bmp(11, 9, 16, 3, masks=masks))
fields = (
    (0xFF0000, 0xFF00, 0xFF, 0),
    (0xFF000000, 0xFF0000, 0xFF00, 0),
    (0xFF000000, 0xFF00, 0xFF, 0),
    (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
    (0, 0, 0, 0),
)
for masks in fields:
    add(f"bmp bit fields {masks}", bmp(7, 5, 32, 3, masks=masks, header=56))
add("bmp bit fields, old header", bmp(7, 5, 32, 3, masks=fields[0][:3]))


def lzw(indices, bits):
    """Codes that fill the table and go on with it, which is allowed."""
    clear, end = 1 << bits, (1 << bits) + 1
    out, filled, value = bytearray(), 0, 0

    def put(code, width):
        nonlocal filled, value
        value |= code << filled
        filled += width
        while filled >= 8:
            out.append(value & 255)
            value >>= 8
            filled -= 8

    width, table = bits + 1, {bytes([i]): i for i in range(clear)}
    put(clear, width)
    word, count = b"", end + 1
    for index in indices:
        longer = word + bytes([index])
        if longer in table:
            word = longer
            continue
        put(table[word], width)
        if count < 4096:
            table[longer] = count
            if count == 1 << width and width < 12:
                width += 1
            count += 1
        word = bytes([index])
    put(table[word], width)
    put(end, width)
    put(0, -filled % 8)
    return bytes(out)


def gif(width, height, seed, bits=3, screen=None, at=(0, 0), interlaced=False, transparent=None, palette="global",
        table=None):  # fmt: skip
    """A GIF of noise whose palette is that of the screen ("global") or of the image ("local"), or none."""
    indices = samples(seed, width * height, bits)
    if interlaced:
        order = [y for y0, dy in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(y0, height, dy)]
        indices = [indices[y * width + x] for y in order for x in range(width)]
    table = noise(seed, 3 << bits) if table is None else table
    flags = 0x80 | bits - 1
    data = b"GIF89a" + struct.pack("<HHBBB", *(screen or (width, height)), flags if palette == "global" else 0, 0, 0)
    data += table if palette == "global" else b""
    data += b"!\xfe\5hello\0"
    if transparent is not None:
        data += b"!\xf9\4\1\0\0" + bytes([transparent, 0])
    local = (flags if palette == "local" else 0) | (0x40 if interlaced else 0)
    data += b"," + struct.pack("<HHHHB", *at, width, height, local) + (table if palette == "local" else b"")
    codes = lzw(indices, max(bits, 2))
    blocks = [codes[i : i + 255] for i in range(0, len(codes), 255)]
    return data + bytes([max(bits, 2)]) + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0;"


for bits in range(1, 9):
    add(f"gif {bits} bits", gif(13, 11, bits, bits))
add("gif interlaced", gif(13, 11, 3, interlaced=True))
add("gif with a palette of its own", gif(13, 11, 3, palette="local"))
add("gif without a palette", gif(13, 11, 3, bits=8, palette="none"))
add("gif grey", gif(13, 11, 3, bits=4, table=b"".join(bytes([i] * 3) for i in range(16))))
add("gif smaller than its screen", gif(5, 4, 3, screen=(13, 11), at=(3, 2)))
add("gif larger than its screen", gif(9, 8, 3, screen=(7, 5), at=(3, 2)))
add("gif whose table is full", gif(120, 90, 3, bits=8))
frames = io.BytesIO()
picture(3, 9, 8).save(frames, "GIF", save_all=True, append_images=[picture(4, 9, 8)])
add("gif with two frames", frames.getvalue())


def webp(image, **options):
    data = io.BytesIO()
    image.save(data, "WEBP", **options)
    return data.getvalue()


for quality in (10, 80):
    add(f"webp lossy {quality}", webp(smooth, quality=quality))
add("webp lossy, odd size", webp(picture(5, 17, 13), quality=60))
add("webp lossless", webp(picture(5, 17, 13), lossless=True))
add("webp lossless, few colours", webp(smooth.quantize(6).convert("RGB"), lossless=True))
add("webp one pixel", webp(picture(5, 1, 1), lossless=True))


def tiff(width, height, seed, photometric, bits=8, count=1, little=True, extras=(), compression=1, tile=None,
         planar=False, rows=None, invert_fill=False, orientation=None, colormap=None, more=()):  # fmt: skip
    """A TIFF of noise in strips of `rows`, or in tiles; `count` samples a pixel."""
    order = "<" if little else ">"
    values = samples(seed, width * height * count, min(bits, 8))
    if bits == 16:
        values = [v * 257 % 65521 for v in values]
    image = np.array(values, "<u4").reshape(height, width, count)

    def block(part):
        if bits == 16:
            return part.astype(order + "u2").tobytes()
        if bits == 8:
            return part.astype("u1").tobytes()
        return b"".join(packed([int(v) for v in row.reshape(-1)], bits) for row in part)

    planes = [image[..., i : i + 1] for i in range(count)] if planar else [image]
    blocks = []
    for plane in planes:
        if tile:
            for y in range(0, height, tile[1]):
                for x in range(0, width, tile[0]):
                    part = np.zeros((tile[1], tile[0], plane.shape[2]), "<u4")
                    cut = plane[y : y + tile[1], x : x + tile[0]]
                    part[: cut.shape[0], : cut.shape[1]] = cut
                    blocks.append(block(part))
        else:
            step = rows or height
            blocks += [block(plane[y : y + step]) for y in range(0, height, step)]
    if compression == 8:
        blocks = [zlib.compress(b) for b in blocks]
    if invert_fill:
        blocks = [bytes(int(f"{v:08b}"[::-1], 2) for v in b) for b in blocks]
    shorts = {258: [bits] * count, 259: [compression], 262: [photometric], 277: [count]}
    shorts |= {284: [2 if planar else 1]} | ({338: list(extras)} if extras else {}) | dict(more)
    shorts |= ({266: [2]} if invert_fill else {}) | ({274: [orientation]} if orientation else {})
    if photometric == 3:
        entries = np.frombuffer(noise(seed, 6 << bits), "<u2").tolist() if colormap is None else colormap
        shorts[320] = entries
    places, data = [], b""
    for b in blocks:
        places.append(8 + len(data))
        data += b + b"\0" * (len(b) % 2)
    longs = {256: [width], 257: [height], 324 if tile else 273: places, 325 if tile else 279: [len(b) for b in blocks]}
    longs |= {322: [tile[0]], 323: [tile[1]]} if tile else {278: [rows or height]}
    tags = sorted([(t, 3, "H", v) for t, v in shorts.items()] + [(t, 4, "I", v) for t, v in longs.items()])
    directory = struct.pack(order + "H", len(tags))
    start = 8 + len(data)
    extra = b""
    for tag, kind, letter, numbers in tags:
        value = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(value) > 4:
            place = start + 2 + 12 * len(tags) + 4 + len(extra)
            extra += value + b"\0" * (len(value) % 2)
            value = struct.pack(order + "I", place)
        directory += struct.pack(order + "HHI", tag, kind, len(numbers)) + value.ljust(4, b"\0")
    magic = b"II*\0" if little else b"MM\0*"
    return magic + struct.pack(order + "I", start) + data + directory + bytes(4) + extra


for little in (True, False):
    for bits in (1, 2, 4, 8):
        for photometric in (0, 1):
            add(f"tiff grey {photometric} {bits} bits {little}", tiff(11, 9, bits, photometric, bits, little=little))
        add(f"tiff palette {bits} bits {little}", tiff(11, 9, bits, 3, bits, little=little))
    for bits in (8, 16):
        add(f"tiff RGB {bits} bits {little}", tiff(11, 9, bits, 2, bits, 3, little))
        add(f"tiff CMYK {bits} bits {little}", tiff(11, 9, bits, 5, bits, 4, little))
        add(f"tiff RGBX {bits} bits {little}", tiff(11, 9, bits, 2, bits, 4, little, extras=(0,)))
    add(f"tiff grey 16 bits {little}", tiff(11, 9, 16, 1, 16, little=little))
    add(f"tiff deflate 16 bits {little}", tiff(11, 9, 16, 2, 16, 3, little, compression=8))
    add(f"tiff deflate grey 16 bits {little}", tiff(11, 9, 16, 1, 16, little=little, compression=8))
add("tiff fill order", tiff(11, 9, 3, 1, 1, invert_fill=True))
add("tiff in strips", tiff(11, 9, 3, 2, 8, 3, rows=2))
add("tiff in tiles", tiff(37, 21, 3, 2, 8, 3, tile=(16, 16)))
add("tiff in tiles, deflate", tiff(37, 21, 3, 2, 8, 3, tile=(16, 16), compression=8))
add("tiff grey in tiles, one bit", tiff(37, 21, 3, 1, 1, tile=(16, 16), compression=8))
add("tiff in planes", tiff(11, 9, 3, 2, 8, 3, planar=True))
add("tiff in planes and strips", tiff(11, 9, 3, 2, 8, 3, planar=True, rows=4))
add("tiff in planes, deflate", tiff(11, 9, 3, 2, 8, 3, planar=True, compression=8))
add("tiff CMYK in planes", tiff(11, 9, 3, 5, 8, 4, planar=True))
add("tiff grey with a sample more", tiff(11, 9, 3, 1, 8, 2, extras=(0,)))
add("tiff palette with a sample more", tiff(11, 9, 3, 3, 8, 2, extras=(0,)))
add("tiff CMYK with a sample more", tiff(11, 9, 3, 5, 8, 5, extras=(0,)))
add("tiff RGB with three samples more", tiff(11, 9, 3, 2, 8, 6, extras=(0, 0, 0)))


def tiff_of(image, **options):
    data = io.BytesIO()
    image.save(data, "TIFF", **options)
    return data.getvalue()


for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate"):
    add(f"tiff {compression}", tiff_of(smooth, compression=compression))
for compression in ("group3", "group4", "tiff_ccitt"):
    add(f"tiff {compression}", tiff_of(smooth.convert("1"), compression=compression))
add("tiff jpeg, YCbCr", tiff_of(smooth.convert("YCbCr"), compression="jpeg", quality=80))
add("tiff jpeg, RGB", tiff_of(smooth, compression="jpeg", quality=80))
add("tiff jpeg, grey", tiff_of(smooth.convert("L"), compression="jpeg", quality=80))
add("tiff lzw, predictor", tiff_of(smooth, compression="tiff_lzw", tiffinfo={317: 2}))
pages = io.BytesIO()
smooth.save(pages, "TIFF", save_all=True, append_images=[picture(4, 9, 8)])
add("tiff with two pages", pages.getvalue())
save("decode.json", decode)

# ---- readings: transparency on white, EXIF orientation, damaged files whose pixels are whole -----------------------
readings = []


def add_reading(name, data):
    """What Pillow and transformers make of a file: sha256 with the alpha dropped, on white, and upright on white."""
    image = Image.open(io.BytesIO(data))
    upright = ImageOps.exif_transpose(image)
    readings.append(
        dict(
            name=name,
            base64=base64.b64encode(data).decode(),
            width=image.width,
            height=image.height,
            drop=sha(image.convert("RGB").tobytes()),
            white=sha(convert_to_rgb(Image.open(io.BytesIO(data))).tobytes()),
            upright=sha(convert_to_rgb(upright).tobytes()),
        )
    )


def key(*samples):
    return chunk(b"tRNS", struct.pack(f">{len(samples)}H", *samples))


for interlaced in (False, True):
    for color in (4, 6):
        for depth in (8, 16):
            add_reading(
                f"alpha colour {color} depth {depth} interlaced {interlaced}", png(13, 7, depth, color, 5, interlaced)
            )
    add_reading(
        f"palette, tRNS of shares, interlaced {interlaced}",
        png(13, 7, 4, 3, 3, interlaced, palette=noise(3, 48), extra=chunk(b"tRNS", noise(4, 9))),
    )
add_reading(
    "palette, one index transparent",
    png(13, 7, 2, 3, 3, palette=noise(3, 12), extra=chunk(b"tRNS", b"\xff\0\xff")),
)
add_reading(
    "palette, tRNS longer than it", png(13, 7, 2, 3, 3, palette=noise(3, 9), extra=chunk(b"tRNS", noise(4, 16)))
)
for t in (0, 1):
    add_reading(f"grey depth 1, tRNS {t}", png(13, 7, 1, 0, 5, extra=key(t)))
for depth, t in ((2, 1), (2, 85), (4, 17), (8, noise(8, 4)[1]), (16, 0x0107)):
    add_reading(f"grey depth {depth}, tRNS {t}", png(64, 32, depth, 0, depth, extra=key(t)))
pixel = noise(2 + 8, 12)[::2][:3]
add_reading("RGB depth 8, tRNS", png(13, 7, 8, 2, 10, extra=key(*pixel)))
add_reading("RGB depth 16, tRNS", png(13, 7, 16, 2, 10, extra=key(*pixel)))
add_reading("RGB with sound eXIf", png(13, 7, 8, 2, 5, extra=chunk(b"eXIf", turned[6:])))
for orientation in range(10):
    exif = turned.replace(b"\0\6\0\0\0\0", bytes([0, orientation, 0, 0, 0, 0]))
    add_reading(f"jpeg, orientation {orientation}", jpeg(smooth, exif=exif))
little = b"Exif\0\0II\x2a\0\x08\0\0\0\1\0\x12\x01\3\0\1\0\0\0\x08\0\0\0\0\0\0\0"
add_reading("jpeg, orientation 8, little-endian", jpeg(smooth, exif=little))
xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
add_reading("jpeg, orientation 3 in XMP", jpeg(smooth, xmp=xmp))
for alpha in (0, 1, 2):
    name = ("RGBX", "RGBa", "RGBA")[alpha]
    add_reading(f"tiff {name}", tiff(13, 7, alpha + 40, 2, 8, 4, extras=(alpha,)))
    add_reading(f"tiff {name} 16 bits", tiff(13, 7, alpha + 40, 2, 16, 4, extras=(alpha,)))
    add_reading(f"tiff {name} and two more", tiff(13, 7, alpha + 40, 2, 8, 6, extras=(alpha, 0, 0)))
add_reading("tiff RGBA that does not say so", tiff(13, 7, 40, 2, 8, 4))
add_reading("tiff RGBA in planes", tiff(13, 7, 40, 2, 8, 4, extras=(2,), planar=True))
add_reading("tiff grey with alpha", tiff(13, 7, 40, 1, 8, 2, extras=(2,)))
add_reading("tiff palette with alpha", tiff(13, 7, 40, 3, 8, 2, extras=(2,)))
for orientation in range(1, 9):
    add_reading(f"tiff, orientation {orientation}", tiff(13, 7, 40, 2, 8, 3, orientation=orientation))
add_reading("tiff deflate, orientation 6", tiff(13, 7, 40, 2, 8, 3, orientation=6, compression=8, little=False))
for masks in fields:
    add_reading(f"bmp bit fields {masks}", bmp(13, 7, 32, 40, masks=masks, header=56))
for palette in ("global", "local", "none"):
    add_reading(f"gif transparent, palette {palette}", gif(13, 7, 40, transparent=3, palette=palette))
add_reading("gif transparent outside", gif(5, 4, 40, screen=(13, 7), at=(2, 1), transparent=3))
rgba = Image.frombytes("RGBA", (13, 7), noise(40, 4 * 13 * 7))
add_reading("webp lossless, alpha", webp(rgba, lossless=True))
add_reading("webp lossless, alpha, exact", webp(rgba, lossless=True, exact=True))
add_reading("webp lossy, alpha", webp(rgba, quality=70))
simple = webp(rgba, lossless=True, exact=True)
body = simple[simple.index(b"VP8L") :]


def riff(chunks):
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def vp8x(flags, width, height):
    return (
        b"VP8X" + struct.pack("<II", 10, flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    )


add_reading("webp lossless alone, alpha", riff(body))
add_reading("webp extended without the flag of alpha", riff(vp8x(0, 13, 7) + body))
add_reading("webp, orientation 6 in EXIF", webp(smooth, exif=turned[6:]))
add_reading("webp, orientation 6 in EXIF with a name", webp(smooth, exif=turned))
add_reading("webp, orientation 3 in XMP", webp(smooth, xmp=xmp))
save("readings.json", readings)

damaged = []


def add_damaged(name, data):
    """A file that Pillow reads whole although it is not as it should be, or refuses."""
    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        record = dict(width=image.width, height=image.height, sha256=sha(image.tobytes()))
    except (OSError, SyntaxError) as error:
        # Without the address of an object, which is another in each run.
        record = dict(width=0, height=0, sha256="", refusal=str(error).split(" <")[0])
    damaged.append(dict(name=name, base64=base64.b64encode(data).decode(), **record))


for interlaced in (False, True):
    sound = png(23, 17, 8, 2, 4, interlaced)
    idat = sound.index(b"IDAT") - 4
    crc = sound.index(b"IEND") - 8
    add_damaged(f"png without IEND, interlaced {interlaced}", sound[:-12])
    add_damaged(f"png cut in IEND, interlaced {interlaced}", sound[:-5])
    add_damaged(f"png without its last checksum, interlaced {interlaced}", sound[: crc + 2])
    add_damaged(f"png with a wrong IDAT checksum, interlaced {interlaced}", sound[:crc] + b"oops" + sound[crc + 4 :])
    add_damaged(f"png cut in its pixels, interlaced {interlaced}", sound[: crc - 30])
    add_damaged(f"png with a changed pixel, interlaced {interlaced}", sound[: idat + 60] + b"??" + sound[idat + 62 :])
add_damaged("png with a wrong IHDR checksum", sound[:29] + b"oops" + sound[33:])
for progressive in (False, True):
    sound = jpeg(smooth, quality=90, progressive=progressive)
    add_damaged(f"jpeg with zeros for its end, progressive {progressive}", sound[:-2] + b"\0\0")
    add_damaged(f"jpeg with many zeros for its end, progressive {progressive}", sound[:-2] + b"\0" * 100)
    add_damaged(f"jpeg without its end, progressive {progressive}", sound[:-2])
    add_damaged(f"jpeg cut in its pixels, progressive {progressive}", sound[: len(sound) - 40])
    middle = len(sound) - 60
    add_damaged(
        f"jpeg with a changed pixel, progressive {progressive}", sound[:middle] + b"\x11\x47" + sound[middle + 2 :]
    )
    add_damaged(
        f"jpeg with a marker in its pixels, progressive {progressive}",
        sound[:middle] + b"\xff\xd9" + sound[middle + 2 :],
    )
for name, sound in (
    ("gif", gif(13, 11, 3)),
    ("gif interlaced", gif(13, 11, 3, interlaced=True)),
    ("webp lossy", webp(smooth, quality=80)),
    ("webp lossless", webp(picture(5, 17, 13), lossless=True)),
    ("bmp", bmp(11, 9, 24, 3)),
    ("tiff deflate", tiff(11, 9, 3, 2, 8, 3, compression=8)),
    ("tiff", tiff(11, 9, 3, 2, 8, 3)),
):
    for cut in (1, 2, 8, 30):
        add_damaged(f"{name} without {cut} bytes at its end", sound[:-cut])
save("damaged.json", damaged)

# ---- smart resize, patches, positions: transformers ----------------------------------------------------------------
cases = []
for i in range(400):
    top = random.choice([20, 60, 400, 3000, 20000])
    h, w = random.randint(1, top), random.randint(1, top)
    if i % 10 == 0:  # halves, rounded to even
        h, w = 14 * random.randint(1, 30), 14 * random.randint(1, 30)
    if i % 25 == 0:
        h = w * random.choice([199, 200, 201])
    factor = random.choice([28, 28, 32])
    low, high = random.choice([(3136, 12845056), (4 * 28**2, 160 * 28**2), (3136, 28**2 * 1280), (10**5, 2 * 10**5)])
    try:
        r = smart_resize(h, w, factor, low, high)
    except ValueError:
        r = (0, 0)
    cases.append([h, w, factor, low, high, *r])
save("smart-resize.json", cases)

released = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
patches = []
for i, (w, h, side, low, high, std) in enumerate(
    [
        (56, 84, 14, 3136, 12845056, None),
        (100, 75, 14, 3136, 12845056, None),
        (385, 640, 14, 3136, 125440, None),
        (9, 31, 14, 3136, 12845056, None),
        (200, 130, 16, 4096, 163840, 0.5),
        (640, 60, 14, 3136, 30000, None),
    ]
):
    values = released if std is None else dict(image_mean=[std] * 3, image_std=[std] * 3)
    processor = Qwen2VLImageProcessorPil(
        min_pixels=low, max_pixels=high, patch_size=side, temporal_patch_size=2, merge_size=2, **values
    )
    out = processor(images=[picture(i, w, h)], return_tensors="np")
    pixels = out["pixel_values"].astype("<f4")
    patches.append(
        dict(
            width=w,
            height=h,
            seed=i,
            patchSize=side,
            minPixels=low,
            maxPixels=high,
            mean=values["image_mean"],
            std=values["image_std"],
            grid=out["image_grid_thw"][0].tolist(),
            first=[float(v) for v in pixels[0, :4]],
            sha256=sha(pixels.tobytes()),
        )
    )
save("patches.json", patches)

IMAGE, START, END = 9, 7, 8
config = Qwen2_5_VLConfig(
    image_token_id=IMAGE,
    vision_start_token_id=START,
    vision_end_token_id=END,
    vision_config=dict(spatial_merge_size=2, tokens_per_second=2),
)
model = types.SimpleNamespace(config=config)
model.get_vision_position_ids = types.MethodType(Qwen2_5_VLModel.get_vision_position_ids, model)
layouts = {
    "text only": [5],
    "one image": [3, (1, 4, 6), 4],
    "two images": [2, (1, 4, 6), 3, (1, 6, 2), 2],
    "image first": [(1, 2, 2), 3],
    "image last": [4, (1, 8, 4)],
    "only an image": [(1, 4, 4)],
    "several turns": [3, (1, 6, 4), 5, (1, 2, 8), 1, (1, 4, 4), 6],
    "several frames": [2, (3, 4, 4), 3],
    "more frames than rows at the end": [2, (5, 2, 2)],
}
mrope = []
for name, layout in layouts.items():
    ids, grids = [], []
    for part in layout:
        if isinstance(part, int):
            ids += [START] + [1] * (part - 1)
        else:
            grids.append(part)
            ids += [IMAGE] * (part[0] * part[1] * part[2] // 4)
    tokens = torch.tensor([ids])
    positions, delta = Qwen2_5_VLModel.get_rope_index(
        model, tokens, mm_token_type_ids=(tokens == IMAGE).int(), image_grid_thw=torch.tensor(grids) if grids else None
    )
    mrope.append(
        dict(
            name=name,
            ids=ids,
            grids=[list(g) for g in grids],
            positions=positions[:, 0].tolist(),
            delta=int(delta[0, 0]),
        )
    )
save("mrope.json", mrope)

# ---- requested sizes: qwen_vl_utils -------------------------------------------------------------------------------
requests = []


def fetch_size(height, width, factor, low=None, high=None):
    """`smart_resize` of qwen_vl_utils, in its own words: at least one factor, its own limits where none are given."""
    low = 4 * factor**2 if low is None else low
    high = 16384 * factor**2 if high is None else high
    if max(height, width) / min(height, width) > 200:
        return 0, 0
    h_bar = max(factor, round(height / factor) * factor)
    w_bar = max(factor, round(width / factor) * factor)
    if h_bar * w_bar > high:
        beta = math.sqrt((height * width) / high)
        h_bar = max(factor, math.floor(height / beta / factor) * factor)
        w_bar = max(factor, math.floor(width / beta / factor) * factor)
    elif h_bar * w_bar < low:
        beta = math.sqrt(low / (height * width))
        h_bar = math.ceil(height * beta / factor) * factor
        w_bar = math.ceil(width * beta / factor) * factor
    return h_bar, w_bar


for i in range(60):
    height, width, factor = random.randint(1, 900), random.randint(1, 900), random.choice([28, 32])
    record = dict(height=height, width=width, factor=factor)
    if i % 3 == 0:
        record |= dict(resizedHeight=random.randint(1, 900), resizedWidth=random.randint(1, 900))
        size = fetch_size(record["resizedHeight"], record["resizedWidth"], factor)
    else:
        low = random.choice([None, 3136, 50176, 200704])
        high = random.choice([None, 250880, 1003520])
        record |= {name: limit for name, limit in (("minPixels", low), ("maxPixels", high)) if limit}
        size = fetch_size(height, width, factor, low, high)
    requests.append(record | dict(toHeight=size[0], toWidth=size[1]))
save("requested-sizes.json", requests)
