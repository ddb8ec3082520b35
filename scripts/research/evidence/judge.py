#!/usr/bin/env python3
"""Clicks where a model would: the pages of MiniWoB++ decide whether its answers are right.

    imagelora evaluate run.yaml --base --checkpoint best.h5 --output predictions.jsonl
    judge.py predictions.jsonl

Every prediction's episode is played again by its seed and clicked by the browser's mouse at the predicted place. Prints
the share of rewarded clicks of every model, split and task, and how often a reward and the program's point in box
agree. With --examples, the examples' own answers are clicked instead: all must be rewarded.
"""

import argparse
import collections
import json
import re

from episodes import HEIGHT, WIDTH, MiniWoB


def place(text):
    """The first place of an answer in thousandths, in the page's pixels; None where there is none on the page."""
    found = re.search(r"\((\d+),\s*(\d+)\)", text)
    x, y = (int(v) for v in found.groups()) if found else (1000, 1000)
    return (x / 1000 * WIDTH, y / 1000 * HEIGHT) if x < 1000 and y < 1000 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", help="what evaluate --output wrote")
    parser.add_argument("--examples", action="store_true", help="the file has examples; click their own answers")
    a = parser.parse_args()
    lines = [json.loads(line) for line in open(a.predictions, encoding="utf-8")]
    if a.examples:
        lines = [
            {**line, "model": "examples", "prediction": line["messages"][-1]["content"], "point_in_box": True}
            for line in lines
        ]
    rates, agreed = collections.defaultdict(list), []
    with MiniWoB() as browser:
        for line in sorted(lines, key=lambda line: line["group"]["task"]):
            task, seed = line["group"]["task"], int(line["id"].rsplit("-", 1)[1])
            if not rates[line["model"], line["group"]["split"], task]:
                browser.open(task)
            point = place(line["prediction"])
            rewarded = point is not None and browser.click(seed, *point) > 0
            agreed.append(rewarded == line["point_in_box"])
            for key in ((line["group"]["split"], task), (line["group"]["split"], ""), ("", "")):
                rates[line["model"], *key].append(rewarded)
    for (model, split, task), found in sorted(rates.items()):
        percent = 100 * sum(found) / len(found)
        print(f"{model:10} {split or 'all':8} {task or 'all':20} {percent:6.2f}% of {len(found)} rewarded")
    print(f"reward and point in box agree in {100 * sum(agreed) / len(agreed):.2f}% of {len(agreed)} answers")
    if a.examples and not all(map(all, rates.values())):
        raise SystemExit("not every example's own answer is rewarded")


if __name__ == "__main__":
    main()
