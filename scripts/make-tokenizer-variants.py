#!/usr/bin/env python3
"""Writes Tests/HuggingFaceTests/Resources/tokenizer-variants.json: forms that tokenizer files of a model folder have
had, 200 texts, and of each form SHA-256 of the ids that transformers gives the texts.

    make-tokenizer-variants.py            (needs transformers 5.23.0; writes the file)
    make-tokenizer-variants.py --print    (with any version: prints the digests, for comparison)

A form that must be refused has a word of the message instead: transformers cannot load it, or its versions 4.49 to 5.24
give different ids and no version's reading is the obvious one.
"""

import argparse
import copy
import hashlib
import json
import os
import pathlib
import random
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODEL = ROOT / "Tests/ParityTests/Resources/a/model"
OUTPUT = ROOT / "Tests/HuggingFaceTests/Resources/tokenizer-variants.json"
TOKENIZER = json.loads((MODEL / "tokenizer.json").read_text())
CONFIG = json.loads((MODEL / "tokenizer_config.json").read_text())
CONFIG.pop("chat_template", None)
ADDED = TOKENIZER["added_tokens"]
FIRST = ADDED[-1]["id"] + 1
PIECES = TOKENIZER["model"]["vocab"]
FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"]

VARIANTS = []


def variant(name, refused=None, tokenizer=None, model=None, config=None, files=None, three=False):
    """Keys that replace those of the base files; a key of config with None as value is removed."""
    VARIANTS.append(
        dict(
            name=name,
            refused=refused,
            tokenizer=None if three else (tokenizer or {}),
            model=model or {},
            config=config or {},
            files=files or {},
        )
    )


def token(index, content, special=False, normalized=None, **flags):
    normalized = not special if normalized is None else normalized
    values = dict.fromkeys(FLAGS, False) | dict(normalized=normalized, special=special) | flags
    return dict(id=index, content=content) | values


def decoder(tokens):
    return {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}


def added(name, *tokens, refused=None, listed=True, **config):
    everything = [*ADDED, *tokens]
    config = dict(added_tokens_decoder=decoder(everything if listed else ADDED)) | config
    variant(name, refused, tokenizer=dict(added_tokens=everything), config=config)


def post_processors():
    text, other = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    end = ADDED[0]["content"]
    special = {"SpecialToken": {"id": end, "type_id": 0}}
    specials = {end: {"id": end, "ids": [ADDED[0]["id"]], "tokens": [end]}}
    byte_level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=False, use_regex=False)
    plain = dict(type="TemplateProcessing", single=[text], pair=[text, other], special_tokens={})
    ending = plain | dict(single=[text, special], special_tokens=specials)

    def post(name, processor, refused=None):
        variant(f"post-{name}", refused, tokenizer=dict(post_processor=processor))

    def steps(*processors):
        return dict(type="Sequence", processors=list(processors))

    post("template", plain)
    post("template-end", ending, "adds")
    post("template-start", plain | dict(single=[special, text], special_tokens=specials), "adds")
    post("template-types", plain | dict(single=[{"Sequence": {"id": "A", "type_id": 3}}]))
    post("template-unused", plain | dict(special_tokens=specials))
    post("template-pair", plain | dict(pair=[text, special, other], special_tokens=specials))
    post("template-twice", plain | dict(single=[text, text]), "once")
    post("template-other", plain | dict(single=[other]), "once")
    post("template-empty", plain | dict(single=[]), "once")
    post("template-short", plain | dict(single=["$A"]), "single")
    post("byte-level", byte_level)
    post("steps-none", steps())
    post("steps", steps(byte_level, plain))
    post("steps-nested", steps(steps(plain), byte_level))
    post("steps-end", steps(byte_level, ending), "adds")
    pair = dict(sep=[end, ADDED[0]["id"]], cls=[end, ADDED[0]["id"]])
    post("roberta", dict(type="RobertaProcessing", trim_offsets=True, add_prefix_space=False) | pair, "Roberta")
    post("bert", dict(type="BertProcessing") | pair, "Bert")


