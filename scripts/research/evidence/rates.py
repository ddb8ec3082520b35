#!/usr/bin/env python3
"""The learning rate that a run takes where it states none, against rates around it: docs/rates.md.

    rates.py --base MODEL --imagelora .build/release/imagelora --output rates-run

Trains standard LoRA and Image-LoRA in three regimes of compare.py, on the examples that its tuning runs learn from, and
validates on those that they leave out: at the model's rate and at multiples of it, with the adapter's own factors, and
Image-LoRA also with one rate for all tensors. What is done already is kept. Prints a table and the distance of the
default from the best of all; the status is 1 where any is more than 5%. Standard library only.
"""

import argparse
import pathlib
import sys

import compare

REGIMES = ("text-heavy", "balanced", "image-heavy")
MULTIPLES = (1 / 2, 1, 2, 4)
PLAIN = {"A": 1, "B": 1, "gamma": 1}
PLAIN_RATES = (1e-2, 3e-2, 1e-1)
MOST = 1.05


class Run(compare.Job):
    """A tuning run at a rate, or at the model's where that is None, with factors where they are stated."""

    def __init__(self, a, regime, method, rate, factors=None):
        super().__init__(a, regime, method, 100, rate or 0, tuning=True)
        self.stated, self.factors = rate, factors
        name = "model" if rate is None else f"{rate:g}"
        self.folder = self.folder.parent / (("plain-" if factors else "own-") + name)
        self.result = self.folder / "result.json"

    def run_file(self):
        run = super().run_file()
        if self.stated is None:
            del run["training"]["learning_rate"]
        if self.factors:
            run["training"]["rate_factors"] = self.factors
        return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True, help="the base model's folder")
    parser.add_argument("--imagelora", type=pathlib.Path, required=True, help="the program")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--regime", action="append", choices=REGIMES, help="only this one; may be repeated")
    parser.add_argument("--workers", type=int, default=2)
    a = parser.parse_args()
    a.steps, a.batch, a.rank, a.probe_examples = 160, 16, 8, 200
    a.base, a.imagelora, a.output = a.base.resolve(), a.imagelora.resolve(), a.output.resolve()
    compare.prepare(a)
    text, is_hybrid = compare.decoder(a.base)
    hidden = text["hidden_size"]
    a.methods = ["LoRA all-linear", "Image-LoRA, both kinds"] if is_hybrid else list(compare.RIVALS)
    compare.take_methods(a, is_hybrid)
    lora, image_lora = a.methods
    runs = []
    for regime in a.regime or REGIMES:
        for method in (lora, image_lora):
            runs += [Run(a, regime, method, None if m == 1 else float(f"{m / hidden:.6g}")) for m in MULTIPLES]
        runs += [Run(a, regime, image_lora, rate, PLAIN) for rate in PLAIN_RATES]
    results = compare.every(runs, a.workers)
    sys.exit(report(list(zip(runs, results)), hidden))


def report(done, hidden):
    """Prints a line for each regime and method; whether a default is too far from the best."""
    failed = False
    print(
        "| regime | method | " + " | ".join(f"{m:g} x" for m in MULTIPLES) + " | one rate for all | default over best |"
    )
    print("| --- " * (len(MULTIPLES) + 4) + "|")
    for regime, method in dict.fromkeys((run.regime, run.method) for run, _ in done):
        mine = [(run, r["validation_loss"]) for run, r in done if (run.regime, run.method) == (regime, method)]
        own = [loss for run, loss in mine if not run.factors]
        plain = [(loss, run.stated) for run, loss in mine if run.factors]
        default = own[MULTIPLES.index(1)]
        best = min([*own, *(loss for loss, _ in plain)])
        failed |= default > MOST * best
        cells = [f"{loss:.4f}" for loss in own]
        cells.append("{:.4f} at {:g}".format(*min(plain)) if plain else "")
        print(f"| {regime} | {method} | " + " | ".join(cells) + f" | {100 * (default / best - 1):+.1f}% |")
    print(f"the model's rate: 1 / {hidden} = {1 / hidden:.6g}")
    return failed


if __name__ == "__main__":
    main()
