#!/usr/bin/env python3
"""Write a Qwen2.5-VL checkpoint of a stated size: bf16, sharded, pseudo-random weights. Standard library alone.

    make_large_model.py MODEL DIR [0.5b-short|0.5b|3b]

MODEL is a model of the same family: its tokenizer files and token ids are taken over. 0.5b is a decoder of half a
billion parameters (hidden 896, vocabulary 151,936, tied head), 0.5b-short, the default, the same with fewer layers in
some 0.6 GB, 3b the shape of Qwen2.5-VL-3B-Instruct in 7.5 GB.
"""

import json
import random
import shutil
import struct
import sys
from pathlib import Path

VOCABULARY = 151_936


class Shape:
    """Widths of a decoder and its vision tower."""

    def __init__(self, decoder, vision, full):
        self.layers, self.hidden, self.heads, self.kv_heads, self.intermediate = decoder
        self.depth, self.vision, self.vision_heads, self.vision_intermediate = vision
        self.full = full


SHAPES = {
    "0.5b-short": Shape((8, 896, 14, 2, 4864), (4, 768, 12, 2048), [1, 3]),
    "0.5b": Shape((24, 896, 14, 2, 4864), (12, 768, 12, 2048), [3, 7, 11]),
    "3b": Shape((36, 2048, 16, 2, 11008), (32, 1280, 16, 3420), [7, 15, 23, 31]),
}


def shapes(m):
    """Tensors in the names of the released checkpoints."""
    keys = m.hidden // m.heads * m.kv_heads
    yield "model.embed_tokens.weight", [VOCABULARY, m.hidden]
    for layer in range(m.layers):
        at = f"model.layers.{layer}."
        for name, rows in (("q_proj", m.hidden), ("k_proj", keys), ("v_proj", keys)):
            yield f"{at}self_attn.{name}.weight", [rows, m.hidden]
            yield f"{at}self_attn.{name}.bias", [rows]
        yield f"{at}self_attn.o_proj.weight", [m.hidden, m.hidden]
        yield f"{at}mlp.gate_proj.weight", [m.intermediate, m.hidden]
        yield f"{at}mlp.up_proj.weight", [m.intermediate, m.hidden]
        yield f"{at}mlp.down_proj.weight", [m.hidden, m.intermediate]
        yield f"{at}input_layernorm.weight", [m.hidden]
        yield f"{at}post_attention_layernorm.weight", [m.hidden]
    yield "model.norm.weight", [m.hidden]
    yield "visual.patch_embed.proj.weight", [m.vision, 3, 2, 14, 14]
    for block in range(m.depth):
        at = f"visual.blocks.{block}."
        yield f"{at}norm1.weight", [m.vision]
        yield f"{at}norm2.weight", [m.vision]
        for name, shape in (
            ("attn.qkv", [3 * m.vision, m.vision]),
            ("attn.proj", [m.vision, m.vision]),
            ("mlp.gate_proj", [m.vision_intermediate, m.vision]),
            ("mlp.up_proj", [m.vision_intermediate, m.vision]),
            ("mlp.down_proj", [m.vision, m.vision_intermediate]),
        ):
            yield f"{at}{name}.weight", shape
            yield f"{at}{name}.bias", shape[:1]
    yield "visual.merger.ln_q.weight", [m.vision]
    yield "visual.merger.mlp.0.weight", [4 * m.vision, 4 * m.vision]
    yield "visual.merger.mlp.0.bias", [4 * m.vision]
    yield "visual.merger.mlp.2.weight", [m.hidden, 4 * m.vision]
    yield "visual.merger.mlp.2.bias", [m.hidden]


def product(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def write(path, tensors, block):
    header, offset = {}, 0
    for name, shape in tensors:
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + 2 * product(shape)]}
        offset += 2 * product(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            count = 2 * product(shape)
            if "norm" in name or "ln_q" in name:
                file.write(b"\x80\x3f" * product(shape))  # ones
                continue
            start = random.randrange(0, len(block), 2)
            while count:
                part = block[start : start + count]
                file.write(part)
                count -= len(part)
                start = 0


def configuration(source, m):
    """config.json of a model of this shape, with the token ids of the folder's."""
    small = json.loads((source / "config.json").read_text())
    text = small.get("text_config", small)
    config = {key: small[key] for key in small if key.endswith("_token_id")}
    config |= {key: text[key] for key in ("bos_token_id", "eos_token_id") if key in text}
    pairs = m.hidden // m.heads // 2
    rest = (pairs - pairs // 4) // 2
    return config | dict(
        architectures=["Qwen2_5_VLForConditionalGeneration"],
        model_type="qwen2_5_vl",
        hidden_act="silu",
        hidden_size=m.hidden,
        intermediate_size=m.intermediate,
        num_hidden_layers=m.layers,
        num_attention_heads=m.heads,
        num_key_value_heads=m.kv_heads,
        vocab_size=VOCABULARY,
        rms_norm_eps=1e-6,
        rope_theta=1e6,
        rope_scaling=dict(type="mrope", mrope_section=[pairs // 4, rest, pairs - pairs // 4 - rest]),
        max_position_embeddings=32768,
        tie_word_embeddings=True,
        torch_dtype="bfloat16",
        use_sliding_window=False,
        vision_config=dict(
            depth=m.depth,
            hidden_act="silu",
            hidden_size=m.vision,
            intermediate_size=m.vision_intermediate,
            num_heads=m.vision_heads,
            in_chans=3,
            out_hidden_size=m.hidden,
            patch_size=14,
            spatial_merge_size=2,
            spatial_patch_size=14,
            window_size=112,
            fullatt_block_indexes=m.full,
            tokens_per_second=2,
            temporal_patch_size=2,
        ),
    )


def make(source, folder, name):
    """Writes a model's folder with the tokenizer files that `source` has."""
    m = SHAPES[name]
    random.seed(0)
    folder.mkdir(parents=True)
    for name in (
        "vocab.json",
        "merges.txt",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.json",
        "chat_template.jinja",
        "preprocessor_config.json",
    ):
        if (source / name).exists():
            shutil.copy(source / name, folder)
    (folder / "config.json").write_text(json.dumps(configuration(source, m), indent=2))

    # bf16 numbers of either sign with magnitudes from 2^-7 to 2^-5: mantissas at random, exponents 0x3c and 0xbc.
    # The length is prime to the rows', so that no row of a matrix is another's copy.
    low = random.randbytes((1 << 21) - 9)
    high = bytes(0xBC if byte & 1 else 0x3C for byte in random.randbytes(len(low)))
    block = bytearray(2 * len(low))
    block[0::2], block[1::2] = low, high
    tensors = list(shapes(m))
    half = len(tensors) // 2
    index = {}
    for number, shard in ((1, tensors[:half]), (2, tensors[half:])):
        name = f"model-0000{number}-of-00002.safetensors"
        write(folder / name, shard, bytes(block))
        index |= {tensor: name for tensor, _ in shard}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=2))


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "0.5b-short")
