"""Small pages of widgets as plain data: what is on a page, its HTML in a look, and the questions that it answers."""
import random

# Width and height in pixels: multiples of 28, so that the image processor never resizes (one visual token is 28 x 28 pixels).
SHAPES = [(140, 140), (112, 168), (168, 112)]
WORDS = ["Save", "Send", "Open", "Edit", "Next", "Back", "Help", "Home", "Mail", "News", "Play", "Stop"]
KINDS = ["button", "badge", "checkbox", "toggle", "field", "slider"]
COLORS = ["red", "orange", "green", "teal", "blue", "purple", "pink", "gray"]
GRID = 14  # widgets stand on a grid, as design systems ask for: half a visual token

LIGHT = {
    "colors": {"red": "#dc2626", "orange": "#f59e0b", "green": "#16a34a", "teal": "#06b6d4", "blue": "#2563eb",
               "purple": "#7e22ce", "pink": "#f472b6", "gray": "#6b7280"},
    "fonts": ["Liberation Sans", "DejaVu Sans Condensed"],
    "backgrounds": ["#ffffff", "#f1f5f9", "#fdf6e3"],
    "css": """
      .light { color: #1f2937; }
      .light .button { background: var(--c); color: #fff; border: 1px solid var(--c); border-radius: 3px; padding: 2px 8px; }
      .light .badge { background: #fff; color: var(--c); border: 2px solid var(--c); border-radius: 10px; padding: 1px 7px; }
      .light .off-duty { opacity: .38; }
      .light .box { width: 11px; height: 11px; border: 2px solid #4b5563; border-radius: 2px; background: #fff; }
      .light .on .box { background: #2563eb; border-color: #2563eb; }
      .light .on .box::after { content: ""; position: absolute; left: 4px; top: 0px; width: 3px; height: 7px;
        border: solid #fff; border-width: 0 2px 2px 0; transform: rotate(45deg); }
      .light .switch { width: 26px; height: 14px; border-radius: 7px; background: #9ca3af; }
      .light .switch::after { content: ""; position: absolute; left: 2px; top: 2px; width: 10px; height: 10px;
        border-radius: 5px; background: #fff; }
      .light .on .switch { background: #16a34a; }
      .light .on .switch::after { left: 14px; }
      .light .entry { width: 30px; height: 14px; border: 1px solid #6b7280; border-radius: 2px; background: #fff; }
      .light .track { width: 36px; height: 4px; border-radius: 2px; background: #9ca3af; }
      .light .thumb { width: 10px; height: 10px; border-radius: 5px; background: #2563eb; top: -3px; }
    """,
}
DUSK = {
    "colors": {"red": "#9f1239", "orange": "#c2740c", "green": "#4d7c0f", "teal": "#0e7490", "blue": "#3730a3",
               "purple": "#86198f", "pink": "#e879c0", "gray": "#78716c"},
    "fonts": ["DejaVu Sans Condensed"],
    "backgrounds": ["#d6c4a8", "#c9b8d4"],
    "css": """
      .dusk { color: #4c1d95; }
      .dusk .button { background: var(--c); color: #fde68a; border: 1px solid #4c1d95; border-radius: 9px; padding: 2px 8px; }
      .dusk .badge { background: #fef3c7; color: var(--c); border: 2px dashed var(--c); border-radius: 2px; padding: 1px 7px; }
      .dusk .off-duty { opacity: .45; }
      .dusk .box { width: 11px; height: 11px; border: 2px solid #4c1d95; border-radius: 7px; background: #fde68a; }
      .dusk .on .box { background: #4c1d95; }
      .dusk .switch { width: 26px; height: 14px; border-radius: 2px; background: #a78bfa; }
      .dusk .switch::after { content: ""; position: absolute; left: 2px; top: 2px; width: 10px; height: 10px;
        border-radius: 1px; background: #fde68a; }
      .dusk .on .switch { background: #b45309; }
      .dusk .on .switch::after { left: 14px; }
      .dusk .entry { width: 30px; height: 14px; border: 1px solid #4c1d95; border-radius: 7px; background: #fef3c7; }
      .dusk .track { width: 36px; height: 4px; border-radius: 0; background: #7c3aed; }
      .dusk .thumb { width: 8px; height: 12px; border-radius: 1px; background: #b45309; top: -4px; }
    """,
}
LOOKS = {"light": LIGHT, "dusk": DUSK}
SHARED_CSS = """
  * { box-sizing: content-box; }
  body { margin: 0; background: #888; }
  .page { position: absolute; overflow: hidden; font-size: 12px; font-weight: bold; }
  .widget { position: absolute; display: inline-flex; align-items: center; gap: 4px; line-height: 15px; white-space: nowrap; }
  .box, .switch, .entry, .track, .thumb { position: relative; flex: none; }
  .entry { font-size: 10px; font-weight: normal; line-height: 13px; padding-left: 3px; }
"""


