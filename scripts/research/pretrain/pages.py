"""Pages of widgets as HTML, with what each widget is: wide in fonts, sizes, colours and places. The look "dusk" is kept
out of the base's pages, for runs that adapt to it.
"""

import random

from questions import phrase
from words import ALL, COLORS, COMMON, ICONS, KINDS, LATIN, LISTS, SHAPES, label

# Width, height, share: the sizes before the image processor rounds them to multiples of 32.
SIZES = [
    (160, 210, 0.70),
    (160, 160, 0.05),
    (192, 160, 0.05),
    (200, 200, 0.04),
    (224, 224, 0.04),
    (160, 256, 0.03),
    (256, 192, 0.03),
    (320, 416, 0.06),
]
FONTS = [
    ("Liberation Sans", 0.87),
    ("DejaVu Sans", 0.03),
    ("DejaVu Sans Condensed", 0.03),
    ("Liberation Sans Narrow", 0.02),
    ("Liberation Serif", 0.03),
    ("Liberation Mono", 0.02),
]
CSS = """
  * { box-sizing: border-box; }
  body { margin: 0; background: #888; }
  .page { position: absolute; overflow: hidden; }
  .page p { margin: 2px 0; }
  .query { padding: 3px; overflow: hidden; }
  .w { white-space: nowrap; }
  button, input, select { font: inherit; margin: 1px; }
  label.w { display: inline-block; }
  .switch { display: inline-block; position: relative; width: 24px; height: 12px; border-radius: 6px; background: #aaa;
    margin-right: 3px; vertical-align: middle; }
  .switch::after { content: ""; position: absolute; left: 1px; top: 1px; width: 10px; height: 10px;
    border-radius: 5px; background: #fff; }
  .on .switch { background: #16a34a; }
  .on .switch::after { left: 13px; }
  .dusk { color: #4c1d95; }
  .dusk button, .dusk select, .dusk input[type=text] { background: #fef3c7; color: #4c1d95;
    border: 1px solid #4c1d95; border-radius: 9px; }
  .dusk button { padding: 2px 9px; border-style: dashed; }
  .dusk .link { color: #9f1239; text-decoration: underline dotted; }
  .dusk input[type=checkbox], .dusk input[type=radio] { appearance: none; width: 12px; height: 12px;
    border: 2px solid #4c1d95; background: #fde68a; vertical-align: middle; border-radius: 5px 0 5px 0; }
  .dusk input:checked { background: #b45309; }
  .dusk .tab { background: #e9d5ff; border: 0; border-bottom: 3px solid #a78bfa; }
  .dusk .tab.on { border-bottom: 3px solid #b45309; }
  .dusk .switch { border-radius: 0; background: #a78bfa; }
  .dusk .on .switch { background: #b45309; }
"""
DUSK_COLORS = {
    **COLORS,
    "red": "#9f1239",
    "orange": "#c2740c",
    "green": "#4d7c0f",
    "teal": "#0e7490",
    "blue": "#3730a3",
    "purple": "#86198f",
    "pink": "#e879c0",
    "gray": "#78716c",
    "brown": "#713f12",
}

# Kinds of elements as a page draws them: scattered over it, and in a line of text.
SCATTERED = ["button", *(kind for kind in KINDS if kind != "tab")]
IN_LINE = ["button", *SCATTERED, "filler"]


def weighted(rng, pairs):
    return rng.choices([p[0] for p in pairs], [p[-1] for p in pairs])[0]


