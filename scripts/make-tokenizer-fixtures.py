#!/usr/bin/env python3
"""Reference values for Tests/HuggingFaceTests from the `tokenizers` library and from transformers' chat templates.

    python scripts/make-tokenizer-fixtures.py --tokenizer QWEN --gsm8k test.jsonl      # writes the resources
    python scripts/make-tokenizer-fixtures.py --tokenizer QWEN --random 200000 --to F  # for a comparison by hand

QWEN is a folder with the released vocab.json and merges.txt of Qwen2.5-VL. Of these the resources get what the texts of
the tests can reach, with the released ids; tokenizer_config.json and the templates there are whole.
Needs: pip install tokenizers transformers jinja2 (made with tokenizers 0.23.3, transformers 5.23.0, Jinja 3.1.6).
"""

import argparse
import hashlib
import json
import os
import random
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from unicode_members import SCALARS, members

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "HuggingFaceTests", "Resources")
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = os.path.join(ROOT, "qwen2.5-vl")


def released(folder):
    """The pieces with their ids, and the pairs that merge, in their order."""
    with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as file:
        vocabulary = json.load(file)
    with open(os.path.join(folder, "merges.txt"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    return vocabulary, [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]


def built(folder):
    """The tokenizer that transformers' Qwen2Tokenizer builds of vocab.json, merges.txt and tokenizer_config.json; the
    last is that of the resources.
    """
    vocabulary, merges = released(folder)
    # The library numbers added tokens by the count of pieces: ids without a piece get one that no text can reach.
    with open(os.path.join(QWEN, "tokenizer_config.json"), encoding="utf-8") as file:
        added = json.load(file)["added_tokens_decoder"]
    holes = set(range(min(map(int, added)))) - set(vocabulary.values())
    vocabulary |= {f"no piece {id}": id for id in holes}
    t = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="",
            fuse_unk=False,
            byte_fallback=False,
        )
    )
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.decoder = decoders.ByteLevel()
    for id, token in sorted(added.items(), key=lambda item: int(item[0])):
        t.add_tokens([AddedToken(token.pop("content"), **token)])
        assert t.token_to_id(t.id_to_token(int(id))) == int(id)
    return t


def cut(folder, texts, ids):
    """Writes the resources' vocab.json and merges.txt: the released pieces that stand anywhere in the bytes of a text,
    whatever its words are, with all merges that make them, in their order. A merge that is gone could not have been
    applied at any step, in any order. The pieces of `ids` stay too.
    """
    vocabulary, merges = released(folder)
    spelling = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    forms = [form for text in texts for form in (text, normalizers.NFC().normalize_str(text))]
    spelled = "\n".join("".join(piece for piece, _ in spelling.pre_tokenize_str(form)) for form in forms)
    reached = {piece for piece in vocabulary if len(piece) == 1 or piece in spelled}
    kept = {piece: id for piece, id in vocabulary.items() if piece in reached or id in ids}
    with open(os.path.join(QWEN, "vocab.json"), "w", encoding="utf-8") as file:
        json.dump(kept, file, ensure_ascii=False, separators=(",", ":"))
    with open(os.path.join(QWEN, "merges.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{left} {right}\n" for left, right in merges if left + right in reached)
    whole, made = built(folder), built(QWEN)
    for text in texts:
        assert made.encode(text).ids == whole.encode(text).ids, text
    for id in ids:
        assert made.decode([id], skip_special_tokens=False) == whole.decode([id], skip_special_tokens=False), id


SPACES = [
    chr(c)
    for c in (
        9,
        10,
        11,
        12,
        13,
        32,
        0x85,
        0xA0,
        0x1680,
        *range(0x2000, 0x200B),
        0x2028,
        0x2029,
        0x202F,
        0x205F,
        0x3000,
    )
]
NOT_SPACES = [chr(c) for c in (0x1C, 0x1D, 0x1E, 0x1F, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF)]
WORDS = (
    "the Hello world trainer naïve Größe Işık İstanbul ǅungla 你好 数字 かな カナ 한국어 नमस्ते ไทย العربية עברית"
    " Ελλάς Привет ﬁne ﬆop K Å".split()
)
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "1️⃣", "❤️", "🦙", "☺︎", "🧑🏿‍🚀"]
EDGES = [
    chr(c)
    for c in (
        0xD7A3,
        0xD7A4,
        0xD7FF,
        0xE000,
        0xF8FF,
        0xFDD0,
        0xFFFC,
        0xFFFD,
        0xFFFE,
        0xFFFF,
        0x10000,
        0x1FFFF,
        0xE0001,
        0xE01EF,
        0x10FFFF,
        0,
        0x7F,
    )
]
COMPATIBILITY = [
    chr(c)
    for c in (
        0xF900,
        0xF9FF,
        0xFA0E,
        0xFA10,
        0xFAD9,
        0x2F800,
        0x2FA1D,
        0x212A,
        0x212B,
        0x2126,
        0x0340,
        0x0341,
        0x0343,
        0x0344,
        0x0374,
        0x037E,
        0x0387,
        0x0958,
        0x0F73,
        0x0F75,
        0x0F81,
        0xFB1D,
        0x1D15E,
        0x11935,
        0x11930,
        0x16D63,
        0x16D67,
    )
]


