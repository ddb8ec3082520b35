#!/usr/bin/env python3
"""Methods compared on equal terms: the same examples, steps and seeds, a learning rate tuned for each.

    compare.py --base MODEL --imagelora .build/release/imagelora --output evidence

Tunes on a sixth of the training examples that the tuning runs do not see, trains every method in every regime with
every seed, two jobs at a time and one thread each, and evaluates each on the validation examples. What is done already
is kept, so the same command goes on after an end. Writes OUTPUT/results.json, a line a job; tables.py makes tables and
plots of it. A base with linear attention (Qwen3.5) is compared on the kinds of heads that it has, and `--methods` and
`--regimes` take fewer: then a short table is printed. Standard library only.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import statistics
import subprocess
import time

from files import stored, unpack

KV_HEADS = 24  # of the base; a budget is a share of them
# Files of examples, and what a run sets also: images of twice the size have four times the visual tokens.
REGIMES = {
    "text-heavy": ("context", {}),
    "balanced": ("plain", {}),
    "image-heavy": ("plain", {"min_pixels": 134400}),
    "referring": ("referring", {}),
    "new look": ("look", {}),
}


def image_lora(select, share=0.25, **more):
    heads = {"select": select} if select == "all" else {"select": select, "num_heads": round(KV_HEADS * share)}
    return {"kind": "image_lora", "heads": heads | {k: more.pop(k) for k in ("estimator",) if k in more}, **more}


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MIXERS = ATTENTION + ["in_proj_qkv", "in_proj_z", "out_proj"]
METHODS = {
    "LoRA q, k, v, o": {"kind": "lora", "targets": ATTENTION},
    "LoRA v": {"kind": "lora", "targets": ["v_proj"]},
    "visual-token LoRA, all heads": image_lora("all"),
    "Image-LoRA": image_lora("influence"),
    "Image-LoRA, random heads": image_lora("random"),
    "Image-LoRA, gate": image_lora("influence", estimator="gate"),
    "Image-LoRA, lowest heads": image_lora("lowest"),
    "Image-LoRA, 1/8 of the heads": image_lora("influence", 1 / 8),
    "Image-LoRA, 1/2 of the heads": image_lora("influence", 1 / 2),
    "the same, no normalization": image_lora("influence", 1 / 2, normalization="none"),
    "Image-LoRA, rank 14": image_lora(
        "influence", rank=14, alpha=28
    ),  # a quarter of standard LoRA's parameters, its rank in full
    "LoRA q, k, v, o, rank 1": {  # about Image-LoRA's parameters
        "kind": "lora",
        "targets": ATTENTION,
        "rank": 1,
        "alpha": 2,
    },
    "LoRA all-linear": {"kind": "lora", "targets": "all-linear"},
}


def hybrid(value_heads):
    """A quarter of all value heads of both kinds, whatever the kind."""
    return {"kind": "image_lora", "value_heads": value_heads, "heads": {"select": "influence", "num_heads": 8}}


HYBRID_METHODS = {
    "LoRA all-linear": METHODS["LoRA all-linear"],
    "LoRA token mixers": {"kind": "lora", "targets": MIXERS},
    "Image-LoRA, KV heads": hybrid("attention"),
    "Image-LoRA, value heads": hybrid("linear"),
    "Image-LoRA, both kinds": hybrid("both"),
}
EVERYWHERE = list(METHODS)[:5]  # the others: in SOME
SOME = ("balanced",)
RIVALS = ("LoRA q, k, v, o", "Image-LoRA")  # tuned in every regime; the others in the balanced one
# At Image-LoRA's rates: only the heads differ.
OTHER_HEADS = ("Image-LoRA, random heads", "Image-LoRA, gate", "Image-LoRA, lowest heads")
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


class Job:
    """One training run and its evaluation in a folder of its own."""

    def __init__(self, a, regime, method, seed, rate, tuning=False):
        self.a, self.regime, self.method, self.seed, self.rate, self.tuning = a, regime, method, seed, rate, tuning

        def slug(text):
            return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

        kind = "tuning" if tuning else "runs"
        last = f"{rate:g}" if tuning else f"seed-{seed}"
        self.folder = a.output / kind / slug(regime) / slug(method) / last
        self.result = self.folder / "result.json"

    def run_file(self):
        name, model = REGIMES[self.regime]
        data = self.a.output / "data"
        train, validation = (
            f"{name}-tuning-{s}.jsonl" if self.tuning else f"{name}-{s}.jsonl" for s in ("train", "validation")
        )
        adapter = {"rank": self.a.rank, "alpha": 2 * self.a.rank, **json.loads(json.dumps(self.a.all[self.method]))}
        heads = adapter.get("heads", {"select": "all"})
        if heads["select"] != "all":
            heads["seed"] = self.seed  # of the draw of heads, or of the probe
        if heads["select"] in ("influence", "lowest"):
            heads["probe_rows"] = self.a.probe_examples
        return {
            "model": {
                "path": str(self.a.base),
                "precision": "fp32",
                "feature_cache": str(self.a.output / "features"),
                **model,
            },
            "data": {"train": str(data / train), "validation": str(data / validation), "image_root": str(data)},
            "adapter": adapter,
            "training": {
                "steps": self.a.steps,
                "global_batch": self.a.batch,
                "micro_batch": self.a.batch,
                "learning_rate": self.rate,
                "seed": self.seed,
                "validation_every_steps": self.a.steps,
            },
            "checkpoint": {"directory": "checkpoints", "every_steps": self.a.steps, "keep": 1},
            "logging": {"every_steps": 50},
        }

    def command(self, *arguments):
        done = subprocess.run(
            [self.a.imagelora, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = done.stdout[-2000:] + done.stderr[-2000:]
            raise SystemExit(f"{self.folder}: imagelora {arguments[0]} ended with {done.returncode}:\n{said}")
        return done.stdout

    def done(self):
        """The job's result, computed unless it is there."""
        if self.result.exists():
            return json.loads(self.result.read_text())
        started = time.time()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "run.json").write_text(json.dumps(self.run_file(), indent=1))
        self.command("train", "run.json", "--resume", "auto")
        metrics = read_lines(self.folder / "checkpoints/metrics.jsonl")
        steps = [m for m in metrics if "loss" in m]
        result = {
            "regime": self.regime,
            "method": self.method,
            "seed": self.seed,
            "learning_rate": self.rate,
            "validation_loss": next(m["validation_loss"] for m in reversed(metrics) if "validation_loss" in m),
            "step_seconds": statistics.median(m["compute_seconds"] for m in steps),
        }
        if not self.tuning:
            base = ["--base"] if self.method == self.a.methods[0] and self.seed == 0 else []
            self.command(
                "evaluate",
                "--overwrite",
                "run.json",
                "--checkpoint",
                "checkpoints/latest.h5",
                *base,
                "--max-new-tokens",
                8,
                "--output",
                "checkpoints/predictions.jsonl",
            )
            lines = read_lines(self.folder / "checkpoints/predictions.jsonl")
            result["accuracy"] = accuracies([line for line in lines if line["model"] != "base"])
            if base:
                result["base"] = accuracies([line for line in lines if line["model"] == "base"])
            result |= self.costs()
        result["seconds"] = time.time() - started
        self.result.write_text(json.dumps(result))
        return result

    def costs(self):
        """The adapter of the checkpoint, and what `imagelora plan` says of it with the heads that were chosen, and of
        the examples.
        """
        adapter = json.loads(self.command("inspect", "checkpoints/latest.h5", "--json"))
        chosen, heads = {}, []
        if "heads" in adapter:
            indices = {k: adapter["heads"][k] for k in ("kv_indices", "value_head_indices") if k in adapter["heads"]}
            chosen = {layer: heads for of in indices.values() for layer, heads in of.items()}
            (self.folder / "heads.json").write_text(json.dumps({"kv_indices": chosen}))
            heads = ["--set", "adapter.heads={select: file, file: heads.json}"]
        plan = json.loads(self.command("plan", "run.json", "--json", *heads))
        return {
            "trainable": adapter["adapter"]["trainable_parameters"],
            "kv_indices": chosen,
            "reduced_bytes": plan["all_reduce"]["bytes"],
            "plan": {
                "multiply_adds": plan["adapter"]["flops_per_example"] / 2,
                "tokens": plan["examples"]["mean_tokens"],
                "visual": plan["examples"]["mean_visual_tokens"],
            },
        }


