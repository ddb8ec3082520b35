"""Rows: every shape as imagelora reads it against the conversation that transformers is given instead, or refused with
a word that must be in the message.

Each shape is read by the model of fixture a with the template of Qwen2.5-VL, and those that are not refused also by
that of qwen3-vl with the released template of Qwen3-VL. Shapes with keys of the run file go through `imagelora
inspect`, others through `parity`.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

import png_files
import row_shapes
import rows_damaged
import rows_images
import rows_objects
import rows_projects
import rows_trainers
import rows_turns
from oracle import HUGGING_FACE, PARITY, Model, Program, Refusal, ill_formed, write_run


def write_images(folder):
    (folder / "sub").mkdir()
    sizes = {
        "a.png": (100, 80),
        "b.png": (60, 60),
        "c.jpg": (112, 56),
        "d e.png": (64, 48),
        "f%20g.png": (48, 64),
        "w.png": (700, 500),
        "s.png": (20, 24),
        "h.png": (125, 100),
        "i.png": (56, 84),
        "caf\u00e9.png": (56, 84),
        "cafe\u0301.png": (84, 56),
    }
    for number, (name, (width, height)) in enumerate(sizes.items()):
        pixels = np.random.default_rng(number).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((width, height)).save(folder / name)
    glyph = np.zeros((64, 64, 4), np.uint8)
    glyph[16:48, 24:40, 3] = np.arange(16) * 17
    Image.fromarray(glyph).save(folder / "clear.png")
    Image.open(folder / "c.jpg").save(folder / "exif6.jpg", exif=png_files.exif(6))


def models(folder):
    yield "a", Model(PARITY / "a/model", adapter=PARITY / "a/adapter", coordinates="pixels")
    template = (HUGGING_FACE / "qwen3-vl/chat_template.jinja").read_text(encoding="utf-8")
    place = folder / "qwen3-vl"
    shutil.copytree(PARITY / "qwen3-vl/model", place)
    (place / "chat_template.json").unlink()
    (place / "chat_template.jinja").write_text(template, encoding="utf-8")
    yield "qwen3-vl", Model(place, template, PARITY / "qwen3-vl/adapter", "relative_1000")


def checked(program, model, name, shape, number, folder):
    """What differs, or None."""
    rows = folder / f"{name}-{number:03}{shape.suffix}"
    rows.write_bytes(shape.text.encode())
    got, run = {}, rows.with_suffix(".run")
    try:
        if shape.data:
            write_run(run, model.folder, rows, folder, **shape.data)
            for id in shape.samples or ["x"]:
                got[id] = program.inspect(run, id)
        else:
            got = program.parity(model.folder, rows, model.adapter, rows.with_suffix(".h5"))
    except Refusal as error:
        message = str(error)
        if shape.samples:
            return f"refused: {message}"
        if ill_formed(message):
            return ill_formed(message)
        # The words must stand in what is said, not in the paths that are named.
        said = message.replace(str(folder), "")
        if shape.refused and not any(word in said for word in shape.refused):
            return f"refused without any of {shape.refused}: {message}"
        return None
    if not shape.samples:
        shown = "; ".join(repr(model.tokenizer.decode(sample.input_ids))[:150] for sample in got.values())
        return f"read, expected a refusal: {shown}"
    if set(got) != set(shape.samples):
        return f"ids {sorted(got)}, expected {sorted(shape.samples)}"
    for id, expected in shape.samples.items():
        reference = model.sample(row_shapes.turns(expected, model, folder), shape.tools)
        difference = got[id].difference(reference)
        if difference:
            texts = [
                repr(model.tokenizer.decode(s.input_ids).replace("<|image_pad|>", "")) for s in (got[id], reference)
            ]
            return f"{difference}; read as {texts[0]}" + (f", expected {texts[1]}" if texts[0] != texts[1] else "")
    rows.unlink()
    return None


def compare(options, folder):
    write_images(folder)
    program = Program(options.program)
    shapes = [
        *rows_turns.shapes(),
        *rows_images.shapes(folder),
        *rows_objects.shapes(),
        *rows_projects.shapes(),
        *rows_trainers.shapes(),
    ]
    shapes = shapes[: options.count]
    with ThreadPoolExecutor(options.jobs) as pool:
        for name, model in models(folder):
            # What is refused does not depend on the model: it is tried on the first one.
            mine = [(n, s) for n, s in enumerate(shapes) if s.only == name or not s.only and (s.samples or name == "a")]
            differences = pool.map(lambda entry: checked(program, model, name, entry[1], entry[0], folder), mine)  # noqa: B023
            for (number, shape), difference in zip(mine, differences):
                row = " ".join(shape.text.split())
                row = row if len(row) < 400 else row[:400] + "..."
                yield f"{name} {number:03} {shape.name}", difference and f"{difference} <- {row}"
        yield from damaged_rows(program, shapes, options, folder, pool)


def damaged_rows(program, shapes, options, folder, pool):
    """Only the form of refusals is looked at."""
    model = Model(PARITY / "a/model", adapter=PARITY / "a/adapter")
    paths = []
    for number, text in enumerate(rows_damaged.texts(shapes, options.seed)):
        paths.append(folder / f"damaged-{number:03}.jsonl")
        paths[-1].write_bytes(text.encode(errors="surrogatepass"))

    def message(path):
        try:
            program.parity(model.folder, path, model.adapter, path.with_suffix(".h5"))
        except Refusal as error:
            return ill_formed(str(error))
        return None

    for path, difference in zip(paths, pool.map(message, paths)):
        yield path.name, difference
        if not difference:
            path.unlink()
