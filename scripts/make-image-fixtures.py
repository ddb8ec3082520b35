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
save("readings.json", readings)

damaged = []


def add_damaged(name, data):
    """A file that Pillow reads whole although it is not as it should be, or refuses."""
    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        record = dict(width=image.width, height=image.height, sha256=sha(image.tobytes()))
    except (OSError, SyntaxError) as error:
        record = dict(width=0, height=0, sha256="", refusal=str(error))
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