def fragment(r, tokens, boundaries):
    kind = r.randrange(20)
    if kind == 0:
        return r.choice(WORDS)
    if kind == 1:
        return r.choice("'’") + r.choice(
            [
                "s",
                "S",
                "t",
                "T",
                "re",
                "RE",
                "rE",
                "ve",
                "VE",
                "m",
                "M",
                "ll",
                "LL",
                "lL",
                "d",
                "D",
                "ſ",
                "r",
                "l",
                "v",
                "ﬆ",
                "ß",
            ]
        )
    if kind == 2:
        return "".join(r.choice(SPACES) for _ in range(r.randint(1, 5)))
    if kind == 3:
        return "".join(r.choice("\r\n \t") for _ in range(r.randint(1, 6)))
    if kind == 4:
        return r.choice(NOT_SPACES)
    if kind == 5:
        return "".join(r.choice("0123456789٣५⅔Ⅷ①²½") for _ in range(r.randint(1, 5)))
    if kind == 6:
        return "".join(r.choice('!?.,;:-_=+*/\\|<>()[]{}"#$%&~`@^') for _ in range(r.randint(1, 4)))
    if kind == 7:
        return r.choice(EMOJI)
    if kind == 8:
        return r.choice(EDGES)
    if kind == 9:
        return r.choice(COMPATIBILITY)
    if kind == 10:
        return r.choice(tokens)
    if kind == 11:
        return r.choice(tokens)[r.randint(0, 3) : r.randint(4, 14)]
    if kind == 12:
        return "".join(
            chr(
                r.choice(
                    (
                        0x1100 + r.randrange(20),
                        0x1161 + r.randrange(22),
                        0x11A7 + r.randrange(29),
                        0xAC00 + r.randrange(11172),
                    )
                )
            )
            for _ in range(r.randint(1, 4))
        )
    if kind == 13:
        return r.choice("aeiouAEOnsdlΑωеу") + "".join(chr(0x300 + r.randrange(0x70)) for _ in range(r.randint(1, 4)))
    if kind == 14:
        return unicodedata.normalize(
            r.choice(["NFD", "NFKD", "NFC"]),
            chr(r.choice((0xC0, 0x1E00, 0x1F00, 0x900, 0x3040)) + r.randrange(0x100)),
        )
    if kind == 15:
        return chr(r.choice(boundaries))
    if kind == 16:
        return chr(r.choice(SCALARS))
    if kind == 17:
        return chr(r.randrange(0x3000))
    if kind == 18:
        return chr(0x4E00 + r.randrange(0x5200))
    return "".join(r.choice("abcdefghijklmnopqrstuvwxyzABCDE ") for _ in range(r.randint(1, 9)))


def strings(count, tokens, boundaries, seed):
    r = random.Random(seed)
    return ["".join(fragment(r, tokens, boundaries) for _ in range(r.randint(1, 12))) for _ in range(count)]


def normalization_digests():
    """SHA-256 of form C of four strings around every scalar, for each block of 4096."""
    nfc, out = normalizers.NFC(), []
    for block in [*range(0, 0x20000, 0x1000), 0x2F000, 0x30000, 0xE0000]:
        digest = hashlib.sha256()
        for c in range(max(block, 0xA0), block + 0x1000):
            if 0xD800 <= c <= 0xDFFF:
                continue
            c = chr(c)
            for text in (c, "e" + c + "\u0323\u0301", c + "\u0338" + c, "q\u0301" + c + "\u05b0" + c):
                digest.update(nfc.normalize_str(text).encode())
        out.append([block, digest.hexdigest()])
    return out


