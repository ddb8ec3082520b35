"""What is asked about a rendered page, and examples without an image: topic, question, answer.

A place is written (x,y) in thousandths of the image's width and height, each rounded to the centre of one of 32 bins,
so that a place is two tokens of the vocabulary: "(484," and "516)".
"""

import random

from relations import beside
from words import ALL, COLORS, ICONS, KINDS, LISTS, NAMES, SHAPES, cased

BINS = 32
CENTERS = [round((i + 0.5) * 1000 / BINS) for i in range(BINS)]
BIN_TOKENS = [f"({c}," for c in CENTERS] + [f"{c})" for c in CENTERS]

ANY = [
    'Click on "{l}".',
    'Click "{l}".',
    "Click on {l}.",
    "Click {l}.",
    "Where is {l}?",
    'Where is "{l}"?',
    "Point at {l}.",
    "Find {l}.",
    'Find the {k} "{l}".',
    "Click the {k} {l}.",
    'Click on the {k} "{l}".',
    "Click the {k} named {l}.",
    'Click the "{l}" {k}.',
    'Click on the "{l}" {k}.',
    "Where is the {k} {l}?",
    "Point at the {l} {k}.",
    "Tap the {l} {k}.",
    "Locate {l}.",
]
OWN = {
    "button": ["Press {l}.", 'Press the "{l}" button.', "Push the button {l}."],
    "link": ['Follow the link "{l}".', "Open the link {l}."],
    "checkbox": [
        "Select the checkbox {l}.",
        "Select {l}.",
        "Tick {l}.",
        "Check {l}.",
        'Select the checkbox named "{l}".',
    ],
    "radio button": ["Select {l}.", "Choose {l}.", 'Select the radio button "{l}".'],
    "field": ["Click the text field {l}.", "Enter a text into {l}.", "Focus the {l} field.", "Type into {l}."],
    "tab": ["Select {l}.", "Open the {l} tab.", "Select the tab {l}.", "Click on {l}."],
    "dropdown": ["Open the {l} dropdown.", "Open the list {l}."],
    "icon": ["Click the {l} icon.", "Where is the {l} icon?", 'Click on the "{l}" icon.', "Tap the {l} icon."],
    "text": ["Where does it say {l}?", "Find the word {l}."],
    "badge": ["Where does it say {l}?"],
    "toggle": ["Switch {l}.", "Flip {l}."],
}
BARE = [
    "Click the {k}.",
    "Click on the {k}.",
    "Where is the {k}?",
    'Click on a "{k}" widget.',
    "Point at the {k}.",
    "Find the {k}.",
]


def phrase(rng: random.Random, w: dict) -> str:
    """An order to click a widget by its label, a shape by its look."""
    if w["kind"] == "shape":
        return rng.choice(BARE).format(k=f"{w['color']} {w['shape']}")
    if w["kind"] == "icon":
        return rng.choice(OWN["icon"]).format(l=w["label"])
    own = OWN[w["kind"]]
    return rng.choice(own if rng.random() < 0.25 else ANY).format(l=w["label"], k=w["kind"])


def place(box, size, rng=None):
    """The bins (x, y) of a box's centre, or of a random point well inside it."""
    share = [0.5, 0.5] if rng is None else [rng.uniform(0.25, 0.75) for _ in range(2)]
    at = [(box[i] + share[i] * (box[i + 2] - box[i])) / size[i] for i in range(2)]
    return [min(BINS - 1, max(0, int(v * BINS))) for v in at]


def written(bins):
    return BIN_TOKENS[bins[0]] + BIN_TOKENS[BINS + bins[1]]


