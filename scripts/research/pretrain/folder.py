"""The model as a Hugging Face folder, written and read."""

import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from qwen3vl import QwenVL
from qwen35 import Qwen35
from tokens import ORDINARY, SPECIAL, SPLITS

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = {
    "qwen3_vl": os.path.join(HERE, "chat_template.jinja"),
    # As released with the small sizes; the tests of the program have it.
    "qwen3_5": os.path.join(HERE, "../../../Tests/HuggingFaceTests/Resources/qwen3.5/chat_template_nothink.jinja"),
}


def configuration(vocabulary_size, ids, a):
    """config.json as the released checkpoints of a family have it."""
    config = qwen3vl_configuration(vocabulary_size, ids, a)
    if a.family == "qwen3_vl":
        return config
    text = config["text_config"]
    # A quarter of a head's numbers are turned in the releases; a head here has an eighth of theirs.
    turned = a.head_dim // 4
    rope = {"rope_theta": text.pop("rope_theta"), "partial_rotary_factor": turned / a.head_dim, "rope_type": "default"}
    del text["rope_scaling"]
    third = turned // 2 // 3
    text |= {
        "attn_output_gate": True,
        "full_attention_interval": 4,
        "layer_types": [f"{'full' if index % 4 == 3 else 'linear'}_attention" for index in range(a.layers)],
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": a.head_dim,
        "linear_num_key_heads": a.linear_heads // 2,
        "linear_num_value_heads": a.linear_heads,
        "linear_value_head_dim": a.head_dim,
        "model_type": "qwen3_5_text",
        "rope_parameters": {
            **rope,
            "mrope_interleaved": True,
            "mrope_section": [turned // 2 - 2 * third, third, third],
        },
    }
    config["vision_config"] |= {"deepstack_visual_indexes": [], "model_type": "qwen3_5"}
    return config | {"architectures": ["Qwen3_5ForConditionalGeneration"], "model_type": "qwen3_5"}


def qwen3vl_configuration(vocabulary_size, ids, a):
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
    family = model.config["model_type"]
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
            **({"pretokenize_regex": SPLITS[family]} if family == "qwen3_5" else {}),
        },
    )
    shutil.copyfile(TEMPLATES[family], os.path.join(folder, "chat_template.jinja"))
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


def model_of(config):
    return (Qwen35 if config["model_type"] == "qwen3_5" else QwenVL)(config)


def load_weights(folder):
    return {k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()}


def load_tokenizer(folder):
    return Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))


def load_folder(folder):
    """The model of a folder in fp32 arithmetic, frozen, and its tokenizer."""
    model = model_of(json.load(open(os.path.join(folder, "config.json"))))
    model.load_state_dict(load_weights(folder))
    return model.requires_grad_(False).eval(), load_tokenizer(folder)