class Page:
    """One page while it is being filled."""

    def __init__(self, rng: random.Random, look: str, size=None):
        self.rng, self.look, self.widgets, self.labels = rng, look, [], set()
        self.width, self.height = size or rng.choices([s[:2] for s in SIZES], [s[2] for s in SIZES])[0]
        self.zoom = self.width / 160 if rng.random() < 0.5 else rng.uniform(1.0, self.width / 160)
        self.inner = self.width / self.zoom, self.height / self.zoom
        self.words = ALL if rng.random() < 0.06 else rng.choice(LISTS)
        self.colors = DUSK_COLORS if look == "dusk" else COLORS
        self.font = "DejaVu Serif" if look == "dusk" else weighted(rng, FONTS)
        self.size = rng.choice([10, 10, 10, 11, 11, 12, 12, 13, 14])
        self.plain = rng.random() < 0.5  # the browser's own controls
        self.accent = rng.choice(list(self.colors))
        self.radius = rng.choice([0, 2, 3, 4, 8])

    def name(self, words=None):
        """A label that is not on the page yet."""
        while True:
            text = label(self.rng, words or self.words)
            parts = text.lower().split()
            if not self.labels.intersection(parts + [text.lower()]):
                self.labels.update(parts + [text.lower()])
                return text

    def add(self, kind, text, color=None, on=None, **more):
        self.widgets.append({"kind": kind, "label": text, "color": color, "on": on, **more})

    def control(self, kind, text=None):
        """The HTML of a new widget."""
        rng = self.rng
        text = text or (
            None
            if kind in ("icon", "shape")
            else self.name(COMMON if kind == "button" and rng.random() < 0.4 else None)
        )
        on = rng.random() < 0.5
        if kind == "button":
            style, color, on = "", None, rng.random() < 0.88
            if not self.plain and self.look != "dusk" and on:
                color = rng.choice(list(self.colors)) if rng.random() < 0.6 else self.accent
                fill = rng.random() < 0.65
                ink = "#fff" if fill and color not in ("yellow",) else self.colors[color] if not fill else "#000"
                style = (
                    f"background:{self.colors[color] if fill else '#fff'};color:{ink};"
                    f"border:1px solid {self.colors[color]};"
                    f"border-radius:{self.radius}px;padding:{rng.choice([1, 2, 3])}px {rng.choice([4, 6, 9, 14])}px"
                )
            elif rng.random() < 0.3:
                style = f"padding:{rng.choice([2, 4, 6])}px {rng.choice([8, 16, 25])}px"
            self.add(kind, text, color, on)
            return f'<button class="w" style="{style}"{"" if on else " disabled"}>{text}</button>'
        if kind == "link":
            style = (
                ""
                if self.look == "dusk"
                else rng.choice(
                    [
                        "color:#00f;text-decoration:underline",
                        "color:#00e;text-decoration:underline",
                        "color:#15c;text-decoration:underline",
                        "color:#15c",
                    ]
                )
            )
            self.add(kind, text)
            return f'<span class="w link" style="{style}">{text}</span>'
        if kind in ("checkbox", "radio button"):
            self.add(kind, text, on=on)
            return (
                f'<label class="w"><input type="{kind.split()[0]}"{" checked" if on else ""} '
                f'style="width:{rng.choice([13, 13, 16, 20])}px">'
                f"{text}</label>"
            )
        if kind == "field":
            self.add(kind, text, on=on)
            value = self.rng.choice(["abc", "1234", "Ada", "x7"]) if on else ""
            box = f'<input class="t" type="text" value="{value}" style="width:{rng.choice([40, 60, 80])}px">'
            return f'<span class="w">{text}{rng.choice([":", ""])} {box}</span>'
        if kind == "dropdown":
            self.add(kind, text)
            return f'<select class="w"><option>{text}</option></select>'
        if kind == "icon":
            name = rng.choice([n for n in ICONS if n not in self.labels] or list(ICONS))
            self.labels.add(name)
            color = rng.choice(list(self.colors))
            self.add(kind, name, color)
            return (
                f'<span class="w" style="font:{rng.choice([14, 16, 20, 24])}px DejaVu Sans;'
                f'color:{self.colors[color]}">{ICONS[name]}</span>'
            )
        if kind == "shape":
            return f'<span class="w">{self.shape()}</span>'
        if kind == "badge":
            color = rng.choice(list(self.colors))
            self.add(kind, text, color)
            return (
                f'<span class="w" style="display:inline-block;border:2px solid {self.colors[color]};'
                f"border-radius:9px;padding:0 6px;"
                f'color:{self.colors[color]}">{text}</span>'
            )
        if kind == "toggle":
            self.add(kind, text, on=on)
            return f'<span class="w {"on" if on else ""}"><span class="switch"></span>{text}</span>'
        self.add("text", text)
        return f'<{"b" if on else "span"} class="w">{text}</{"b" if on else "span"}>'

    def shape(self, size=None):
        name, color = self.rng.choice(SHAPES), self.rng.choice(list(self.colors))
        size = size or self.rng.choice([12, 16, 20, 28])
        self.add("shape", None, color, shape=name)
        inner = {
            "square": f'<rect width="{size}" height="{size}"',
            "circle": f'<circle cx="{size / 2}" cy="{size / 2}" r="{size / 2}"',
            "triangle": f'<polygon points="{size / 2},0 {size},{size} 0,{size}"',
        }[name]
        return f'<svg width="{size}" height="{size}">{inner} fill="{self.colors[color]}"/></svg>'

    def filler(self, count):
        return [w for w in (self.rng.choice(LATIN) for _ in range(count)) if w not in self.labels]

    def tabs(self):
        rng, count = self.rng, self.rng.randint(2, 4)
        numbered, chosen, parts = rng.random() < 0.4, rng.randrange(count), []
        for i in range(count):
            text = f"Tab #{i + 1}" if numbered else self.name()
            self.labels.add(text.lower())
            self.add("tab", text, on=i == chosen)
            fill = "#fff" if i == chosen else "#e4e4e4"
            style = "" if self.look == "dusk" else f"border:1px solid #999;border-radius:3px 3px 0 0;background:{fill};"
            parts.append(
                f'<span class="w tab {"on" if i == chosen else ""}" style="display:inline-block;{style}'
                f'padding:{rng.choice([2, 4])}px 4px">{text}</span>'
            )
        return "".join(parts)

    def paragraph(self, links):
        words = self.filler(self.rng.randint(6, 20))
        for _ in range(links):
            words.insert(self.rng.randint(0, len(words)), self.control("link", self.name(LATIN)))
        return f"<p>{' '.join(words)}</p>"

    def body(self):
        rng = self.rng
        plan = weighted(
            rng,
            [("mixed", 40), ("scattered", 22), ("list", 12), ("links", 10), ("tabs", 6), ("shapes", 6), ("buttons", 4)],
        )
        if plan == "list":
            kind = rng.choice(["checkbox", "checkbox", "radio button", "text", "link", "toggle"])
            end = self.control("button") if rng.random() < 0.7 else ""
            gap = rng.choice([0, 1, 3, 6])
            return (
                "".join(f'<div style="margin:{gap}px 0">{self.control(kind)}</div>' for _ in range(rng.randint(2, 6)))
                + end
            )
        if plan == "links":
            return self.paragraph(rng.randint(1, 5)) + (self.control("button") if rng.random() < 0.3 else "")
        if plan == "tabs":
            return self.tabs() + self.paragraph(rng.randint(0, 2))
        if plan == "buttons":
            return "".join(
                f'<div style="margin:{rng.choice([1, 3, 6])}px">{self.control("button")}</div>'
                for _ in range(rng.randint(2, 5))
            )
        if plan in ("scattered", "shapes"):
            parts, step = [], rng.choice([20, 24, 28, 36])
            columns = 2 if self.inner[0] > 180 or plan == "shapes" else 1
            top = self.top + 2
            cells = [(r, c) for r in range(int((self.inner[1] - top - 10) // step)) for c in range(columns)]
            for row, column in sorted(rng.sample(cells, min(len(cells), rng.randint(2, 8)))):
                kind = "shape" if plan == "shapes" else rng.choice(SCATTERED)
                span = self.inner[0] / columns
                left = column * span + rng.uniform(
                    0, max(0, span - (24 if kind in ("shape", "icon") else 130 if kind == "field" else 80))
                )
                parts.append(
                    f'<div style="position:absolute;left:{left:.0f}px;top:{top + row * step + rng.randint(0, 4)}px">'
                    f"{self.control(kind)}</div>"
                )
            return "".join(parts)
        parts = []
        for _ in range(rng.randint(2, 8)):
            kind = rng.choice(IN_LINE)
            html = (
                f"<span>{' '.join(self.filler(rng.randint(1, 5)))}</span>" if kind == "filler" else self.control(kind)
            )
            tag = rng.choice(["div", "span"])
            parts.append(
                f'<{tag} style="display:{"block" if tag == "div" else "inline-block"};'
                f"margin:{rng.randint(0, 5)}px {rng.randint(0, 9)}px;"
                f'{"text-align:" + rng.choice(["left", "center", "right"]) if tag == "div" else ""}">{html}</{tag}>'
            )
        if rng.random() < 0.2:
            parts.insert(0, self.tabs())
        return "".join(parts)

    def html(self, x, y):
        return (
            f'<div class="page {self.look}" style="left:{x}px;top:{y}px;width:{self.width}px;height:{self.height}px;'
            f'background:{self.background};">'
            f"<div style=\"zoom:{self.zoom:.3f};font:{self.size}px '{self.font}';position:absolute;left:0;top:0;"
            f"width:{self.inner[0]:.1f}px;"
            f'height:{self.inner[1]:.1f}px">{self.inside}</div></div>'
        )


def sample_page(rng: random.Random, look: str, size=None) -> Page:
    page = Page(rng, look, size)
    bar = page.height >= 200 and rng.random() < 0.45
    page.top = (44 if rng.random() < 0.7 else rng.randint(20, 60)) if bar else 0
    push = 0 if rng.random() < 0.5 else rng.uniform(0, 0.4) * (page.inner[1] - page.top)
    body = page.body()
    page.background = (
        rng.choice(["#d6c4a8", "#c9b8d4"])
        if look == "dusk"
        else rng.choice(["#fff"] * 7 + ["#f1f5f9", "#fdf6e3", "#e8f0e8"])
    )
    head = ""
    if bar:  # a line that says what to do, as on the pages of web benchmarks; it may name a widget
        text = phrase(rng, rng.choice(page.widgets)) if page.widgets else "Click."
        color = rng.choice(["#ff0", "#ff0", "#ffd", "#eee", "#cde"])
        style = f"height:{page.top}px;background:{color};font-size:{rng.choice([10, 10, 11])}px"
        head = f'<div class="query" style="{style}">{text}</div>'
    padding = 2 if push == 0 else rng.randint(0, 6)
    page.inside = f'{head}<div style="padding:{padding}px;padding-top:{push + 2:.0f}px">{body}</div>'
    return page