def ask(page: dict, rng: random.Random, topic: str):
    """A question of that topic about a rendered page {size, widgets with box and target}, or None if the page answers
    none: {topic, question, answer, widgets: indices of those meant}.
    """
    widgets, size = page["widgets"], page["size"]
    if not widgets:
        return None
    i = rng.randrange(len(widgets))
    w = widgets[i]
    kind, same = w["kind"], [j for j, v in enumerate(widgets) if v["kind"] == w["kind"]]

    def made(question, answer, about):
        return {"topic": topic, "question": question, "answer": answer, "widgets": about}

    def point(question, j):
        return made(question, written(place(widgets[j]["target"], size)), [j])

    def unique(key):
        return sum(v["kind"] == kind and v.get(key) == w.get(key) for v in widgets) == 1

    if topic == "point":  # by what it says
        return point(phrase(rng, w), i) if kind not in ("shape", "icon") else None
    if topic == "look":  # by what it looks like
        if kind == "shape":
            options = [
                (
                    f"{w['color']} {w['shape']}",
                    unique("color")
                    or not any(
                        v is not w and v["kind"] == kind and v["color"] == w["color"] and v["shape"] == w["shape"]
                        for v in widgets
                    ),
                ),
                (w["shape"], unique("shape")),
                (f"{w['color']} shape", unique("color")),
            ]
        elif kind == "icon":
            return point(phrase(rng, w), i)
        else:
            options = [
                (kind, len(same) == 1),
                (f"{w['color']} {kind}", w["color"] and unique("color")),
                (
                    {
                        "checkbox": "checked checkbox",
                        "radio button": "selected radio button",
                        "tab": "selected tab",
                        "toggle": "toggle that is on",
                        "field": "filled field",
                        "button": None,
                    }.get(kind),
                    w["on"] and unique("on"),
                ),
                (
                    {
                        "checkbox": "unchecked checkbox",
                        "field": "empty field",
                        "toggle": "toggle that is off",
                        "button": "disabled button",
                    }.get(kind),
                    w["on"] is False and unique("on"),
                ),
            ]
        options = [name for name, sure in options if name and sure]
        return point(rng.choice(BARE).format(k=rng.choice(options)), i) if options else None
    if topic == "order":
        if len(same) < 2 or any(
            abs(widgets[a]["target"][1] - widgets[b]["target"][1]) < 8 for a, b in zip(same, same[1:])
        ):
            return None
        order = sorted(same, key=lambda j: widgets[j]["target"][1])
        names = dict(zip(["first", "second", "third", "fourth"], order)) | {
            "last": order[-1],
            "top": order[0],
            "bottom": order[-1],
        }
        name = rng.choice(list(names))
        return point(rng.choice(BARE[:3]).format(k=f"{name} {kind}"), names[name])
    if topic == "relation":  # the one on a side of another, or of its kind the one farthest to the left or right
        across = sorted(same, key=lambda j: widgets[j]["target"][0] + widgets[j]["target"][2])

        def middle(j):
            return (widgets[j]["target"][0] + widgets[j]["target"][2]) / 2

        options = (
            [
                (f"{name} {kind}", j)
                for name, j, next_to_it in (("leftmost", across[0], across[1]), ("rightmost", across[-1], across[-2]))
                if abs(middle(j) - middle(next_to_it)) >= 10
            ]
            if len(same) > 1
            else []
        )
        for axis, sign, word in (
            ((0, -1, "left of"), (0, 1, "right of"), (1, -1, "above"), (1, 1, "below"))
            if w["label"] and kind != "icon"
            else ()
        ):
            j = beside(widgets, i, axis, sign)
            if j is not None:
                options += [
                    (f"{widgets[j]['kind']} {word} {w['label']}", j),
                    (f'{widgets[j]["kind"]} {word} the {kind} "{w["label"]}"', j),
                ]
        if not options:
            return None
        name, j = rng.choice(options)
        return point(rng.choice(BARE[:3]).format(k=name), j)
    if topic == "read":
        there = written(place(w["target"], size, rng))
        return (
            made(
                rng.choice(
                    [
                        f"What is at {there}?",
                        f"What does it say at {there}?",
                        f"Read the text at {there}.",
                        f"What does the {kind} at {there} say?",
                    ]
                ),
                w["label"],
                [i],
            )
            if kind not in ("shape",)
            else None
        )
    if topic == "kind":
        there = written(place(w["target"], size, rng))
        name = (
            rng.choice([f"is at {there}", f'is "{w["label"]}"', f"is {w['label']}"])
            if w["label"] and kind != "icon"
            else f"is at {there}"
        )
        return made(f"What kind of widget {name}?", kind if kind != "shape" else w["shape"], [i])
    if topic == "color":
        if not w["color"]:
            return None
        name = (
            f"the {kind} {w['label']}"
            if w["label"] and rng.random() < 0.7
            else "the widget at " + written(place(w["target"], size, rng))
        )
        return made(f"What color is {name}?", w["color"], [i])
    if topic == "state":
        if kind == "tab":
            return (
                made(
                    "Which tab is selected?", next(v["label"] for v in widgets if v["kind"] == "tab" and v["on"]), same
                )
                if any(v["kind"] == "tab" and v["on"] for v in widgets)
                else None
            )
        word = {
            "checkbox": "checked",
            "radio button": "selected",
            "toggle": "on",
            "field": "filled",
            "button": "enabled",
        }.get(kind)
        return made(f"Is the {kind} {w['label']} {word}?", "yes" if w["on"] else "no", [i]) if word else None
    if topic == "count":
        name = rng.choice([kind, rng.choice(KINDS)])
        about = [j for j, v in enumerate(widgets) if v["kind"] == name]
        return made(f"How many {'checkboxes' if name == 'checkbox' else name + 's'} are there?", str(len(about)), about)
    raise ValueError(topic)


