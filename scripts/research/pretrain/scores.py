"""What a model gets right on held-out pages, by topic."""

import random

import torch

from corpus import BEFORE, to_patches
from questions import BIN_TOKENS, BINS, CENTERS, TOPICS, sample, without_image

POINTS = ("point", "look", "order", "relation")


def told(logits, batch):
    """The most probable tokens at the wanted places [N, T], without logits the right ones."""
    out = torch.zeros_like(batch.tokens)
    out[batch.wanted] = batch.labels if logits is None else logits.argmax(-1)
    return out


@torch.no_grad()
def scores(model, corpus, per_group=10**9, questions=8, seed=7, size=32, topics=None):
    """{topic: (share of whole answers that greedy decoding gives, questions)}; for pointing also "in box" (the written
    place lies in the target's box) and "near" (at most one bin beside the right one along each axis). `per_group`:
    pages of each size at most.
    """
    first = corpus.tokenizer.token_to_id(BIN_TOKENS[0])
    totals = {}

    def count(topic, good):
        right, n = totals.get(topic, (0, 0))
        totals[topic] = (right + bool(good), n + 1)

    rng = random.Random(seed)
    for g in corpus.groups:
        tokens_of_page = g["rows"] * g["columns"]
        pages = list(range(min(per_group, len(g["pages"]))))
        step = max(1, size * 35 // tokens_of_page)
        for chosen in (pages[s : s + step] for s in range(0, len(pages), step)):
            asked = [
                sample(g["pages"][p], rng, questions, topics or {t: 1.0 if t != "point" else 2.0 for t in TOPICS})
                for p in chosen
            ]
            chosen, asked = zip(*[(p, a) for p, a in zip(chosen, asked) if a])
            features, deep, _ = model.model.visual(
                to_patches(g["images"][list(chosen)]), 2 * g["rows"], 2 * g["columns"]
            )
            batch = corpus.batch(asked)
            seen = (features, deep)
            spread = told(model(seen, g["rows"], g["columns"], g["prefix"], batch)[0], batch)
            hit = spread == told(None, batch)
            places = {}  # x as it was said, then y given that x
            for n, row in enumerate(asked):
                for k, q in enumerate(row):
                    if q["topic"] in POINTS:
                        at = batch.answers[n, k].start
                        batch.tokens[n, at + 1] = spread[n, at]
                        places[n, k] = (at, int(spread[n, at]) - first)
            second = told(model(seen, g["rows"], g["columns"], g["prefix"], batch)[0], batch)
            for n, row in enumerate(asked):
                page = g["pages"][chosen[n]]
                for k, q in enumerate(row):
                    count(q["topic"], hit[n, batch.answers[n, k]].all())
                    if (n, k) in places:
                        at, x = places[n, k]
                        y = int(second[n, at + 1]) - first - BINS
                        valid = 0 <= x < BINS and 0 <= y < BINS
                        b = page["widgets"][q["widgets"][0]]["target"]
                        px, py = (CENTERS[v] / 1000 * s if valid else -1 for v, s in zip((x, y), page["size"]))
                        true = corpus.encode(q["answer"])
                        count(q["topic"] + " in box", b[0] <= px < b[2] and b[1] <= py < b[3])
                        count(
                            q["topic"] + " near",
                            valid and abs(x - (true[0] - first)) <= 1 and abs(y - (true[1] - first - BINS)) <= 1,
                        )
    for _ in range(8):
        asked = [[without_image(rng) for _ in range(8)] for _ in range(8)]
        batch = corpus.batch(asked)
        hit = told(model(None, 0, 0, torch.tensor(corpus.encode(BEFORE)), batch)[0], batch) == told(None, batch)
        for n, row in enumerate(asked):
            for k, q in enumerate(row):
                count(q["topic"], hit[n, batch.answers[n, k]].all())
    return {t: (right / n, n) for t, (right, n) in sorted(totals.items())}


def show(result):
    return " · ".join(f"{t} {share:.3f}" for t, (share, _) in result.items())
