#!/usr/bin/env python3
"""Watch the memory of a job's ranks until it ends. Standard library alone.

    watch_memory.py PID NAME FOLDER

PID's descendants called NAME are the ranks; where NAME is "-", those that have started no other. FOLDER holds the
mapped weights. Prints, in bytes of Pss and each at its peak: how many ranks were seen at once, their sum of all memory,
of the weights' files, and of anonymous memory.
"""

import sys
import time
from pathlib import Path


def descendants(pid):
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield int(child)
            yield from descendants(int(child))


def is_rank(pid, name):
    if name == "-":
        return next(descendants(pid), None) is None
    return Path(f"/proc/{pid}/comm").read_text().strip() == name


def pss(pid, folder):
    """(all, of the folder's files, anonymous)"""
    total = mapped = anonymous = 0
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            inside = len(words) > 5 and words[5].startswith(folder)
        elif words[0] == "Pss:":
            total += int(words[1])
            mapped += int(words[1]) if inside else 0
        elif words[0] == "Anonymous:":
            anonymous += int(words[1])
    return 1024 * total, 1024 * mapped, 1024 * anonymous


def main(job, name, folder):
    peak = [0, 0, 0, 0]
    while Path(f"/proc/{job}").exists():
        try:
            pids = [pid for pid in descendants(job) if is_rank(pid, name)]
            ranks = [pss(pid, folder) for pid in pids]
            # Ranks are read one after the other: a page that one has mapped before and another maps in between would
            # count more than once. What counts is a moment in which nothing is being mapped.
            again = sum(pss(pid, folder)[1] for pid in pids)
        except (FileNotFoundError, ProcessLookupError):
            continue  # a rank ended meanwhile
        if abs(again - sum(mapped for _, mapped, _ in ranks)) > again / 200:
            continue
        peak = [max(a, b) for a, b in zip(peak, [len(ranks), *map(sum, zip(*ranks))] if ranks else peak)]
        if Path(f"/proc/{job}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.05)
    print(*peak)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
