"""JPEG files of every kind that Pillow writes, and nearly valid ones."""

import io

import numpy as np
from PIL import Image

from png_files import exif


def picture(r, width, height):
    """Something smooth with noise in it."""
    numbers = np.random.default_rng(r.randrange(2**32))
    small = numbers.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(small).resize((width, height), Image.BICUBIC)).astype(np.int32)
    return Image.fromarray(
        (image + numbers.integers(-r.choice((1, 6, 40)), 2, image.shape)).clip(0, 255).astype(np.uint8)
    )


def encoded(image, **options):
    data = io.BytesIO()
    image.save(data, "JPEG", **options)
    return data.getvalue()


def jpeg(r, width, height):
    """(the file, what it is)."""
    image = picture(r, width, height)
    mode = r.choice(("RGB",) * 6 + ("L", "CMYK", "keep_rgb", "YCCK", "4:4:0"))
    options = dict(quality=r.choice((1, 10, 50, 75, 90, 95, 100, r.randint(1, 100))), progressive=r.random() < 0.4)
    options["optimize"] = r.random() < 0.3
    if r.random() < 0.3:
        options[r.choice(("restart_marker_blocks", "restart_marker_rows"))] = r.randint(1, 5)
    if r.random() < 0.3:
        options["exif"] = exif(r.randint(1, 8))
    if r.random() < 0.2:
        options["icc_profile"] = bytes(r.randrange(256) for _ in range(r.choice((100, 70000))))
    if r.random() < 0.2:
        options["comment"] = b"a comment \xff\xd9 with markers"
    if r.random() < 0.2:
        options["dpi"] = (300, 72)
    if mode in ("RGB", "4:4:0"):
        options["subsampling"] = r.choice(("4:4:4", "4:2:2", "4:2:0"))
    if r.random() < 0.1:
        options["qtables"] = [[r.randint(1, 60) for _ in range(64)] for _ in range(2)]
        del options["quality"]
    if mode == "4:4:0":
        # Swapped factors have the same number of blocks where both sides fill their blocks.
        side = 16 * r.randint(1, 10)
        options |= dict(subsampling="4:2:2", progressive=False)
        data = encoded(picture(r, side, side), **options).replace(b"\1\x21\0", b"\1\x12\0", 1)
    elif mode == "keep_rgb":
        data = encoded(image, keep_rgb=True, **options)
    elif mode in ("CMYK", "YCCK"):
        data = encoded(image.convert("CMYK"), **options)
        if mode == "YCCK":
            adobe = data.index(b"Adobe")
            data = data[: adobe + 11] + b"\2" + data[adobe + 12 :]
    else:
        data = encoded(image.convert("L") if mode == "L" else image, **options)
    names = [mode, *(f"{k}={v}" for k, v in options.items() if k in ("subsampling", "progressive", "quality") and v)]
    return data, "jpeg " + " ".join(names)


def damaged(r, width, height, kind):
    progressive = r.random() < 0.3
    restart = dict(restart_marker_blocks=3)
    image = picture(r, width, height)
    data = encoded(image, quality=80, progressive=progressive)
    marked = encoded(image, quality=80, **restart)
    scan = data.rindex(b"\xff\xda") + 14
    middle = r.randrange(scan, max(scan + 1, len(data) - 2))
    dht, sos = data.index(b"\xff\xc4"), data.index(b"\xff\xda")
    noise = bytes(r.randrange(256) for _ in range(60))
    faults = [
        ("end marker zeroed", data[:-2] + b"\0\0"),
        ("end marker missing", data[:-2]),
        ("end marker cut in half", data[:-1]),
        ("zeros instead of the end, many", data[:-2] + bytes(500)),
        ("bytes after the end", data + noise),
        ("zeros after the end", data + bytes(4096)),
        ("a second JPEG after the end", data + data),
        ("cut at half of the scan", data[: (scan + len(data)) // 2]),
        ("cut at half of the scan, end marker kept", data[: (scan + len(data)) // 2] + b"\xff\xd9"),
        ("cut in the header", data[:40]),
        ("cut before the scan", data[:sos]),
        ("cut by 10 bytes", data[:-12]),
        ("cut by 10 bytes, end marker kept", data[:-12] + b"\xff\xd9"),
        ("cut, padded with zeros", data[: (scan + len(data)) // 2] + bytes(300)),
        ("one byte of the scan changed", data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]),
        ("noise in the scan", data[:middle] + noise.replace(b"\xff", b"\xfe") + data[middle + 60 :]),
        ("restart marker out of order", marked.replace(b"\xff\xd0", b"\xff\xd3", 1)),
        ("restart marker missing", marked.replace(b"\xff\xd1", b"", 1)),
        ("bytes between segments", data[:2] + noise[:20].replace(b"\xff", b"\0") + data[2:]),
        ("fill bytes before a marker", data[:sos] + b"\xff\xff\xff" + data[sos:]),
        ("without Huffman tables", data[:dht] + data[sos:]),
        ("without start marker", data[2:]),
        ("two start markers", b"\xff\xd8" + data),
        ("unknown application segment", data[:2] + b"\xff\xef\0\x08abcdef" + data[2:]),
        ("segment longer than the file", data[:2] + b"\xff\xe5\xff\xff" + data[2:]),
        ("unknown marker", data[:2] + b"\xff\x01" + data[2:]),
        ("broken EXIF", encoded(image, exif=b"Exif\0\0MM\0\x2a\0\0\xff\xff" + noise)),
        ("12 bits a sample", data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c", 1)),
        ("height 0", data.replace(b"\x11\x08" + height.to_bytes(2, "big"), b"\x11\x08\0\0", 1)),
        ("JPEG after a line of text", b"\n" + data),
        ("start marker alone", data[:3]),
    ]
    name, file = faults[kind % len(faults)]
    return file, f"jpeg{' progressive' if progressive else ''}: {name}"
