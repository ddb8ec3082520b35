#!/usr/bin/env python3
"""Compare a run's event files with its metrics.jsonl, both read as others read them.

    pip install tensorboard
    scripts/check-tensorboard.py CHECKPOINTS

CHECKPOINTS is the folder of a run with `logging.tensorboard: true`. TensorBoard's own EventAccumulator reads the event
files; every tag must have the steps of metrics.jsonl and its values as 32-bit floats. The status is 1 if anything
differs.
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {
    "train/loss": "loss",
    "train/learning_rate": "learning_rate",
    "train/gradient_norm": "gradient_norm",
    "train/rows_per_second": "rows_per_second",
    "validation/loss": "validation_loss",
}


def single(value):
    """A number as a 32-bit float."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def main(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found, failed = set(events.Tags()["scalars"]), False
    wanted = {tag for tag, key in TAGS.items() if any(key in line for line in lines)}
    if found != wanted:
        failed = True
        print(f"tags are {sorted(found)}, wanted {sorted(wanted)}")
    for tag in sorted(found & wanted):
        key = TAGS[tag]
        there = [(event.step, event.value) for event in events.Scalars(tag)]
        wanted_values = [(line["step"], single(line[key])) for line in lines if key in line]
        differ = [pair for pair in zip(there, wanted_values) if pair[0] != pair[1]]
        if differ or len(there) != len(wanted_values):
            failed = True
            print(f"{tag}: {len(there)} values for {len(wanted_values)} lines, first difference {differ[:1]}")
        else:
            print(f"{tag}: {len(there)} values equal those of metrics.jsonl")
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    sys.exit(main(Path(sys.argv[1])))
