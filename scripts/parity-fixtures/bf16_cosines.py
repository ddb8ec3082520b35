#!/usr/bin/env python3
"""How near gradients in bf16 are to those in fp32, in imagelora and under PyTorch's autocast.

    IMAGELORA=.../imagelora python bf16_cosines.py [--write FILE] [FIXTURE...]
                                                    (default: those of Tests/ParityTests/Resources)

A line an example with images: the cosine of the gradient of the adapter in bf16 with that of parity.h5, first
imagelora's, then that of the same example in transformers with GEMMs in bf16 (torch.autocast) and all else in fp32.
--write keeps the latter as the unit test reads them, Resources/bf16-autocast.json.
The versions are those that scripts/make-parity-fixtures.sh names; tv_shim.py is the oracle's helper.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import h5py
import numpy as np
import torch
import tv_shim  # noqa: F401  (before transformers)
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText as Model

resources = Path(__file__).parents[2] / "Tests/ParityTests/Resources"
presets = ("a", "b", "qwen2-vl", "qwen3-vl", "qwen3.5-a", "qwen3.5-b")
parser = argparse.ArgumentParser()
parser.add_argument("--write", type=Path)
parser.add_argument("fixtures", nargs="*", type=Path, default=[resources / x for x in presets])
arguments = parser.parse_args()


def ours(fixture):
    """The numbers of `imagelora parity --precision bf16`."""
    output = Path(tempfile.mkdtemp()) / "parity.h5"
    command = [os.environ["IMAGELORA"], "parity", "--model", fixture / "model", "--data", fixture / "data.jsonl"]
    command += ["--adapter", fixture / "adapter", "--output", output, "--precision", "bf16"]
    if (fixture / "adapter_linear").exists():
        command += ["--linear-adapter", fixture / "adapter_linear"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return h5py.File(output)


def adapted(numbers, row):
    gradients = numbers[row]["adapted/gradients"]
    return {name: gradients[name][()].astype(float) for name in gradients}


def flat(gradients):
    return np.concatenate([np.ravel(gradients[name]) for name in sorted(gradients)])


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def autocast(model, fixture, numbers):
    """Gradients of an example's mean NLL in PyTorch."""
    settings = json.loads((fixture / "adapter/adapter_config.json").read_text())
    tensors = load_file(fixture / "adapter/adapter.safetensors")
    parameters = {name: x.float().clone().requires_grad_(True) for name, x in tensors.items()}
    ids, labels = (torch.tensor(numbers[name][()]).long() for name in ("input_ids", "labels"))
    visual = torch.tensor(numbers["visual_mask"][()]).bool()

    def hook(layer, heads):
        A, B, gamma = (parameters[f"layers.{layer}.{name}"] for name in ("A", "B", "gamma"))
        scale = settings["alpha"] / settings["rank"] / len(heads) ** 0.5

        def add(module, inputs, output):
            with torch.autocast("cpu", enabled=False):
                x, values = inputs[0][0].float(), output[0].float().unflatten(-1, (-1, B.shape[-1])).clone()
                delta = torch.einsum("tr,krd->tkd", x[visual] @ A, B) * (scale * gamma)
                for index, head in enumerate(heads):
                    values[visual.nonzero()[:, 0], head] += delta[:, index]
                return values.flatten(-2)[None]

        return model.model.language_model.layers[layer].self_attn.v_proj.register_forward_hook(add)

    hooks = [hook(int(layer), heads) for layer, heads in settings["kv_indices"].items()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(
            input_ids=ids[None],
            attention_mask=torch.ones_like(ids)[None],
            mm_token_type_ids=visual.int()[None],
            pixel_values=torch.tensor(numbers["pixel_values"][()]),
            image_grid_thw=torch.tensor(numbers["image_grid_thw"][()]).long(),
            use_cache=False,
        ).logits[0]
    kept = labels[1:] != -100
    torch.nn.functional.cross_entropy(logits.float()[:-1][kept], labels[1:][kept]).backward()
    for handle in hooks:
        handle.remove()
    return {name: x.grad.numpy().astype(float) for name, x in parameters.items()}


autocasts = {}
for fixture in arguments.fixtures:
    model = Model.from_pretrained(fixture / "model", dtype=torch.float32, attn_implementation="eager")
    model.eval().requires_grad_(False)
    reference, found = h5py.File(fixture / "parity.h5"), ours(fixture)
    for row in reference:
        if "pixel_values" in reference[row]:
            expected = flat(adapted(reference, row))
            pair = [cosine(expected, flat(x)) for x in (adapted(found, row), autocast(model, fixture, reference[row]))]
            print(f"{fixture.name} {row}: imagelora {pair[0]:.5f}, PyTorch {pair[1]:.5f}", flush=True)
            autocasts.setdefault(fixture.name, {})[row] = round(pair[1], 5)
if arguments.write:
    arguments.write.write_text(json.dumps(autocasts, indent=2) + "\n")
