"""Examples and images as files, and where those of the repository lie."""

import json
import pathlib
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
QUICKSTART = HERE.parents[1] / "quickstart" / "data"
ARCHIVE = QUICKSTART / "pages.tar.xz"  # the images of all files of examples


def stored(name):
    """The file of examples of that name in the repository: the quickstart's lie with it, the others here."""
    return (QUICKSTART if name.startswith("plain-") else HERE / "data") / f"{name}.jsonl"


def unpack(folder):
    """All images, as `folder`/pages."""
    with tarfile.open(ARCHIVE) as archive:
        # Debian 12's Python has no filters yet; others ask for one.
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


def written(place):
    """A place in thousandths of the page's width and height, as the base writes it."""
    return f"({place[0]},{place[1]})"


def example(name, image, question, place, boxes, group):
    return {
        "id": name,
        "images": [image],
        "messages": [
            {"role": "user", "content": "<image>" + question},
            {"role": "assistant", "content": written(place)},
        ],
        "objects": {"bbox": boxes},
        "group": group,
    }


def save_png(image, path):
    """Writes a palette PNG where that keeps every pixel, else RGB; not compressed, which the archive does far better
    for all.
    """
    few = image.quantize(256) if image.getcolors(256) else image
    (few if few.convert("RGB").tobytes() == image.tobytes() else image).save(path, compress_level=0)


def pack(folder):
    """`pages.tar.xz` of all images, the same bytes for the same images."""
    with tarfile.open(folder / "pages.tar.xz", "w:xz", format=tarfile.USTAR_FORMAT, preset=9) as archive:
        for path in sorted((folder / "pages").iterdir()):
            entry = tarfile.TarInfo(f"pages/{path.name}")
            entry.size = path.stat().st_size
            with open(path, "rb") as file:
                archive.addfile(entry, file)


def write(examples, path):
    path.write_text("".join(json.dumps(example, separators=(",", ":")) + "\n" for example in examples))
    print(f"{path}: {len(examples)} examples")
