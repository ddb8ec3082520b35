#!/usr/bin/env python3
"""Renders widget pages for train.py.

    render.py --pages 24000 --seed 4 --output pages

Needs Chromium and chromedriver (Debian: chromium chromium-driver fonts-liberation fonts-dejavu), Python 3.11, Pillow,
numpy.
"""

import argparse
import json
import os
import random
import time

import numpy as np
from PIL import Image

from pages import SIZES, sample_page
from rendered import rendered

UNIT = 32  # pixels of a visual token
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789#"


def bulk(a):
    """In folder `output`, a page size: images as the image processor resizes them (uint8), the letter with its centre
    in each cell of 8 rows and 4 columns of pixels (-1 for none), and the pages as JSON.
    """
    rng = random.Random(a.seed)
    os.makedirs(a.output, exist_ok=True)
    for width, height, share in SIZES:
        w, h = (max(1, round(v / UNIT)) * UNIT for v in (width, height))
        images, cells, described = [], [], []
        for image, page, letters in rendered(
            [sample_page(rng, "light", (width, height)) for _ in range(round(a.pages * share))]
        ):
            images.append(np.asarray(image if image.size == (w, h) else image.resize((w, h), Image.BICUBIC)))
            seen = np.full((h // 8, w // 4), -1, dtype=np.int8)
            for letter, x, y in letters:
                row, column = int(y / height * (h // 8)), int(x / width * (w // 4))
                if 0 <= row < h // 8 and 0 <= column < w // 4:
                    seen[row, column] = LETTERS.index(letter)
            cells.append(seen)
            described.append(page)
        np.savez(
            os.path.join(a.output, f"{w}x{h}.npz"),
            images=np.stack(images),
            letters=np.stack(cells),
            pages=np.array(json.dumps(described)),
        )
        print(f"{w}x{h}: {len(images)} pages", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    started = time.time()
    bulk(arguments)
    print(f"{time.time() - started:.1f} s")
