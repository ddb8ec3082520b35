"""An Image-LoRA of imagelora on a Qwen-VL model of transformers; it needs torch and safetensors.

with image_lora.apply(model, folder): model.generate(**inputs)      # or: handle = apply(...); ...; handle.remove()
python image_lora.py to-pt FOLDER out.pt | from-pt in.pt FOLDER     # the form of the authors of arXiv 2512.19219
"""

import contextlib
import hashlib
import json
import pathlib
import sys

import safetensors.torch
import torch

# Each kind of heads: the decoder layer's module that has them, its projection to values, its heads' dimension.
PLACES = {
    "kv_indices": ("self_attn", "v_proj", "head_dim"),
    "value_head_indices": ("linear_attn", "in_proj_qkv", "head_v_dim"),
}
PT_KEYS = {"model_name", "r", "alpha", "kv_indices", "layers"}
SQUARE_ROOT = "inverse_sqrt_selected"


def need(condition, problem):
    if not condition:
        raise ValueError(f"image_lora: {problem}")


def base_digest(folder):
    """Over the name, type, shape and first, middle and last 4 KiB of every tensor of a model's folder."""
    parts, shards = {}, {"model.safetensors"}
    if not (folder / "model.safetensors").exists():
        shards = set(json.loads((folder / "model.safetensors.index.json").read_bytes())["weight_map"].values())
    for shard in shards:
        with safetensors.safe_open(folder / shard, "pt") as file:
            for name in file.keys():
                tensor, data = file.get_slice(name), file.get_tensor(name).reshape(-1).view(torch.uint8)
                blocks = [data[:4096], data[len(data) // 2 - 2048 :][:4096], data[-4096:]]
                data = torch.cat(blocks) if len(data) > 3 * 4096 else data
                line = f"{name} {tensor.get_dtype()} {'x'.join(map(str, tensor.get_shape()))}\n"
                parts[name] = line.encode() + bytes(data.tolist())
    return hashlib.sha256(b"".join(parts[name] for name in sorted(parts))).hexdigest()


def layers(config, tensors):
    """(key, layer, heads, A [H, r], B [heads, r, D], gamma []) of every adapted layer; refuses what does not fit."""
    stated = [(key, layer, heads) for key in PLACES for layer, heads in config.get(key, {}).items()]
    names = {f"layers.{layer}.{part}" for _, layer, _ in stated for part in ("A", "B", "gamma")}
    need(names and names == tensors.keys(), f"missing or unknown tensors: {sorted(names ^ tensors.keys())}")
    found = []
    for key, layer, heads in stated:
        A, B, gamma = parts = [tensors[f"layers.{layer}.{part}"] for part in ("A", "B", "gamma")]
        need(heads == sorted(set(heads)) and min(heads, default=-1) >= 0, f"layer {layer} has the heads {heads}")
        shapes = (A.dim(), *A.shape[1:], B.dim(), *B.shape[:2], gamma.dim())
        need(
            shapes == (2, config["rank"], 3, len(heads), config["rank"], 0), f"layer {layer}: other shapes than stated"
        )
        finite = all(part.dtype == torch.float32 and part.isfinite().all() for part in parts)
        need(finite, f"layer {layer} is not of finite float32 numbers")
        found.append((key, int(layer), heads, A, B, gamma))
    return found


def read(folder):
    """An adapter folder's configuration and layers."""
    config = json.loads((pathlib.Path(folder) / "adapter_config.json").read_bytes())
    data = (pathlib.Path(folder) / "adapter.safetensors").read_bytes()
    known = config.get("adapter_type") == "image_lora" and config.get("format_version", 1) == 1
    need(known and config["normalization"] in (SQUARE_ROOT, "none"), f"{folder}: an adapter of another type or version")
    intact = config.get("tensors_sha256") in (None, hashlib.sha256(data).hexdigest())
    need(intact, f"{folder}/adapter.safetensors is damaged: its SHA-256 is not tensors_sha256")
    return config, layers(config, safetensors.torch.load(data))


def apply(model, folder, base=None):
    """Adds the adapter at the tokens of images, until the handle's remove() or the end of its `with`.

    base: the folder of the model's files, where model.name_or_path is none; it is compared with base_digest."""
    config, adapted = read(folder)
    decoder = next((module for module in model.modules() if hasattr(module, "embed_tokens")), None)
    whole = next((module for module in model.modules() if decoder in module.children()), None)
    need(hasattr(whole, "visual"), "expected a Qwen-VL model of transformers")
    base = pathlib.Path(base or model.name_or_path)
    if "base_digest" in config and base.is_dir():
        need(config["base_digest"] == base_digest(base), f"{folder} was trained on other weights than those of {base}")
    else:
        print(f"image_lora: not checked: whether {folder} was trained on the weights of {base}", file=sys.stderr)
    seen = {}  # while the model runs: where visual tokens are, None where there are none

    def see(_, args, inputs):
        ids, encoded = inputs.get("input_ids"), inputs.get("mm_encoder_outputs") or {}
        need(ids is not None, "give input_ids, by name: embeddings do not tell which tokens are visual")
        has_images = inputs.get("pixel_values") is not None or encoded.get("image") is not None
        visual = ids == model.config.image_token_id
        seen["visual"] = visual if has_images and visual.any() else None

    def adding(A, B):
        def add(_, args, output):
            need(seen, "call the whole model: its decoder alone does not know which tokens are visual")
            if (visual := seen["visual"]) is not None:
                visual, output = visual.to(output.device), output.clone()
                delta = args[0][visual].float() @ A.to(output.device) @ B.to(output.device)
                output[visual] = (output[visual] + delta).to(output.dtype)
            return output

        return add

    hooks = []
    for key, layer, heads, A, B, gamma in adapted:
        name, projection, dimension = PLACES[key]
        mixer = getattr(decoder.layers[layer] if layer < len(decoder.layers) else None, name, None)
        need(mixer is not None, f"{folder}: the model has no {name} in layer {layer}")
        module, width, first = getattr(mixer, projection), getattr(mixer, dimension), 2 * getattr(mixer, "key_dim", 0)
        fits = (A.shape[0], B.shape[2]) == (module.in_features, width)
        need(
            fits and first + (heads[-1] + 1) * width <= module.out_features, f"{folder}: layer {layer} has other shapes"
        )
        scale = config["alpha"] / config["rank"] * float(gamma)
        scale /= len(heads) ** 0.5 if config["normalization"] == SQUARE_ROOT else 1
        columns = torch.zeros(A.shape[1], module.out_features)  # scale * B in the heads' columns, zeros elsewhere
        columns[:, first:].unflatten(1, (-1, width))[:, heads] = scale * B.transpose(0, 1)
        hooks.append((module, adding(A, columns)))
    handle = contextlib.ExitStack()
    handle.remove = handle.close
    handle.callback(whole.register_forward_pre_hook(see, with_kwargs=True).remove)
    handle.callback(whole.register_forward_hook(lambda *_: seen.clear(), always_call=True).remove)
    for module, hook in hooks:
        handle.callback(module.register_forward_hook(hook).remove)
    return handle


def to_pt(folder, path):
    config, adapted = read(folder)
    need(config["normalization"] == SQUARE_ROOT, "a .pt always divides by the square root of the selected heads")
    need("value_head_indices" not in config, "a .pt has no place for value heads of linear attention")
    parts = {str(layer): {"A": A, "B": B, "gamma": gamma} for _, layer, _, A, B, gamma in adapted}
    stored = {"model_name": config.get("base_model_name_or_path"), "r": config["rank"], "alpha": float(config["alpha"])}
    with open(path, "xb") as file:
        torch.save(stored | {"kv_indices": config["kv_indices"], "layers": parts}, file)
    kept = {"adapter_type", "format_version", "rank", "alpha", "normalization", "kv_indices", "base_model_name_or_path"}
    print("left out, a .pt has no place for it:", *sorted(config.keys() - kept) or ["nothing"], file=sys.stderr)


def from_pt(path, folder):
    stored = torch.load(path, map_location="cpu", weights_only=True)
    need(isinstance(stored, dict) and stored.keys() == PT_KEYS, f"{path}: expected a dictionary of {sorted(PT_KEYS)}")
    parts = {f"layers.{layer}.{name}": part for layer, all in stored["layers"].items() for name, part in all.items()}
    parts = {name: part.float() if part.dtype == torch.bfloat16 else part for name, part in parts.items()}
    data = safetensors.torch.save(parts, {"format": "pt"})
    config = {"adapter_type": "image_lora", "format_version": 1, "rank": stored["r"], "alpha": stored["alpha"]}
    config |= {"normalization": SQUARE_ROOT, "tensors_sha256": hashlib.sha256(data).hexdigest()}
    config["kv_indices"] = {str(layer): heads for layer, heads in stored["kv_indices"].items()}
    if stored["model_name"] is not None:
        config["base_model_name_or_path"] = stored["model_name"]
    layers(config, parts)
    folder = pathlib.Path(folder)
    folder.mkdir()
    (folder / "image_lora.py").write_bytes(pathlib.Path(__file__).read_bytes())
    (folder / "adapter.safetensors").write_bytes(data)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2), "utf-8")


if __name__ == "__main__":
    commands = {"to-pt": to_pt, "from-pt": from_pt}
    if len(sys.argv) != 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    try:
        commands[sys.argv[1]](*sys.argv[2:])
    except (OSError, ValueError) as error:
        sys.exit(str(error))
