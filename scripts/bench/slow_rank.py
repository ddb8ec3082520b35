#!/usr/bin/env python3
"""Holds one rank of a job at half speed until the job ends. Standard library alone.

slow_rank.py PROGRAM FOLDER     the last rank of the run of PROGRAM that has FOLDER among its arguments
"""

import os
import signal
import sys
import time
from pathlib import Path


def ranks(program, folder):
    """Processes of the program, by rank."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if os.path.samefile(process / "exe", program) and any(folder.encode() in part for part in arguments):
                environment = (process / "environ").read_bytes().split(b"\0")
                rank = next(part for part in environment if part.startswith(b"OMPI_COMM_WORLD_RANK="))
                found[int(rank.split(b"=")[1])] = int(process.name)
        except (OSError, StopIteration):
            continue
    return found


def main():
    program, folder = sys.argv[1:]
    while len(found := ranks(program, folder)) < 2 or not (Path(folder) / "metrics.jsonl").exists():
        time.sleep(0.05)
    slow = found[max(found)]
    try:
        while True:
            os.kill(slow, signal.SIGSTOP)
            time.sleep(0.01)
            os.kill(slow, signal.SIGCONT)
            time.sleep(0.01)
    except ProcessLookupError:
        pass
    finally:
        try:
            os.kill(slow, signal.SIGCONT)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