def read_lines(path):
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def accuracies(lines):
    """Point in box of all examples and of each value of each group, as (right, examples)."""
    totals = {}
    for line in lines:
        for key in ["all"] + [f"{k}={v}" for k, v in line["group"].items()]:
            right, examples = totals.get(key, (0, 0))
            totals[key] = (right + bool(line["point_in_box"]), examples + 1)
    return totals


def prepare(a):
    """Images and examples; a sixth of the training examples, image by image, is what tuning validates on."""
    data = a.output / "data"
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "pages").exists():
        unpack(data)
    for name in sorted({name for name, _ in REGIMES.values()}):
        for split in ("train", "validation"):
            (data / f"{name}-{split}.jsonl").write_text(stored(f"{name}-{split}").read_text())
        lines = (data / f"{name}-train.jsonl").read_text().splitlines(True)
        images = list(dict.fromkeys(json.loads(line)["images"][0] for line in lines))
        kept = {p for n, p in enumerate(images) if n % 6 == 5}
        for split, wanted in (("train", False), ("validation", True)):
            (data / f"{name}-tuning-{split}.jsonl").write_text(
                "".join(line for line in lines if (json.loads(line)["images"][0] in kept) == wanted)
            )


def every(jobs, workers):
    """The jobs' results in their order, with a line for each that ends."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(job.done): job for job in jobs}
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            if future.exception():
                pool.shutdown(wait=False, cancel_futures=True)
            job, result = futures[future], future.result()
            right, examples = result.get("accuracy", {}).get("all", (0, 0))
            shown = (
                f"{100 * right / examples:5.1f}% of {examples}" if examples else f"loss {result['validation_loss']:.4f}"
            )
            print(
                f"{number}/{len(jobs)}  {job.folder.relative_to(job.a.output)}  lr {result['learning_rate']:g}  "
                f"{shown}  {result['seconds']:.0f} s",
                flush=True,
            )
        return [job.done() for job in jobs]


def tuned(a, pool, method, regime, at):
    """Runs of a method at neighbouring rates, RATES[at] first, until the best has a worse one on either side."""
    done = {}
    while True:
        for index in range(max(0, at - 1), min(len(RATES), at + 2)):
            if index not in done:
                done[index] = pool.submit(Job(a, regime, method, 100, RATES[index], True).done)
        losses = {index: job.result()["validation_loss"] for index, job in done.items()}
        best = min(losses, key=losses.get)
        if best == at or best in (0, len(RATES) - 1):
            print(
                f"{method}, {regime}: " + ", ".join(f"{RATES[i]:g} loss {losses[i]:.4f}" for i in sorted(losses)),
                flush=True,
            )
            return [job.result() for job in done.values()]
        at = best


def tuning(a):
    """All tuning runs, and the best rate of each method in each regime."""

    def best(runs):
        return min(runs, key=lambda r: r["validation_loss"])["learning_rate"]

    with concurrent.futures.ThreadPoolExecutor(a.workers) as pool, concurrent.futures.ThreadPoolExecutor(32) as waiting:
        runs = dict(
            waiting.map(
                lambda m: (m, tuned(a, pool, m, "balanced", 1)),
                [m for m in a.methods if m not in OTHER_HEADS],
            )
        )
        rates = {method: dict.fromkeys(REGIMES, best(of)) for method, of in runs.items()}
        rivals = [method for method in RIVALS if method in a.methods]
        pairs = [(method, regime) for regime in a.regimes for method in rivals if regime != "balanced"]
        more = list(waiting.map(lambda pair: tuned(a, pool, *pair, RATES.index(rates[pair[0]]["balanced"])), pairs))
    for (method, regime), of in zip(pairs, more):
        rates[method][regime] = best(of)
    rates |= {method: rates["Image-LoRA"] for method in OTHER_HEADS if method in a.methods}
    return [run for of in [*runs.values(), *more] for run in of], rates


def decoder(base):
    """A base's configuration of the decoder, and whether it has linear attention."""
    text = json.loads((base / "config.json").read_text())["text_config"]
    return text, "linear_attention" in text.get("layer_types", [])


