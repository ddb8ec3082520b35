#!/usr/bin/env python3
"""Tables (Markdown) and plots (SVG) of what compare.py measured.

    tables.py evidence/results.json --output evidence

Means over seeds with 95% intervals of Student's t over seeds; a difference of two methods is taken seed by seed, and
over regimes of all pairs together. Standard library only.
"""

import argparse
import html
import json
import pathlib
import re
import statistics

T95 = {
    1: 12.706,
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    6: 2.447,
    7: 2.365,
    8: 2.306,
    9: 2.262,
    10: 2.228,
    11: 2.201,
    12: 2.179,
    13: 2.160,
    14: 2.145,
    15: 2.131,
    16: 2.120,
    17: 2.110,
    18: 2.101,
    19: 2.093,
    20: 2.086,
}
# Regimes with several examples an image, whose adapter output is computed once an image.
SHARED = ("referring", "new look")
LORA, IMAGE, RANDOM = "LoRA q, k, v, o", "Image-LoRA", "Image-LoRA, random heads"


def interval(values):
    """Mean and half width of its 95% interval."""
    mean = statistics.fmean(values)
    return mean, (T95[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0)


def shown(values):
    mean, half = interval(values)
    return f"{mean:.1f} ± {half:.1f}"


class Results:
    def __init__(self, path):
        self.all = json.loads(pathlib.Path(path).read_text())
        self.runs = self.all["results"]
        self.regimes = list(dict.fromkeys(r["regime"] for r in self.runs))
        self.methods = list(dict.fromkeys(r["method"] for r in self.runs))

    def of(self, regime, method):
        return sorted((r for r in self.runs if (r["regime"], r["method"]) == (regime, method)), key=lambda r: r["seed"])

    def accuracy(self, regime, method, key="all", field="accuracy"):
        """Per cent right, one value a seed; none where a seed has no such examples."""
        counts = [r[field].get(key) for r in self.of(regime, method) if field in r]
        return [100 * right / count for right, count in filter(None, counts)]

    def difference(self, regimes, one, other, key="all"):
        return [x - y for g in regimes for x, y in zip(self.accuracy(g, one, key), self.accuracy(g, other, key))]


def by_hand(run, rank, base):
    """Multiply-adds of an example by the adapter alone: standard LoRA has r (in + out) a token and projection,
    Image-LoRA H r and r D a chosen head at each visual token of an adapted layer.
    """
    hidden, size = base["hidden_size"], base["head_dim"]
    if not run["kv_indices"]:
        queries, values = size * base["num_attention_heads"], size * base["num_key_value_heads"]
        widths = (
            [hidden + values]
            if run["method"] == "LoRA v"
            else [hidden + queries, hidden + values, hidden + values, queries + hidden]
        )
        return run["plan"]["tokens"] * base["num_hidden_layers"] * rank * sum(widths)
    return run["plan"]["visual"] * sum(rank * (hidden + len(heads) * size) for heads in run["kv_indices"].values())


def table(head, rows):
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]) + "\n"


def accuracy_table(results, key):
    rows = [
        ["base, no adapter"]
        + [f"{v[0]:.1f}" if (v := results.accuracy(g, LORA, key, "base")) else "" for g in results.regimes]
    ]
    rows += [
        [m] + [shown(v) if (v := results.accuracy(g, m, key)) else "" for g in results.regimes] for m in results.methods
    ]
    return table(["point in box, %", *results.regimes], rows)


def cost_table(results, regime):
    """Costs in one regime, against standard LoRA: parameters, FLOPs of the adapter alone, bytes a step, time. Where
    every example has an image of its own, the program's count must be the one by hand.
    """

    def mean(method, field):
        return statistics.fmean(field(r) for r in results.of(regime, method))

    fields = [
        lambda r: r["trainable"],
        lambda r: r["plan"]["multiply_adds"],
        lambda r: r["reduced_bytes"],
        lambda r: 1000 * r["step_seconds"],
    ]
    for run in results.runs if regime not in SHARED else []:
        rank = int(re.search(r"rank (\d+)", run["method"] + f", rank {results.all['rank']}")[1])
        hand, counted = by_hand(run, rank, results.all["base"]), run["plan"]["multiply_adds"]
        if run["regime"] == regime and abs(hand - counted) > 0.02 * hand:
            raise SystemExit(
                f"{regime}, {run['method']}: {counted:.0f} multiply-adds by the program, {hand:.0f} by hand"
            )
    rows = []
    for method in filter(lambda m: results.of(regime, m), results.methods):
        values = [mean(method, f) for f in fields]
        shares = [f"{v:,.0f} ({100 * v / mean(LORA, f):.1f}%)" for v, f in zip(values, fields)]
        rows.append([method, *shares])
    plan = results.of(regime, LORA)[0]["plan"]
    tokens, visual = plan["tokens"], plan["visual"]
    title = f"{regime}: {tokens:.0f} tokens an example, {visual:.0f} of them visual ({100 * visual / tokens:.0f}%)"
    return f"{title}\n\n" + table(
        ["", "trainable", "multiply-adds an example, adapter alone", "reduced bytes a step", "step, ms"], rows
    )


