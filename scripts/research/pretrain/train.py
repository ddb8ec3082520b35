#!/usr/bin/env python3
"""Trains a small Qwen3-VL or Qwen3.5 on rendered pages and writes it as a Hugging Face folder; a run that was ended
goes on from its state file.

    train.py --tokenizer QWEN-FOLDER --pages pages --validation held-out --state state.pt --output model --minutes 60

With `--start-from MODEL` instead of a tokenizer, the tokenizer, the embeddings and the vision tower are those of a
folder of the other family, and only the rest begins from nothing.
"""

import argparse
import copy
import math
import os
import random
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing
import torch.nn.functional as F

from corpus import AFTERS, Corpus, to_patches
from folder import configuration, load_tokenizer, load_weights, model_of, save_folder
from muon import Muon
from questions import TOPICS, sample, texts, within_text
from readers import LetterReader, PairReader, Reader
from scores import scores, show
from tokens import ORDINARY, SPECIAL, cut_tokenizer, label_words, spelled_embeddings, splitting


@torch.no_grad()
def initialize(model, tokenizer, a):
    """Branches small against the residual stream; embeddings by spelling, so that the tied head starts at unit-scale
    logits.
    """
    for name, p in model.named_parameters():
        if name.endswith("embed_tokens.weight"):
            p.copy_(spelled_embeddings(tokenizer, *p.shape, a.seed))
        elif "pos_embed" in name:
            p.normal_(std=0.3)
        elif p.dim() > 1:
            branch = name.endswith(("o_proj.weight", "attn.proj.weight", "out_proj.weight", "down_proj.weight")) or (
                "blocks" in name and "fc2" in name
            )
            depth = a.vision_depth if "visual" in name else a.layers
            p.normal_(
                std=p[0].numel() ** -0.5
                * ((2 * depth) ** -0.5 if branch else 0.3 if "deepstack" in name and "fc2" in name else 1.0)
            )
        elif name.endswith(".bias"):
            p.zero_()


@torch.no_grad()
def start_from(model, folder):
    """Embeddings and vision tower of a folder, as far as this model has them."""
    own = dict(model.named_parameters())
    for name, values in load_weights(folder).items():
        if name in own and (".visual." in name or "embed_tokens" in name):
            own[name].copy_(values)


@torch.no_grad()
def start_from_patches(embed, corpus, rng):
    """The patch embedding begins as the principal components of written-on patches, all of about unit variance: else
    the few that tell bright from dark drown those that tell small letters apart.
    """
    group = max(corpus.groups, key=lambda g: len(g["pages"]))
    chosen = rng.sample(range(len(group["pages"])), min(200, len(group["pages"])))
    patches = to_patches(group["images"][chosen])[torch.from_numpy(group["letters"][chosen].max(-1)) >= 0]
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    count = embed.weight.shape[0]
    basis = (vectors[:, -count:] / (values[-count:].clamp(min=0).sqrt() + 0.1)).T
    embed.weight.copy_(0.5 * basis.view(count, 3, 1, 16, 16).expand(-1, -1, 2, -1, -1))
    embed.bias.copy_(-basis @ patches.mean(0))