def template_cases():
    from transformers.utils.chat_template_utils import render_jinja_template

    def read(*path):
        return open(os.path.join(ROOT, *path), encoding="utf-8").read()

    templates = {
        "qwen2.5-vl": json.loads(read("qwen2.5-vl", "chat_template.json"))["chat_template"],
        "qwen3-vl": read("qwen3-vl", "chat_template.jinja"),
    }

    def text(t):
        return {"type": "text", "text": t}

    image = {"type": "image"}

    def say(role, *parts):
        return {"role": role, "content": list(parts)}

    conversations = [
        [say("user", text("Hello"))],
        [say("user", image, text("Click on “log in”.\n\n  (indented) {{ x }} {% y %}"))],
        [say("system", text("You point at things.")), say("user", text("a"), image, text(" b "), image)],
        [
            say("user", image, text("Q1")),
            say("assistant", text("(1, 2)")),
            say("user", text("Q2")),
            say("assistant", text("<|box_start|>\n")),
        ],
        [
            say("system", text("S"), text("T")),
            say("user", image),
            say("assistant", text("A")),
            say("user", text("B")),
            say("assistant", text("C")),
        ],
        [say("user")],
        [say("user", text(""))],
        [say("assistant", text("first"))],
        [
            say("user", text("x")),
            say("tool", text("r1"), image),
            say("tool", text("r2")),
            say("assistant", text("y")),
        ],
        [say("user", text("later")), say("system", text("a system message in the middle"))],
    ]
    out = []
    for name, template in templates.items():
        for c in conversations:
            for prompt in (False, True):
                rendered, _ = render_jinja_template([c], chat_template=template, add_generation_prompt=prompt)
                out.append({"template": name, "messages": c, "prompt": prompt, "text": rendered[0]})
    return out


def jinja_cases(path):
    """The sources in the file itself with their outputs: to add a case, add [source, ""] and run this script."""
    from transformers.utils.chat_template_utils import render_jinja_template

    chat = [
        {"role": "user", "content": [{"type": "text", "text": "Hi <b>"}, {"type": "image"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "yo\n"}]},
    ]

    def render(source):
        return render_jinja_template([chat], chat_template=source, add_generation_prompt=True)[0][0]

    cases = [[source, render(source)] for source, _ in json.load(open(path, encoding="utf-8"))]
    with open(path, "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tokenizer", required=True, help="a folder with the released vocab.json and merges.txt")
    p.add_argument("--gsm8k", help="GSM8K's test.jsonl; its first 60 problems become cases")
    p.add_argument("--random", type=int, default=400, help="number of random strings")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--to", help="write only random cases, to this file")
    a = p.parse_args()
    t = built(a.tokenizer)
    kinds = {"letters": members(r"\p{L}"), "numbers": members(r"\p{N}"), "spaces": members(r"\s")}
    boundaries = [
        c
        for ranges in kinds.values()
        for x in ranges
        for c in (x - 1, x, x + 1)
        if c >= 0 and not 0xD800 <= c <= 0xDFFF
    ]
    tokens = [token.content for token in t.get_added_tokens_decoder().values()]

    def cases(texts):
        return [[text, e.ids] for text, e in zip(texts, t.encode_batch(texts, add_special_tokens=False))]

    def write(path, value):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(value, f, separators=(",", ":"))

    if a.to:
        return write(a.to, cases(strings(a.random, tokens, boundaries, a.seed)))
    if not a.gsm8k:
        p.error("--gsm8k is needed")
    rows = [json.loads(line) for line in open(a.gsm8k, encoding="utf-8")][:60]
    unicode_texts = [
        "'" + c + "x"
        for c in ["s", "S", "ſ", "t", "T", "re", "RE", "ve", "vE", "m", "M", "ll", "LL", "d", "D", "ß", "ﬆ"]
    ]
    unicode_texts += ["a" + s + "b" + s + s + "c" + s for s in SPACES + NOT_SPACES] + WORDS + EMOJI
    unicode_texts += ["a" + c + "1" + c for c in EDGES + COMPATIBILITY]
    write(os.path.join(ROOT, "gsm8k-cases.json"), cases([r["question"] for r in rows] + [r["answer"] for r in rows]))
    write(
        os.path.join(ROOT, "unicode-cases.json"), cases(unicode_texts + strings(a.random, tokens, boundaries, a.seed))
    )
    write(os.path.join(ROOT, "scalar-kinds.json"), kinds)
    write(os.path.join(ROOT, "normalization-digests.json"), normalization_digests())
    decoded = [[random.Random(i).randrange(151700) for _ in range(6)] for i in range(100)]
    write(os.path.join(ROOT, "decode-cases.json"), [[ids, t.decode(ids, skip_special_tokens=False)] for ids in decoded])
    with open(os.path.join(ROOT, "vectors", "ggml-vocab-qwen2.gguf.inp"), encoding="utf-8") as file:
        vectors = file.read().split("\n__ggml_vocab_test__\n")
    texts = [
        text for name in ("gsm8k", "unicode") for text, _ in json.load(open(os.path.join(ROOT, f"{name}-cases.json")))
    ]
    # And what TokenizerTests.swift itself encodes and looks up.
    texts += [*vectors, "ab" * 100, "Hello", " Hello"]
    cut(a.tokenizer, texts, {id for ids in decoded for id in ids})
    write(os.path.join(ROOT, "template-cases.json"), template_cases())
    jinja_cases(os.path.join(ROOT, "jinja-cases.json"))


if __name__ == "__main__":
    main()