TOPICS = {
    "point": 12.0,
    "look": 3.0,
    "order": 1.5,
    "relation": 1.5,
    "read": 5.0,
    "kind": 2.0,
    "color": 2.5,
    "state": 1.5,
    "count": 0.7,
}


def sample(page: dict, rng: random.Random, count: int, topics=TOPICS) -> list[dict]:
    """Up to `count` different questions about a page."""
    found = {}
    for _ in range(4 * count):
        asked = ask(page, rng, rng.choices(list(topics), list(topics.values()))[0])
        if asked:
            found.setdefault(asked["question"], asked)
        if len(found) == count:
            break
    return list(found.values())


NOTES = [
    "The page has {n} parts.",
    "{N} made this page.",
    "Look at the {k} first.",
    "There may be more than one {k}.",
    "The {k} is near the {a} part.",
    "{N} asked for this.",
    "Only one {k} counts.",
    "The picture shows the whole page.",
    "Words like {l} may be on it.",
    "Nothing is hidden.",
    "Read the page with care.",
    "Answer with a place or a word.",
    "The rest is not needed.",
    "{n} steps are done, one is left.",
    "A wrong click can not be undone.",
    "{N} will check it.",
]
MARKS = ["Now: ", "Task: ", "Question: ", "Next: ", "What to do: ", "Asked: ", "Your task: ", "Then: "]


def within_text(rng: random.Random, question: str) -> str:
    """The question somewhere in a longer text of remarks and of orders about other pages, after a mark that tells it
    from those.
    """

    def note():
        return rng.choice(NOTES).format(
            n=rng.randint(2, 9),
            N=rng.choice(NAMES).capitalize(),
            k=rng.choice(KINDS),
            a=rng.choice(["top", "left", "right"]),
            l=cased(rng, rng.choice(ALL)),
        )

    def order():
        kind = rng.choice([k for k in KINDS if k not in ("icon", "shape")])
        return phrase(rng, {"kind": kind, "label": cased(rng, rng.choice(rng.choice(LISTS)))})

    notes, orders = [note() for _ in range(rng.randint(0, 3))], [order() for _ in range(rng.randint(0, 4))]
    numbered, end = rng.random() < 0.6, rng.choice(["", " Done.", " Yes.", " Finished."])
    earlier = [(f"{i}. " if numbered else "- ") + text + end for i, text in enumerate(orders, 1)]
    title = [rng.choice(["Before:", "Earlier:", "So far:", "Steps:", "Old tasks:"])] if earlier else []
    after = [note()] if rng.random() < 0.5 else []
    return "\n".join([*([" ".join(notes)] if notes else []), *title, *earlier, rng.choice(MARKS) + question, *after])


