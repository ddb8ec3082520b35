#!/usr/bin/env python3
"""Does transformers load the folder that train_base.py wrote, and answer as train_base.py's own model does?

    check_base.py --model data/model --rows data/validation.jsonl --count 60

Rows go through the folder's chat template, tokenizer and image processor and are decoded greedily. Needs transformers >= 5.
"""
import argparse, json, os
import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from corpus import Corpus
from try_adapter import load

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True)
parser.add_argument("--rows", required=True)
parser.add_argument("--count", type=int, default=60)
a = parser.parse_args()
torch.set_num_threads(1)
theirs = Qwen2_5_VLForConditionalGeneration.from_pretrained(a.model, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(a.model)
template = json.load(open(os.path.join(a.model, "chat_template.json")))["chat_template"]
limits = json.load(open(os.path.join(a.model, "preprocessor_config.json")))
processor = Qwen2VLImageProcessorPil(**{k: limits[k] for k in ("min_pixels", "max_pixels", "patch_size", "temporal_patch_size",
                                                               "merge_size", "image_mean", "image_std")})
ours, raw = load(a.model)
folder, same, right, apart = os.path.dirname(os.path.abspath(a.rows)), 0, 0, 0.0
rows = [json.loads(line) for line in open(a.rows, encoding="utf-8")][: a.count]
for row in rows:
    question, answer = (m["content"] for m in row["messages"])
    asked = {"topic": "", "question": question.removeprefix("<image>"), "answer": answer}
    picture = Image.open(os.path.join(folder, row["images"][0])).convert("RGB")
    patches = processor(images=[picture], return_tensors="pt")
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": asked["question"]}]}]
    text = tokenizer.apply_chat_template(turns, chat_template=template, tokenize=False, add_generation_prompt=True)
    tokens = int(patches["image_grid_thw"].prod()) // 4
    ids = torch.tensor([tokenizer(text.replace("<|image_pad|>", "<|image_pad|>" * tokens), add_special_tokens=False)["input_ids"]])
    inputs = dict(pixel_values=patches["pixel_values"], image_grid_thw=patches["image_grid_thw"],
                  mm_token_type_ids=(ids == theirs.config.image_token_id).int())
    with torch.no_grad():
        said = theirs.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, **inputs)
        said = tokenizer.decode(said[0, ids.shape[1]:], skip_special_tokens=True).strip()
        first = theirs(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **inputs).logits[0, -1]
        batch, labels, _ = Corpus(raw, [(np.asarray(picture), [asked])]).batch(0, [(0, [0])])
        logits = ours(*batch)
    agrees = bool((logits.argmax(-1) == labels).all())
    apart = max(apart, (first - logits[0]).abs().max().item() / first.abs().max().item())
    right += said == answer
    same += agrees == (said == answer)
print(f"{len(rows)} rows: transformers answers {right} correctly; both agree on {same}; "
      f"largest difference of the first answer token's logits {apart:.1e} of the largest logit")
