#!/usr/bin/env python3
"""Turn what the oracle wrote into a fixture of the repository.

    python finish.py DIR       DIR holds model/, data.jsonl, images/, adapter/ and parity.h5

* refuses a seed with which a gradient of a gamma cancels: such a single number is a sum of terms far larger than
  itself, and the fp32 reference is then farther from the truth than the tolerance of the comparison. Measured against
  the same model in fp64;
* adds from-pretrained.h5 for a checkpoint of bf16 weights: logits of the base as `from_pretrained` loads it, with
  rotary frequencies that nobody rounded;
* compresses parity.h5 and drops files that no reader needs.
"""

import json
import sys
import warnings
from pathlib import Path

import h5py
import torch
import tv_shim  # noqa: F401  (the oracle's helper: before transformers)
from safetensors.torch import load_file
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration

GAMMA_LIMIT = 3e-5  # a third of the comparison's tolerance
folder = Path(sys.argv[1])
rows = {r["id"]: r for r in map(json.loads, (folder / "data.jsonl").read_text(encoding="utf-8").splitlines())}
config_json = json.loads((folder / "model/config.json").read_text())
bf16 = config_json.get("dtype") == "bfloat16"
Model = (
    Qwen3VLForConditionalGeneration if config_json["model_type"] == "qwen3_vl" else Qwen2_5_VLForConditionalGeneration
)
warnings.simplefilter("ignore")


def inputs(group, real):
    ids = torch.tensor(group["input_ids"][...]).long()
    visual = torch.tensor(group["visual_mask"][...])
    arguments = dict(
        input_ids=ids[None],
        attention_mask=torch.ones_like(ids)[None],
        mm_token_type_ids=visual.int()[None],
        use_cache=False,
    )
    if "pixel_values" in group:
        arguments["pixel_values"] = torch.tensor(group["pixel_values"][...]).to(real)
        arguments["image_grid_thw"] = torch.tensor(group["image_grid_thw"][...]).long()
    return arguments, torch.tensor(group["labels"][...]).long(), visual.bool()


def gamma_gradients_fp64(parity):
    """(row, tensor, gradient) of every gamma, all arithmetic in fp64 but for the rotary angles."""
    model = Model.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="eager")
    model = (model.to(torch.bfloat16) if bf16 else model).double().eval()
    text = model.config.text_config
    kv_heads, depth = (
        text.num_key_value_heads,
        getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
    )
    config = json.loads((folder / "adapter/adapter_config.json").read_text())
    stored = load_file(folder / "adapter/adapter.safetensors")
    for row in parity:
        arguments, labels, visual = inputs(parity[row], torch.float64)
        if not visual.any():
            continue
        numbers = {name: value.double().requires_grad_(True) for name, value in stored.items()}
        hooks = []
        for layer, heads in config["kv_indices"].items():

            def add(_, given, out, layer=layer, heads=heads, numbers=numbers, visual=visual):
                a, b, gamma = (numbers[f"layers.{layer}.{part}"] for part in ("A", "B", "gamma"))
                scale = config["alpha"] / config["rank"] / len(heads) ** 0.5 * gamma
                change = torch.einsum("tr,krd->tkd", given[0][0][visual] @ a, b) * scale
                values = out[0].view(-1, kv_heads, depth).clone()
                at = visual.nonzero()[:, 0]
                for j, head in enumerate(heads):
                    values[at, head] = values[at, head] + change[:, j]
                return values.view(1, -1, kv_heads * depth)

            module = model.model.language_model.layers[int(layer)].self_attn.v_proj
            hooks.append(module.register_forward_hook(add))
        logits = model(**arguments).logits[0]
        keep = labels[1:] != -100
        torch.nn.functional.cross_entropy(logits[:-1][keep], labels[1:][keep]).backward()
        for hook in hooks:
            hook.remove()
        for layer in config["kv_indices"]:
            name = f"layers.{layer}.gamma"
            yield row, name, float(numbers[name].grad)


def write_from_pretrained(parity):
    """Logits of the first supervised tokens, the weights loaded by from_pretrained into float32."""
    model = Model.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="eager").eval()
    with h5py.File(folder / "from-pretrained.h5", "w") as file:
        file.attrs["schema_version"] = 1
        for row in ("single-1", "text-only"):
            arguments, labels, _ = inputs(parity[row], torch.float32)
            with torch.no_grad():
                logits = model(**arguments).logits[0]
            at = (labels[1:] != -100).nonzero()[:8, 0]
            write(file, f"{row}/base/logits", logits[at].numpy())


def write(file, path, values):
    options = {}
    if values.size > 4096:
        options = dict(chunks=values.shape, compression="gzip", compression_opts=9, shuffle=True)
    file.create_dataset(path, data=values, track_times=False, **options)


def copy(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            copy(item, target.create_group(name))
        else:
            write(target, name, item[...])


with h5py.File(folder / "parity.h5") as parity:
    worst = 0.0
    for row, name, truth in gamma_gradients_fp64(parity):
        error = abs(float(parity[f"{row}/adapted/gradients/{name}"][()]) - truth) / abs(truth)
        worst = max(worst, error)
    print(f"{folder}: gradients of gamma: the fp32 reference is within {worst:.1e} of fp64")
    if worst > GAMMA_LIMIT:
        sys.exit(f"{folder}: a gradient of gamma cancels; take another seed")
    if bf16:
        write_from_pretrained(parity)
    with h5py.File(folder / "parity.part", "w", libver=("v110", "v110")) as small:
        copy(parity, small)
(folder / "parity.part").replace(folder / "parity.h5")
for name in ("generation_config.json",):
    (folder / "model" / name).unlink(missing_ok=True)
for path in folder.rglob("*"):
    path.chmod(0o755 if path.is_dir() else 0o644)
