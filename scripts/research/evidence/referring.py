"""Expressions that mean exactly one of the elements of a page: by text, kind, colour, order or relation to another
element.
"""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "pretrain"))
from relations import beside  # noqa: E402


def expressions(elements):
    """All of them as (by what, expression, index of the element). Elements: {kind, text, color, box}, all distinct
    boxes.
    """
    out = []

    def count(**wanted):
        return sum(all(e[key] == value for key, value in wanted.items()) for e in elements)

    def name(e):
        return f'the {e["kind"]} "{e["text"]}"'

    def middle(e, axis):
        return (e["box"][axis] + e["box"][axis + 2]) / 2

    for i, e in enumerate(elements):
        kind, text, color = e["kind"], e["text"], e["color"]
        if text and count(text=text) == 1:
            out.append(("text", name(e), i))
        if count(kind=kind) == 1 and len(elements) > 1:
            out.append(("kind", f"the {kind}", i))
        if color and count(kind=kind, color=color) == 1 and count(color=color) > 1:
            out.append(("colour", f"the {color} {kind}", i))
        if color and count(color=color) == 1:
            out.append(("colour", f"the {color} item" if kind != "box" else f"the {color} box", i))
    for kind in dict.fromkeys(e["kind"] for e in elements):
        same = [i for i, e in enumerate(elements) if e["kind"] == kind]
        if len(same) < 2:
            continue
        for axis, first, last in ((0, "leftmost", "rightmost"), (1, "top", "bottom")):
            order = sorted(same, key=lambda i: middle(elements[i], axis))
            for i, next_to_it, word in ((order[0], order[1], first), (order[-1], order[-2], last)):
                if abs(middle(elements[i], axis) - middle(elements[next_to_it], axis)) >= 10:
                    out.append(("order", f"the {word} {kind}", i))
    for a, anchor in enumerate(elements):
        if not anchor["text"] or count(text=anchor["text"]) > 1:
            continue
        for axis, sign, word in (
            (0, -1, "to the left of"),
            (0, 1, "to the right of"),
            (1, -1, "above"),
            (1, 1, "below"),
        ):
            near = beside(elements, a, axis, sign)
            if near is not None:
                out.append(("relation", f"the {elements[near]['kind']} {word} {name(anchor)}", near))
    return out
