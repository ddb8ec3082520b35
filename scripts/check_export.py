#!/usr/bin/env python3
"""Compares transformers with an exported adapter's image_lora.py against imagelora: scripts/check-export.sh runs it.

check_export.py rows FOLDER                     writes rows.jsonl: examples with one image, several and none
check_export.py compare --imagelora PROGRAM --model BASE --name NAME --folder DIR --rows rows.jsonl
                                                DIR has run.yaml and adapter/; prints a line of a table
"""

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES, LONGEST, TOLERANCE = 20, 12, 1e-4


def rows(folder):
    """20 of the pages' examples: 14 as they are, three about two pages, two about three, one of text alone."""
    with open(folder / "plain-validation.jsonl", encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    found = [found[index] for index in range(0, len(found), len(found) // 27)]
    chosen = []
    for count in [1] * 14 + [2] * 3 + [3] * 2 + [0]:
        pages = [found.pop(0) for _ in range(max(count, 1))]
        question, answer = (turn["content"].replace("<image>", "") for turn in pages[-1]["messages"])
        text = {0: "", 1: "<image>", 2: "Before: <image> Now: <image>", 3: "<image><image>Of these, the last: <image>"}
        turns = [{"role": "user", "content": text[count] + question}, {"role": "assistant", "content": answer}]
        images = [page["images"][0] for page in pages][:count]
        chosen.append({"id": f"{len(chosen):02}-{count}", "images": images, "messages": turns})
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in chosen)


class Oracle:
    """transformers' model, tokenizer and image processor of a base's folder."""

    def __init__(self, folder):
        sys.modules.setdefault("torchvision", None)  # not needed, and often of another build than torch
        import torch
        from transformers import AutoModelForImageTextToText, AutoTokenizer
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        self.torch, self.folder = torch, Path(folder)
        torch.set_num_threads(1)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(folder)

    def inputs(self, ids, pixels, grids):
        """Examples as one batch, the shorter ones padded on the left."""
        torch, longest = self.torch, max(map(len, ids))
        padded = torch.zeros(len(ids), longest, dtype=torch.long)
        attended = torch.zeros_like(padded)
        for row, tokens in enumerate(ids):
            padded[row, longest - len(tokens) :] = torch.tensor(tokens)
            attended[row, longest - len(tokens) :] = 1
        given = dict(input_ids=padded, attention_mask=attended)
        if any(len(grid) for grid in grids):
            given["mm_token_type_ids"] = (padded == self.model.config.image_token_id).int()
            given["pixel_values"] = torch.cat([pixel for pixel in pixels if len(pixel)])
            given["image_grid_thw"] = torch.cat([grid for grid in grids if len(grid)])
        return given

    def logits(self, examples):
        """Logits of each example where a supervised token is predicted, [tokens, V]."""
        given = self.inputs(*zip(*[(e["ids"], e["pixels"], e["grids"]) for e in examples]))
        with self.torch.no_grad():
            all = self.model(**given, use_cache=False).logits
        return [
            row[[index - len(e["ids"]) for index in range(len(e["ids"]) - 1) if e["labels"][index + 1] != -100]]
            for row, e in zip(all, examples)
        ]

    def answers(self, examples, ends):
        """Greedy answers to the examples' prompts, with a KV cache."""
        prompts = [e["ids"][: next(i for i, label in enumerate(e["labels"]) if label != -100)] for e in examples]
        given = self.inputs(prompts, [e["pixels"] for e in examples], [e["grids"] for e in examples])
        options = dict(max_new_tokens=LONGEST, do_sample=False, eos_token_id=ends, pad_token_id=ends[0])
        with self.torch.no_grad():
            written = self.model.generate(**given, **options)[:, given["input_ids"].shape[1] :].tolist()
        texts = []
        for tokens in written:
            end = next((index for index, token in enumerate(tokens) if token in ends), len(tokens))
            texts.append(self.tokenizer.decode(tokens[:end], clean_up_tokenization_spaces=False))
        return texts


def examples_of(parity, oracle, rows):
    """Of each row its tokens, labels, pixels and logits from imagelora's parity file; tokens and pixels must be those
    that transformers makes of the row."""
    import h5py
    from PIL import Image

    torch, root = oracle.torch, rows.parent
    template = oracle.tokenizer.chat_template
    if template is None and (oracle.folder / "chat_template.json").exists():
        template = json.loads((oracle.folder / "chat_template.json").read_text("utf-8"))["chat_template"]
    found = []
    with h5py.File(parity) as file, open(rows, encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            group = file[row["id"]]
            example = dict(ids=group["input_ids"][:].tolist(), labels=group["labels"][:].tolist(), pixels=[], grids=[])
            content, *later = row["messages"][0]["content"].split("<image>")
            content = [{"type": "text", "text": content}]
            for text in later:
                content += [{"type": "image"}, {"type": "text", "text": text}]
            text = oracle.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}],
                chat_template=template,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
            if row["images"]:
                images = [Image.open(root / name).convert("RGB") for name in row["images"]]
                made = oracle.processor(images=images, return_tensors="pt")
                example["grids"] = made["image_grid_thw"]
                example["pixels"] = torch.from_numpy(group["pixel_values"][:])
                assert (example["pixels"] - made["pixel_values"]).abs().max() < 1e-5, f"{row['id']}: other pixels"
                for grid in example["grids"].tolist():
                    text = text.replace("<|image_pad|>", "<|seen|>" * (grid[1] * grid[2] // 4), 1)
            prompt = oracle.tokenizer(text.replace("<|seen|>", "<|image_pad|>"), add_special_tokens=False)["input_ids"]
            assert example["ids"][: len(prompt)] == prompt, f"{row['id']}: other tokens"
            for part in ("base", "adapted"):
                example[part] = torch.from_numpy(group[f"{part}/logits"][:])
            found.append(example)
    return found


def refusals(oracle, image_lora, folder, inputs, work):
    """Names of what should be refused and was not."""

    def changed(name, **values):
        copy = work / name
        shutil.copytree(folder, copy)
        config = json.loads((copy / "adapter_config.json").read_text("utf-8"))
        (copy / "adapter_config.json").write_text(json.dumps(config | values), "utf-8")
        return copy

    def damaged():
        copy = changed("damaged")
        data = bytearray((copy / "adapter.safetensors").read_bytes())
        data[-1] ^= 1
        (copy / "adapter.safetensors").write_bytes(data)
        return copy

    def other_shapes():
        import safetensors.torch

        copy = changed("shapes", tensors_sha256=None)
        tensors = safetensors.torch.load_file(copy / "adapter.safetensors")
        last = max(name for name in tensors if name.endswith(".A"))  # the layers before it have their hooks by then
        tensors[last] = tensors[last][:-1]
        safetensors.torch.save_file(tensors, copy / "adapter.safetensors")
        return copy

    model = oracle.model

    def embeddings():
        with image_lora.apply(model, folder):
            model(inputs_embeds=model.get_input_embeddings()(inputs["input_ids"]))

    def decoder_alone():
        with image_lora.apply(model, folder):
            model(**inputs)  # what it has seen of this pass must not stay
            model.get_decoder()(input_ids=inputs["input_ids"])

    cases = {
        "another base": lambda: image_lora.apply(model, changed("base", base_digest="0" * 64)),
        "another type": lambda: image_lora.apply(model, changed("type", adapter_type="lora")),
        "another version": lambda: image_lora.apply(model, changed("version", format_version=2)),
        "damaged tensors": lambda: image_lora.apply(model, damaged()),
        "other shapes": lambda: image_lora.apply(model, other_shapes()),
        "embeddings": embeddings,
        "the decoder alone": decoder_alone,
    }
    accepted = []
    for name, act in cases.items():
        try:
            act()
            accepted.append(name)
        except ValueError as error:
            assert str(error).startswith("image_lora: "), f"{name}: {error}"
    return accepted


def round_trip(a, adapter, answers):
    """What became of adapter -> .pt -> folder."""

    def run(*arguments):
        command = [sys.executable, adapter / "image_lora_pt.py", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    to = run("to-pt", adapter, a.folder / "adapter.pt")
    if "value_head_indices" in json.loads((adapter / "adapter_config.json").read_text("utf-8")):
        assert to.returncode and "value heads" in to.stderr and not (a.folder / "adapter.pt").exists(), to
        return "refused"
    back = a.folder / "back"
    made = run("from-pt", a.folder / "adapter.pt", back)
    assert to.returncode == made.returncode == 0 and "base_digest" in to.stderr, (to.stderr, made.stderr)
    for name in ("adapter.safetensors", "image_lora.py", "image_lora_pt.py"):
        assert (back / name).read_bytes() == (adapter / name).read_bytes(), name
    imagelora(a, "inspect", back)
    imagelora(a, *predicting(a, back, "back.jsonl"))
    assert (a.folder / "back.jsonl").read_bytes() == answers
    changes = {"adapter.start": back, "training.steps": 1, "checkpoint.directory": a.folder / "started"}
    options = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    imagelora(a, "train", a.folder / "run.yaml", *options)
    return "same bytes"


def imagelora(a, *arguments):
    done = subprocess.run([a.imagelora, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def predicting(a, adapter, output):
    """The command that answers all rows with an adapter."""
    options = ["--rows", a.rows, "--adapter", adapter, "--max-new-tokens", str(LONGEST), "--output", a.folder / output]
    return ["predict", a.folder / "run.yaml", *options]


def compare(a):
    oracle, adapter = Oracle(a.model), a.folder / "adapter"
    model, torch = oracle.model, oracle.torch
    specification = importlib.util.spec_from_file_location("image_lora", adapter / "image_lora.py")
    image_lora = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(image_lora)

    parity = a.folder / "parity.h5"
    imagelora(a, "parity", "--model", a.model, "--data", a.rows, "--adapter", adapter, "--output", parity)
    imagelora(a, *predicting(a, adapter, "answers.jsonl"))
    answers = (a.folder / "answers.jsonl").read_bytes()
    expected = [json.loads(line)["prediction"] for line in answers.splitlines()]
    ends = [token["id"] for token in json.loads(imagelora(a, "inspect", a.model, "--json"))["end_tokens"]]
    examples = examples_of(parity, oracle, a.rows)
    assert len(examples) == len(expected) == EXAMPLES
    largest = max(example["adapted"].abs().max() for example in examples)

    def apart(found, part):
        return max((logits - example[part]).abs().max() for logits, example in zip(found, examples)) / largest

    def one_by_one():
        return [oracle.logits([example])[0] for example in examples]

    pairs = [examples[index : index + 2] for index in range(0, EXAMPLES, 2)]
    frozen = one_by_one()
    # Tokens of images where no image is given are text.
    bare = oracle.inputs([examples[0]["ids"]], [[]], [[]])
    with torch.no_grad():
        frozen_bare = model(**bare).logits
    handle = image_lora.apply(model, adapter)
    with torch.no_grad():
        adapted_bare = model(**bare).logits
    adapted = one_by_one()
    batches = [logits for pair in pairs for logits in oracle.logits(pair)]
    written = [text for pair in pairs for text in oracle.answers(pair, ends)]
    handle.remove()
    errors = {"base": apart(frozen, "base"), "adapted": apart(adapted, "adapted"), "batches": apart(batches, "adapted")}
    effect = apart(adapted, "base")
    equal = sum(one == other for one, other in zip(written, expected))
    trip = round_trip(a, adapter, answers)
    accepted = refusals(oracle, image_lora, adapter, oracle.inputs([examples[-1]["ids"]], [[]], [[]]), a.folder)
    again = one_by_one()
    print(f"| {a.name} | " + " | ".join(f"{error:.1e}" for error in [*errors.values(), effect]), end=" | ")
    print(f"{equal} of {EXAMPLES} | {trip} |")
    assert all(error < TOLERANCE for error in errors.values()), errors
    assert effect > 100 * TOLERANCE, f"the adapter does nothing: {effect}"
    assert equal == EXAMPLES, [pair for pair in zip(written, expected) if pair[0] != pair[1]]
    assert all(torch.equal(one, other) for one, other in zip(frozen, again)), (
        "remove() or a refusal leaves other logits"
    )
    assert not len(examples[-1]["grids"]) and torch.equal(frozen[-1], adapted[-1]), "text is not untouched in every bit"
    assert torch.equal(frozen_bare, adapted_bare), "it acts where there are no images"
    assert not accepted, f"not refused: {accepted}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("rows").add_argument("folder", type=Path)
    comparing = commands.add_parser("compare")
    for name in ("imagelora", "model", "name"):
        comparing.add_argument(f"--{name}", required=True)
    for name in ("folder", "rows"):
        comparing.add_argument(f"--{name}", type=Path, required=True)
    a = parser.parse_args()
    if a.command == "rows":
        rows(a.folder)
    else:
        compare(a)


if __name__ == "__main__":
    main()
