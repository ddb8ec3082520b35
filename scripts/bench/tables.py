#!/usr/bin/env python3
"""Medians and ratios of a benchmark's rounds, as Markdown tables. Standard library alone.

tables.py end-to-end|ranks|uneven WORK ROWS     metrics and logs in WORK; ROWS is the file of training examples
tables.py memory WORK BYTES              BYTES of the checkpoint's files
"""

import json
import re
import statistics
import sys
from pathlib import Path


def table(header, lines):
    cells = [header, *lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    for number, line in enumerate(cells):
        text = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        print("| " + " | ".join(text) + " |")
        if number == 0:
            rules = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
            print("| " + " | ".join(rules) + " |")


def epochs(folder, count):
    """Examples a second, the median over the steps of the first and of the second epoch; the first step warms up."""
    rates = {0: [], 1: []}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        step = json.loads(line)
        if "compute_seconds" not in step or step["step"] == 1:
            continue
        epoch = (step["step"] - 1) * step["rows"] // count  # of the step's first example
        rates.setdefault(epoch, []).append(step["rows"] / (step["compute_seconds"] + step["reduce_seconds"]))
    return [statistics.median(rates[epoch]) if rates[epoch] else None for epoch in (0, 1)]


def torch_rate(log):
    # Lines of several processes may stand in one.
    found = re.search(r"\[0\] median[^[]*rows/s over \d+ rank\(s\) ([0-9.]+)", log.read_text())
    if not found:
        sys.exit(f"{log}: no line of the first process with its rows/s")
    return float(found[1])


def spread(values):
    return [f"{statistics.median(values):.3f}", f"{min(values):.3f}", f"{max(values):.3f}"]


def ratio(above, below):
    """The median of the ratios of each round."""
    return f"{statistics.median([a / b for a, b in zip(above, below)]):.2f}"


def by_epoch(work, pattern, count):
    folders = sorted(path for path in work.glob(pattern) if path.is_dir())
    found = [epochs(folder, count) for folder in folders]
    return {name: values for name, values in zip(("first", "second"), zip(*found)) if None not in values}


def end_to_end(work, rows):
    ours = by_epoch(work, "imagelora-*", len(Path(rows).read_text().splitlines()))
    lines = [[f"imagelora, 2 ranks x 1 thread, {name} epoch", *spread(rates)] for name, rates in ours.items()]
    for line in lines:
        line += [""] * len(ours)
    for pattern, name in (("1x2", "1 process x 2 threads"), ("2x1", "2 processes x 1 thread")):
        theirs = [torch_rate(log) for log in sorted(work.glob(f"torch-{pattern}-*"))]
        if theirs:
            lines.append([f"PyTorch, {name}", *spread(theirs), *(ratio(rates, theirs) for rates in ours.values())])
    table(["examples/s", "median", "lowest", "highest", *(f"imagelora over it, {name} epoch" for name in ours)], lines)


def ranks(work, rows):
    count = len(Path(rows).read_text().splitlines())
    one, two = (by_epoch(work, f"ranks-{ranks}-*", count) for ranks in (1, 2))
    lines = []
    for name in one:
        lines.append([f"1 rank, {name} epoch", *spread(one[name]), ""])
        lines.append([f"2 ranks, {name} epoch", *spread(two[name]), ratio(two[name], one[name])])
    table(["examples/s", "median", "lowest", "highest", "over 1 rank"], lines)


def uneven(work, rows):
    """Whole runs but for the first steps, in which the ranks measure each other."""

    def rates(pattern, first=5):
        found = []
        for folder in sorted(path for path in work.glob(pattern) if path.is_dir()):
            steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            steps = [step for step in steps if "compute_seconds" in step and step["step"] >= first]
            seconds = sum(step["compute_seconds"] + step["reduce_seconds"] for step in steps)
            found.append(sum(step["rows"] for step in steps) / seconds)
        return found

    even, uneven, alone, slow = rates("even-*"), rates("uneven-*"), rates("alone-*", 2), rates("slow-*", 2)
    ideal = [two * (1 + half / one) / 2 for two, half, one in zip(even, slow, alone)]
    share = statistics.median([found / best for found, best in zip(uneven, ideal)])
    table(
        ["examples/s", "median", "lowest", "highest", "over the ideal"],
        [
            ["1 rank", *spread(alone), ""],
            ["1 rank at half speed", *spread(slow), ""],
            ["2 ranks", *spread(even), ""],
            ["2 ranks, one at half speed", *spread(uneven), f"{share:.2f}"],
        ],
    )


def memory(work, size):
    size = int(size)
    lines, peaks = [], {}
    for name in ("imagelora", "torch"):
        file = work / f"{name}.memory"
        if file.exists():
            seen, total, mapped, anonymous = map(int, file.read_text().split())
            peaks[name] = total
            title = {"imagelora": f"imagelora, {seen} ranks", "torch": "PyTorch, 2 processes"}[name]
            sizes = [f"{value / 2**20:.0f} MiB" for value in (total, mapped, anonymous)]
            lines.append([title, *sizes, f"{total / size:.2f}", f"{total / peaks['imagelora']:.2f}"])
    print(f"checkpoint {size} bytes, {size / 2**20:.0f} MiB")
    print()
    table(["peak Pss", "in all", "weights' files", "anonymous", "over the checkpoint", "over imagelora"], lines)


tables = {"end-to-end": end_to_end, "ranks": ranks, "uneven": uneven, "memory": memory}
tables[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