def components():
    def norm(name, normalizer, refused="NFC"):
        variant(f"norm-{name}", refused, tokenizer=dict(normalizer=normalizer))

    nfc, lower = dict(type="NFC"), dict(type="Lowercase")
    norm("null", None)
    norm("steps-none", dict(type="Sequence", normalizers=[]))
    norm("steps", dict(type="Sequence", normalizers=[nfc]), None)
    norm("steps-two", dict(type="Sequence", normalizers=[nfc, nfc]), None)
    norm("steps-lower", dict(type="Sequence", normalizers=[nfc, lower]), "Lowercase")
    norm("nfkc", dict(type="NFKC"), "NFKC")
    norm("lower", lower, "Lowercase")
    variant("merges-strings", model=dict(merges=[" ".join(m) for m in TOKENIZER["model"]["merges"]]))
    variant("affixes-null", model=dict(continuing_subword_prefix=None, end_of_word_suffix=None))
    variant("ignore-merges", "ignore_merges", model=dict(ignore_merges=True))
    cut = dict(direction="Right", max_length=3, strategy="LongestFirst", stride=0)
    pad = dict(direction="Right", pad_id=0, pad_type_id=0, pad_token="!", pad_to_multiple_of=None)
    variant("truncation", tokenizer=dict(truncation=cut, padding=pad | dict(strategy=dict(Fixed=20))))
    steps = copy.deepcopy(TOKENIZER["pre_tokenizer"])
    steps["pretokenizers"][0]["behavior"] = "Removed"
    variant("split-removed", "behavior", tokenizer=dict(pre_tokenizer=steps))


def added_tokens():
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    added("piece-with-space", token(FIRST, " t"))
    added("piece-with-space-unlisted", token(FIRST, " t"), listed=False)
    added("words", token(FIRST, "hello"), token(FIRST + 1, "wörld"))
    added("chinese", token(FIRST, "你好"), token(FIRST + 1, "、", True))
    added("spelled-piece", token(PIECES["in"], "in"))
    added("spelled-piece-in-bytes", token(PIECES["Ġt"], "Ġt"))
    added("spelled-piece-new-id", token(FIRST, "in"), refused="already")
    added("forms", token(FIRST, nfc, True), token(FIRST + 1, nfd, True))
    added("forms-swapped", token(FIRST, nfd, True), token(FIRST + 1, nfc, True))
    added("forms-normalized", token(FIRST, nfc), token(FIRST + 1, nfd), refused="same text")
    added("forms-mixed", token(FIRST, nfc), token(FIRST + 1, nfd, True))
    added("form-d-normalized", token(FIRST, nfd))
    added("form-d", token(FIRST, nfd, True))
    added("gap", token(FIRST + 10, "hello"), refused="without gaps")
    added("twice", ADDED[-2])
    added("twice-new-id", ADDED[-2] | dict(id=FIRST), refused="already")
    added("special-normalized", token(FIRST, "<é\u0301>", True, True))
    added("plain-raw", token(FIRST, "HELLO", False, False))
    overlapping = ["hel", "hello", "lo w"]
    added("overlap", *[token(FIRST + i, t) for i, t in enumerate(overlapping)], token(FIRST + 3, "hello w", True))
    added("spaces", token(FIRST, " "), token(FIRST + 1, "  ", True))
    added("line-breaks", token(FIRST, "\n\n"))
    added("lstrip", token(FIRST, "<m>", True, lstrip=True), refused="lstrip")
    variant("reversed", tokenizer=dict(added_tokens=ADDED[::-1]))
    backend = dict(tokenizer_class="PreTrainedTokenizerFast", added_tokens_decoder=None)
    variant("reversed-whole", "without gaps", tokenizer=dict(added_tokens=ADDED[::-1]), config=backend)
    variant("none-in-tokenizer", tokenizer=dict(added_tokens=[]))
    vocab = PIECES | {t["content"]: t["id"] for t in ADDED}
    variant("in-vocabulary", model=dict(vocab=vocab))
    odd = token(FIRST, "<｜ü x｜>", True)
    variant(
        "in-vocabulary-odd",
        tokenizer=dict(added_tokens=[*ADDED, odd]),
        model=dict(vocab=vocab | {odd["content"]: FIRST}),
        config=dict(added_tokens_decoder=decoder([*ADDED, odd])),
    )
    flags = {k: v | dict(normalized=True, special=False) for k, v in decoder(ADDED).items()}
    variant("other-flags", config=dict(added_tokens_decoder=flags))
    disagreeing = decoder([*ADDED, token(FIRST, nfd, False, False)])
    added("flags-disagree", token(FIRST, nfd), added_tokens_decoder=disagreeing)


