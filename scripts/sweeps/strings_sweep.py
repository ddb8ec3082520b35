"""Strings: the ids of texts against `tokenizers`, on every tokenizer of the tests' resources.

Each string is a user's turn of a long example, which `imagelora inspect` shows token by token. Turns begin and end with
special tokens, so a string's ids do not depend on its neighbours; an example that differs is halved until one string
is left.
"""

import hashlib
import importlib.util
import json
import random
import shutil
import string
import sys
import unicodedata

from tokenizers import Tokenizer

from oracle import HUGGING_FACE, PARITY, ROOT, Model, Program, Refusal, shown, write_rows, write_run

VISION = ["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
# What an example's text may not hold, or holds with another meaning: the rows' sweep is about these.
MARKS = [*VISION, "<image>", "<video>", "<audio>", "<bbox>", "<point>", "<ref>", "<ref-object>"]
PER_EXAMPLE = 250
MOST = 20  # differences of one tokenizer: the rest would say the same
SCRIPTS = [
    (0x20, 0x7F), (0xA0, 0x180), (0x180, 0x250), (0x370, 0x400), (0x400, 0x530), (0x530, 0x590), (0x590, 0x600),
    (0x600, 0x700), (0x700, 0x780), (0x900, 0x980), (0x980, 0xA00), (0xA00, 0xB00), (0xB00, 0xC00), (0xC00, 0xD00),
    (0xD00, 0xE00), (0xE00, 0xE80), (0xE80, 0xF00), (0xF00, 0x1000), (0x1000, 0x10A0), (0x10A0, 0x1100),
    (0x1100, 0x1200), (0x1200, 0x1380), (0x13A0, 0x1400), (0x1780, 0x1800), (0x1800, 0x18B0), (0x1E00, 0x2000),
    (0x2000, 0x2070), (0x2070, 0x2190), (0x2190, 0x2600), (0x2600, 0x2800), (0x2C00, 0x2D30), (0x3000, 0x3040),
    (0x3040, 0x3100), (0x3100, 0x3130), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xA000, 0xA4D0), (0xAC00, 0xD7A4),
    (0xF900, 0xFB00), (0xFB00, 0xFDD0), (0xFE00, 0xFE30), (0xFE70, 0xFF00), (0xFF00, 0xFFF0), (0x10000, 0x10100),
    (0x10300, 0x10400), (0x10900, 0x10A00), (0x11000, 0x11200), (0x12000, 0x12400), (0x13000, 0x13430),
    (0x1D100, 0x1D200), (0x1D400, 0x1D800), (0x1F100, 0x1F200), (0x1F300, 0x1F700), (0x1F900, 0x1FB00),
    (0x20000, 0x20100), (0x2F800, 0x2FA20), (0xE0000, 0xE0080), (0xE0100, 0xE01F0),
]  # fmt: skip
CODE = [
    "def f(x):\n\treturn x**2  # ok\n\n\n",
    "#include <vector>\r\nint main() { return a[i]->b; }\r\n",
    "<div class='a'>&amp;</div>",
    "SELECT * FROM t WHERE a >= 10.5e-3;",
    '{"bbox_2d": [12, 345, 678, 901], "label": "log in"}',
    "x = 0xDEADBEEF_ffff",
    "$ curl -sSL 'https://a.b/c?d=e&f=%20#g' | sh",
    "\\begin{align*} \\frac{1}{2} \\end{align*}",
    "C:\\Users\\x\\y.txt",
    "\x1b[31mred\x1b[0m",
]
TOKEN_LIKE = [
    "<|im_start|",
    "|im_end|>",
    "<|im_end |>",
    "<|IM_END|>",
    "<|im_end|>\n",
    " <|im_start|>",
    "<|endoftext|>\u0301",
    "<\u200b|im_end|>",
    "<think>",
    "</tool_call>",
    "<|box_start|>(1,2),(3,4)<|box_end|>",
    "<|object_ref_start|>cat<|object_ref_end|>",
    "<|fim_prefix|>",
    "[INST]",
    "<s>",
    "</s>",
    "<|im_start|><|im_end|>",
    "<|<|im_end|>|>",
    "＜|im_end|＞",
]
SPACES = " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\ufeff\u200b\u00ad"
EMOJI = "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 1️⃣ ❤️ 🧑🏿‍🚀 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☺︎ 👨🏻‍❤️‍💋‍👨🏿 🫱🏼‍🫲🏾 🦙".split(" ")


