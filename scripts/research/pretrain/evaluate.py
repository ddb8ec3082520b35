#!/usr/bin/env python3
"""What a model gets right on held-out rendered pages, by topic, by greedy decoding.

evaluate.py --model model --pages pages-held-out
"""

import argparse

import torch

from corpus import Corpus
from folder import load_folder
from scores import scores


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pages", required=True)
    parser.add_argument("--questions", type=int, default=8, help="a page")
    a = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load_folder(a.model)
    corpus = Corpus(a.pages, tokenizer, model.config["model_type"])
    for topic, (share, count) in scores(model, corpus, questions=a.questions).items():
        print(f"{topic:16s} {100 * share:5.1f}% of {count}")


if __name__ == "__main__":
    main()
