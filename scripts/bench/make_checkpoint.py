#!/usr/bin/env python3
"""Make what the benchmarks run on: a random checkpoint of a real shape, images, examples. Standard library alone.

    make_checkpoint.py --tokenizer MODEL --output DIR [--size 0.5b|3b] [--images 12] [--side 448]

MODEL is a folder of a Qwen2.5-VL model, whose tokenizer files and token ids are taken over. DIR gets model/ (bf16),
images/, rows-1.jsonl (one question an image) and rows-7.jsonl (seven questions an image).
"""

import argparse
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests" / "EndToEnd"))
from make_data import png  # noqa: E402
from make_large_model import SHAPES, make  # noqa: E402

WORDS = (
    "where is the button field label of search settings and next to a menu icon page row title under open close which "
    "of them shows date name price list second first largest"
).split()


def image(side, chance):
    """Boxes on a gradient."""
    boxes = [
        (
            chance.randrange(side),
            chance.randrange(side),
            chance.randrange(20, side),
            chance.randrange(10, side // 4),
            tuple(chance.randrange(256) for _ in range(3)),
        )
        for _ in range(12)
    ]

    def pixel(x, y):
        for left, top, width, height, colour in boxes:
            if left <= x < left + width and top <= y < top + height:
                return colour
        return (x * 255 // side, y * 255 // side, (x + y) % 256)

    return png(side, side, pixel)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tokenizer", type=Path, required=True)
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--size", choices=sorted(SHAPES), default="0.5b")
    arguments.add_argument("--images", type=int, default=12)
    arguments.add_argument("--side", type=int, default=448)
    options = arguments.parse_args()

    make(options.tokenizer, options.output / "model", options.size)
    limits = options.output / "model" / "preprocessor_config.json"
    settings = json.loads(limits.read_text()) | {"min_pixels": 3136, "max_pixels": 12_845_056}  # as released
    limits.write_text(json.dumps(settings, indent=2))

    chance = random.Random(1)
    (options.output / "images").mkdir()
    names = [f"images/{number}.png" for number in range(options.images)]
    for name in names:
        (options.output / name).write_bytes(image(options.side, chance))
    for questions in (1, 7):
        with open(options.output / f"rows-{questions}.jsonl", "w") as file:
            for number, name in enumerate(names):
                for question in range(questions):
                    box = json.dumps({"bbox_2d": [chance.randrange(options.side) for _ in range(4)]})
                    text = "<image>" + " ".join(chance.choices(WORDS, k=12))
                    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": box}]
                    example = {"id": f"{number}-{question}", "images": [name], "messages": messages}
                    file.write(json.dumps(example) + "\n")


main()
