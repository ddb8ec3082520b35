"""The base's tokenizer: Qwen's byte-level BPE cut to the merges that are needed, its added tokens, and the tokens of
places.
"""

import json
import math
import os

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from questions import BIN_TOKENS
from words import ALL

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
ORDINARY = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"] + BIN_TOKENS
CLITICS, BLANKS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {
    "qwen3_vl": rf"{CLITICS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{BLANKS}",
    # Marks count as letters.
    "qwen3_5": rf"{CLITICS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{BLANKS}",
}


def build_tokenizer(vocabulary, merges):
    """Qwen's byte-level BPE over a vocabulary; the added tokens follow it."""
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="",
            fuse_unk=False,
            byte_fallback=False,
        )
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = splitting("qwen3_vl")
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    tokenizer.add_tokens([AddedToken(s, special=False, normalized=False) for s in ORDINARY])
    return tokenizer


def splitting(family):
    """What cuts a text into words."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITS[family]), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def merges_used(tokenizer, ranks, text):
    """The merges (by rank) that the BPE applies to a text."""
    used = set()
    for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text):
        pieces = list(word)
        while True:
            found = [(ranks[pair], i) for i, pair in enumerate(zip(pieces, pieces[1:])) if pair in ranks]
            if not found:
                break
            rank, i = min(found)
            used.add(rank)
            pieces[i : i + 2] = ["".join(pieces[i : i + 2])]
    return used


def cut_tokenizer(folder, first, texts):
    """The released tokenizer of `folder` (vocab.json, merges.txt) cut to its first merges and those that `texts` use,
    ids renumbered densely: `texts` are split as the released tokenizer splits them.
    """
    lines = open(os.path.join(folder, "merges.txt"), encoding="utf-8").read().split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    released = json.load(open(os.path.join(folder, "vocab.json"), encoding="utf-8"))
    whole = build_tokenizer(released, merges)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    kept = sorted(set(range(first)).union(*(merges_used(whole, ranks, text) for text in texts)))
    vocabulary = {token: i for i, token in enumerate(sorted(released, key=released.get)[:256])}
    for rank in kept:
        vocabulary.setdefault("".join(merges[rank]), len(vocabulary))
    cut = build_tokenizer(vocabulary, [merges[rank] for rank in kept])
    for text in texts:
        assert cut.encode(text).tokens == whole.encode(text).tokens, text
    return cut


def spelled_embeddings(tokenizer, rows, size, seed):
    """[rows, size] first embeddings: a token begins near those with the same letters, whatever their case and the blank
    before them, and the token of a place near its neighbours. Words that stand in an image are then likened to words
    of a question by letters.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    pieces, table = {}, draw(rows, size)

    def piece(name):
        return pieces.setdefault(name, draw(size))

    for token in range(tokenizer.get_vocab_size()):
        text = tokenizer.decode([token], skip_special_tokens=False)
        letters = text.strip(' "').lower()
        if text in BIN_TOKENS:
            axis, number = divmod(BIN_TOKENS.index(text), 32)
            if ("axis", axis) not in pieces:
                pieces["axis", axis] = draw(12, size)
            waves = torch.tensor(
                [f(6.2832 * k * (number + 0.5) / 64) for k in (1, 2, 3, 5, 8, 13) for f in (math.sin, math.cos)]
            )
            table[token] = waves @ pieces["axis", axis] / 6**0.5 + 0.7 * table[token]
        elif letters.isalnum() and letters.isascii() and not letters.isdigit():
            parts = [letters[i : i + n] for n in (1, 2, 3) for i in range(len(letters) - n + 1)]
            total = sum(piece(p) for p in parts)
            table[token] = total / total.norm() * size**0.5 + 0.6 * table[token]
    return 0.1 * table / table.norm(dim=1, keepdim=True) * size**0.5


def label_words():
    """What the tokenizer should keep whole: the shorter words, after a blank, in two cases."""
    return [f" {w}" for w in ALL] + [f" {w.capitalize()}" for w in ALL[::2]]