def sample_page(rng: random.Random) -> dict:
    """A page without a look: its size and its widgets, each with a label of its own."""
    width, height = rng.choice(SHAPES)
    columns = 2 if width >= 168 else 1
    cells = [(row, column) for row in range(height // (2 * GRID)) for column in range(columns)]
    chosen = sorted(rng.sample(cells, rng.randint(2, min(5, len(cells)))))
    kinds = rng.sample(KINDS, rng.randint(2, 4))
    column_width = width // columns
    widgets = []
    for (row, column), label in zip(chosen, rng.sample(WORDS, len(chosen))):
        kind = rng.choice(kinds)
        slack = column_width - 4 - (80 if kind in ("field", "slider") else 72 if kind == "toggle" else 64)
        widgets.append({
            "kind": kind, "label": label, "color": rng.choice(COLORS), "on": rng.random() < 0.5,
            "enabled": rng.random() < 0.6, "entry": rng.choice(["abc", "1234", "x@y", "Ada"]),
            "value": rng.uniform(0.0, 0.25) if rng.random() < 0.5 else rng.uniform(0.75, 1.0), "row": row,
            "x": 4 + column * column_width + GRID * rng.randint(0, max(0, slack // GRID)), "y": 4 + row * 2 * GRID,
        })
    return {"width": width, "height": height, "widgets": widgets, "font": rng.random(), "background": rng.random()}


def cell_targets(page: dict, boxes: list) -> list[list[int]]:
    """For every visual token (28 x 28 pixels, row by row) what the widget that covers most of it is: index of its kind (the number of
    kinds where there is none), label, colour and state, -1 where the question does not arise. Only train_base.py looks at this."""
    targets = []
    for top in range(0, page["height"], 28):
        for left in range(0, page["width"], 28):
            area = lambda b: max(0, min(b[2], left + 28) - max(b[0], left)) * max(0, min(b[3], top + 28) - max(b[1], top))
            best = max(range(len(boxes)), key=lambda i: area(boxes[i]))
            if area(boxes[best]) < 50:
                targets.append([len(KINDS), -1, -1, -1])
                continue
            w = page["widgets"][best]
            state = {"button": w["enabled"], "badge": -1, "slider": w["value"] > 0.5}.get(w["kind"], w["on"])
            color = COLORS.index(w["color"]) if w["kind"] == "badge" or (w["kind"] == "button" and w["enabled"]) else -1
            targets.append([KINDS.index(w["kind"]), WORDS.index(w["label"]), color, int(state)])
    return targets


def page_html(page: dict, look: str, x: int, y: int) -> str:
    """The page as an absolutely placed element; its widgets carry the class `widget`, in order."""
    style = LOOKS[look]
    pick = lambda choices, at: choices[int(at * len(choices))]
    parts = []
    for w in page["widgets"]:
        classes = ["widget"] + (["on"] if w["on"] and w["kind"] in ("checkbox", "toggle") else [])
        label = f'<span>{w["label"]}</span>'
        if w["kind"] in ("button", "badge"):
            classes += [w["kind"]] + ([] if w["enabled"] or w["kind"] == "badge" else ["off-duty"])
            inner = label
        elif w["kind"] == "checkbox":
            inner = '<span class="box"></span>' + label
        elif w["kind"] == "toggle":
            inner = '<span class="switch"></span>' + label
        elif w["kind"] == "field":
            inner = label + f'<span class="entry">{w["entry"] if w["on"] else ""}</span>'
        else:
            inner = label + f'<span class="track"><span class="thumb" style="position:absolute;left:{26 * w["value"]:.0f}px"></span></span>'
        parts.append(f'<div class="{" ".join(classes)}" style="left:{w["x"]}px;top:{w["y"]}px;'
                     f'--c:{style["colors"][w["color"]]}">{inner}</div>')
    return (f'<div class="page {look}" style="left:{x}px;top:{y}px;width:{page["width"]}px;height:{page["height"]}px;'
            f'background:{pick(style["backgrounds"], page["background"])};font-family:\'{pick(style["fonts"], page["font"])}\'">'
            + "".join(parts) + "</div>")


def questions(page: dict, rng: random.Random) -> list[dict]:
    """Every question that the page answers without doubt: topic, question, answer, indices of the widgets meant."""
    out, widgets = [], page["widgets"]
    yes = lambda condition: "yes" if condition else "no"
    def ask(topic, question, answer, about):
        out.append({"topic": topic, "question": question, "answer": answer, "widgets": about})
    for i, w in enumerate(widgets):
        name = f'the {w["label"]} {w["kind"]}'
        ask("kind", f'What is {w["label"]}?', w["kind"], [i])
        if w["kind"] == "badge" or (w["kind"] == "button" and w["enabled"]):
            ask("color", f"What color is {name}?", w["color"], [i])
            if sum(v["color"] == w["color"] and v["kind"] == w["kind"] for v in widgets) == 1:
                ask("read", f'What does the {w["color"]} {w["kind"]} say?', w["label"], [i])
        if w["kind"] == "button":
            ask("enabled", f"Is {name} enabled?", yes(w["enabled"]), [i])
        if w["kind"] == "checkbox":
            ask("checked", f"Is {name} checked?", yes(w["on"]), [i])
        if w["kind"] == "toggle":
            ask("on", f"Is {name} on?", yes(w["on"]), [i])
        if w["kind"] == "field":
            ask("empty", f"Is {name} empty?", yes(not w["on"]), [i])
        if w["kind"] == "slider":
            ask("level", f"Is {name} low or high?", "low" if w["value"] < 0.5 else "high", [i])
    present = sorted({w["kind"] for w in widgets})
    absent = [k for k in KINDS if k not in present]
    for kind in present + rng.sample(absent, 1):
        about = [i for i, w in enumerate(widgets) if w["kind"] == kind]
        plural = "checkboxes" if kind == "checkbox" else kind + "s"
        ask("count", f"How many {plural} are there?", str(len(about)), about)
    for word, row in (("top", min(w["row"] for w in widgets)), ("bottom", max(w["row"] for w in widgets))):
        about = [i for i, w in enumerate(widgets) if w["row"] == row]
        if len(about) == 1:
            ask("position", f"Which widget is at the {word}?", widgets[about[0]]["label"], about)
    return out


def description(page: dict) -> dict:
    """The question that asks for all of the page, top to bottom: what the base learns to see from, before single questions."""
    def state(w):
        kind = w["kind"]
        if kind == "button" and not w["enabled"]:
            return "disabled"
        return {"button": w["color"], "badge": w["color"], "checkbox": "checked" if w["on"] else "unchecked",
                "toggle": "on" if w["on"] else "off", "field": "filled" if w["on"] else "empty",
                "slider": "low" if w["value"] < 0.5 else "high"}[kind]
    order = sorted(page["widgets"], key=lambda w: (w["row"], w["x"]))
    return {"topic": "describe", "question": "Describe the page.", "widgets": list(range(len(order))),
            "answer": ", ".join(f'{w["label"]} {w["kind"]} {state(w)}' for w in order)}


def sample_questions(page: dict, count: int, rng: random.Random) -> list[dict]:
    """`count` different questions of the page, topics first drawn evenly so that frequent topics don't crowd out the others."""
    pool, picked = questions(page, rng), []
    while pool and len(picked) < count:
        topic = rng.choice(sorted({q["topic"] for q in pool}))
        choice = rng.choice([q for q in pool if q["topic"] == topic])
        pool.remove(choice)
        picked.append(choice)
    return picked


def texts() -> list[str]:
    """Every prompt and answer that pages can lead to, up to combination: what a tokenizer must be good at here."""
    rng, found = random.Random(0), set()
    for _ in range(2000):
        page = sample_page(rng)
        for asked in questions(page, rng) + [description(page)]:
            found |= {asked["question"], asked["answer"]}
    return sorted(found)
