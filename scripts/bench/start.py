#!/usr/bin/env python3
"""Seconds from the command of a job to its first step, without the step itself; beside them, those of mpirun with
nothing to run.

    start.py --data DIR [--ranks 2] [--rounds 5] [--train FILE] [--prepared]

DIR is a folder that make_checkpoint.py made, or any with a `model` and, in another place, the rows of --train. A first
job that is not counted, but shown, brings the files into the page cache. With --prepared `imagelora prepare` checks the
examples before it, and its time is shown.
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


def seconds_until(command, file=None):
    """Until the command has written a file, and is ended; until it ends by itself if there is none."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.monotonic()
        job = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        if file:
            while not file.exists():
                if job.poll() is not None:
                    output.seek(0)
                    sys.exit("start.py: the job ended before its first step:\n" + "".join(output.readlines()[-5:]))
                time.sleep(0.001)
        else:
            job.wait()
        spent = time.monotonic() - started
        job.terminate()  # mpirun ends its ranks
        job.wait()
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train", type=pathlib.Path, help="rows or a pack in place of DIR/rows-1.jsonl")
    parser.add_argument("--prepared", action="store_true", help="check the examples beforehand (imagelora prepare)")
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
            "data": {
                "train": str((a.train or a.data / "rows-1.jsonl").resolve()),
                "image_root": str(a.data.resolve()),
                **({"prepared": "prepared"} if a.prepared else {}),
            },
            "adapter": {"rank": 8, "alpha": 16, "heads": {"select": "file", "file": "heads.json"}},
            "training": {"steps": 2, "global_batch": a.ranks, "learning_rate": 1e-5},
            "checkpoint": {"directory": "run"},
        }
        pathlib.Path(folder, "run.json").write_text(json.dumps(run))
        job = [*mpirun, str(pathlib.Path(a.imagelora).resolve()), "train", f"{folder}/run.json"]
        if a.prepared:
            started = time.monotonic()
            subprocess.run([*job[:-2], "prepare", job[-1]], check=True, capture_output=True)
            print(f"prepare       {time.monotonic() - started:.2f} s", flush=True)
        times = {"job": [], "mpirun alone": []}
        for number in range(a.rounds + 1):
            for name, spent in (
                # A job notes its start in this file once it is ready for the first step.
                ("job", seconds_until(job, pathlib.Path(folder, "run", "sessions.jsonl"))),
                ("mpirun alone", seconds_until([*mpirun, "true"])),
            ):
                if number:
                    times[name].append(spent)
                elif name == "job":
                    print(f"first job     {spent:.2f} s", flush=True)
            shutil.rmtree(pathlib.Path(folder, "run"), ignore_errors=True)
    for name, seen in times.items():
        print(f"{name:13s} {statistics.median(seen):.2f} s ({min(seen):.2f} to {max(seen):.2f}) of {len(seen)}")


if __name__ == "__main__":
    main()
