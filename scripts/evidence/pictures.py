"""Rows and pictures as files."""
import json, tarfile


def written(place):
    """A place in thousandths of the page's width and height, as the base writes it."""
    return f"({place[0]},{place[1]})"


def row(name, image, question, place, boxes, group):
    return {"id": name, "images": [image], "messages": [{"role": "user", "content": "<image>" + question},
            {"role": "assistant", "content": written(place)}], "objects": {"bbox": boxes}, "group": group}


def save_png(picture, path):
    """Writes a palette PNG where that keeps every pixel, else RGB; not compressed, which the archive does far better for all."""
    few = picture.quantize(256) if picture.getcolors(256) else picture
    (few if few.convert("RGB").tobytes() == picture.tobytes() else picture).save(path, compress_level=0)


def pack(folder):
    """`pages.tar.xz` of all pictures, the same bytes for the same pictures."""
    with tarfile.open(folder / "pages.tar.xz", "w:xz", format=tarfile.USTAR_FORMAT, preset=9) as archive:
        for path in sorted((folder / "pages").iterdir()):
            entry = tarfile.TarInfo(f"pages/{path.name}")
            entry.size = path.stat().st_size
            with open(path, "rb") as file:
                archive.addfile(entry, file)


def write(rows, path):
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    print(f"{path}: {len(rows)} rows")
