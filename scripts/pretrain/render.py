#!/usr/bin/env python3
"""Renders widget pages: in bulk for train.py, or as data rows and pictures.

    render.py bulk --pages 20000 --seed 1 --output pages
    render.py rows --look dusk --pages 480 --questions 5 --seed 11 --name train --data ../quickstart/data

Needs Chromium and chromedriver (Debian: chromium chromium-driver fonts-liberation fonts-dejavu), Python 3.11, Pillow, numpy.
"""
import argparse, json, os, random, time
import numpy as np
from PIL import Image
from browser import Browser
from pages import SIZES, sample_page
from questions import sample

UNIT = 32  # pixels of a visual token
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789#"


def visible(page, boxes):
    """The page's widgets that can be seen, with their boxes in pixels."""
    kept = []
    for widget, (box, target) in zip(page.widgets, boxes):
        clip = lambda b: [min(max(round(v), 0), m) for v, m in zip(b, [page.width, page.height] * 2)]
        area = lambda b: max(0, b[2] - b[0]) * max(0, b[3] - b[1])
        if area(clip(box)) > 0.85 * area(box) and area(clip(target)) > 0.85 * area(target) > 0:
            kept.append({**widget, "box": clip(box), "target": clip(target)})
    return kept


def overlap(widgets):
    boxes = [w["box"] for w in widgets]
    inside = lambda a, b: min(a[2], b[2]) - max(a[0], b[0]) > 2 and min(a[3], b[3]) - max(a[1], b[1]) > 3
    return any(inside(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def rendered(pages):
    """(picture, {size, widgets}, letters) of all pages of one size that have a widget and none on top of another."""
    with Browser() as browser:
        for page, picture, boxes, letters in browser.render(pages):
            assert len(boxes) == len(page.widgets)
            widgets = visible(page, boxes)
            if widgets and not overlap(widgets):
                yield picture, {"size": [page.width, page.height], "widgets": widgets}, letters


def bulk(a):
    """In folder `output`, a page size: pictures as the image processor resizes them (uint8), the letter with its centre in each cell
    of 8 rows and 4 columns of pixels (-1 for none), and the pages as JSON."""
    rng = random.Random(a.seed)
    os.makedirs(a.output, exist_ok=True)
    for width, height, share in SIZES:
        w, h = (max(1, round(v / UNIT)) * UNIT for v in (width, height))
        pictures, cells, described = [], [], []
        for picture, page, letters in rendered([sample_page(rng, a.look, (width, height)) for _ in range(round(a.pages * share))]):
            pictures.append(np.asarray(picture if picture.size == (w, h) else picture.resize((w, h), Image.BICUBIC)))
            seen = np.full((h // 8, w // 4), -1, dtype=np.int8)
            for letter, x, y in letters:
                row, column = int(y / height * (h // 8)), int(x / width * (w // 4))
                if 0 <= row < h // 8 and 0 <= column < w // 4:
                    seen[row, column] = LETTERS.index(letter)
            cells.append(seen)
            described.append(page)
        np.savez(os.path.join(a.output, f"{w}x{h}.npz"), pictures=np.stack(pictures), letters=np.stack(cells), pages=np.array(json.dumps(described)))
        print(f"{w}x{h}: {len(pictures)} pages", flush=True)


def rows(a):
    """`data/NAME.jsonl` and palette PNGs in `data/images`; the questions of a page follow one another."""
    rng = random.Random(a.seed)
    os.makedirs(os.path.join(a.data, "images"), exist_ok=True)
    sheet = [sample_page(rng, a.look, (160, 210)) for _ in range(2 * a.pages)]
    with open(os.path.join(a.data, a.name + ".jsonl"), "w", encoding="utf-8") as file:
        for number, (picture, page, _) in zip(range(a.pages), rendered(sheet)):
            image = f"images/{a.name}-{number:03d}.png"
            save_png(picture, os.path.join(a.data, image))
            for index, asked in enumerate(sample(page, rng, a.questions)):
                row = {"id": f"{a.name}-{number:03d}-{index}-{asked['topic']}", "images": [image],
                       "messages": [{"role": "user", "content": "<image>" + asked["question"]},
                                    {"role": "assistant", "content": asked["answer"]}]}
                if asked["widgets"]:
                    row["objects"] = {"bbox": [page["widgets"][i]["target"] for i in asked["widgets"]]}
                file.write(json.dumps(row) + "\n")


def save_png(picture, path):
    """A palette PNG where the picture has at most 256 colours, one of true colour otherwise: never a changed pixel."""
    found = picture.getcolors(256)
    if found:
        palette = [color for _, color in sorted(found, reverse=True)]
        index = {color: i for i, color in enumerate(palette)}
        paletted = Image.new("P", picture.size)
        paletted.putdata([index[pixel] for pixel in picture.get_flattened_data()])
        paletted.putpalette([channel for color in palette for channel in color])
        assert list(paletted.convert("RGB").get_flattened_data()) == list(picture.get_flattened_data())
        picture = paletted
    picture.save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("bulk", bulk), ("rows", rows)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--look", choices=["light", "dusk"], default="light")
        command.add_argument("--pages", type=int, required=True)
        command.add_argument("--seed", type=int, required=True)
        if name == "bulk":
            command.add_argument("--output", required=True)
        else:
            command.add_argument("--questions", type=int, default=5, help="questions a page")
            command.add_argument("--name", required=True)
            command.add_argument("--data", required=True)
    arguments = parser.parse_args()
    started = time.time()
    arguments.function(arguments)
    print(f"{time.time() - started:.1f} s")
