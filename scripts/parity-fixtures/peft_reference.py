#!/usr/bin/env python3
"""Write a LoRA as PEFT writes it, and the numbers that PEFT computes with it, for a fixture of the repository.

    python peft_reference.py FIXTURE DIR [--targets q_proj k_proj v_proj o_proj | --pattern REGEX|all-linear] [--rslora]
        [--rows ID...] [--options '{"layers_to_transform": [0, 2]}']     (other arguments of LoraConfig, as JSON)
    python peft_reference.py FIXTURE DIR --adapter FOLDER     (the numbers of a LoRA there, as of imagelora export)

FIXTURE holds model/ and parity.h5 (its ids, masks and pixels are the input). DIR gets
  adapter/    adapter_model.safetensors, adapter_config.json    (PeftModel.save_pretrained, A and B random)
  parity.h5   a group a row: base/{logits, nll_sum, tokens}, adapted/{logits, nll_sum, tokens} and
              adapted/gradients/{layers.{l}.{projection},visual.{module}}.{A,B}: gradients of the row's mean NLL

Made with peft 0.21.2 and the versions that scripts/make-parity-fixtures.sh names; tv_shim.py is the oracle's helper.
"""

import argparse
import json
import warnings
from pathlib import Path

import h5py
import torch
import tv_shim  # noqa: F401  (before transformers)
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText as Model

arguments = argparse.ArgumentParser()
arguments.add_argument("fixture", type=Path)
arguments.add_argument("folder", type=Path)
arguments.add_argument("--targets", nargs="+", default=["q_proj", "k_proj", "v_proj", "o_proj"])
arguments.add_argument("--pattern", help="target_modules as a regular expression")
arguments.add_argument("--rank", type=int, default=4)
arguments.add_argument("--alpha", type=int, default=6)
arguments.add_argument("--rslora", action="store_true")
arguments.add_argument("--options", type=json.loads, default={})
arguments.add_argument("--rows", nargs="+")
arguments.add_argument("--adapter", type=Path)
arguments.add_argument("--double", action="store_true", help="compute in double precision")
arguments.add_argument("--seed", type=int, default=0)
a = arguments.parse_args()
warnings.simplefilter("ignore")

base = Model.from_pretrained(a.fixture / "model", dtype=torch.float32, attn_implementation="eager")
precision = torch.float64 if a.double else torch.float32
base.to(precision)


def random_lora():
    """A LoRA of random numbers, written into DIR/adapter."""
    torch.manual_seed(a.seed)
    given = dict(target_modules=a.pattern or a.targets, use_rslora=a.rslora) | a.options
    config = LoraConfig(r=a.rank, lora_alpha=a.alpha, task_type="CAUSAL_LM", **given)
    model = get_peft_model(base, config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.copy_(torch.randn(value.shape).to(value) * (0.3 if "lora_B" in name else value.shape[1] ** -0.5))
    model.save_pretrained(a.folder / "adapter")
    if a.double:  # as a user's, whose numbers are fp32; then what was rounded is what is computed with
        path = str(a.folder / "adapter/adapter_model.safetensors")
        save_file({name: value.float() for name, value in load_file(path).items()}, path, {"format": "pt"})
        with torch.no_grad():
            for name, value in model.named_parameters():
                if "lora_" in name:
                    value.copy_(value.float())
    # A path of this machine says nothing to others.
    written = a.folder / "adapter/adapter_config.json"
    settings = json.loads(written.read_text())
    settings["base_model_name_or_path"] = "model"
    if isinstance(settings["target_modules"], list):
        settings["target_modules"] = sorted(settings["target_modules"])
    written.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (a.folder / "adapter/README.md").unlink(missing_ok=True)
    return model


a.folder.mkdir(parents=True, exist_ok=True)
model = PeftModel.from_pretrained(base, a.adapter, is_trainable=True).eval() if a.adapter else random_lora()


def inputs(group):
    ids = torch.tensor(group["input_ids"][...]).long()
    visual = torch.tensor(group["visual_mask"][...])
    given = dict(
        input_ids=ids[None],
        attention_mask=torch.ones_like(ids)[None],
        mm_token_type_ids=visual.int()[None],
        use_cache=False,
    )
    if "pixel_values" in group:
        given["pixel_values"] = torch.tensor(group["pixel_values"][...]).to(precision)
        given["image_grid_thw"] = torch.tensor(group["image_grid_thw"][...]).long()
    return given, torch.tensor(group["labels"][...]).long()


def write(file, path, values):
    options = {}
    if values.size > 4096:
        options = dict(chunks=values.shape, compression="gzip", compression_opts=9, shuffle=True)
    file.create_dataset(path, data=values, track_times=False, **options)


def numbers(file, path, logits, labels):
    """Logits and NLL of the rows that predict a supervised token."""
    keep = labels[1:] != -100
    logits = logits[0][:-1][keep]
    nll = torch.nn.functional.cross_entropy(logits.double(), labels[1:][keep], reduction="sum")
    write(file, f"{path}/logits", logits.detach().float().numpy())
    file[path].attrs["nll_sum"] = float(nll)
    file[path].attrs["tokens"] = int(keep.sum())
    return torch.nn.functional.cross_entropy(logits, labels[1:][keep])


with (
    h5py.File(a.fixture / "parity.h5") as given,
    h5py.File(a.folder / "parity.h5", "w", libver=("v110", "v110")) as out,
):
    out.attrs["schema_version"] = 1
    for row in a.rows or given:
        arguments, labels = inputs(given[row])
        with torch.no_grad(), model.disable_adapter():
            numbers(out, f"{row}/base", model(**arguments).logits, labels)
        model.zero_grad()
        numbers(out, f"{row}/adapted", model(**arguments).logits, labels).backward()
        for name, value in model.named_parameters():
            if "lora_" not in name:
                continue
            parts = name.split(".")
            part = "A" if "lora_A" in parts else "B"
            if "visual" in parts:  # visual.{module}.lora_{part}.{adapter}.weight
                module = ".".join(parts[parts.index("visual") : parts.index(f"lora_{part}")])
            else:  # layers.{l}.{module}.{projection}
                place = parts.index("layers")
                module = f"layers.{parts[place + 1]}.{parts[place + 3]}"
            # A row without images has no gradient in the tower.
            gradient = torch.zeros_like(value) if value.grad is None else value.grad
            write(out, f"{row}/adapted/gradients/{module}.{part}", gradient.float().numpy())
trainable = sum(p.numel() for n, p in model.named_parameters() if "lora_" in n)
print(f"{a.folder}: rank {a.rank} on {a.pattern or ', '.join(a.targets)}; {trainable} numbers")
