"""An Image-LoRA of imagelora for a Qwen-VL model of transformers: `with apply(model, folder): model.generate(...)`"""

import contextlib
import functools
import json
import pathlib
import sys
from hashlib import sha256

import safetensors.torch
import torch

# A decoder layer's module, its projection to values (behind queries and keys in the second), its heads' dimension.
ATTENTION, LINEAR = ("self_attn", "v_proj", "head_dim"), ("linear_attn", "in_proj_qkv", "head_v_dim")
PLACES = {"kv_indices": ATTENTION, "value_head_indices": LINEAR}
EXPONENTS = {"inverse_sqrt_selected": -0.5, "none": 0}  # a normalization's, of the number of a layer's heads


def need(condition, problem):
    if not condition:
        raise ValueError(f"image_lora: {problem}")


def base_digest(folder):
    """Over the name, type, shape and first, middle and last 4 KiB of every tensor of a model's folder."""
    digest, single, index = sha256(), folder / "model.safetensors", folder / "model.safetensors.index.json"
    shards = {single.name} if single.exists() else set(json.loads(index.read_bytes())["weight_map"].values())
    files = [safetensors.safe_open(folder / shard, "pt") for shard in shards]
    for name, file in sorted((name, shard) for shard in files for name in shard.keys()):
        tensor, data = file.get_slice(name), file.get_tensor(name).reshape(-1).view(torch.uint8)
        blocks = [data[:4096], data[len(data) // 2 - 2048 :][:4096], data[-4096:]] if len(data) > 3 * 4096 else [data]
        digest.update(f"{name} {tensor.get_dtype()} {'x'.join(map(str, tensor.get_shape()))}\n".encode())
        digest.update(bytes(torch.cat(blocks).tolist()))
    return digest.hexdigest()


def read(folder):
    """An adapter folder's configuration, its tensors, and of each adapted layer the place, number and heads."""
    config = json.loads((pathlib.Path(folder) / "adapter_config.json").read_bytes())
    data = (pathlib.Path(folder) / "adapter.safetensors").read_bytes()
    known = config.get("adapter_type") == "image_lora" and config.get("format_version", 1) == 1
    need(known and config["normalization"] in EXPONENTS, f"{folder}: an adapter of another type or version")
    intact = config.get("tensors_sha256") in (None, sha256(data).hexdigest())
    need(intact, f"{folder}/adapter.safetensors is damaged: its SHA-256 is not tensors_sha256")
    tensors = safetensors.torch.load(data)
    layers = [(place, *layer) for kind, place in PLACES.items() for layer in config.get(kind, {}).items()]
    names = {f"layers.{layer}.{part}" for _, layer, _ in layers for part in ("A", "B", "gamma")}
    right = all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors.values())
    need(right and names and names == tensors.keys(), f"{folder}: expected finite float32 numbers in {sorted(names)}")
    return config, tensors, layers


def see(seen, model, args, inputs):
    """Before the model runs: notes where visual tokens are, None where there are none."""
    ids, encoded = inputs.get("input_ids"), inputs.get("mm_encoder_outputs") or {}
    need(ids is not None, "give input_ids, by name: embeddings do not tell which tokens are visual")
    has_images = inputs.get("pixel_values") is not None or encoded.get("image") is not None
    seen["visual"] = ids == model.config.image_token_id if has_images else None


def add(seen, A, B, module, args, output):
    """After a projection of x: adds x A B to its output at visual tokens."""
    need(seen, "call the whole model: its decoder alone does not know which tokens are visual")
    if (visual := seen["visual"]) is not None:
        visual, output = visual.to(output.device), output.clone()
        output[visual] += args[0][visual].float() @ A.to(output.device) @ B.to(output.device)  # in fp32, rounded once
    return output


def apply(model, folder, base=None):
    """Adds the adapter at the tokens of images, until the handle's remove() or the end of its `with`.

    base: the folder of the model's files, where model.name_or_path is none; it is compared with base_digest."""
    config, tensors, layers = read(folder)
    whole = next((m for m in model.modules() if {"visual", "language_model"} <= {*dict(m.named_children())}), None)
    need(whole is not None, "expected a Qwen-VL model of transformers")
    base = pathlib.Path(base or model.name_or_path)
    if "base_digest" in config and base.is_dir():
        need(config["base_digest"] == base_digest(base), f"{folder} was trained on other weights than those of {base}")
    else:
        print(f"image_lora: not checked: whether {folder} was trained on the weights of {base}", file=sys.stderr)
    modules, rank, seen = dict(whole.language_model.named_modules()), config["rank"], {}
    with contextlib.ExitStack() as hooks:  # a layer that does not fit takes off the hooks of those before it
        hooks.callback(whole.register_forward_pre_hook(functools.partial(see, seen), with_kwargs=True).remove)
        hooks.callback(whole.register_forward_hook(lambda *_: seen.clear(), always_call=True).remove)
        for (name, projection, size), layer, heads in layers:
            A, B, gamma = (tensors[f"layers.{layer}.{part}"] for part in ("A", "B", "gamma"))
            need(mixer := modules.get(f"layers.{layer}.{name}"), f"{folder}: the model has no {name} in layer {layer}")
            module, width, first = getattr(mixer, projection), getattr(mixer, size), 2 * getattr(mixer, "key_dim", 0)
            fits = [A.shape, B.shape, gamma.shape] == [(module.in_features, rank), (len(heads), rank, width), ()]
            there = sorted(set(range((module.out_features - first) // width)) & set(heads))
            need(fits and heads == there != [], f"{folder}: layer {layer} has other heads or shapes than the model")
            scale = config["alpha"] / rank * float(gamma) * len(heads) ** EXPONENTS[config["normalization"]]
            columns = torch.zeros(rank, module.out_features)  # scale * B in the heads' columns, zeros elsewhere
            columns[:, first:].unflatten(1, (-1, width))[:, heads] = scale * B.transpose(0, 1)
            hooks.callback(module.register_forward_hook(functools.partial(add, seen, A, columns)).remove)
        handle = hooks.pop_all()
    handle.remove = handle.close
    return handle
