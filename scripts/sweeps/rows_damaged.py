"""Rows with damage at random: whatever imagelora makes of them, a refusal is one line in its own words."""

import copy
import json
import random

ROWS = 300
PER_FILE = 10
VALUES = (
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    1e308,
    2**53 + 1,
    10**30,
    "",
    " ",
    "a.png",
    "<image>",
    "<bbox>",
    "user",
    "\u0000",
    "\ud83d\ude00",
    "x" * 5000,
    [],
    {},
    [None],
    [[]],
    [1, 2, 3, 4],
    [{}],
    {"": ""},
    {"type": "image"},
    {"type": "text", "text": None},
    {"url": 1},
)
KEYS = (
    "id",
    "images",
    "image",
    "messages",
    "conversations",
    "system",
    "tools",
    "objects",
    "group",
    "role",
    "content",
    "from",
    "value",
    "loss",
    "weight",
    "type",
    "text",
    "path",
    "url",
    "image_url",
    "base64",
    "min_pixels",
    "resized_height",
    "bbox",
    "bbox_type",
    "ref",
    "image_id",
    "width",
    "",
    "_",
    "\u0000",
    "é",
)


def places(value):
    """(container, key) of everything inside."""
    keys = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def damaged(row, r):
    row = copy.deepcopy(row)
    for _ in range(r.choice((1, 1, 1, 2, 4))):
        container, key = r.choice(list(places(row)) or [(row, "id")])
        form = r.randrange(5)
        if form == 0:
            container[key] = copy.deepcopy(r.choice(VALUES))
        elif form == 1:
            del container[key]
        elif form == 2 and isinstance(container, dict):
            container[r.choice(KEYS)] = container.pop(key) if r.random() < 0.5 else copy.deepcopy(r.choice(VALUES))
        elif form == 3 and isinstance(container, list):
            container.insert(key, copy.deepcopy(r.choice([*VALUES, container[key]])))
        else:
            container[key] = [container[key]]
    return row


def texts(shapes, seed):
    """Files of damaged rows; some are damaged as texts too."""
    r = random.Random(seed)
    sound = [row for shape in shapes for row in parsed(shape.text)]
    for start in range(0, ROWS, PER_FILE):
        lines = []
        for number in range(PER_FILE):
            row = damaged(r.choice(sound), r)
            if isinstance(row, dict) and r.random() < 0.8:
                row["id"] = f"{start + number}"
            line = json.dumps(row, ensure_ascii=r.random() < 0.5)
            if r.random() < 0.2:
                at = r.randrange(len(line))
                line = (
                    line[:at]
                    + r.choice(("", "}", ",", '"', "\\", "\t", "\\u12", "\x01", "NaN", "1e999"))
                    + line[at + 1 :]
                )
            lines.append(line)
        yield "".join(line + "\n" for line in lines)


def parsed(text):
    try:
        rows = [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)]
