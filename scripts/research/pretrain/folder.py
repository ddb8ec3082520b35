"""The model as a Hugging Face folder, written and read."""

import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from qwen3vl import QwenVL
from tokens import ORDINARY, SPECIAL

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_template.jinja")


def configuration(vocabulary_size, ids, a):
    """config.json as the released checkpoints have it."""
    third = a.head_dim // 2 // 3
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "dtype": "bfloat16",
        "image_token_id": ids["<|image_pad|>"],
        "model_type": "qwen3_vl",
        "tie_word_embeddings": True,
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "text_config": {
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": ids["<|endoftext|>"],
            "dtype": "bfloat16",
            "eos_token_id": ids["<|im_end|>"],
            "head_dim": a.head_dim,
            "hidden_act": "silu",
            "hidden_size": a.hidden,
            "initializer_range": 0.02,
            "intermediate_size": a.intermediate,
            "max_position_embeddings": 4096,
            "model_type": "qwen3_vl_text",
            "num_attention_heads": a.heads,
            "num_hidden_layers": a.layers,
            "num_key_value_heads": a.kv_heads,
            "rms_norm_eps": 1e-6,
            "rope_theta": a.rope_theta,
            "tie_word_embeddings": True,
            "rope_scaling": {
                "mrope_interleaved": True,
                "mrope_section": [a.head_dim // 2 - 2 * third, third, third],
                "rope_type": "default",
            },
            "use_cache": True,
            "vocab_size": vocabulary_size,
        },
        "vision_config": {
            "deepstack_visual_indexes": a.deepstack,
            "depth": a.vision_depth,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": a.vision_hidden,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": a.vision_intermediate,
            "model_type": "qwen3_vl",
            "num_heads": a.vision_heads,
            "num_position_embeddings": 256,
            "out_hidden_size": a.hidden,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def save_folder(model, tokenizer, folder):
    """A folder as released ones are, weights in bfloat16."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)

    def write(name, value):
        return json.dump(value, open(os.path.join(folder, name), "w", encoding="utf-8"), indent=2, ensure_ascii=False)

    save_file(
        {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()},
        os.path.join(folder, "model.safetensors"),
        metadata={"format": "pt"},
    )
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    write("config.json", model.config)
    tokenizer.save(os.path.join(folder, "tokenizer.json"), pretty=False)
    ids = {s: tokenizer.token_to_id(s) for s in SPECIAL + ORDINARY}
    write(
        "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_prefix_space": False,
            "added_tokens_decoder": {
                str(i): dict(
                    content=s, lstrip=False, normalized=False, rstrip=False, single_word=False, special=s in SPECIAL
                )
                for s, i in ids.items()
            },
            "additional_special_tokens": SPECIAL[1:],
            "bos_token": None,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "errors": "replace",
            "model_max_length": 4096,
            "pad_token": "<|endoftext|>",
            "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
    )
    shutil.copyfile(TEMPLATE, os.path.join(folder, "chat_template.jinja"))
    write(
        "preprocessor_config.json",
        {
            "do_convert_rgb": True,
            "do_normalize": True,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
            "image_processor_type": "Qwen2VLImageProcessorFast",
            "merge_size": 2,
            "patch_size": 16,
            "processor_class": "Qwen3VLProcessor",
            "resample": 3,
            "rescale_factor": 1 / 255,
            "size": {"longest_edge": 512 * 32 * 32, "shortest_edge": 4 * 32 * 32},
            "max_pixels": 512 * 32 * 32,
            "min_pixels": 4 * 32 * 32,
            "temporal_patch_size": 2,
        },
    )
    write(
        "generation_config.json",
        {
            "bos_token_id": ids["<|endoftext|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "do_sample": False,
            "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        },
    )


def load_folder(folder):
    """The model of a folder in fp32 arithmetic, frozen, and its tokenizer."""
    model = QwenVL(json.load(open(os.path.join(folder, "config.json"))))
    model.load_state_dict({k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()})
    return model.requires_grad_(False).eval(), Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
