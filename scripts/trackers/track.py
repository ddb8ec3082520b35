#!/usr/bin/env python3
"""Put a run into an offline run of Weights & Biases, a store of MLflow, or a file of JSON Lines.

    track.py checkpoints --to wandb [--directory DIR]             pip install wandb; `wandb sync` sends it later
    track.py checkpoints --to mlflow [--tracking-uri URI]         pip install mlflow
    track.py checkpoints --to file [--directory DIR]              standard library alone

Afterwards, or with --follow while the run goes on, until it has ended. The same command again continues the same run
of the tracker, whatever was killed or resumed in between, and each step is logged once: when all of its lines are in
metrics.jsonl. A step that a resumed run computes again has the same numbers and stays as it was logged, with the times
of its first computation; if its loss is another, a line says so. A run that begins again at step 0 is a new run.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from run_folder import RunFolder
from targets import TARGETS


def say(text):
    print(f"track.py: {text}", file=sys.stderr, flush=True)


def copy(run, target, ended):
    """Logs the steps that the target lacks; the number of them."""
    fresh, others = [], []
    for step, metrics in run.new_steps(ended):
        loss = metrics.get("train/loss")
        if step not in target.logged:
            fresh.append((step, metrics))
            target.logged[step] = loss
        elif loss is not None and target.logged[step] not in (None, loss):
            others.append(f"step {step}: {target.logged[step]}, then {loss}")
    target.add(fresh)
    if others:
        more = f" ({len(others) - 1} more)" if len(others) > 1 else ""
        say(f"computed again with another loss, what was logged first stays: {others[0]}{more}")
    return len(fresh)


def track(options):
    """Tracks the run that the folder has now; whether another one has begun there."""
    if options.follow and not (Path(options.run) / "run.yaml").is_file():
        say(f"waiting for {options.run}/run.yaml")
        while not (Path(options.run) / "run.yaml").is_file():
            time.sleep(options.poll_seconds)
    run = RunFolder(options.run)
    first, last_change = run.first_session, time.monotonic()
    options.name = options.name or f"{run.folder.resolve().parent.name}/{run.folder.resolve().name}"
    target = TARGETS[options.to](options, run)
    known, count, summary = len(target.logged), 0, None
    try:
        while run.first_session == first:
            # The summary is the last that a run writes: what it ends is read after it.
            summary = run.summary
            new = copy(run, target, ended=summary is not None)
            count += new
            if new:
                last_change = time.monotonic()
            idle = options.idle_minutes and time.monotonic() - last_change > 60 * options.idle_minutes
            if summary or not options.follow or idle:
                break
            time.sleep(options.poll_seconds)
    finally:
        place = target.end(run, summary)
    again = f", {known} were there" if known else ""
    state = "the run has ended" if summary else "the run has not ended: the same command continues"
    say(f"{options.run}: {count} steps logged{again}; {state}; {options.to}: {place}")
    if run.unreadable:
        say(f"{options.run}/metrics.jsonl: {run.unreadable} lines could not be read")
    return options.follow and summary is None and run.first_session != first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the folder of a run's checkpoints")
    parser.add_argument("--to", choices=sorted(TARGETS), required=True)
    parser.add_argument("--follow", action="store_true", help="wait for more steps until the run has ended")
    parser.add_argument("--project", default="imagelora", help="the tracker's project or experiment")
    parser.add_argument("--name", help="the run's name there; by default the ends of the folder's path")
    parser.add_argument("--directory", default=".", help="where files and offline runs are written")
    parser.add_argument("--tracking-uri", help="MLflow's store; by default MLflow's own default")
    parser.add_argument("--poll-seconds", type=float, default=5, metavar="S")
    parser.add_argument("--idle-minutes", type=float, default=0, metavar="M", help="stop after so long without a step")
    options = parser.parse_args()
    # A job's end (SIGTERM) ends the tracker's run in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while track(options):
            pass
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