class Training:
    def __init__(self, a):
        self.a = a
        if a.start_from:
            tokenizer = load_tokenizer(a.start_from)
        else:
            tokenizer = cut_tokenizer(
                a.tokenizer, a.merges, texts() + label_words() + ["user assistant system You are a helpful assistant."]
            )
        tokenizer.pre_tokenizer = splitting(a.family)
        self.tokenizer = tokenizer
        ids = {s: tokenizer.token_to_id(s) for s in SPECIAL + ORDINARY}
        self.model = model_of(configuration((tokenizer.get_vocab_size() + 15) // 16 * 16, ids, a))
        initialize(self.model, tokenizer, a)
        if a.start_from:
            start_from(self.model, a.start_from)
        self.readers = torch.nn.ModuleDict(
            {
                "seen": Reader(a.hidden, True),
                "last": Reader(a.hidden, False),
                "pairs": PairReader(a.hidden),
                **{f"letters {i}": LetterReader(a.vision_hidden) for i in a.letters_after},
            }
        )
        self.everything = torch.nn.ModuleList([self.model, self.readers])
        # Entries of wide matrices change less a step, or their noise outgrows what they began with.
        shares, groups, matrices = {"patch_embed": 0.05, "merger": 0.25}, {}, []
        for name, p in self.everything.named_parameters():
            if p.dim() == 2 and ("layers" in name or "blocks" in name):
                matrices.append(p)
            else:
                share = next((v for k, v in shares.items() if k in name), 1.0)
                groups.setdefault((share, 0.02 if p.dim() > 1 else 0.0), []).append(p)
        self.optimizers = [
            torch.optim.AdamW(
                [{"params": ps, "weight_decay": decay, "share": share} for (share, decay), ps in groups.items()],
                lr=a.rate,
                betas=(0.9, 0.98),
            ),
            Muon([{"params": matrices, "share": 2.5}], lr=a.rate),
        ]
        # Of the last steps' weights: what is written and scored.
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.elapsed, self.step, self.pages, self.asked = 0.0, 0, 0, 0

        def count(m):
            return sum(p.numel() for p in m.parameters()) / 1e6

        if dist.get_rank() == 0:
            print(
                f"{count(self.model):.2f} M parameters, of them vision {count(self.model.model.visual):.2f} M, "
                f"vocabulary {self.model.config['text_config']['vocab_size']}",
                flush=True,
            )

    def save(self):
        state = {
            "everything": self.everything.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "counters": (self.elapsed, self.step, self.pages, self.asked),
        }
        torch.save(state, self.a.state + ".partial")
        os.replace(self.a.state + ".partial", self.a.state)
        save_folder(self.average, self.tokenizer, self.a.output)

    def load(self):
        state = torch.load(self.a.state)
        self.everything.load_state_dict(state["everything"])
        self.average.load_state_dict(state.get("average", self.model.state_dict()))
        for o, s in zip(self.optimizers, state.get("optimizers", [])):  # a state without them starts these again
            o.load_state_dict(s)
        self.elapsed, self.step, self.pages, self.asked = state["counters"]

    def loss(self, corpus, rng, progress, record):
        """One batch of pages: the readers' losses and, once the tower has begun to see, the answers'."""
        a, model, vision = self.a, self.model, self.elapsed < 60 * self.a.vision_minutes
        group, chosen = corpus.draw(rng, a.visual_tokens)
        roles, share, labels, in_patches, in_tokens = corpus.targets(group, chosen)
        features, deep, states = model.model.visual(
            to_patches(group["images"][chosen]), 2 * group["rows"], 2 * group["columns"], keep=a.letters_after
        )
        embeddings = model.model.language_model.embed_tokens.weight.detach()
        scaffold = 0.25 + 0.75 * min(1.0, max(0.0, (0.9 - progress) / 0.3))
        pairs, record["pairs"] = self.readers["pairs"](features, in_tokens)
        letters = 0.0
        for after, patches in zip(a.letters_after, states):
            more, record[f"letters {after}"] = self.readers[f"letters {after}"](patches, in_patches)
            letters = letters + more
        seen, right = self.readers["seen"](features, roles, share, labels, embeddings)
        record |= {"seen " + k: v for k, v in right.items()}
        record |= {"letter loss": letters.item(), "pair loss": pairs.item()}
        loss = scaffold * (seen + letters + 0.3 * pairs)
        self.pages += len(chosen) * dist.get_world_size()
        if vision:
            return loss
        easy = {"point": 4.0, "look": 3.0, "order": 0.7, "read": 1.0, "kind": 0.5} if progress < a.easy else TOPICS
        asked = [sample(group["pages"][p], rng, a.questions, easy) for p in chosen]
        if progress > a.easy and rng.random() < 0.2:  # half the questions, inside longer texts
            asked = [[{**q, "question": within_text(rng, q["question"])} for q in row[::2]] for row in asked]
        keep = [n for n, row in enumerate(asked) if row]
        batch = corpus.batch([asked[n] for n in keep])
        logits, last = model(
            (features[keep], [d[keep] for d in deep]), group["rows"], group["columns"], group["prefix"], batch
        )
        self.asked += sum(map(len, asked)) * dist.get_world_size()
        answering = F.cross_entropy(logits, batch.labels)
        final, right = self.readers["last"](
            last, {k: v[keep] for k, v in roles.items()}, share[keep], labels, embeddings
        )
        record |= {"last " + k: v for k, v in right.items() if k in ("label", "x")} | {"loss": answering.item()}
        prefix, batch = corpus.text_batch(rng, 2, 8)
        text = F.cross_entropy(model(None, 0, 0, prefix, batch)[0], batch.labels)
        record["text"] = text.item()
        return loss + 2 * answering + 0.3 * scaffold * final + 0.3 * text

    def reduce(self, spent):
        """Means over the processes of the gradients and of the seconds this step took."""
        parameters = list(self.everything.parameters())
        flat = torch.cat(
            [torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in parameters]
            + [torch.tensor([spent])]
        )
        dist.all_reduce(flat)
        *parts, spent = (flat / dist.get_world_size()).split([p.numel() for p in parameters] + [1])
        for p, part in zip(parameters, parts):
            p.grad = part.view_as(p)
        return spent.item()

    def run(self, corpus, held_out):
        a, rng, leads = (
            self.a,
            random.Random(10 * self.a.seed + self.step + 1_000_003 * dist.get_rank()),
            dist.get_rank() == 0,
        )
        first, begun = self.step, time.time()
        sums, saved, shown, saves = {}, time.time(), time.time(), 0
        while self.elapsed < 60 * a.minutes:
            progress = self.elapsed / (60 * a.minutes)
            rate = (
                a.rate
                * min(1.0, (self.step - first + 1) / 40)
                * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
            )
            for o in self.optimizers:
                for group in o.param_groups:
                    group["lr"] = rate * group["share"]
                o.zero_grad(set_to_none=True)
            record = {}
            self.loss(corpus, rng, progress, record).backward()
            begun, last = time.time(), begun
            spent = self.reduce(min(20.0, begun - last))  # a pause of the whole process is no training
            torch.nn.utils.clip_grad_norm_(self.everything.parameters(), 1.0)
            for o in self.optimizers:
                o.step()
            self.step += 1
            with torch.no_grad():
                for kept, p in zip(self.average.parameters(), self.model.parameters()):
                    kept.lerp_(p, max(0.01, 1 / self.step))
            self.elapsed += spent
            if not leads:
                continue
            for k, v in record.items():
                sums.setdefault(k, []).append(v)
            if time.time() - shown > a.show:
                shown = time.time()
                print(
                    f"{self.elapsed:.0f} s step {self.step} pages {self.pages} questions {self.asked} "
                    + " ".join(f"{k} {sum(v) / len(v):.3f}" for k, v in sums.items()),
                    flush=True,
                )
                sums = {}
            if time.time() - saved > 60 * a.save_minutes:
                self.save()
                saves += 1
                if self.asked and saves % 2 == 0:
                    print("  held out: " + show(scores(self.average, held_out, per_group=16, questions=6)), flush=True)
                saved = time.time()
        if leads:
            self.save()


def work(rank, a, meeting):
    """One of the processes, each with batches of its own."""
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=a.processes)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    training = Training(a)
    corpus, held_out = (Corpus(pages, training.tokenizer, a.family) for pages in (a.pages, a.validation))
    if not a.start_from:
        start_from_patches(training.model.model.visual.patch_embed.proj, corpus, random.Random(a.seed))
    if os.path.exists(a.state):
        training.load()
    if rank == 0:
        trained, kept = (sum(len(g["pages"]) for g in c.groups) for c in (corpus, held_out))
        print(f"{trained} pages, {kept} held out", flush=True)
    training.run(corpus, held_out)
    if rank:
        return
    print("held out, as stored in bfloat16:", flush=True)
    for p in training.average.parameters():
        p.data = p.data.to(torch.bfloat16).float()
    print(show(scores(training.average, held_out)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pages", "validation", "state", "output"):
        parser.add_argument("--" + name, required=True)
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument("--tokenizer", help="a folder with Qwen's vocab.json and merges.txt")
    words.add_argument("--start-from", help="a folder whose tokenizer, embeddings and vision tower are taken")
    parser.add_argument("--family", choices=sorted(AFTERS), default="qwen3_vl")
    for name, value in dict(
        merges=300,
        hidden=160,
        intermediate=352,
        layers=6,
        heads=8,
        kv_heads=4,
        head_dim=32,
        linear_heads=8,
        vision_depth=5,
        vision_hidden=128,
        vision_heads=4,
        vision_intermediate=320,
        visual_tokens=700,
        questions=4,
        seed=0,
        threads=1,
        show=30,
    ).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    parser.add_argument(
        "--letters-after",
        type=int,
        nargs="+",
        default=[1, 4],
        help="blocks of the tower whose patches are asked for letters",
    )
    parser.add_argument("--deepstack", type=int, nargs="+", default=[2])
    parser.add_argument("--rope-theta", type=float, default=1000.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument(
        "--easy", type=float, default=0.3, help="share of the time in which mostly pointing is asked for"
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--vision-minutes", type=float, default=8)
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--processes", type=int, default=1)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (a, os.path.join(folder, "meeting")), a.processes)
