"""Pages as images, with the boxes of their widgets that can be seen."""

from browser import Browser


def visible(page, boxes):
    """The page's widgets that can be seen, with their boxes in pixels."""
    kept = []
    for widget, (box, target) in zip(page.widgets, boxes):

        def clip(b):
            return [min(max(round(v), 0), m) for v, m in zip(b, [page.width, page.height] * 2)]

        def area(b):
            return max(0, b[2] - b[0]) * max(0, b[3] - b[1])

        if area(clip(box)) > 0.85 * area(box) and area(clip(target)) > 0.85 * area(target) > 0:
            kept.append({**widget, "box": clip(box), "target": clip(target)})
    return kept


def overlap(widgets):
    boxes = [w["box"] for w in widgets]

    def inside(a, b):
        return min(a[2], b[2]) - max(a[0], b[0]) > 2 and min(a[3], b[3]) - max(a[1], b[1]) > 3

    return any(inside(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


def rendered(pages):
    """(image, {size, widgets}, letters) of all pages of one size that have a widget and none on top of another."""
    with Browser() as browser:
        for page, image, boxes, letters in browser.render(pages):
            assert len(boxes) == len(page.widgets)
            widgets = visible(page, boxes)
            if widgets and not overlap(widgets):
                yield image, {"size": [page.width, page.height], "widgets": widgets}, letters