def differences(results):
    rows = []
    for one, other in (
        (IMAGE, LORA),
        ("LoRA v", LORA),
        ("visual-token LoRA, all heads", "LoRA v"),
        (IMAGE, "visual-token LoRA, all heads"),
        (IMAGE, RANDOM),
        (IMAGE, "Image-LoRA, lowest heads"),
        (IMAGE, "Image-LoRA, gate"),
        ("Image-LoRA, 1/2 of the heads", "the same, no normalization"),
    ):
        both = [g for g in results.regimes if results.of(g, one) and results.of(g, other)]
        if both:
            cells = [shown(results.difference([g], one, other)) if g in both else "" for g in results.regimes]
            rows.append([f"{one} − {other}", *cells, shown(results.difference(both, one, other))])
    return table(["points", *results.regimes, "all together"], rows)


def plot(results, regime):
    """Accuracy of every method in a regime, a dot a seed, a line for the interval, as SVG."""
    methods = [m for m in results.methods if results.of(regime, m)]
    base = results.accuracy(regime, LORA, field="base")[0]
    values = {m: results.accuracy(regime, m) for m in methods}
    low, high = min([base] + [v for vs in values.values() for v in vs]), max(v for vs in values.values() for v in vs)
    low, high = 5 * (low // 5), 5 * (high // 5 + 1)
    left, width, line = 220, 460, 24

    def x(v):
        return left + width * (v - low) / (high - low)

    height = line * len(methods) + 64
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{left}" y="16" font-weight="bold">{regime}: point in box, %</text>',
    ]
    for tick in range(int(low), int(high) + 1, 5):
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="26" y2="{height - 22}" stroke="#ddd"/>'
            f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick}</text>'
        )
    parts.append(
        f'<line x1="{x(base):.1f}" x2="{x(base):.1f}" y1="26" y2="{height - 22}" stroke="#888" stroke-dasharray="4 3"/>'
        f'<text x="{x(base) + 4:.1f}" y="36" fill="#666" font-size="10">base</text>'
    )
    for number, method in enumerate(methods):
        y = 44 + line * number
        mean, half = interval(values[method])
        color = "#c2410c" if method.startswith(("Image-LoRA", "the same")) else "#1d4ed8"

        def clip(v):
            return min(max(x(v), left), left + width)

        parts.append(
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{html.escape(method)}</text>'
            f'<line x1="{clip(mean - half):.1f}" x2="{clip(mean + half):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{color}" stroke-width="2"/>'
        )
        parts += [f'<circle cx="{x(v):.1f}" cy="{y}" r="3" fill="{color}" fill-opacity="0.5"/>' for v in values[method]]
        parts.append(f'<rect x="{x(mean) - 2:.1f}" y="{y - 6}" width="4" height="12" fill="{color}"/>')
    return "\n".join(parts) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    a = parser.parse_args()
    results = Results(a.results)
    sections = [
        ("All validation examples", accuracy_table(results, "all")),
        ("Tasks of the training examples, other pages", accuracy_table(results, "split=seen")),
        ("Tasks that no training example has", accuracy_table(results, "split=unseen")),
        ("Differences, seed by seed", differences(results)),
        *[(f"Cost, {g}", cost_table(results, g)) for g in results.regimes],
    ]
    rates = [
        [m] + [f"{of[g]:g}" if results.of(g, m) else "" for g in results.regimes]
        for m, of in results.all["rates"].items()
    ]
    sections.append(("Learning rates", table(["", *results.regimes], rates)))
    text = "\n".join(f"### {title}\n{body}" for title, body in sections)
    (a.output / "tables.md").write_text(text)
    for regime in results.regimes:
        (a.output / f"{regime.replace(' ', '-')}.svg").write_text(plot(results, regime))
    print(text)


if __name__ == "__main__":
    main()
