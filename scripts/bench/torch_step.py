#!/usr/bin/env python3
"""The same training step in PyTorch and transformers: Image-LoRA on a frozen Qwen2.5-VL, an example at a time.

    torch_step.py --model DIR --rows rows.jsonl [--threads 2] [--steps 6] [--precision fp32|bf16]
    python -m torch.distributed.run --nproc_per_node 2 torch_step.py ... --threads 1     an example a process, over gloo

Adapted are the heads of heads.py. Prints the median time of an example after one warm-up, and
examples (rows) a second over all processes.
"""

import argparse
import inspect
import json
import math
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy
import torch
import torch.distributed
from PIL import Image

# Images are cut into patches here. transformers would import torchvision, which may be another build than torch's or
# missing.
sys.modules["torchvision"] = None
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration  # noqa: E402

from heads import selected  # noqa: E402

RANK, ALPHA = 8, 16


class ValueAdapter(torch.nn.Module):
    """Adds c gamma (x A) B_h to the values of selected heads at visual tokens."""

    def __init__(self, hidden, dimension, heads):
        super().__init__()
        self.dimension = dimension
        self.scale = ALPHA / RANK / math.sqrt(len(heads))
        self.A = torch.nn.Parameter(torch.randn(hidden, RANK) / RANK)
        self.B = torch.nn.Parameter(torch.zeros(len(heads), RANK, dimension))
        self.gamma = torch.nn.Parameter(torch.tensor(0.01))
        columns = [head * dimension + index for head in heads for index in range(dimension)]
        self.register_buffer("columns", torch.tensor(columns))
        self.visual = None  # visual positions of the current input

    def forward(self, _, inputs, values):
        x = inputs[0][0, self.visual].float()
        delta = torch.einsum("tr,hrd->thd", x @ self.A, self.B).flatten(1) * (self.scale * self.gamma)
        changed = values.clone()
        changed[0, self.visual[:, None], self.columns] += delta.to(values.dtype)
        return changed


def patches(image, settings):
    """The processor's patches of an image, [P, 1176], and their grid."""
    side, merge, times = settings["patch_size"], settings["merge_size"], settings["temporal_patch_size"]
    unit = side * merge
    height, width = (max(unit, round(n / unit) * unit) for n in (image.height, image.width))
    pixels = image.height * image.width
    if height * width > settings["max_pixels"]:
        shrink = math.sqrt(pixels / settings["max_pixels"])
        height, width = (max(unit, math.floor(n / shrink / unit) * unit) for n in (image.height, image.width))
    elif height * width < settings["min_pixels"]:
        grow = math.sqrt(settings["min_pixels"] / pixels)
        height, width = (math.ceil(n * grow / unit) * unit for n in (image.height, image.width))
    values = numpy.asarray(image.convert("RGB").resize((width, height), Image.BICUBIC), dtype=numpy.float32) / 255
    values = (values - numpy.float32(settings["image_mean"])) / numpy.float32(settings["image_std"])
    rows, columns = height // side, width // side
    values = values.reshape(rows // merge, merge, side, columns // merge, merge, side, 3)
    values = values.transpose(0, 3, 1, 4, 6, 2, 5)[:, :, :, :, :, None].repeat(times, axis=5)
    return torch.from_numpy(values.reshape(rows * columns, -1).copy()), torch.tensor([[1, rows, columns]])


def sample(row, folder, tokenizer, settings, special):
    """Inputs of the model for one example with one answer."""
    question, answer = (message["content"] for message in row["messages"])
    pixel_values, grid = patches(Image.open(folder / row["images"][0]), settings)
    content = [{"type": "image"}, {"type": "text", "text": question.replace("<image>", "")}]
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    visual = int(grid.prod()) // settings["merge_size"] ** 2
    prompt = prompt.replace("<|image_pad|>", "<|image_pad|>" * visual)
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after = tokenizer(answer + "<|im_end|>\n", add_special_tokens=False)["input_ids"]
    ids = torch.tensor([before + after])
    labels = torch.tensor([[-100] * len(before) + after])
    return dict(input_ids=ids, labels=labels, pixel_values=pixel_values, image_grid_thw=grid), ids[0] == special


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--rows", type=Path, required=True)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--steps", type=int, default=6)
    arguments.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    world, me = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if world > 1:
        torch.distributed.init_process_group("gloo")

    dtype = torch.float32 if options.precision == "fp32" else torch.bfloat16
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(options.model, dtype=dtype).requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    template = options.model / "chat_template.json"
    if template.exists():
        tokenizer.chat_template = json.loads(template.read_text())["chat_template"]
    settings = json.loads((options.model / "preprocessor_config.json").read_text())
    text = model.config.get_text_config()
    torch.manual_seed(0)
    adapters = []
    for layer, heads in selected(text.num_hidden_layers, text.num_key_value_heads).items():
        adapters.append(ValueAdapter(text.hidden_size, text.hidden_size // text.num_attention_heads, heads))
        model.model.language_model.layers[layer].self_attn.v_proj.register_forward_hook(adapters[-1])
    parameters = [parameter for adapter in adapters for parameter in adapter.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, weight_decay=0)
    takes_types = "mm_token_type_ids" in inspect.signature(model.forward).parameters

    rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
    times = []
    for step in range(options.steps + 1):
        start = time.perf_counter()
        inputs, visual = sample(
            rows[(step * world + me) % len(rows)], options.rows.parent, tokenizer, settings, model.config.image_token_id
        )
        inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
        if takes_types:
            inputs["mm_token_type_ids"] = visual[None].int()
        for adapter in adapters:
            adapter.visual = visual.nonzero()[:, 0]
        optimizer.zero_grad()
        loss = model(**inputs, use_cache=False).loss
        loss.backward()
        if world > 1:
            flat = torch.cat([parameter.grad.flatten() for parameter in parameters]) / world
            torch.distributed.all_reduce(flat)
            for parameter, mean in zip(parameters, flat.split([parameter.numel() for parameter in parameters])):
                parameter.grad.copy_(mean.view_as(parameter))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step > 0:
            times.append(time.perf_counter() - start)
        elif me == 0:
            count = sum(parameter.numel() for parameter in parameters)
            tokens = inputs["input_ids"].shape[1]
            print(f"tokens {tokens} visual {int(visual.sum())} trainable {count} loss {loss.item():.5f}", flush=True)
    median = statistics.median(times)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"[{me}] median {median:.3f} s/row  rows/s over {world} rank(s) {world / median:.3f}  peak {peak:.2f} GiB",
        flush=True,
    )
    if world > 1:
        torch.distributed.destroy_process_group()


main()
