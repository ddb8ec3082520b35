#!/usr/bin/env python3
"""Write a Qwen2.5-VL checkpoint of some 0.6 GB: bf16, sharded, pseudo-random weights. Standard library alone.

    make_large_model.py MODEL DIR

MODEL is a small model of the same family: its tokenizer files and configuration are taken over. Shapes are those of a
decoder of half a billion parameters (hidden 896, vocabulary 151,936, tied head), with fewer layers.
"""
import json
import random
import shutil
import struct
import sys
from pathlib import Path

LAYERS, HIDDEN, HEADS, KV_HEADS, INTERMEDIATE, VOCABULARY = 8, 896, 14, 2, 4864, 151_936
DEPTH, VISION, VISION_HEADS, VISION_INTERMEDIATE = 4, 768, 12, 2048


def shapes():
    """Tensors in the names of the released checkpoints."""
    keys = HIDDEN // HEADS * KV_HEADS
    yield "model.embed_tokens.weight", [VOCABULARY, HIDDEN]
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        for name, rows in (("q_proj", HIDDEN), ("k_proj", keys), ("v_proj", keys)):
            yield f"{at}self_attn.{name}.weight", [rows, HIDDEN]
            yield f"{at}self_attn.{name}.bias", [rows]
        yield f"{at}self_attn.o_proj.weight", [HIDDEN, HIDDEN]
        yield f"{at}mlp.gate_proj.weight", [INTERMEDIATE, HIDDEN]
        yield f"{at}mlp.up_proj.weight", [INTERMEDIATE, HIDDEN]
        yield f"{at}mlp.down_proj.weight", [HIDDEN, INTERMEDIATE]
        yield f"{at}input_layernorm.weight", [HIDDEN]
        yield f"{at}post_attention_layernorm.weight", [HIDDEN]
    yield "model.norm.weight", [HIDDEN]
    yield "visual.patch_embed.proj.weight", [VISION, 3, 2, 14, 14]
    for block in range(DEPTH):
        at = f"visual.blocks.{block}."
        yield f"{at}norm1.weight", [VISION]
        yield f"{at}norm2.weight", [VISION]
        for name, shape in (
            ("attn.qkv", [3 * VISION, VISION]), ("attn.proj", [VISION, VISION]),
            ("mlp.gate_proj", [VISION_INTERMEDIATE, VISION]), ("mlp.up_proj", [VISION_INTERMEDIATE, VISION]),
            ("mlp.down_proj", [VISION, VISION_INTERMEDIATE]),
        ):
            yield f"{at}{name}.weight", shape
            yield f"{at}{name}.bias", shape[:1]
    yield "visual.merger.ln_q.weight", [VISION]
    yield "visual.merger.mlp.0.weight", [4 * VISION, 4 * VISION]
    yield "visual.merger.mlp.0.bias", [4 * VISION]
    yield "visual.merger.mlp.2.weight", [HIDDEN, 4 * VISION]
    yield "visual.merger.mlp.2.bias", [HIDDEN]


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
                part = block[start:start + count]
                file.write(part)
                count -= len(part)
                start = 0


def main(source, folder):
    random.seed(0)
    folder.mkdir(parents=True)
    for name in (
        "vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "chat_template.json",
        "preprocessor_config.json",
    ):
        shutil.copy(source / name, folder)
    small = json.loads((source / "config.json").read_text())
    text = small.get("text_config", small)
    config = {key: small[key] for key in small if key.endswith("_token_id")}
    config |= {key: text[key] for key in ("bos_token_id", "eos_token_id") if key in text}
    config |= dict(
        architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl", hidden_act="silu",
        hidden_size=HIDDEN, intermediate_size=INTERMEDIATE, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS, vocab_size=VOCABULARY, rms_norm_eps=1e-6, rope_theta=1e6,
        rope_scaling=dict(type="mrope", mrope_section=[8, 12, 12]), max_position_embeddings=32768,
        tie_word_embeddings=True, torch_dtype="bfloat16", use_sliding_window=False,
        vision_config=dict(
            depth=DEPTH, hidden_act="silu", hidden_size=VISION, intermediate_size=VISION_INTERMEDIATE,
            num_heads=VISION_HEADS, in_chans=3, out_hidden_size=HIDDEN, patch_size=14, spatial_merge_size=2,
            spatial_patch_size=14, window_size=112, fullatt_block_indexes=[1, 3], tokens_per_second=2,
            temporal_patch_size=2))
    (folder / "config.json").write_text(json.dumps(config, indent=2))

    # bf16 numbers of either sign with magnitudes from 2^-7 to 2^-5: mantissas at random, exponents 0x3c and 0xbc.
    low = random.randbytes(1 << 21)
    high = bytes(0xBC if byte & 1 else 0x3C for byte in random.randbytes(1 << 21))
    block = bytearray(1 << 22)
    block[0::2], block[1::2] = low, high
    tensors = list(shapes())
    half = len(tensors) // 2
    index = {}
    for number, shard in ((1, tensors[:half]), (2, tensors[half:])):
        name = f"model-0000{number}-of-00002.safetensors"
        write(folder / name, shard, bytes(block))
        index |= {tensor: name for tensor, _ in shard}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}, indent=2))


main(Path(sys.argv[1]), Path(sys.argv[2]))
