#!/usr/bin/env python3
"""What transformers makes of conversations under several chat templates, and Qwen3.5's words, for the tests.

    python scripts/make-template-fixtures.py      # writes qwen3.5/ of Tests/HuggingFaceTests/Resources and
                                                  # conversations.json of Tests/PreprocessingTests/Resources

The tokenizer has Qwen3.5's components and added tokens, and a vocabulary trained here on the texts themselves: the
released one has 248,044 pieces. The templates are those of the resources.

A case of conversations.json is one row under one template. Its examples are found here as docs/formats.md states them,
with `apply_chat_template` alone: an answer without thoughts has the prompt with `enable_thinking` false, one with
thoughts that with true, where the template knows the variable. Ids have one image token an image.

Needs: pip install tokenizers transformers jinja2 (made with tokenizers 0.23.3, transformers 5.23.0, Jinja 3.1.6).
"""

import json
import os
import random
import unicodedata

from template_conversations import CONVERSATIONS, TOOLS, WITH_TOOLS, without_thoughts
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen3_5.tokenization_qwen3_5 import PRETOKENIZE_REGEX
from unicode_members import members

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests")
ROOT = os.path.join(TESTS, "HuggingFaceTests", "Resources")
ADDED = [
    ("<|endoftext|>", True),
    ("<|im_start|>", True),
    ("<|im_end|>", True),
    ("<|vision_start|>", True),
    ("<|vision_end|>", True),
    ("<|vision_pad|>", True),
    ("<|image_pad|>", True),
    ("<|video_pad|>", True),
    ("<tool_call>", False),
    ("</tool_call>", False),
    ("<tool_response>", False),
    ("</tool_response>", False),
    ("<think>", False),
    ("</think>", False),
]

# MARK: what is learned of them


class Refused(Exception):
    """A row that is bad under the template."""


def text_of(message):
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def inline(message):
    """The thoughts in a content, None where there are none."""
    text = text_of(message)
    return text.split("</think>")[0].split("<think>")[-1] if "</think>" in text else None


def thinks(message):
    return bool((message.get("reasoning_content", inline(message)) or "").strip())


class Under:
    """A tokenizer under a template with variables."""

    def __init__(self, tokenizer, template, variables):
        self.tokenizer, self.template, self.variables = tokenizer, template, variables

    def knows(self, word):
        return word in self.template

    def render(self, messages, tools, prompt, thinking):
        messages = [{key: value for key, value in message.items() if key != "loss"} for message in messages]
        variables = self.variables if thinking is None else {"enable_thinking": thinking}
        try:
            return self.tokenizer.apply_chat_template(
                messages,
                tools=tools,
                chat_template=self.template,
                add_generation_prompt=prompt,
                tokenize=False,
                **variables,
            )
        except Exception as error:
            raise Refused(str(error)) from error

    def turn(self, messages, tools, index):
        """Prompt and text of an answer."""
        message, thinking = messages[index], None
        if self.knows("enable_thinking"):
            chosen = self.variables.get("enable_thinking")
            if chosen is not None and chosen != thinks(message) and message.get("loss", True):
                raise Refused("another thinking than the run's")
            thinking = thinks(message) if chosen is None else None
        prompt = self.render(messages[:index], tools, True, thinking)
        return prompt, self.render(messages[: index + 1], tools, False, thinking)

    def check(self, messages, tools):
        if not self.knows("reasoning_content") and any(m.get("reasoning_content") for m in messages):
            raise Refused("no thoughts")
        has = tools or any(m["role"] == "tool" or m.get("tool_calls") for m in messages)
        if not self.knows("tools") and has:
            raise Refused("no tools")
        for m in messages:
            text = text_of(m).strip()
            if m["role"] == "assistant" and m.get("loss", True) and self.knows("reasoning_content"):
                if text.count("</think>") > 1 or ("</think>" in text and not text.startswith("<think>")):
                    raise Refused("a text is lost")

    def ids(self, pieces):
        encoded = [(self.tokenizer(text, add_special_tokens=False)["input_ids"], mark) for text, mark in pieces]
        ids, spans = [], []
        for part, mark in encoded:
            if mark and part:
                spans.append([len(ids), len(ids) + len(part)])
            ids += part
        return ids, spans

    def example(self, id, pieces):
        ids, spans = self.ids(pieces)
        return {"id": id, "ids": ids, "spans": spans}

    def examples(self, messages, tools):
        self.check(messages, tools)
        answers = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
        whole = self.render(messages, tools, False, None)
        if any(m["role"] == "system" and text_of(m).strip() not in whole for m in messages):
            raise Refused("a text is lost")
        pieces, branches, start = [], [], 0
        for index in answers:
            learned = messages[index].get("loss", True)
            try:
                prompt, text = self.turn(messages, tools, index)
            except Refused:
                if learned:
                    raise
                continue
            if not text.startswith(prompt):
                if learned:
                    raise Refused("generation is given another text")
            elif whole.startswith(text):
                pieces += [(whole[start : len(prompt)], False), (whole[len(prompt) : len(text)], learned)]
                start = len(text)
            elif learned:
                branches.append((index, prompt, text))
        pieces.append((whole[start:], False))
        found = [self.example("r", pieces)] if any(mark for _, mark in pieces) else []
        for index, prompt, text in branches:
            found.append(self.example(f"r@{index}", [(prompt, False), (text[len(prompt) :], True)]))
        if not found:
            raise Refused("nothing is learned")
        return found


