"""Changes of model folders: each is called with the folder, a copy of a fixture, and transformers."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer


def shards(folder):
    return sorted(folder.glob("*.safetensors"))


def tensors(folder):
    return {name: tensor for path in shards(folder) for name, tensor in load_file(path).items()}


def write(folder, weights, parts=1, index=True):
    """Replaces all weights by one file or several with an index."""
    for path in [*shards(folder), *folder.glob("*.index.json")]:
        path.unlink()
    weights = {name: tensor.contiguous().clone() for name, tensor in weights.items()}
    if parts == 1:
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        return
    names, map_ = sorted(weights), {}
    for part in range(parts):
        file = f"model-{part + 1:05}-of-{parts:05}.safetensors"
        own = names[part::parts]
        save_file({name: weights[name] for name in own}, folder / file, {"format": "pt"})
        map_ |= dict.fromkeys(own, file)
    if index:
        size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
        edit(
            folder / "model.safetensors.index.json",
            lambda _: {"metadata": {"total_size": size}, "weight_map": map_},
            {},
        )


def edit(path, change, start=None):
    """Rewrites a JSON file; `change` alters its value, or returns another."""
    value = json.loads(path.read_text(encoding="utf-8")) if start is None else start
    path.write_text(json.dumps(change(value) or value, ensure_ascii=False), encoding="utf-8")


def drop(*keys):
    def change(value):
        for key in keys:
            value.pop(key, None)

    return change


def saved(dtype=None, shard="5GB", clean=True):
    """transformers reads the folder and saves it again, over the old files or without them."""

    def change(folder, library):
        model = library.load(folder, dtype or "auto")
        if clean:
            for path in [*shards(folder), *folder.glob("*.index.json")]:
                path.unlink()
        model.save_pretrained(folder, max_shard_size=shard)

    return change


def of(file, change):
    return lambda folder, library: edit(folder / file, change)


def config(change):
    return of("config.json", change)


def weights(change, parts=1):
    def apply(folder, library):
        value = tensors(folder)
        write(folder, change(value) or value, parts)

    return apply


def renamed(rule):
    return weights(lambda value: {rule(name): tensor for name, tensor in value.items()})


def text(name, content):
    return lambda folder, library: (folder / name).write_text(content, encoding="utf-8")


def removed(*names):
    def change(folder, library):
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return change


def both(*changes):
    def change(folder, library):
        for one in changes:
            one(folder, library)

    return change


def template_in(place):
    """The template in one of the places that transformers looks into, and in no other."""

    def change(folder, library):
        template = json.loads((folder / "chat_template.json").read_text())["chat_template"]
        (folder / "chat_template.json").unlink()
        edit(folder / "tokenizer_config.json", drop("chat_template"))
        if place == "chat_template.json":
            text(place, json.dumps({"chat_template": template}))(folder, library)
        elif place == "chat_template.jinja":
            text(place, template)(folder, library)
        elif place == "processor_config.json":
            text(place, json.dumps({"processor_class": "Qwen2_5_VLProcessor", "chat_template": template}))(
                folder, library
            )
        elif place == "tokenizer_config.json":
            edit(folder / place, lambda value: value.update(chat_template=template))
        elif place == "a list":
            named = [{"name": "default", "template": template}, {"name": "tool_use", "template": "x"}]
            edit(folder / "tokenizer_config.json", lambda value: value.update(chat_template=named))

    return change


def tokenizer(change):
    """`change` of a tokenizers.Tokenizer, saved as tokenizer.json alone."""

    def apply(folder, library):
        value = Tokenizer.from_file(str(folder / "tokenizer.json"))
        change(value)
        for name in ("vocab.json", "merges.txt"):
            (folder / name).unlink()
        value.save(str(folder / "tokenizer.json"))

    return apply


def resaved_tokenizer(slow, *added):
    """transformers reads the tokenizer, of vocab.json and merges.txt alone if `slow`, adds tokens and saves it."""

    def apply(folder, library):
        if slow:
            (folder / "tokenizer.json").unlink()
        value = AutoTokenizer.from_pretrained(folder)
        value.add_tokens(list(added))
        for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
            (folder / name).unlink(missing_ok=True)
        value.save_pretrained(folder)

    return apply


def string_merges(value):
    value["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in value["model"]["merges"]]


def processor_config(change=None, keep=False):
    """processor_config.json with `image_processor`, as AutoProcessor saves it, without preprocessor_config.json."""

    def apply(folder, library):
        value = json.loads((folder / "preprocessor_config.json").read_text())
        if change:
            change(value)
        if not keep:
            (folder / "preprocessor_config.json").unlink()
        text("processor_config.json", json.dumps({"image_processor": value, "processor_class": "Qwen2_5_VLProcessor"}))(
            folder, library
        )

    return apply


def nested(value):
    """config.json as transformers 5 writes it: the text settings under text_config."""
    top = {
        "architectures",
        "model_type",
        "vision_config",
        "image_token_id",
        "video_token_id",
        "vision_start_token_id",
        "vision_end_token_id",
        "tie_word_embeddings",
    }
    inner = {key: item for key, item in value.items() if key not in top}
    return {key: item for key, item in value.items() if key in top} | {
        "text_config": inner | {"model_type": "qwen2_5_vl_text"}
    }


def as_links(folder, library):
    """The layout of the cache: links into a folder of blobs."""
    blobs = folder.parent / (folder.name + "-blobs")
    blobs.mkdir(exist_ok=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.move(path, blobs / str(number))
        path.symlink_to(Path("..") / blobs.name / str(number))


def cut(name, keep):
    def change(folder, library):
        path = folder / name if name else shards(folder)[0]
        data = path.read_bytes()
        path.write_bytes(data[: keep if keep > 0 else len(data) + keep])

    return change


def own_head(equal):
    def change(value):
        name = next(n for n in value if n.endswith("embed_tokens.weight"))
        head = value[name].clone()
        value["lm_head.weight"] = head if equal else torch.flip(head, [0])

    return weights(change)
