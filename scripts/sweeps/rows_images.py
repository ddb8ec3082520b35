"""Rows: images by every form of a part and of an address, and sizes of their own."""

import base64
from urllib.parse import quote

from row_shapes import Box, Picture, answer, asked, message, refuse, user
from row_shapes import read as read_as

A, B = Picture("a.png"), Picture("b.png")


def shapes(folder):
    png = base64.b64encode((folder / "a.png").read_bytes()).decode()
    jpg = base64.b64encode((folder / "c.jpg").read_bytes()).decode()
    text = {"type": "text", "text": "What?"}
    seen = [user(A, "What?"), answer("ok")]

    def read(name, row, *expected, **keys):
        return read_as(name, row, *(expected or seen), **keys)

    def part(kind="image", **keys):
        return asked([{"type": kind, **keys}, text])

    yield read("placeholder", asked("<image>What?", images=["a.png"]))
    yield read("image instead of images", asked("<image>What?", image="a.png"))
    yield read("image that is a list", asked("<image>What?", image=["a.png"]))
    yield read("images that is a text", asked("<image>What?", images="a.png"))
    yield read("images of objects", asked("<image>What?", images=[{"path": "a.png"}]))
    yield refuse("images and image", asked("<image>What?", images=["a.png"], image="a.png"), "image")
    yield refuse("an image too few", asked("<image><image>What?", images=["a.png"]), "image")
    yield refuse("an image too many", asked("<image>What?", images=["a.png", "b.png"]), "image")
    yield refuse("an image without a placeholder", asked("What?", images=["a.png"]), "image")
    for key in ("image", "path", "url"):
        yield read(f"part with {key}", part(**{key: "a.png"}))
    yield read("part with base64", part(base64=png))
    yield read("part with base64 that is a data URL", part(base64="data:image/png;base64," + png))
    yield read("part with image_url in it", part(image_url="a.png"))
    yield read("image_url object", part("image_url", image_url={"url": "a.png"}))
    yield read("image_url text", part("image_url", image_url="a.png"))
    yield read("image_url with detail auto", part("image_url", image_url={"url": "a.png", "detail": "auto"}))
    yield refuse("image_url with detail low", part("image_url", image_url={"url": "a.png", "detail": "low"}), "detail")
    yield refuse("image_url without url", part("image_url", image_url={"detail": "auto"}), "url", "address")
    yield read("part without address", asked([{"type": "image"}, text], images=["a.png"]))
    yield read("part of null address", asked([{"type": "image", "image": None, "text": None}, text], images=["a.png"]))
    yield refuse("part without address or images", part(), "image")
    yield refuse("part with two addresses", part(image="a.png", path="a.png"), "both", "path")
    yield read(
        "part's own address beside listed ones",
        asked([{"type": "image", "path": "b.png"}, {"type": "image"}, text], images=["a.png"]),
        user(B, A, "What?"),
        answer("ok"),
    )
    yield refuse(
        "listed image left over beside a part",
        asked([{"type": "image", "path": "b.png"}, text], images=["a.png"]),
        "image",
    )
    yield read(
        "text part between images",
        asked([{"type": "image", "path": "a.png"}, text, {"type": "image", "path": "b.png"}]),
        user(A, "What?", B),
        answer("ok"),
    )
    yield read("placeholder in a text part", asked([{"type": "text", "text": "<image>What?"}], images=["a.png"]))
    yield read(
        "images in two turns",
        {
            "id": "x",
            "images": ["a.png", "b.png"],
            "messages": [
                message("user", "<image>1"),
                message("assistant", "ok"),
                message("user", "2<image>"),
                message("assistant", "ok"),
            ],
        },
        user(A, "1"),
        answer("ok"),
        user("2", B),
        answer("ok"),
    )
    yield read(
        "one image twice", asked("<image><image>What?", images=["a.png", "a.png"]), user(A, A, "What?"), answer("ok")
    )
    yield refuse("part of a video", part("video", video="v.mp4"), "video")
    yield refuse("part of audio", part("audio", audio="s.wav"), "audio")
    yield refuse("part of an unknown type", part("picture", image="a.png"), "picture")
    yield read("part without type", asked([{"image": "a.png"}, text]))
    yield refuse("text part without text", asked([{"type": "text"}, text]), "text")
    yield refuse("part with an unknown key", part(image="a.png", alt="x"), "alt")
    yield refuse("part with bytes", part(bytes="x"), "bytes", "address")

    yield read("absolute path", asked("<image>What?", images=[str(folder / "a.png")]))
    yield read("file URL", part(image=f"file://{folder}/a.png"))
    yield read("file URL with localhost", part(image=f"file://localhost{folder}/a.png"))
    yield read(
        "file URL of a space, encoded",
        part(image=f"file://{quote(str(folder))}/d%20e.png"),
        user(Picture("d e.png"), "What?"),
        answer("ok"),
    )
    yield read(
        "file URL of a space, as it is",
        part(image=f"file://{folder}/d e.png"),
        user(Picture("d e.png"), "What?"),
        answer("ok"),
    )
    yield read(
        "file URL of a percent sign, as it is",
        part(image=f"file://{folder}/f%20g.png"),
        user(Picture("f%20g.png"), "What?"),
        answer("ok"),
    )
    yield read(
        "file URL of a percent sign, encoded",
        part(image=f"file://{folder}/f%2520g.png"),
        user(Picture("f%20g.png"), "What?"),
        answer("ok"),
    )
    yield refuse("file URL with a host", part(image="file://server/a.png"), "file")
    yield read(
        "path with a percent sign",
        asked("<image>What?", images=["f%20g.png"]),
        user(Picture("f%20g.png"), "What?"),
        answer("ok"),
    )
    yield read("path with ./ and ..", asked("<image>What?", images=["./sub/../a.png"]))
    for url in ("http://a.b/c.png", "https://a.b/c.png", "HTTPS://a.b/c.png"):
        yield refuse(f"network address {url}", part(image=url), "network")
    yield refuse("other scheme", part(image="s3://a/c.png"), "address")
    yield refuse("missing file", part(image="none.png"), "none.png")
    yield refuse("a folder", part(image="sub"), "sub")
    yield refuse("empty address", part(image=""), "empty")
    yield refuse("an address that is a number", part(image=3), "address")
    for head in (
        "data:image/png;base64,",
        "data:image;base64,",
        "data:image/jpeg;base64,",
        "data:image/png;charset=utf-8;base64,",
        "DATA:image/png;base64,",
    ):
        yield read(f"{head} URL", part(image=head + png))
    yield read(
        "data URL of a JPEG", part(image="data:image/jpeg;base64," + jpg), user(Picture("c.jpg"), "What?"), answer("ok")
    )
    broken = "\n".join(png[at : at + 76] for at in range(0, len(png), 76))
    yield read("data URL with line breaks", part(image="data:image/png;base64," + broken))
    yield read("data URL in images", asked("<image>What?", images=["data:image/png;base64," + png]))
    yield refuse("data URL without base64", part(image="data:image/png," + png), "base64")
    yield refuse("data URL of a text", part(image="data:text/plain;base64," + png), "data:")
    yield refuse("data URL cut", part(image="data:image/png;base64," + png[:-3]), "base64")
    yield refuse("data URL of broken base64", part(image="data:image/png;base64,!!!!"), "base64")
    yield read(
        "name composed",
        asked("<image>What?", images=["caf\u00e9.png"]),
        user(Picture("caf\u00e9.png"), "What?"),
        answer("ok"),
    )
    yield read(
        "name decomposed",
        asked("<image>What?", images=["cafe\u0301.png"]),
        user(Picture("cafe\u0301.png"), "What?"),
        answer("ok"),
    )
    yield read(
        "names of both forms",
        asked("<image><image>What?", images=["caf\u00e9.png", "cafe\u0301.png"]),
        user(Picture("caf\u00e9.png"), Picture("cafe\u0301.png"), "What?"),
        answer("ok"),
    )
    yield read("transparent", part(image="clear.png"), user(Picture("clear.png"), "What?"), answer("ok"))
    yield read("EXIF orientation 6", part(image="exif6.jpg"), user(Picture("exif6.jpg"), "What?"), answer("ok"))

    def sized(name, picture, **keys):
        return read(name, part(image=picture.name, **keys), user(picture, "What?"), answer("ok"))

    yield sized("min_pixels", Picture("a.png", min_pixels=50176), min_pixels=50176)
    yield sized("max_pixels", Picture("w.png", max_pixels=20000), max_pixels=20000)
    yield sized("both limits", Picture("w.png", 12544, 25088), min_pixels=12544, max_pixels=25088)
    yield sized("max_pixels below the processor's least", Picture("a.png", max_pixels=1600), max_pixels=1600)
    yield sized("max_pixels of less than a token", Picture("a.png", max_pixels=100), max_pixels=100)
    yield sized("limits that change nothing", Picture("a.png", 3136, 12845056), min_pixels=3136, max_pixels=12845056)
    yield sized(
        "resized_height and resized_width", Picture("a.png", sides=(280, 420)), resized_height=280, resized_width=420
    )
    yield sized("resized to no multiple", Picture("a.png", sides=(150, 61)), resized_height=150, resized_width=61)
    yield sized(
        "resized beyond the processor's limit",
        Picture("a.png", sides=(1400, 1400)),
        resized_height=1400,
        resized_width=1400,
    )
    yield sized(
        "sides win over limits",
        Picture("a.png", sides=(112, 112)),
        resized_height=112,
        resized_width=112,
        min_pixels=100352,
    )
    yield sized("a small image with limits", Picture("s.png", 784, 100000), min_pixels=784, max_pixels=100000)
    yield sized("a transparent image with limits", Picture("clear.png", max_pixels=3600), max_pixels=3600)
    yield read("limits of null", part(image="a.png", min_pixels=None, resized_height=None))
    yield read(
        "limits in images",
        asked("<image>What?", images=[{"image": "w.png", "max_pixels": 20000}]),
        user(Picture("w.png", max_pixels=20000), "What?"),
        answer("ok"),
    )
    yield refuse("resized_height alone", part(image="a.png", resized_height=280), "resized_width")
    yield refuse("min_pixels over max_pixels", part(image="a.png", min_pixels=9000, max_pixels=4000), "min_pixels")
    yield refuse("max_pixels 0", part(image="a.png", max_pixels=0), "max_pixels")
    yield refuse("max_pixels a text", part(image="a.png", max_pixels="20000"), "max_pixels")
    yield refuse("max_pixels a fraction", part(image="a.png", max_pixels=20000.5), "max_pixels")
    yield read(
        "max_pixels 20000.0",
        part(image="w.png", max_pixels=20000.0),
        user(Picture("w.png", max_pixels=20000), "What?"),
        answer("ok"),
    )
    yield refuse(
        "limits of a part without address",
        asked([{"type": "image", "max_pixels": 20000}, text], images=["a.png"]),
        "max_pixels",
    )
    turned, apply = Picture("exif6.jpg", upright=True), {"exif_orientation": "apply"}
    yield read("EXIF applied", part(image="exif6.jpg"), user(turned, "What?"), answer("ok"), data=apply)
    yield read(
        "EXIF applied, sizes",
        part(image="exif6.jpg", max_pixels=3136),
        user(Picture("exif6.jpg", max_pixels=3136, upright=True), "What?"),
        answer("ok"),
        data=apply,
    )
    box = {"objects": {"bbox": [[10, 20, 50, 100]]}, "images": ["exif6.jpg"]}
    yield read(
        "EXIF applied, a box",
        asked("<image>What?", "<bbox>", **box),
        user(turned, "What?"),
        answer(Box((10, 20, 50, 100))),
        data=apply,
    )
    yield read(
        "EXIF not applied, a box",
        asked("<image>What?", "<bbox>", objects={"bbox": [[10, 20, 100, 50]]}, images=["exif6.jpg"]),
        user(Picture("exif6.jpg"), "What?"),
        answer(Box((10, 20, 100, 50))),
    )
    yield refuse(
        "EXIF applied, a box of the image as it is stored",
        asked("<image>What?", "<bbox>", objects={"bbox": [[10, 20, 100, 50]]}, images=["exif6.jpg"]),
        "image",
        data=apply,
    )
    yield read(
        "transparency dropped",
        part(image="clear.png"),
        user(Picture("clear.png"), "What?"),
        answer("ok"),
        data={"transparency": "drop"},
    )
    for mode in ("warn", "refuse"):
        yield read(f"damaged_images {mode}, sound", part(image="a.png"), data={"damaged_images": mode})