def take_methods(a, is_hybrid):
    """Gives `a` the methods that such a base is compared by, and of them those asked for, in `a.methods`, or all."""
    a.all = HYBRID_METHODS if is_hybrid else METHODS
    a.methods = a.methods or list(a.all)
    if unknown := [m for m in a.methods if m not in a.all]:
        raise SystemExit(f"--methods: {unknown[0]} is none of {', '.join(a.all)}")


def table(results):
    """Means over seeds of each method, and the distances of the seeds."""
    print("\n| method | trainable | rate | point in box | validation loss |\n| --- | ---: | ---: | ---: | ---: |")
    for method in dict.fromkeys(r["method"] for r in results):
        own = [r for r in results if r["method"] == method]
        right = [100 * r["accuracy"]["all"][0] / r["accuracy"]["all"][1] for r in own]
        losses = [r["validation_loss"] for r in own]
        print(
            f"| {method} | {own[0]['trainable']:,} | {own[0]['learning_rate']:g} | {statistics.fmean(right):.1f}% "
            f"({min(right):.1f} to {max(right):.1f}) | {statistics.fmean(losses):.4f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True, help="the base model's folder")
    parser.add_argument("--imagelora", type=pathlib.Path, required=True, help="the program")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--probe-examples", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--methods", nargs="+", help="only these")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, help="only these; the balanced one is needed")
    a = parser.parse_args()
    text, is_hybrid = decoder(a.base)
    is_part = bool(a.methods or a.regimes or is_hybrid)
    take_methods(a, is_hybrid)
    a.regimes = a.regimes or (["balanced"] if is_hybrid else list(REGIMES))
    a.base, a.imagelora, a.output = a.base.resolve(), a.imagelora.resolve(), a.output.resolve()
    prepare(a)
    tried, rates = tuning(a)
    print(
        "tuned learning rates: "
        + ", ".join(f"{m} {' '.join(f'{r:g}' for r in of.values())}" for m, of in rates.items()),
        flush=True,
    )
    jobs = [
        Job(a, regime, method, seed, rates[method][regime])
        for chosen in (
            [m for m in a.methods if m in EVERYWHERE],
            [m for m in a.methods if m not in EVERYWHERE],
        )
        for seed in range(a.seeds)
        for regime in a.regimes
        for method in chosen
        if method in EVERYWHERE or regime in SOME
    ]
    results = every(jobs, a.workers)
    (a.output / "results.json").write_text(
        json.dumps(
            {
                "base": text,
                "rates": rates,
                "tuning": tried,
                "results": results,
                "rank": a.rank,
                "steps": a.steps,
                "batch": a.batch,
            },
            indent=1,
        )
    )
    if is_part:
        table(results)


if __name__ == "__main__":
    main()
