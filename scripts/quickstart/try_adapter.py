#!/usr/bin/env python3
"""What the quickstart's job should reach: Image-LoRA on the embedded rows in PyTorch, for several seeds and head budgets.

    try_adapter.py --model data/model --train data/train.jsonl --validation data/validation.jsonl data/validation-light.jsonl
"""
import argparse, glob, json, math, os, random, time
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from corpus import Corpus
from image_lora import ImageLoRA, rank1_scores, select
from qwen25vl import QwenVL
from train_base import accuracy, show


def load(folder):
    """The model of a folder in fp32 arithmetic, frozen, and its tokenizer."""
    model = QwenVL(json.load(open(os.path.join(folder, "config.json"))))
    state = {k: v.float() for path in glob.glob(os.path.join(folder, "*.safetensors")) for k, v in load_file(path).items()}
    model.load_state_dict(state)
    return model.requires_grad_(False).eval(), Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))


def epochs(corpus, rng):
    """Rows without end as (group, page, question), pages shuffled anew each epoch, the questions of a page together."""
    while True:
        pages = [(g, p) for g, group in enumerate(corpus.groups) for p in range(len(group["asked"]))]
        rng.shuffle(pages)
        for g, p in pages:
            yield from ((g, p, k) for k in range(len(corpus.groups[g]["asked"][p])))


def losses(model, corpus, rows):
    """Summed NLL and number of supervised tokens of some rows, computed in one batch a page shape."""
    total, tokens = 0.0, 0
    for g in sorted({g for g, _, _ in rows}):
        pages = {}
        for _, p, k in (row for row in rows if row[0] == g):
            pages.setdefault(p, []).append(k)
        batch, labels, _ = corpus.batch(g, list(pages.items()))
        total = total + F.cross_entropy(model(*batch), labels, reduction="sum")
        tokens += len(labels)
    return total, tokens


def adapt(model, corpus, a, heads, seed, held_out):
    torch.manual_seed(seed)
    adapter = ImageLoRA(model, heads, a.rank, a.alpha)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=a.learning_rate, betas=(0.9, a.beta2), weight_decay=0.0)
    rows, started, curve = epochs(corpus, random.Random(seed)), time.time(), []
    for step in range(a.steps):
        warm = min(1.0, (step + 1) / a.warmup)
        past = max(0, step - a.warmup) / max(1, a.steps - a.warmup)
        for group in optimizer.param_groups:
            group["lr"] = a.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * past))
        total, tokens = losses(model, corpus, [next(rows) for _ in range(a.global_batch)])
        optimizer.zero_grad()
        (total / tokens).backward()
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
        optimizer.step()
        curve.append(total.item() / tokens)
        if (step + 1) % a.every == 0:
            recent = sum(curve[-a.every:]) / a.every
            print(f"    step {step + 1:4d} loss {recent:.3f} " + " ".join(f"{accuracy(model, c)[0]:.3f}" for c in held_out.values())
                  + f"  {time.time() - started:.0f} s", flush=True)
    return adapter


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation", nargs="+", required=True)
    parser.add_argument("--num-heads", type=int, nargs="+", default=[24, 12, 6])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--global-batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--beta2", type=float, default=0.999)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--alpha", type=float, default=16)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--probe-rows", type=int, default=64)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    model, tokenizer = load(a.model)
    read = lambda path: (Corpus.rows if path.endswith(".jsonl") else Corpus.bulk)(path, tokenizer)
    corpus, held_out = read(a.train), {os.path.basename(path): read(path) for path in a.validation}
    for name, rows in held_out.items():
        show("base " + name, accuracy(model, rows))
    for seed in a.seeds:
        source = epochs(corpus, random.Random(seed))
        probe_rows = [next(source) for _ in range(a.probe_rows)]
        each = lambda: (total / tokens for total, tokens in (losses(model, corpus, [row]) for row in probe_rows))
        scores = rank1_scores(model, each, torch.Generator().manual_seed(seed))
        for count in a.num_heads:
            heads = select(scores, min(count, scores.numel()))
            print(f"  seed {seed} num_heads {count} learning rate {a.learning_rate} heads {heads}", flush=True)
            adapter = adapt(model, corpus, a, heads, seed, held_out)
            for name, rows in held_out.items():
                show("adapted " + name, accuracy(model, rows))
            adapter.remove()