def configurations():
    extra = [t["content"] for t in ADDED[1:]]
    no_lists = dict(added_tokens_decoder=None, additional_special_tokens=None)
    five = no_lists | dict(backend="tokenizers", is_local=True, extra_special_tokens=extra)
    variant("config-5", config=five)
    variant("config-5-backend", config=five | dict(tokenizer_class="TokenizersBackend"))
    variant("config-4-extra", config=dict(extra_special_tokens=dict(image_token="<|image_pad|>")))
    variant("extra-unknown", "<new>", config=no_lists | dict(extra_special_tokens=["<new>"]))
    variant("additional-unknown", "<new>", config=dict(additional_special_tokens=[*extra, "<new>"]))
    variant("pad-unknown", "<pad>", config=dict(pad_token="<pad>"))
    eos = dict(__type="AddedToken", content="<eos>", lstrip=False, rstrip=False, normalized=False, single_word=False)
    variant("eos-unknown", "<eos>", config=dict(eos_token=eos))
    variant("pad-as-object", config=dict(pad_token=eos | dict(content=ADDED[0]["content"], normalized=True)))
    for name in ["Qwen2TokenizerFast", "PreTrainedTokenizerFast", None]:
        variant(f"class-{name}", config=dict(tokenizer_class=name))
        unlisted = [*ADDED, token(FIRST, " t")]
        variant(
            f"class-{name}-unlisted",
            tokenizer=dict(added_tokens=unlisted),
            config=dict(tokenizer_class=name, added_tokens_decoder=decoder(ADDED)),
        )
    variant("class-GPT2", "GPT2Tokenizer", config=dict(tokenizer_class="GPT2Tokenizer"))
    more = [*ADDED, token(FIRST, "hello")]
    variant("decoder-more", config=dict(added_tokens_decoder=decoder(more)))
    gap = dict(added_tokens_decoder=decoder([*ADDED, token(FIRST + 5, "hello")]))
    variant("decoder-gap", "without gaps", config=gap)
    variant("decoder-less", config=dict(added_tokens_decoder=decoder(ADDED[:-1]), additional_special_tokens=extra[:-1]))
    variant("decoder-less-named", ADDED[2]["content"], config=dict(added_tokens_decoder=decoder(ADDED[:2])))
    variant("add-bos", config=dict(add_bos_token=True, bos_token=ADDED[0]["content"]))
    variant("add-eos", config=dict(add_eos_token=True))
    variant("prefix-space", "add_prefix_space", config=dict(add_prefix_space=True))
    variant("split-special", "split_special_tokens", config=dict(split_special_tokens=True))
    hello = {"added_tokens.json": {"hello": FIRST}}
    variant("added-file", config=dict(added_tokens_decoder=None), files=hello)
    variant("added-file-unused", files=hello)
    special_map = {"special_tokens_map.json": dict(additional_special_tokens=["<new>"])}
    variant("special-map-unused", files=special_map)
    variant("special-map", "<new>", config=no_lists, files=special_map)
    variant("three", three=True)
    variant("three-more", three=True, config=dict(added_tokens_decoder=decoder([*more, token(FIRST + 1, " t")])))
    variant("three-gap", "without gaps", three=True, config=gap)
    variant("three-unknown", "none of the added", three=True, config=dict(added_tokens_decoder=None))
    old = {
        "added_tokens.json": {t["content"]: t["id"] for t in more},
        "special_tokens_map.json": dict(eos_token="<|im_end|>", additional_special_tokens=extra),
    }
    variant("three-old", three=True, config=no_lists, files=old)