def without_image(rng: random.Random) -> dict:
    """An example of text alone: sums and simple orders."""

    def made(topic, question, answer):
        return {"topic": topic, "question": question, "answer": str(answer), "widgets": []}

    kind = rng.random()
    if kind < 0.7:
        a, b = (
            (rng.randint(0, 20), rng.randint(0, 20)) if rng.random() < 0.6 else (rng.randint(0, 99), rng.randint(0, 99))
        )
        sign = rng.choice("++--*")
        if sign == "*":
            a, b = a % 10, b % 10
        if sign == "-" and b > a:
            a, b = b, a
        value = {"+": a + b, "-": a - b, "*": a * b}[sign]
        name, thing = (
            cased(rng, rng.choice(NAMES)).capitalize(),
            rng.choice(["apples", "books", "coins", "cards", "eggs", "keys", "stars"]),
        )
        forms = [f"What is {a} {sign} {b}?", f"{a} {sign} {b} =", f"Compute {a} {sign} {b}."]
        forms += {
            "+": [
                f"Add {a} and {b}.",
                f"{name} has {a} {thing} and finds {b} more. How many {thing} does {name} have?",
            ],
            "-": [f"Take {b} from {a}.", f"{name} has {a} {thing} and gives away {b}. How many {thing} are left?"],
            "*": [f"Multiply {a} by {b}.", f"{name} buys {a} bags with {b} {thing} each. How many {thing} are there?"],
        }[sign]
        return made("sum", rng.choice(forms), value)
    words = [rng.choice(ALL) for _ in range(rng.randint(2, 4))]
    kind = rng.random()
    if kind < 0.3:
        return made("text", f"Repeat: {' '.join(words)}", " ".join(words))
    if kind < 0.6:
        which = rng.choice(["first", "last"])
        return made("text", f"What is the {which} word of: {' '.join(words)}?", words[0 if which == "first" else -1])
    if kind < 0.75:
        a, b = rng.sample(range(100), 2)
        which = rng.choice(["larger", "smaller"])
        return made("text", f"Which is {which}, {a} or {b}?", max(a, b) if which == "larger" else min(a, b))
    if kind < 0.9:
        n = rng.randint(0, 98)
        return made("text", f"Which number comes after {n}?", n + 1)
    return made("text", f"Write {words[0]} with a capital letter.", words[0].capitalize())


def texts() -> list[str]:
    """What a tokenizer must be good at here: every form of words, and each label word after a blank and at a text's
    start.
    """
    forms = ANY + BARE + [f for forms in OWN.values() for f in forms]
    fixed = [f.format(l="a", k=k) for f in forms for k in KINDS + SHAPES]
    rng = random.Random(0)
    examples = [without_image(rng) for _ in range(3000)]
    made = [
        "What is at",
        "What does it say at",
        "Read the text at",
        "What does the",
        "say?",
        "What kind of widget is at",
        "What color is the widget at",
        "Which tab is selected?",
        "Is the checked? selected? on? filled? enabled? yes no How many buttons links checkboxes radio buttons fields "
        "tabs dropdowns icons shapes texts badges toggles are there? first second third fourth last top bottom Tab #1 "
        "that is on off empty disabled unchecked",
    ]
    names = " ".join(list(COLORS) + list(ICONS))
    return [*fixed, *made, names, *(r["question"] for r in examples if r["topic"] == "sum")]
