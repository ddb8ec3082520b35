#!/usr/bin/env python3
"""Examples of questions that the base was taught, on pages in a look that it has never seen: what is new is in the
images alone.

    look.py --data made

Needs Chromium and chromedriver, Python 3.11 and Pillow. The pages are those of ../pretrain, in the look "dusk", which
no page of the base's training has.
"""

import argparse
import pathlib
import random
import re
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "pretrain"))
from files import example, pack, save_png, write  # noqa: E402
from pages import sample_page  # noqa: E402
from questions import sample  # noqa: E402
from rendered import rendered  # noqa: E402

TOPICS = {"point": 4.0, "look": 3.0, "order": 1.0}  # answers are places, as in the other examples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="where examples and images go")
    a = parser.parse_args()
    (a.data / "pages").mkdir(parents=True, exist_ok=True)
    for name, seed, count in (("train", 11, 400), ("validation", 21, 100)):
        rng, examples = random.Random(seed), []
        pages = [sample_page(rng, "dusk", (160, 210)) for _ in range(2 * count)]
        for number, (image, page, _) in zip(range(count), rendered(pages)):
            path = f"pages/look-{name}-{number}.png"
            save_png(image, a.data / path)
            for index, asked in enumerate(sample(page, rng, 3, TOPICS)):
                place = [int(v) for v in re.findall(r"\d+", asked["answer"])]
                boxes = [page["widgets"][i]["target"] for i in asked["widgets"]]
                examples.append(
                    example(
                        f"look-{name}-{number}-{index}",
                        path,
                        asked["question"],
                        place,
                        boxes,
                        {"task": asked["topic"]},
                    )
                )
        write(examples, a.data / f"look-{name}.jsonl")
    pack(a.data)


if __name__ == "__main__":
    main()
