#!/usr/bin/env python3
"""Seconds from the command of a job to its first step, without the step itself; beside them, those of mpirun with
nothing to run.

    start.py --data DIR [--ranks 2] [--rounds 5]

DIR is a folder that make_checkpoint.py made. A first job that is not counted brings its files into the page cache.
Standard library alone.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def seconds_until(command, begins):
    """Until the command prints a line that begins so, and is ended; until it ends by itself if `begins` is empty."""
    started = time.monotonic()
    job = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    said = []
    for line in job.stdout:
        said.append(line)
        if begins and line.startswith(begins):
            break
    spent = time.monotonic() - started
    if begins:
        if not said or not said[-1].startswith(begins):
            sys.exit("start.py: the job ended before its first step:\n" + "".join(said[-5:]))
        job.terminate()  # mpirun ends its ranks
    job.wait()
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--imagelora", default=HERE.parent.parent / ".build/release/imagelora")
    a = parser.parse_args()
    mpirun = [
        "mpirun",
        "--oversubscribe",
        "--bind-to",
        "none",
        *(["--allow-run-as-root"] if os.geteuid() == 0 else []),
        "-n",
        str(a.ranks),
    ]
    with tempfile.TemporaryDirectory() as folder:
        heads = subprocess.run(
            [sys.executable, HERE / "heads.py", a.data / "model"], capture_output=True, check=True
        ).stdout
        pathlib.Path(folder, "heads.json").write_bytes(heads)
        run = {
            "model": {"path": str((a.data / "model").resolve()), "precision": "fp32", "threads": 1},
            "data": {"train": str((a.data / "rows-1.jsonl").resolve()), "image_root": str(a.data.resolve())},
            "adapter": {"rank": 8, "alpha": 16, "heads": {"select": "file", "file": "heads.json"}},
            "training": {"steps": 2, "global_batch": a.ranks, "learning_rate": 1e-5},
            "checkpoint": {"directory": "run"},
        }
        pathlib.Path(folder, "run.json").write_text(json.dumps(run))
        job = [*mpirun, str(pathlib.Path(a.imagelora).resolve()), "train", f"{folder}/run.json"]
        times = {"job": [], "mpirun alone": []}
        for number in range(a.rounds + 1):
            for name, spent in (
                ("job", seconds_until(job, "steps ")),
                ("mpirun alone", seconds_until([*mpirun, "true"], "")),
            ):
                if number:
                    times[name].append(spent)
            shutil.rmtree(pathlib.Path(folder, "run"), ignore_errors=True)
    for name, seen in times.items():
        print(f"{name:13s} {statistics.median(seen):.2f} s ({min(seen):.2f} to {max(seen):.2f}) of {len(seen)}")


if __name__ == "__main__":
    main()
