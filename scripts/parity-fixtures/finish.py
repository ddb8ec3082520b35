#!/usr/bin/env python3
"""Turn what the oracle wrote into a fixture of the repository: compress parity.h5, and drop what no reader needs.

    python finish.py DIR       DIR holds model/, data.jsonl, images/, adapter/ and parity.h5

Of logits it keeps those of the first answer tokens: the losses are of all. Of the stages of a forward pass (`trace/`)
it keeps every layer's output, and the inside of the last layer of either kind.
"""

import json
import re
import sys
from pathlib import Path

import h5py

LOGIT_ROWS = 12
folder = Path(sys.argv[1])
family = json.loads((folder / "model/config.json").read_text(encoding="utf-8"))["model_type"]


def kept(stages):
    """The stages that stay."""
    inside = {name: re.fullmatch(r"(linear|attention)\.(\d+)\..*", name) for name in stages}
    last = {}
    for match in filter(None, inside.values()):
        last[match[1]] = max(last.get(match[1], 0), int(match[2]))
    return [name for name, match in inside.items() if not match or last[match[1]] == int(match[2])]


def copy(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name in kept(source) if source.name.endswith("/trace") else source:
        item = source[name]
        if isinstance(item, h5py.Group):
            copy(item, target.create_group(name))
            continue
        data, options = item[:LOGIT_ROWS] if name == "logits" else item[...], {}
        if data.size > 4096:
            options = dict(chunks=data.shape, compression="gzip", compression_opts=9, shuffle=True)
        made = target.create_dataset(name, data=data, track_times=False, **options)
        for key, value in item.attrs.items():
            made.attrs[key] = value


with (
    h5py.File(folder / "parity.h5") as parity,
    h5py.File(folder / "parity.part", "w", libver=("v110", "v110")) as small,
):
    copy(parity, small)
(folder / "parity.part").replace(folder / "parity.h5")
if family != "qwen3_5":
    (folder / "model/generation_config.json").unlink(missing_ok=True)
for path in folder.rglob("*"):
    path.chmod(0o755 if path.is_dir() else 0o644)
