"""Which element of a page lies on a side of another, where no reader could doubt it."""


def beside(elements, a, axis, sign):
    """The one element that lies on this side of `a` (axis 0 x, 1 y; sign -1 before, 1 after) and overlaps it along the
    other axis, or the nearest one by far; None where a reader could doubt which is meant.
    """
    here, other = elements[a]["box"], 1 - axis
    found = []
    for i, e in enumerate(elements):
        there = e["box"]
        gap = there[axis] - here[axis + 2] if sign > 0 else here[axis] - there[axis + 2]
        if gap >= -2 and min(here[other + 2], there[other + 2]) - max(here[other], there[other]) > 4:
            found.append((gap, i))
    found.sort()
    if not found or found[0][0] > 40:
        return None
    nearest = found[0][1]
    same = [gap for gap, i in found[1:] if elements[i]["kind"] == elements[nearest]["kind"]]
    return nearest if all(gap >= found[0][0] + 10 for gap in same) else None
