"""The cases of model folders: what each changes in a copy of a fixture, and what must come of it."""

import json
from dataclasses import dataclass

import torch
from tokenizers import processors

from folder_changes import (
    as_links,
    both,
    config,
    cut,
    drop,
    edit,
    nested,
    of,
    own_head,
    processor_config,
    removed,
    renamed,
    resaved_tokenizer,
    saved,
    shards,
    string_merges,
    template_in,
    tensors,
    text,
    tokenizer,
    weights,
    write,
)
from oracle import HUGGING_FACE

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1061280\n"


@dataclass
class Folder:
    """`change` edits the folder, a copy of `base`; `refused` are words, one of which the refusal must hold."""

    name: str
    base: str
    change: object
    refused: tuple = ()
    template: str | None = None  # the chat template that must be used, where it is not the fixture's


def one(value, end):
    return next(name for name in sorted(value) if name.endswith(end))


def cases():
    norm = "post_attention_layernorm.weight"
    for base in ("a", "b", "qwen3-vl"):
        yield Folder("as it is", base, lambda folder, library: None)
        yield Folder("saved again", base, saved())
        yield Folder("saved again in shards", base, saved(shard="200KB"))
        yield Folder("saved over the old files", base, saved(clean=False))
        yield Folder("saved as bfloat16", base, saved(torch.bfloat16))
        yield Folder("saved as float16", base, saved(torch.float16))
        yield Folder("saved as float32", base, saved(torch.float32))
        yield Folder("three shards", base, weights(lambda value: None, 3))
        yield Folder("tokenizer saved again", base, resaved_tokenizer(False))
    yield Folder(
        "one file beside an index of shards that are gone",
        "a",
        text(
            "model.safetensors.index.json",
            json.dumps({"metadata": {}, "weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}),
        ),
    )
    yield Folder(
        "shards without an index",
        "a",
        lambda folder, library: write(folder, tensors(folder), 2, index=False),
        ("index", "model.safetensors"),
    )
    yield Folder(
        "index of one file",
        "a",
        lambda folder, library: edit(
            folder / "model.safetensors.index.json",
            lambda _: {"metadata": {}, "weight_map": dict.fromkeys(tensors(folder), "model.safetensors")},
            {},
        ),
    )
    yield Folder("a shard missing", "b", lambda folder, library: shards(folder)[1].unlink(), ("00002",))
    yield Folder("index without total_size", "b", of("model.safetensors.index.json", lambda v: v.update(metadata={})))
    yield Folder(
        "index with a wrong total_size",
        "b",
        of("model.safetensors.index.json", lambda v: v["metadata"].update(total_size=1)),
    )
    yield Folder(
        "old names",
        "a",
        renamed(lambda n: n.replace("model.language_model.", "model.").replace("model.visual.", "visual.")),
    )
    yield Folder(
        "new names",
        "a",
        renamed(
            lambda n: (
                n
                if n.startswith(("model.language_model.", "model.visual.", "lm_head"))
                else "model." + n
                if n.startswith("visual.")
                else n.replace("model.", "model.language_model.", 1)
            )
        ),
    )
    yield Folder("tied, with the same head", "a", own_head(True))
    yield Folder("tied, with a head of its own", "a", own_head(False))
    yield Folder(
        "untied, without a head",
        "b",
        weights(lambda v: {n: t for n, t in v.items() if n != "lm_head.weight"}),
        ("lm_head",),
    )
    yield Folder(
        "untied in config, tied weights", "a", config(lambda v: v.update(tie_word_embeddings=False)), ("lm_head",)
    )
    yield Folder("ties in text_config", "a", config(lambda v: nested(v) | {"tie_word_embeddings": True}))
    yield Folder("nested config", "a", config(nested))
    yield Folder("without torch_dtype", "a", config(drop("torch_dtype")))
    yield Folder("dtype instead of torch_dtype", "a", config(lambda v: v.update(dtype=v.pop("torch_dtype"))))
    yield Folder(
        "unknown keys in config", "a", config(lambda v: v.update(auto_map={}, my_key=3, quantization_config=None))
    )
    yield Folder(
        "rope_parameters",
        "a",
        config(
            lambda v: v.update(
                rope_parameters={**v.pop("rope_scaling"), "rope_type": "default", "rope_theta": v.pop("rope_theta")}
            )
        ),
    )
    yield Folder(
        "quantized", "a", config(lambda v: v.update(quantization_config={"quant_method": "awq", "bits": 4})), ("quant",)
    )
    yield Folder("another model_type", "a", config(lambda v: v.update(model_type="qwen2")), ("qwen2",))
    yield Folder("YaRN", "a", config(lambda v: v["rope_scaling"].update(type="yarn", factor=4.0)), ("yarn", "rope"))
    yield Folder("config cut", "a", cut("config.json", 200), ("config.json",))
    yield Folder(
        "config with a byte order mark",
        "a",
        lambda folder, library: (folder / "config.json").write_bytes(
            b"\xef\xbb\xbf" + (folder / "config.json").read_bytes()
        ),
        ("config.json",),
    )
    yield Folder(
        "key of config given twice",
        "a",
        lambda folder, library: (folder / "config.json").write_text(
            (folder / "config.json").read_text().rstrip()[:-1] + ', "hidden_size": 64}'
        ),
        ("hidden_size", "twice"),
    )
    yield Folder("no config", "a", removed("config.json"), ("config.json",))
    yield Folder("a tensor missing", "a", weights(lambda v: {n: t for n, t in v.items() if n != one(v, norm)}), (norm,))
    yield Folder(
        "a bias of the tower missing",
        "a",
        weights(lambda v: {n: t for n, t in v.items() if n != one(v, "attn.qkv.bias")}),
        ("qkv.bias",),
    )
    yield Folder(
        "a tensor too many", "a", weights(lambda v: v.update({"model.extra.weight": torch.zeros(2)})), ("extra",)
    )
    yield Folder("a tensor of another shape", "a", weights(lambda v: v.update({one(v, norm): torch.zeros(5)})), (norm,))
    yield Folder(
        "a tensor of int8", "a", weights(lambda v: v.update({one(v, norm): torch.zeros(64, dtype=torch.int8)})), ("I8",)
    )
    yield Folder(
        "a tensor of float64", "a", weights(lambda v: v.update({one(v, norm): v[one(v, norm)].double()})), ("F64",)
    )
    yield Folder("types mixed", "a", weights(lambda v: {n: t.half() if n.endswith(norm) else t for n, t in v.items()}))
    yield Folder("weights cut", "a", cut(None, -1000), ("model.safetensors",))
    yield Folder("weights cut in the header", "a", cut(None, 500), ("model.safetensors",))
    yield Folder("weights empty", "a", text("model.safetensors", ""), ("model.safetensors",))
    yield Folder("weights are a Git LFS pointer", "a", text("model.safetensors", LFS), ("LFS",))
    yield Folder("tokenizer is a Git LFS pointer", "a", text("tokenizer.json", LFS), ("LFS",))
    yield Folder(
        "only pytorch_model.bin",
        "a",
        both(removed("model.safetensors"), text("pytorch_model.bin", "x")),
        ("safetensors",),
    )
    yield Folder("links, as in the cache", "a", as_links)

    yield Folder("tokenizer.json alone", "a", removed("vocab.json", "merges.txt"))
    yield Folder("vocab.json and merges.txt alone", "a", removed("tokenizer.json"))
    yield Folder("tokenizer saved again of vocab.json", "a", resaved_tokenizer(True))
    yield Folder("merges as texts", "a", of("tokenizer.json", string_merges))
    yield Folder(
        "TemplateProcessing that adds nothing",
        "a",
        tokenizer(lambda t: setattr(t, "post_processor", processors.TemplateProcessing(single="$A", pair="$A $B"))),
    )
    yield Folder(
        "ByteLevel after all",
        "a",
        tokenizer(lambda t: setattr(t, "post_processor", processors.ByteLevel(trim_offsets=False))),
    )
    yield Folder(
        "TemplateProcessing that adds a token",
        "a",
        tokenizer(
            lambda t: setattr(
                t,
                "post_processor",
                processors.TemplateProcessing(single="$A <|im_end|>", special_tokens=[("<|im_end|>", 358)]),
            )
        ),
        ("post_processor",),
    )
    yield Folder("padding and truncation", "a", tokenizer(lambda t: (t.enable_padding(), t.enable_truncation(4096))))
    yield Folder("added tokens", "a", resaved_tokenizer(False, "<tool>", "button", "好"))
    yield Folder("an added token that is a piece in bytes", "a", resaved_tokenizer(False, " t"))
    yield Folder("added tokens of vocab.json", "a", resaved_tokenizer(True, "<tool>", "button"))
    yield Folder(
        "CRLF in merges.txt",
        "a",
        both(
            removed("tokenizer.json"),
            lambda folder, library: (folder / "merges.txt").write_bytes(
                (folder / "merges.txt").read_bytes().replace(b"\n", b"\r\n")
            ),
        ),
    )
    yield Folder(
        "merges.txt without #version",
        "a",
        both(
            removed("tokenizer.json"),
            lambda folder, library: (folder / "merges.txt").write_text(
                "".join(
                    line for line in (folder / "merges.txt").read_text().splitlines(True) if not line.startswith("#")
                )
            ),
        ),
    )
    yield Folder(
        "no tokenizer", "a", removed("tokenizer.json", "vocab.json", "merges.txt"), ("tokenizer.json", "vocab.json")
    )
    yield Folder("merges.txt missing", "a", removed("tokenizer.json", "merges.txt"), ("merges.txt", "tokenizer.json"))
    yield Folder(
        "a normalizer that lowers",
        "a",
        of("tokenizer.json", lambda v: v.update(normalizer={"type": "Lowercase"})),
        ("normalizer", "Lowercase"),
    )

    yield Folder(
        "size instead of pixels",
        "a",
        of(
            "preprocessor_config.json",
            lambda v: v.update(size={"shortest_edge": v.pop("min_pixels"), "longest_edge": v.pop("max_pixels")}),
        ),
    )
    yield Folder(
        "size of min_pixels and max_pixels",
        "a",
        of("preprocessor_config.json", lambda v: v.update(size={"min_pixels": 3136, "max_pixels": 125440})),
    )
    yield Folder(
        "size beside pixels, another",
        "a",
        of(
            "preprocessor_config.json",
            lambda v: v.update(size={"shortest_edge": 3136, "longest_edge": 12845056}, max_pixels=50176),
        ),
    )
    yield Folder("a smaller max_pixels", "a", of("preprocessor_config.json", lambda v: v.update(max_pixels=25088)))
    yield Folder("no limits", "a", of("preprocessor_config.json", drop("min_pixels", "max_pixels")))
    yield Folder("processor_config.json", "a", processor_config())
    yield Folder("processor_config.json, smaller images", "a", processor_config(lambda v: v.update(max_pixels=25088)))
    yield Folder(
        "processor_config.json beside the old one",
        "a",
        processor_config(lambda v: v.update(max_pixels=25088), keep=True),
    )
    yield Folder(
        "the fast processor",
        "a",
        of(
            "preprocessor_config.json",
            lambda v: v.update(
                image_processor_type="Qwen2VLImageProcessorFast",
                do_resize=True,
                resample=3,
                rescale_factor=1 / 255,
                data_format="channels_first",
                device=None,
                crop_size=None,
            ),
        ),
    )
    yield Folder(
        "other means",
        "a",
        of("preprocessor_config.json", lambda v: v.update(image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.4, 0.3])),
    )
    yield Folder(
        "do_resize false", "a", of("preprocessor_config.json", lambda v: v.update(do_resize=False)), ("do_resize",)
    )
    yield Folder("bilinear", "a", of("preprocessor_config.json", lambda v: v.update(resample=2)), ("resample",))
    yield Folder("no preprocessor_config.json", "a", removed("preprocessor_config.json"), ("preprocessor_config.json",))
    yield Folder(
        "a video processor beside",
        "a",
        text(
            "video_preprocessor_config.json",
            json.dumps({"video_processor_type": "Qwen2VLVideoProcessor", "max_pixels": 1}),
        ),
    )

    for place in (
        "chat_template.json",
        "chat_template.jinja",
        "processor_config.json",
        "tokenizer_config.json",
        "a list",
    ):
        yield Folder(f"template in {place}", "a", template_in(place))
    yield Folder("template nowhere", "a", template_in("nowhere"), ("template",))
    released = (HUGGING_FACE / "qwen3-vl/chat_template.jinja").read_text(encoding="utf-8")
    yield Folder("template in both files, chat_template.json wins", "a", text("chat_template.jinja", released))
    yield Folder(
        "the released template of Qwen3-VL",
        "a",
        both(removed("chat_template.json"), text("chat_template.jinja", released)),
        template=released,
    )
    plain = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% endif %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    yield Folder(
        "a template for texts",
        "a",
        both(removed("chat_template.json"), text("chat_template.jinja", plain)),
        ("template", "image"),
        template=plain,
    )
