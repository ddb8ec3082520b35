#!/usr/bin/env python3
"""Does transformers load the folder that train.py wrote, and compute what our own model does?

    check.py --model model --pages pages-held-out --count 40

Pages go through the folder's chat template, tokenizer and image processor; the logits at every token of question and
answer are compared in fp64, and greedy answers with those of our model. Needs transformers >= 5.
"""

import argparse
import json
import os
import random

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from corpus import BEFORE, Corpus, to_patches
from folder import load_folder
from questions import sample, without_image


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--pages", required=True)
    parser.add_argument("--count", type=int, default=40)
    a = parser.parse_args()
    torch.set_num_threads(1)
    # Where visual tokens are alike, a linear layer reads next to nothing and its norm magnifies what fp32 rounded.
    torch.set_default_dtype(torch.float64)
    theirs = AutoModelForImageTextToText.from_pretrained(a.model, dtype=torch.float64).eval()
    tokenizer = AutoTokenizer.from_pretrained(a.model)

    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def given(ids, inputs):
        """The arguments of transformers' model for these ids [1, T] and its image's tensors, if it has one."""
        kinds = dict(mm_token_type_ids=(ids == theirs.config.image_token_id).int()) if inputs else {}
        return dict(input_ids=ids, attention_mask=torch.ones_like(ids), **inputs, **kinds)

    template = open(os.path.join(a.model, "chat_template.jinja")).read()
    limits = json.load(open(os.path.join(a.model, "preprocessor_config.json")))
    processor = Qwen2VLImageProcessorPil(
        **{k: limits[k] for k in ("size", "patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std")}
    )
    ours, raw = load_folder(a.model)
    ours.double().inverse = ours.inverse.double()
    corpus, rng = Corpus(a.pages, raw, ours.config["model_type"]), random.Random(3)
    apart, largest, same, right, examples = 0.0, 0.0, 0, 0, 0
    for number in range(a.count):
        group = corpus.groups[number % len(corpus.groups)]
        page = rng.randrange(len(group["pages"])) if number % 5 else None
        asked = without_image(rng) if page is None else next(iter(sample(group["pages"][page], rng, 1)), None)
        if asked is None:
            continue
        content, inputs, seen = [{"type": "text", "text": asked["question"]}], {}, None
        prefix, rows, columns = torch.tensor(corpus.encode(BEFORE)), 0, 0
        if page is not None:
            content.insert(0, {"type": "image"})
            patches = processor(images=[Image.fromarray(group["images"][page])], return_tensors="pt")
            prefix, rows, columns = group["prefix"], group["rows"], group["columns"]
            assert patches["image_grid_thw"].tolist() == [[1, 2 * rows, 2 * columns]]
            own = to_patches(group["images"][page][None]).double()
            double = own.view(-1, 3, 1, 256).expand(-1, 3, 2, 256).reshape(-1, 1536)
            assert (double - patches["pixel_values"]).abs().max() < 1e-6
            inputs = dict(pixel_values=double, image_grid_thw=patches["image_grid_thw"])
            with torch.no_grad():
                seen = ours.model.visual(own, 2 * rows, 2 * columns)[:2]
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], chat_template=template, tokenize=False, add_generation_prompt=True
        )
        prompt = encode(text.replace("<|image_pad|>", "<|image_pad|>" * rows * columns))
        ids = torch.tensor([prompt + encode(asked["answer"] + "<|im_end|>\n")])
        batch = corpus.batch([[asked]])
        assert ids[0, :-1].tolist() == prefix.tolist() + batch.tokens[0].tolist(), (
            "the template's tokens are not those of the training"
        )
        with torch.no_grad():
            logits = theirs(**given(ids[:, :-1], inputs), use_cache=False).logits[0, len(prefix) :]
            batch.wanted[:] = True
            mine = ours(seen, rows, columns, prefix, batch)[0]
            said = theirs.generate(**given(ids[:, : len(prompt)], inputs), max_new_tokens=16, do_sample=False)
        examples += 1
        said = tokenizer.decode(said[0, len(prompt) :], skip_special_tokens=True).strip()
        agrees = bool((mine[len(prompt) - len(prefix) - 1 :].argmax(-1) == ids[0, len(prompt) :]).all())
        apart, largest = max(apart, (logits - mine).abs().max().item()), max(largest, logits.abs().max().item())
        right += said == asked["answer"]
        same += agrees == (said == asked["answer"])
    print(
        f"{examples} examples: largest difference of logits {apart:.1e} (largest logit {largest:.1f}); "
        f"transformers answers {right} right; both agree on {same}"
    )
    assert apart < 1e-4 * max(1.0, largest) and same == examples > 0


if __name__ == "__main__":
    main()
