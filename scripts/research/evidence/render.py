#!/usr/bin/env python3
"""Renders MiniWoB++ pages and writes the examples of the comparison: images, questions, places that the pages reward.

    render.py --data made

Needs Chromium and chromedriver (Debian: chromium chromium-driver fonts-liberation), Python 3.11, Pillow and the package
miniwob (pip install --no-deps miniwob==1.1.0). Nothing is drawn at random: a task and a seed are a page.
"""

import argparse
import pathlib
import random
import sys
import time

from context import with_context
from episodes import HEIGHT, WIDTH, MiniWoB
from files import example, pack, save_png, write
from referring import expressions

BINS = 32  # of an axis: answers are the centres of these
TASKS = [
    "click-button",
    "click-color",
    "click-dialog-2",
    "click-link",
    "click-shape",
    "click-tab",
    "click-test",
    "click-test-2",
    "click-widget",
    "email-inbox-important",
    "focus-text-2",
    "identify-shape",
]
UNSEEN = ["click-tab-2-easy", "email-inbox-delete", "unicode-test"]  # asked for in validation only
NAMED = ["click-button", "click-checkboxes", "click-color", "click-link", "click-option", "click-shape", "click-widget"]
VALIDATION_SEED = 1_000_000  # seeds from here on are for validation, those of referring pages from half of it


def clicks(browser, folder, task, seeds, count, split, known):
    """Examples of the first `count` seeds that one click answers and whose images are not `known`, and how many seeds
    that took.
    """
    browser.open(task)
    examples = []
    for tried, seed in enumerate(seeds, 1):
        page = browser.solve(seed, BINS)
        image = browser.screenshot()
        if page["answer"] and image.tobytes() not in known:
            known.add(image.tobytes())
            path = f"pages/{task}-{seed}.png"
            save_png(image, folder / path)
            examples.append(
                example(
                    f"{task}-{seed}",
                    path,
                    page["instruction"],
                    page["answer"],
                    page["boxes"],
                    {"task": task, "split": split},
                )
            )
            if len(examples) == count:
                return examples, tried
        if tried > 3 * count:
            sys.exit(
                f"{task}: only {len(examples)} of {tried} seeds have an answer of one click and a page of their own"
            )


def references(browser, folder, task, seeds, pages, each):
    """Examples of `pages` pages with up to `each` expressions a page; those of a page follow one another."""
    browser.open(task)
    examples, made = [], 0
    for tried, seed in enumerate(seeds):
        if tried > 10 * pages:
            sys.exit(f"{task}: only {made} of {tried} seeds have three expressions")
        browser.script("episodes.start(arguments[0]);", seed)
        elements = browser.script("return episodes.named();")
        rng = random.Random(f"{task} {seed}")
        asked = {}
        for what, text, index in rng.sample(found := expressions(elements), len(found)):
            place = binned(elements[index]["box"])
            if place and sum(what == w for w, *_ in asked.values()) < 3:
                asked.setdefault(text, (what, index, place))
        if len(asked) < 3:
            continue
        browser.script("document.querySelector('#query').textContent = '';")  # it orders something else
        path = f"pages/{task}-{seed}.png"
        save_png(browser.screenshot(), folder / path)
        for number, (text, (what, index, place)) in enumerate(list(asked.items())[:each]):
            examples.append(
                example(
                    f"{task}-{seed}-{number}",
                    path,
                    f"Click on {text}.",
                    place,
                    [elements[index]["box"]],
                    {"task": task, "expression": what},
                )
            )
        made += 1
        if made == pages:
            return examples


def binned(box):
    """The place nearest to a box's centre, None where it is not in the box."""
    place = []
    for low, high, size in ((box[0], box[2], WIDTH), (box[1], box[3], HEIGHT)):
        bin = int((low + high) / 2 / size * BINS)
        place.append(round((bin + 0.5) * 1000 / BINS))
        if not low <= place[-1] / 1000 * size < high:
            return None
    return place


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="where examples and images go")
    parser.add_argument("--train", type=int, default=100, help="training pages a task")
    parser.add_argument("--validation", type=int, default=16, help="validation pages a task")
    parser.add_argument("--unseen", type=int, default=36, help="validation pages a task that training has not seen")
    parser.add_argument(
        "--named", type=int, default=30, help="training pages a task with several expressions, a fourth for validation"
    )
    a = parser.parse_args()
    (a.data / "pages").mkdir(parents=True, exist_ok=True)
    known = set()
    with MiniWoB() as browser:
        for name, first, tasks in (
            ("train", 0, [(t, a.train, "seen") for t in TASKS]),
            (
                "validation",
                VALIDATION_SEED,
                [(t, a.validation, "seen") for t in TASKS] + [(t, a.unseen, "unseen") for t in UNSEEN],
            ),
        ):
            plain = []
            for task, count, split in tasks:
                started = time.time()
                examples, tried = clicks(browser, a.data, task, range(first, sys.maxsize), count, split, known)
                print(f"{name}: {task}: {count} of {tried} seeds, {time.time() - started:.1f} s", flush=True)
                plain += examples
            write(plain, a.data / f"plain-{name}.jsonl")
            write(with_context(plain), a.data / f"context-{name}.jsonl")
            pages = a.named if name == "train" else -(-a.named // 4)
            write(
                [
                    r
                    for task in NAMED
                    for r in references(
                        browser, a.data, task, range(first + VALIDATION_SEED // 2, sys.maxsize), pages, 6
                    )
                ],
                a.data / f"referring-{name}.jsonl",
            )
    pack(a.data)


if __name__ == "__main__":
    main()