def fixtures():
    """scripts/make-tokenizer-fixtures.py, whose name no import statement can have: its strings and its tokenizer."""
    sys.path.append(str(ROOT / "scripts"))  # what it imports
    spec = importlib.util.spec_from_file_location("fixtures", ROOT / "scripts/make-tokenizer-fixtures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(count, seed, fragment, tokens):
    r = random.Random(seed)

    def scalars(low, high, length):
        return "".join(chr(r.randrange(low, high)) for _ in range(length))

    def piece():
        kind = r.randrange(16)
        if kind < 4:
            return fragment(r, tokens, [0x2F, 0x3A, 0x40, 0x5B, 0x60, 0x7B, 0xAA, 0x660, 0x966, 0xFF10])
        if kind == 4:
            low, high = r.choice(SCRIPTS)
            return scalars(low, high, r.randint(1, 12))
        if kind == 5:
            low, high = r.choice(SCRIPTS)
            words = [scalars(low, high, r.randint(1, 8)) for _ in range(r.randint(1, 5))]
            return r.choice([" ", "  ", "\u3000", "-"]).join(words)
        if kind == 6:
            form = r.choice(["NFC", "NFD", "NFKC", "NFKD"])
            low, high = r.choice(SCRIPTS)
            return unicodedata.normalize(form, scalars(low, high, r.randint(1, 8)))
        if kind == 7:
            return "".join(r.choice(EMOJI) for _ in range(r.randint(1, 4)))
        if kind == 8:
            base = r.choice("aeiouxqΑЖא가क")
            return base + "".join(
                chr(r.choice((0x300, 0x610, 0x5B0, 0x93C, 0x1AB0)) + r.randrange(16)) for _ in range(4)
            )
        if kind == 9:
            return "".join(r.choice(SPACES) for _ in range(r.randint(1, 8)))
        if kind == 10:
            return "\r\n".join(r.choice(["", "a", " b", "\t"]) for _ in range(r.randint(2, 5)))
        if kind == 11:
            return scalars(0, 0x20, r.randint(1, 6)) + scalars(0x7F, 0xA0, r.randint(0, 3))
        if kind == 12:
            return r.choice(CODE)
        if kind == 13:
            return r.choice(TOKEN_LIKE) if r.random() < 0.5 else r.choice(tokens)
        if kind == 14:
            letters = r.choice([string.ascii_letters, string.digits, "a", "ab", string.punctuation, "東京大学", "абв"])
            return "".join(r.choice(letters) for _ in range(r.choice([30, 100, 100, 400, 2000])))
        numbers = f"{r.randint(0, 10 ** r.randint(1, 20)):,} {r.random():.6f} -{r.randint(0, 99)}% ¼ Ⅷ ٣٤ 𝟙𝟚"
        return numbers[: r.randint(1, len(numbers))]

    texts = []
    while len(texts) < count:
        text = "".join(piece() for _ in range(r.randint(1, 6)))
        text = "".join(c for c in text if not 0xD800 <= ord(c) <= 0xDFFF)
        # Not empty, not only of marks: a turn without text is refused, and marks have a meaning of their own.
        for mark in MARKS:
            text = text.replace(mark, mark[1:])
        if text and not any(mark in text for mark in MARKS):
            texts.append(text)
    return texts


def model_folder(folder, tokenizer, extra):
    """The folder of fixture a with another tokenizer: `extra` files, and a configuration of as many ids."""
    shutil.copytree(PARITY / "a/model", folder)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / name).unlink()
    for path in extra:
        shutil.copy(path, folder)
    config = json.loads((folder / "config.json").read_text())
    for key, token in (
        ("image_token_id", "<|image_pad|>"),
        ("video_token_id", "<|video_pad|>"),
        ("eos_token_id", "<|im_end|>"),
        ("vision_start_token_id", "<|vision_start|>"),
        ("vision_end_token_id", "<|vision_end|>"),
        ("bos_token_id", "<|endoftext|>"),
    ):
        config[key] = tokenizer.token_to_id(token)
    config["vocab_size"] = -(-(max(tokenizer.get_vocab(True).values()) + 1) // 128) * 128
    (folder / "config.json").write_text(json.dumps(config))
    widen(folder / "model.safetensors", config["vocab_size"])


def widen(path, rows):
    """Gives the embedding as many rows: their values are of no interest here."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(path)
    for name, tensor in tensors.items():
        if name.endswith("embed_tokens.weight"):
            import numpy as np

            tensors[name] = np.zeros((rows, tensor.shape[1]), tensor.dtype)
    save_file(tensors, path, metadata={"format": "pt"})


def tokenizers(folder, library):
    """Name, model folder and the reference of every tokenizer."""
    seen = set()
    for name in ("a", "b", "qwen3-vl"):
        place = PARITY / name / "model"
        digest = hashlib.sha256((place / "tokenizer.json").read_bytes()).digest()
        if digest not in seen:
            seen.add(digest)
            backend = Model(place).tokenizer.backend_tokenizer
            yield name, place, backend
    qwen = library.built(library.QWEN)
    own = [f"{library.QWEN}/{name}" for name in ("vocab.json", "merges.txt", "tokenizer_config.json")]
    model_folder(folder / "qwen-vocab", qwen, own)
    yield "qwen-vocab", folder / "qwen-vocab", qwen
    # Ids that the resources cut out have a piece that no merge makes; in this file it is spelled as all pieces are.
    (folder / "tokenizer.json").write_text(qwen.to_str().replace("no piece ", "noĠpieceĠ"), encoding="utf-8")
    model_folder(folder / "qwen-json", qwen, [folder / "tokenizer.json"])
    yield "qwen-json", folder / "qwen-json", qwen
    small = Tokenizer.from_file(str(HUGGING_FACE / "smollm2/tokenizer.json"))
    small.add_special_tokens(VISION)
    small.save(str(folder / "tokenizer.json"))
    model_folder(folder / "smollm2", small, [folder / "tokenizer.json"])
    yield "smollm2", folder / "smollm2", small


class Comparison:
    def __init__(self, name, model, reference, program, folder):
        self.name, self.model, self.reference, self.program, self.folder = name, model, reference, program, folder
        self.examples = self.found = 0

    def expected(self, texts):
        def ids(text):
            return self.reference.encode(text, add_special_tokens=False).ids

        turns = [("system", "You are a helpful assistant."), *(("user", text) for text in texts)]
        found = [id for role, text in turns for id in ids(f"<|im_start|>{role}\n{text}<|im_end|>\n")]
        return found + ids("<|im_start|>assistant\n") + ids("x<|im_end|>\n")[:-1] + ids("\n")

    def check(self, texts):
        """(text, difference) of those that differ."""
        self.examples += 1
        rows = self.folder / f"{self.name}-{self.examples}.jsonl"
        turns = [{"role": "user", "content": text} for text in texts]
        write_rows(rows, [{"id": "x", "messages": [*turns, {"role": "assistant", "content": "x"}]}])
        run = rows.with_suffix(".json")
        write_run(run, self.model, rows, self.folder)
        try:
            got, expected = self.program.inspect(run, "x").input_ids, self.expected(texts)
            difference = None if got == expected else f"ids {shown(got, expected)}"
        except Refusal as error:
            difference = f"refused: {str(error)[:200]}"
        if not difference:
            rows.unlink()
            run.unlink()
            return []
        if len(texts) == 1:
            self.found += 1
            return [(texts[0], difference)]
        if self.found >= MOST:
            return []
        half = len(texts) // 2
        return [*self.check(texts[:half]), *self.check(texts[half:])]


def compare(options, folder):
    library = fixtures()
    program = Program(options.program)
    for name, model, reference in tokenizers(folder, library):
        tokens = [token.content for token in reference.get_added_tokens_decoder().values()]
        texts = made(options.count or 2000, options.seed, library.fragment, tokens)
        comparison = Comparison(name, model, reference, program, folder)
        for start in range(0, len(texts), PER_EXAMPLE):
            if comparison.found >= MOST:
                yield name, f"{len(texts) - start} texts were not compared after {comparison.found} differences"
                break
            batch = texts[start : start + PER_EXAMPLE]
            bad = comparison.check(batch)
            yield from ((f"{name} {json.dumps(text)}", difference) for text, difference in bad)
            yield from ((name, None) for _ in range(len(batch) - len(bad)))