# MARK: words with marks


def marked(seed, count):
    """Texts with marks of many scripts next to letters, numbers, spaces, punctuation and the text's ends."""
    r = random.Random(seed)
    every = [chr(c) for c in range(0x20000) if unicodedata.category(chr(c))[0] == "M"]
    letters = [chr(c) for c in range(0x20000) if unicodedata.category(chr(c))[0] == "L" and not 0xAC00 <= c < 0xD7A4]
    words = (
        "क्षत्रिय हिन्दी বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ไทยแลนด์ ພາສາລາວ བོད་སྐད ဗမာစာ ភាសាខ្មែរ ꦧꦱꦗꦮ عَرَبِيّ שָׁלוֹם"
        " ܣܘܪܝܝܐ ދިވެހި ᠮᠣᠩᠭᠣᠯ ѓ͡а n̈ x̣̄ q̃́ 1️⃣ ❤️ a⃝ 가̀ か゛ が 𑀓𑁆𑀱 𞤢𞥄 e\u0301\u0327"
    ).split()
    texts = list(words)
    while len(texts) < count:
        parts = []
        for _ in range(r.randint(2, 9)):
            kind = r.randrange(9)
            if kind == 0:
                parts.append(r.choice(words))
            elif kind == 1:
                parts.append("".join(r.choice(every) for _ in range(r.randint(1, 3))))
            elif kind == 2:
                parts.append(r.choice(letters) + r.choice(every))
            elif kind == 3:
                parts.append(r.choice(["1", "٣", "½", "2024"]) + r.choice(every))
            elif kind == 4:
                parts.append(r.choice([" ", "  ", "\t", "\u00a0", "\n", " \n ", "\r\n"]))
            elif kind == 5:
                parts.append(r.choice(["'", "'s", "'RE", "’", "-", "...", "(", "$", "=>"]) + r.choice(["", *every[:9]]))
            elif kind == 6:
                parts.append(r.choice(["the", " word", "Ünï", "日本", "א"]))
            elif kind == 7:
                parts.append(r.choice(["<think>", "</think>", "<tool_call>", "<|im_end|>"]) + r.choice(every))
            else:
                parts.append(" " + r.choice(every) + r.choice(letters))
        texts.append("".join(parts))
    return texts


def trained(texts):
    t = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False, byte_fallback=False))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=1000,
            min_frequency=1,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    t.add_tokens([AddedToken(text, special=special, normalized=False) for text, special in ADDED])
    return t


def texts_in(value):
    if isinstance(value, str):
        return [] if value.startswith("data:") else [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in texts_in(item)]


def escaped(value):
    """Rows in which `<image>` is text."""
    if isinstance(value, str):
        return value.replace("<image>", "\\<image>")
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list) else value


def main():
    words = marked(1, 400)
    templates = {
        "qwen2.5-vl": json.loads(read("qwen2.5-vl", "chat_template.json"))["chat_template"],
        "qwen3-vl": read("qwen3-vl", "chat_template.jinja"),
        "qwen3-vl-thinking": read("qwen3-vl-thinking", "chat_template.jinja"),
        "qwen3.5/think": read("qwen3.5", "chat_template_think.jinja"),
        "qwen3.5/nothink": read("qwen3.5", "chat_template_nothink.jinja"),
    }
    corpus = words + texts_in(CONVERSATIONS) + texts_in(TOOLS)
    t = trained([*corpus, *(line for template in templates.values() for line in template.splitlines())])
    t.save(os.path.join(ROOT, "qwen3.5", "tokenizer.json"), pretty=False)
    cases = []
    for text in words:
        cut = t.pre_tokenizer.pre_tokenize_str(t.normalizer.normalize_str(text))
        cases.append([text, t.encode(text, add_special_tokens=False).ids, [len(word) for word, _ in cut]])
    write(os.path.join(ROOT, "qwen3.5", "words.json"), {"marks": members(r"\p{M}"), "cases": cases})

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=t)
    rows, plain = [], []
    for index, messages in enumerate(CONVERSATIONS):
        tools = {"tools": TOOLS} if index in WITH_TOOLS else {}
        rows.append({"id": "r", "messages": messages} | tools)
        if without_thoughts(messages) != messages:
            plain.append({"id": "r", "messages": without_thoughts(messages)} | tools)
    rows += plain
    found = []
    runs = [(name, {}) for name in templates]
    runs += [("qwen3.5/think", {"enable_thinking": False}), ("qwen3.5/nothink", {"enable_thinking": True})]
    for name, variables in runs:
        under = Under(tokenizer, templates[name], variables)
        for index, row in enumerate(rows):
            case = {"template": name, "variables": variables, "row": index, "examples": None}
            try:
                case["examples"] = under.examples(row["messages"], row.get("tools"))
            except Refused as refused:
                case["refused"] = str(refused)
            found.append(case)
    to = os.path.join(TESTS, "PreprocessingTests", "Resources", "conversations.json")
    write(to, {"rows": [json.dumps(escaped(row)) for row in rows], "cases": found})


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
