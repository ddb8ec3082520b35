"""The form of the rows' cases: a row as a file holds it, and the turns that transformers is given instead, or the word
that the refusal must hold."""

import json
import math
from dataclasses import dataclass, field

from PIL import Image, ImageOps
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from oracle import Turn


@dataclass
class Picture:
    """An image of the folder; limits or sides of its own as qwen_vl_utils.fetch_image reads them."""

    name: str
    min_pixels: int | None = None
    max_pixels: int | None = None
    sides: tuple | None = None  # (resized_height, resized_width)
    upright: bool = False  # its EXIF orientation is applied

    def opened(self, folder):
        with Image.open(folder / self.name) as file:
            return ImageOps.exif_transpose(file) if self.upright else file.copy()

    def fetched(self, folder, factor):
        """The image as it goes to the processor: fetch_image resizes only where the part asks for it here, since a
        row without limits goes to the processor as it is."""
        image = self.opened(folder)
        if self.min_pixels is None and self.max_pixels is None and self.sides is None:
            return image
        if image.mode == "RGBA":
            white = Image.new("RGB", image.size, (255, 255, 255))
            white.paste(image, mask=image.split()[3])
            image = white
        image = image.convert("RGB")
        if self.sides:
            height, width = fetched_size(*self.sides, factor, None, None)
        else:
            height, width = fetched_size(image.height, image.width, factor, self.min_pixels, self.max_pixels)
        return image.resize((width, height))


def fetched_size(height, width, factor, least, most):
    """smart_resize of qwen_vl_utils, which is not transformers' in small images."""
    least, most = least or 4 * factor**2, most or 16384 * factor**2
    tall, wide = (max(factor, round(side / factor) * factor) for side in (height, width))
    if tall * wide > most:
        beta = math.sqrt(height * width / most)
        # Some versions leave out this max, and then ask Pillow for a side of 0.
        tall, wide = (max(factor, math.floor(side / beta / factor) * factor) for side in (height, width))
    elif tall * wide < least:
        beta = math.sqrt(least / (height * width))
        tall, wide = (math.ceil(side * beta / factor) * factor for side in (height, width))
    return tall, wide


@dataclass
class Box:
    """`[x1, y1, x2, y2]` or `[x, y]` of these numbers as the model reads them: round(x / size * written size), halves
    to the even neighbour, as Python and ms-swift round."""

    numbers: tuple
    image: int = 0
    form: str = "real"  # or norm1, norm1000
    size: tuple | None = None  # (width, height) in which real numbers count; the original's if absent
    centre: bool = False  # the box's centre instead

    def text(self, frames):
        original, written = frames[self.image]
        sides = {"real": self.size or original, "norm1": (1, 1), "norm1000": (1000, 1000)}[self.form]
        scaled = []
        for index, number in enumerate(self.numbers):
            axis = index % 2
            scaled.append(min(max(number / sides[axis] * written[axis], 0), written[axis]))
        if self.centre:
            scaled = [(scaled[0] + scaled[2]) / 2, (scaled[1] + scaled[3]) / 2]
        return "[" + ", ".join(str(round(number)) for number in scaled) + "]"


@dataclass
class Expected:
    """A turn of the expected conversation: parts are texts, pictures and boxes."""

    role: str
    parts: tuple
    loss: bool = True


@dataclass
class Shape:
    name: str
    text: str  # the rows' file
    samples: dict  # the expected turns of each id
    refused: tuple = ()  # words, one of which the refusal must hold
    data: dict = field(default_factory=dict)  # keys of the run file's `data`
    tools: list | None = None
    only: str | None = None  # a model's name
    suffix: str = ".jsonl"


def read(name, row, *expected, id="x", **keys):
    """A row, an object or a text, that has these turns."""
    return Shape(name, as_text(row), {id: list(expected)}, **keys)


def refuse(name, row, *words, **keys):
    """A row that is refused with one of these words."""
    return Shape(name, as_text(row), {}, refused=words, **keys)


def as_text(row):
    return (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n"


def turns(expected, model, folder):
    """The expected turns with images opened and boxes written."""
    factor = model.processor.patch_size * model.processor.merge_size
    frames, images = [], []
    for turn in expected:
        for part in turn.parts:
            if isinstance(part, Picture):
                image = part.fetched(folder, factor)
                original = part.opened(folder).size
                limits = model.processor.size
                height, width = smart_resize(
                    image.height, image.width, factor, limits["shortest_edge"], limits["longest_edge"]
                )
                written = (width, height) if model.coordinates == "pixels" else (1000, 1000)
                frames.append((original, written))
                images.append(image)
    found, following = [], iter(images)
    for turn in expected:
        parts = []
        for part in turn.parts:
            if isinstance(part, Picture):
                parts.append(next(following))
            else:
                text = part.text(frames) if isinstance(part, Box) else part
                if parts and isinstance(parts[-1], str):
                    parts[-1] += text
                else:
                    parts.append(text)
        plain = len(parts) == 1 and isinstance(parts[0], str)
        found.append(Turn(turn.role, parts[0] if plain else parts, turn.loss))
    return found


def say(role, *parts, loss=True):
    return Expected(role, parts, loss)


def user(*parts):
    return say("user", *parts)


def answer(*parts, loss=True):
    return say("assistant", *parts, loss=loss)


def system(*parts):
    return say("system", *parts)


def message(role, content, **keys):
    return {"role": role, "content": content, **keys}


def asked(content, reply="ok", **keys):
    """A row of one question and one answer."""
    return {"id": "x", "messages": [message("user", content), message("assistant", reply)], **keys}


def text(words):
    """A part of a content."""
    return {"type": "text", "text": words}
