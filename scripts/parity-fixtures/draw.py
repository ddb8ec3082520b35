#!/usr/bin/env python3
"""Draw the two images of the parity fixtures: screens of shapes and words, the same bytes every time.

python draw.py DIR      writes DIR/form.png (the oracle cuts it to 168 x 224) and DIR/list.jpg (needs a resize)
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
font = ImageFont.load_default(size=13)


def form() -> Image.Image:
    picture = Image.new("RGB", (168, 224), (244, 245, 247))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 167, 28), fill=(32, 74, 135))
    draw.text((10, 6), "Sign in", font=font, fill="white")
    for top, label in ((48, "Name"), (98, "Password")):
        draw.text((14, top - 2), label, font=font, fill=(60, 60, 60))
        draw.rounded_rectangle((14, top + 16, 152, top + 38), radius=5, fill="white", outline=(150, 155, 165))
    draw.rounded_rectangle((14, 160, 152, 186), radius=6, fill=(78, 154, 6))
    draw.text((66, 165), "Log in", font=font, fill="white")
    draw.ellipse((14, 198, 28, 212), outline=(204, 0, 0), width=2)
    draw.text((36, 197), "Stay signed in", font=font, fill=(60, 60, 60))
    return picture


def rows() -> Image.Image:
    picture = Image.new("RGB", (131, 155), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 130, 24), fill=(92, 53, 102))
    draw.text((8, 4), "Search", font=font, fill="white")
    draw.ellipse((106, 5, 118, 17), outline="white", width=2)
    draw.line((116, 15, 122, 21), fill="white", width=2)
    for row, colour in enumerate(((204, 0, 0), (52, 101, 164), (115, 210, 22), (245, 121, 0))):
        top = 32 + 30 * row
        draw.rectangle((8, top, 28, top + 20), fill=colour)
        draw.text((38, top + 2), f"Item {row + 1}", font=font, fill=(40, 40, 40))
        draw.rounded_rectangle((100, top + 3, 122, top + 15), radius=6, fill=(190, 190, 190))
        draw.ellipse((110 - 9 * (row % 2), top + 4, 120 - 9 * (row % 2), top + 14), fill="white")
    return picture


form().save(out / "form.png", optimize=True)
rows().save(out / "list.jpg", quality=92)
