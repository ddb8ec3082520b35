"""What transformers computes for an example, and how imagelora is asked for the same."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from transformers import AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.utils import logging
from transformers.utils.chat_template_utils import render_jinja_template

logging.set_verbosity_error()
logging.disable_progress_bar()

ROOT = Path(__file__).resolve().parents[2]
PARITY = ROOT / "Tests/ParityTests/Resources"
HUGGING_FACE = ROOT / "Tests/HuggingFaceTests/Resources"
IMAGE_TOKEN = "<|image_pad|>"
SECONDS = 300  # longer, and the program counts as hanging
# Words of a foreign library, or of a value printed as the language prints it: no message for users has them.
FOREIGN = (
    "Expected to decode",
    "Optional(",
    "Error Domain",
    "NSCocoa",
    "keyNotFound",
    "could not be completed",
    "Fatal",
)


class Refusal(Exception):
    """The program's or the reference's error."""


@dataclass
class Turn:
    """A turn as transformers is given it: a text, or a list of texts and PIL images."""

    role: str
    content: str | list
    loss: bool = True

    def images(self):
        return [] if isinstance(self.content, str) else [part for part in self.content if not isinstance(part, str)]

    def message(self):
        if isinstance(self.content, str):
            return {"role": self.role, "content": self.content}
        parts = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in self.content]
        return {"role": self.role, "content": parts}


@dataclass
class Sample:
    """The arrays of an example; `supervised` where there are no labels."""

    input_ids: list
    supervised: list
    grids: list = field(default_factory=list)
    pixels: np.ndarray | None = None
    nll_sum: float | None = None

    def difference(self, other):
        """What differs from `other`, the expected sample; None where nothing does."""
        if self.input_ids != other.input_ids:
            return f"input_ids {shown(self.input_ids, other.input_ids)}"
        if self.supervised != other.supervised:
            return f"labels {shown(self.supervised, other.supervised)}"
        if self.grids != other.grids:
            return f"grids {self.grids}, expected {other.grids}"
        if self.pixels is not None and other.pixels is not None:
            return pixel_difference(self.pixels, other.pixels)
        return None


def shown(got, expected):
    """The first place where two lists differ, with what stands there."""
    at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
    return f"differ at {at}: {got[at : at + 8]}, expected {expected[at : at + 8]} (lengths {len(got)}, {len(expected)})"


def pixel_difference(got, expected):
    if got.shape != expected.shape:
        return f"pixel_values {got.shape}, expected {expected.shape}"
    if np.array_equal(got.view(np.uint32), expected.view(np.uint32)):
        return None
    worst = float(np.abs(got - expected).max())
    return f"pixel_values differ in {int((got != expected).sum())} of {got.size} numbers, by up to {worst:.4f}"


class Model:
    """A model folder's tokenizer, template and image processor, as transformers reads them."""

    def __init__(self, folder, template=None, adapter=None, coordinates=None):
        self.folder = Path(folder)
        self.adapter = adapter
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(self.folder)
        self.template = template or json.loads((self.folder / "chat_template.json").read_text())["chat_template"]
        self.coordinates = coordinates
        self.image_id = self.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)

    def render(self, turns, tools=None, prompt=False):
        rendered, _ = render_jinja_template(
            [[turn.message() for turn in turns]], chat_template=self.template, add_generation_prompt=prompt, tools=tools
        )
        return rendered[0]

    def pixels(self, images):
        """pixel_values, and the grid of each image; PIL images as scripts give them: neither turned nor converted."""
        if not images:
            return None, []
        try:
            out = self.processor(images=images, return_tensors="np")
        except (ValueError, OSError, SyntaxError) as error:
            raise Refusal(f"transformers: {error}") from error
        return out["pixel_values"].astype(np.float32), out["image_grid_thw"].tolist()

    def sample(self, turns, tools=None):
        """The text is tokenized in pieces, cut where answers begin and end, as docs/numerics.md has it."""
        whole = self.render(turns, tools)
        pieces, start = [], 0
        for index, turn in enumerate(turns):
            if turn.role == "assistant":
                before = self.render(turns[:index], tools, prompt=True) if index else "<|im_start|>assistant\n"
                after = self.render(turns[: index + 1], tools)
                assert whole.startswith(after) and after.startswith(before), "the template is not incremental"
                pieces += [(whole[start : len(before)], False), (whole[len(before) : len(after)], turn.loss)]
                start = len(after)
        pieces.append((whole[start:], False))
        pixels, grids = self.pixels([image for turn in turns for image in turn.images()])
        lengths = iter([t * h * w // self.processor.merge_size**2 for t, h, w in grids])
        ids, supervised = [], []
        for text, loss in pieces:
            for token in self.tokenizer(text, add_special_tokens=False).input_ids if text else []:
                copies = next(lengths) if token == self.image_id else 1
                ids += [token] * copies
                supervised += [loss and token != self.image_id] * copies
        return Sample(ids, supervised, grids, pixels)


def ill_formed(message):
    """What is wrong with a refusal as such; None where it is one line in the program's words."""
    if message.startswith("CRASH"):
        return message
    if not message or "\n" in message:
        return f"not refused in one line: {message}"
    foreign = next((word for word in FOREIGN if word in message), None)
    return foreign and f"a foreign library's words: {message}"


class Program:
    """imagelora, run on files."""

    def __init__(self, path):
        self.path = str(Path(path).resolve())

    def run(self, *arguments):
        """Standard output. Raises Refusal with standard error."""
        command = [self.path, *map(str, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Refusal(f"CRASH: no end after {SECONDS} s") from error
        errors = done.stderr.decode(errors="replace").strip()
        if done.returncode in (0,):
            return done.stdout
        if done.returncode not in (1, 64, 65):
            raise Refusal(f"CRASH: status {done.returncode}: {errors[-300:]}")
        raise Refusal(errors)

    def parity(self, model, rows, adapter, output):
        """The samples of all rows by id."""
        self.run(
            "parity", "--model", model, "--data", rows, "--adapter", adapter, "--output", output,
            "--rotary-frequencies", "float32",
        )  # fmt: skip
        with h5py.File(output) as file:
            samples = {name: self.sample(group) for name, group in file.items()}
        Path(output).unlink()
        return samples

    @staticmethod
    def sample(group):
        labels = group["labels"][...].tolist()
        sample = Sample(group["input_ids"][...].tolist(), [label != -100 for label in labels])
        if "pixel_values" in group:
            sample.pixels = group["pixel_values"][...]
            sample.grids = group["image_grid_thw"][...].tolist()
        sample.nll_sum = float(group["base"].attrs["nll_sum"])
        return sample

    def inspect(self, run, example):
        """The sample of one row of a run file: no pixels."""
        document = json.loads(self.run("inspect", run, "--row", example, "--json"))
        tokens = document["tokens"]
        return Sample(
            [token["id"] for token in tokens],
            [token["is_supervised"] for token in tokens],
            [image["grid"] for image in document["images"]],
        )


def write_rows(path, rows):
    Path(path).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_run(path, model, rows, root, **data):
    """A run file for `inspect`; JSON is YAML."""
    data = {"train": str(rows), "image_root": str(root), "max_length": 1 << 20, **data}
    run = {"model": {"path": str(model)}, "data": data, "training": {"steps": 1}}
    Path(path).write_text(json.dumps(run))


def opened(path, converted=True):
    """An image of Pillow, loaded: raises Refusal where Pillow refuses it."""
    try:
        with Image.open(path) as image:
            image.load()
            return image.convert("RGB") if converted else image.copy()
    except (OSError, SyntaxError, ValueError) as error:
        raise Refusal(f"Pillow: {error}") from error