def texts():
    draw = random.Random(5)
    found = ["", " ", "   x", "hello café cafe\u0301 t in th\u00e9", "hello world hello  w hel lo w the c"]
    found += [
        "a\n\nb\n \nc\r\n",
        "你好、世界 你好",
        "Ġt Ġ in <|im_start|>user\n\n<|image_pad|><|im_end|>",
        "<new> <pad> <eos> <m> x <m>y",
    ]
    found += ["HELLO hello", "<｜ü x｜><｜ü x｜ >", "<é\u0301>", "\u1e69 s\u0323\u0307 ﬁ Ａ", "it's IT'S don't"]
    found += ["12345 6 ７"]
    words = ["the", " t", "in", " in", "hello", "café", "cafe\u0301", "<|im_start|>", "<|image_pad|>", "  ", "\n"]
    words += ["你好", "、", "Ġt", "é\u0301", "don't", "123", "!?", "<new>", "x", "HELLO", " world", "ing", "er", "\t"]
    words += ["🙂", "ſ", "’s", "for(i=0;i<n;i++)", "  return", "<|video_pad|>", "wörld"]
    while len(found) < 200:
        found.append("".join(draw.choice(words) + draw.choice(["", " ", ""]) for _ in range(draw.randint(1, 9))))
    return found


def folder(form, path):
    def write(name, content):
        (path / name).write_text(json.dumps(content, ensure_ascii=False))

    config = CONFIG | form["config"]
    write("tokenizer_config.json", {k: v for k, v in config.items() if v is not None or k not in form["config"]})
    write("config.json", dict(model_type="qwen2_5_vl"))
    if form["tokenizer"] is None:
        for name in ["vocab.json", "merges.txt"]:
            (path / name).write_bytes((MODEL / name).read_bytes())
    else:
        write("tokenizer.json", TOKENIZER | dict(model=TOKENIZER["model"] | form["model"]) | form["tokenizer"])
    for name, content in form["files"].items():
        write(name, content)


def digest(form, strings):
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name)
        folder(form, path)
        tokenizer = AutoTokenizer.from_pretrained(path)
        ids = [" ".join(map(str, tokenizer(text)["input_ids"])) for text in strings]
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", dest="prints")
    prints = parser.parse_args().prints
    os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
    variant("base")
    post_processors()
    components()
    added_tokens()
    configurations()
    strings = texts()
    for form in VARIANTS:
        try:
            form["ids"] = digest(form, strings)
        except BaseException as error:  # tokenizers panics
            form["ids"] = None
            print(form["name"], type(error).__name__, str(error)[:80].replace("\n", " ")) if prints else None
        if prints:
            print(form["name"], form["ids"] and form["ids"][:12], form["refused"])
        assert prints or form["ids"] or form["refused"], form["name"]
        if form["refused"]:
            form["ids"] = None
    if not prints:
        lines = [json.dumps({k: v for k, v in form.items() if v}, ensure_ascii=False) for form in VARIANTS]
        base = dict(tokenizer=TOKENIZER, config=CONFIG, merges=(MODEL / "merges.txt").read_text())
        parts = json.dumps(base, ensure_ascii=False), json.dumps(strings, ensure_ascii=False), ",\n".join(lines)
        OUTPUT.write_text('{{"base": {},\n"texts": {},\n"variants": [\n{}]}}\n'.format(*parts))


main()
