#!/usr/bin/env python3
"""Examples of text from GSM8K's test.jsonl, and the number that an answer comes to.

gsm8k.py test.jsonl --count 100 > data/gsm8k.jsonl
"""

import argparse
import json
import re


def number(text):
    """The last number of an answer, as GSM8K compares it: without thousands' commas; None where there is none."""
    found = re.findall(r"-?\d[\d,]*(?:\.\d+)?", text.split("####")[-1])
    return float(found[-1].replace(",", "")) if found else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems")
    parser.add_argument("--count", type=int, default=100)
    a = parser.parse_args()
    with open(a.problems, encoding="utf-8") as file:
        for index, problem in zip(range(a.count), map(json.loads, file)):
            answer = re.sub("<<.*?>>", "", problem["answer"])  # the calculator's annotations
            messages = [{"role": "user", "content": problem["question"]}, {"role": "assistant", "content": answer}]
            print(json.dumps({"id": f"gsm8k-{index}", "messages": messages}, ensure_ascii=False, separators=(",", ":")))
