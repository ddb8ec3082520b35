#!/usr/bin/env python3
"""Renders widget pages: in bulk for train_base.py, or as the data rows and pictures that the quickstart embeds.

    render_pages.py bulk --look light --pages 12000 --seed 1 --output light.npz
    render_pages.py rows --look dusk --pages 200 --questions 3 --seed 11 --name train

Needs Chromium and chromedriver (Debian: chromium chromium-driver fonts-liberation fonts-dejavu-core), Python 3.11, Pillow, numpy.
"""
import argparse, json, os, random, time
import numpy as np
from browser import Browser
from pages import SHAPES, cell_targets, description, sample_page, sample_questions

HERE = os.path.dirname(os.path.abspath(__file__))


def bulk(arguments):
    """Pictures as uint8 arrays, one array a page shape, the same of cell targets, and each page's questions as JSON."""
    rng = random.Random(arguments.seed)
    pages = [sample_page(rng) for _ in range(arguments.pages)]
    pictures, asked, cells = ({shape: [] for shape in SHAPES} for _ in range(3))
    with Browser() as browser:
        for page, (picture, boxes) in zip(pages, browser.render(pages, arguments.look)):
            shape = (page["width"], page["height"])
            cells[shape].append(cell_targets(page, boxes))
            pictures[shape].append(np.asarray(picture))
            asked[shape].append([description(page)] * arguments.describe + sample_questions(page, arguments.questions, rng))
    np.savez(arguments.output, questions=np.array(json.dumps([asked[s] for s in SHAPES])),
             **{f"pictures_{i}": np.stack(pictures[s]) for i, s in enumerate(SHAPES)},
             **{f"cells_{i}": np.array(cells[s], dtype=np.int8) for i, s in enumerate(SHAPES)})


def rows(arguments):
    """`data/NAME.jsonl` and palette PNGs in `data/images`; the questions of a page follow one another."""
    rng = random.Random(arguments.seed)
    folder = os.path.join(arguments.data, "images")
    os.makedirs(folder, exist_ok=True)
    pages = [sample_page(rng) for _ in range(arguments.pages)]
    with Browser() as browser, open(os.path.join(arguments.data, arguments.name + ".jsonl"), "w", encoding="utf-8") as file:
        for number, (page, (picture, boxes)) in enumerate(zip(pages, browser.render(pages, arguments.look))):
            image = f"images/{arguments.name}-{number:03d}.png"
            save_png(picture, os.path.join(arguments.data, image))
            for index, asked in enumerate(sample_questions(page, arguments.questions, rng)):
                row = {"id": f"{arguments.name}-{number:03d}-{index}-{asked['topic']}", "images": [image],
                       "messages": [{"role": "user", "content": "<image>" + asked["question"]},
                                    {"role": "assistant", "content": asked["answer"]}]}
                if asked["widgets"]:
                    row["objects"] = {"bbox": [boxes[i] for i in asked["widgets"]]}
                file.write(json.dumps(row) + "\n")


def save_png(picture, path):
    """Writes a palette PNG where the picture has at most 256 colours (the same pixels in fewer bytes), else RGB."""
    colors = picture.getcolors(256)
    if colors is None:
        picture.save(path, optimize=True)
        return
    palette = [color for _, color in sorted(colors, reverse=True)]
    index = {color: i for i, color in enumerate(palette)}
    paletted = picture.convert("P")
    paletted.putdata([index[pixel] for pixel in picture.get_flattened_data()])
    paletted.putpalette([channel for color in palette for channel in color])
    assert list(paletted.convert("RGB").get_flattened_data()) == list(picture.get_flattened_data())
    paletted.save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("bulk", bulk), ("rows", rows)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--look", choices=["light", "dusk"], required=True)
        command.add_argument("--pages", type=int, required=True)
        command.add_argument("--questions", type=int, default=6, help="questions a page")
        command.add_argument("--seed", type=int, required=True)
        if name == "bulk":
            command.add_argument("--output", required=True)
            command.add_argument("--describe", action="store_true", help="the first question of a page asks for all of it")
        else:
            command.add_argument("--name", required=True)
            command.add_argument("--data", default=os.path.join(HERE, "data"))
    arguments = parser.parse_args()
    started = time.time()
    arguments.function(arguments)
    print(f"{arguments.pages} pages in {time.time() - started:.1f} s")
