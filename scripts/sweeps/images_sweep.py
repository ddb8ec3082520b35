"""Images: pixel_values and image_grid_thw against Qwen2VLImageProcessorPil of transformers on Pillow's image, all bits.

What transformers 5.23 does with a PIL image, the way of every script that calls Image.open itself, is the reference:
* EXIF orientation is not applied (ImageOps.exif_transpose is called where a path or URL is given to the processor, and
  only there); gAMA, cHRM, sRGB, iCCP, sBIT are ignored;
* has_alpha = "A" in image.getbands() or image.info.get("transparency") is not None. Then
  PIL.Image.alpha_composite(white RGBA of its size, image.convert("RGBA")).convert("RGB"), else image.convert("RGB").
  With s and a of 8 bits this is t = s * a + 255 * (255 - a) + 128, (t + (t >> 8)) >> 8;
* modes: RGBA and LA of 8 bits are as stored. Of 16 bits RGB and RGBA keep the high bytes, grey with alpha becomes RGBA
  of high bytes, grey becomes I;16, of which min(value, 255) is taken;
* P with tRNS: the alpha of an index, 255 beyond tRNS; indices beyond the palette are black. (info holds an integer
  where one entry is 0 and all others are 255, else bytes; pixels are the same.)
* RGB with tRNS: white where the 8-bit pixel (of 16 bits the high bytes) is tRNS & 0xFF. Grey likewise, of 2 and 4
  bits after scaling to 0...255, of 16 bits after min(value, 255). Grey of 1 bit: a tRNS of 0 makes the image white,
  others change nothing.
* Given a path, transformers calls load_image: exif_transpose, then convert("RGB"), which drops alpha. qwen_vl_utils
  lays mode RGBA on white (with paste(mask=alpha): the same bytes) and drops alpha of LA and P. Neither is compared.

Where Pillow or transformers refuses, imagelora must, and the reverse. Permitted exceptions, with the reason:
* more than 89,478,485 pixels: imagelora refuses, Pillow only warns up to twice as many. None are made here.
* formats other than PNG and JPEG: none are made here.
* ratios of sides over 200: refused by both.
* faults in PERMITTED below.
"""

import random
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

import jpeg_files
import png_files
from oracle import PARITY, Model, Program, Refusal, ill_formed, pixel_difference, write_rows

PER_FILE = 20
# Faults that Pillow reads over and imagelora refuses, with the reason. Where pixels are lost Pillow makes some up in
# silence: black rows, grey blocks.
PERMITTED = {
    "fewer rows than the header has": "pixels are lost",
    "cut at half of the scan, end marker kept": "pixels are lost",
    "cut by 10 bytes, end marker kept": "pixels are lost",
    "noise in the scan": "pixels are lost",
    "one byte of the scan changed": "pixels are lost",
    "restart marker missing": "pixels are lost",
    "unknown critical chunk": "PNG's specification wants it refused",
    "restart marker out of order": "libjpeg's remark is the same where pixels are lost and where none are",
}
# Faults that Pillow refuses and imagelora reads, with the reason.
READ = {
    "text with a wrong CRC before IDAT": "no pixel is in it; it is read as a damaged file",
    "unknown marker": "libjpeg skips it, as its specification wants",
}


def size(r):
    form = r.randrange(10)
    if form == 0:
        return r.choice([(1, 1), (1, r.randint(1, 200)), (r.randint(1, 200), 1), (2, r.randint(300, 420)), (300, 3)])
    if form == 1:
        return r.randint(1, 12), r.randint(1, 12)
    if form == 2:
        return r.randint(300, 700), r.randint(200, 500)
    return r.randint(1, 300), r.randint(1, 300)


def made(count, seed, folder):
    """Path, what it is and the model that reads it."""
    for number in range(count):
        r = random.Random(seed * 1_000_003 + number)
        width, height = size(r)
        form = number % 10
        if form < 4:
            # Every kind in turn, with and without interlacing and transparency.
            color, depth = png_files.KINDS[(number // 10 * 4 + form) % len(png_files.KINDS)]
            parts, what = png_files.png(r, width, height, color, depth)
            data = png_files.whole(r, parts)
        elif form == 4:
            color, depth = r.choice(
                [(0, 8), (2, 8), (3, 8), (4, 8), (6, 8), (4, 16), (6, 16), (3, 4), (0, 16), (2, 16)]
            )
            parts, what = png_files.png(r, width, height, color, depth, with_transparency=True)
            data = png_files.whole(r, parts)
        elif form < 8:
            data, what = jpeg_files.jpeg(r, width, height)
        else:
            family = png_files if form == 8 else jpeg_files
            data, what = family.damaged(r, max(width, 16), max(height, 16), number // 10)
        path = folder / f"{number:04}.{'png' if what.startswith('png') else 'jpg'}"
        path.write_bytes(data)
        yield path, what


def reference(model, path):
    """The expected pixels and grid, or the error's text."""
    try:
        with Image.open(path) as image:
            pixels, grids = model.pixels([image])
        return pixels, grids
    except (Refusal, OSError, SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


class Comparison:
    def __init__(self, name, program, folder):
        self.name, self.program, self.folder = name, program, folder
        self.model, self.adapter = Model(PARITY / name / "model"), PARITY / name / "adapter"

    def read(self, paths):
        """What imagelora makes of each: a sample, or its message. One file of rows while none is refused."""
        rows = self.folder / f"{self.name}-{paths[0].stem}-{len(paths)}.jsonl"
        write_rows(
            rows,
            [
                {
                    "id": path.name,
                    "images": [path.name],
                    "messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "x"}],
                }
                for path in paths
            ],
        )
        try:
            samples = self.program.parity(self.model.folder, rows, self.adapter, rows.with_suffix(".h5"))
            return {path: samples[path.name] for path in paths}
        except Refusal as error:
            if len(paths) == 1:
                return {paths[0]: str(error)}
        finally:
            rows.unlink()
        half = len(paths) // 2
        return {**self.read(paths[:half]), **self.read(paths[half:])}

    def difference(self, path, what, got, expected):
        refused = isinstance(got, str)
        if isinstance(expected, str):
            if not refused and what.split(": ")[-1] in READ:
                return "permitted"
            if refused:
                return ill_formed(got) and f"{what}: {ill_formed(got)}"
            return f"{what}: read, but Pillow refuses it: {expected}"
        if refused:
            if what.split(": ")[-1] in PERMITTED:
                return "permitted"
            return f"{what}: Pillow reads it, imagelora: {got}"
        pixels, grids = expected
        if got.grids != grids:
            return f"{what}: grid {got.grids}, expected {grids}"
        difference = pixel_difference(got.pixels, pixels)
        return difference and f"{what}: {difference}"


def compare(options, folder):
    program = Program(options.program)
    files = list(made(options.count or 500, options.seed, folder))
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, half in (("a", files[::2]), ("qwen3-vl", files[1::2])):
            comparison = Comparison(name, program, folder)
            expected = {path: reference(comparison.model, path) for path, _ in half}
            good = [path for path, _ in half if not isinstance(expected[path], str)]
            # Refused ones one by one: a single message names a single file.
            batches = [good[at : at + PER_FILE] for at in range(0, len(good), PER_FILE)]
            batches += [[path] for path, _ in half if isinstance(expected[path], str)]
            got = {path: found for batch in pool.map(comparison.read, batches) for path, found in batch.items()}
            for path, what in half:
                difference = comparison.difference(path, what, got[path], expected[path])
                yield path.name, difference
                if not difference:
                    path.unlink()
