#!/usr/bin/env python3
"""Writes an Image-LoRA's folder in the form of the method's authors (arXiv 2512.19219), and reads that form.

image_lora_pt.py to-pt FOLDER out.pt
image_lora_pt.py from-pt in.pt FOLDER

It needs torch, safetensors, and image_lora.py beside it. A .pt has no place for digests, the chat template and sizes of
images; value heads of linear attention are refused.
"""

import json
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import safetensors.torch
import torch
from image_lora import need, read

CODE = [Path(__file__).with_name(name) for name in ("image_lora.py", "image_lora_pt.py")]

NORMALIZATION = "inverse_sqrt_selected"
KEYS = {"model_name", "r", "alpha", "kv_indices", "layers"}


def check(rank, heads, parts):
    """Refuses tensors that are not A [H, r], B [heads, r, D] and gamma [] of the heads by layer."""
    odd = parts.keys() ^ {f"layers.{layer}.{part}" for layer in heads for part in ("A", "B", "gamma")}
    need(not odd, f"missing or unknown tensors: {', '.join(sorted(odd))}")
    for layer, chosen in heads.items():
        need(chosen and chosen == sorted(set(chosen)) and chosen[0] >= 0, f"layer {layer} has the heads {chosen}")
        A, B, gamma = (parts[f"layers.{layer}.{part}"].shape for part in ("A", "B", "gamma"))
        fits = (len(A), *A[1:], len(B), *B[:2], len(gamma)) == (2, rank, 3, len(chosen), rank, 0)
        need(fits, f"layer {layer} has A {[*A]}, B {[*B]}, gamma {[*gamma]} for rank {rank} and {len(chosen)} heads")


def to_pt(folder, path):
    config, tensors, _ = read(folder)
    need(config["normalization"] == NORMALIZATION, "a .pt always divides by the square root of the selected heads")
    need("value_head_indices" not in config, "a .pt has no place for value heads of linear attention")
    check(config["rank"], config["kv_indices"], tensors)
    layers = {
        layer: {part: tensors[f"layers.{layer}.{part}"] for part in ("A", "B", "gamma")}
        for layer in config["kv_indices"]
    }
    stored = {"model_name": config.get("base_model_name_or_path"), "r": config["rank"], "alpha": float(config["alpha"])}
    with open(path, "xb") as file:
        torch.save(stored | {"kv_indices": config["kv_indices"], "layers": layers}, file)
    kept = {"adapter_type", "format_version", "rank", "alpha", "normalization", "kv_indices", "base_model_name_or_path"}
    print("left out, a .pt has no place for it:", *sorted(config.keys() - kept) or ["nothing"], file=sys.stderr)


def from_pt(path, folder):
    stored = torch.load(path, map_location="cpu", weights_only=True)
    need(isinstance(stored, dict) and stored.keys() == KEYS, f"{path}: expected a dictionary of {sorted(KEYS)}")
    parts = {f"layers.{layer}.{name}": part for layer, all in stored["layers"].items() for name, part in all.items()}
    parts = {name: part.float() if part.dtype == torch.bfloat16 else part for name, part in parts.items()}
    parts = {name: part.contiguous() for name, part in parts.items()}
    data = safetensors.torch.save(parts, {"format": "pt"})
    config = {"adapter_type": "image_lora", "format_version": 1, "rank": stored["r"], "alpha": stored["alpha"]}
    config |= {"normalization": NORMALIZATION, "tensors_sha256": sha256(data).hexdigest()}
    config["kv_indices"] = {str(layer): heads for layer, heads in stored["kv_indices"].items()}
    if stored["model_name"] is not None:
        config["base_model_name_or_path"] = stored["model_name"]
    check(config["rank"], config["kv_indices"], parts)
    folder = Path(folder)
    need(not folder.exists(), f"{folder} is there already")
    # All of it, read back, or nothing.
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        made = Path(work) / folder.name
        made.mkdir()
        for file in CODE:
            (made / file.name).write_bytes(file.read_bytes())
        (made / "adapter.safetensors").write_bytes(data)
        (made / "adapter_config.json").write_text(json.dumps(config, indent=2), "utf-8")
        read(made)
        made.rename(folder)


def main():
    commands = {"to-pt": to_pt, "from-pt": from_pt}
    if len(sys.argv) != 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    try:
        commands[sys.argv[1]](*sys.argv[2:])
    except (OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
