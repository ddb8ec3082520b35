"""Pictures and widget boxes of pages, by headless Chromium."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from chromium import Chromium  # noqa: E402
from pages import LOOKS, SHARED_CSS, page_html

TILE, COLUMNS, ROWS = 176, 8, 8  # pages are laid out on a grid and one screenshot is cut into many pictures


class Browser(Chromium):
    """Use as a context manager."""

    def __init__(self):
        super().__init__(TILE * COLUMNS, TILE * ROWS)

    def __enter__(self):
        super().__enter__()
        self.show(SHARED_CSS + "".join(look["css"] for look in LOOKS.values()))
        return self

    def render(self, pages, look):
        """For each page, its picture (RGB) and the boxes [x1, y1, x2, y2] of its widgets in the picture's pixels."""
        for start in range(0, len(pages), COLUMNS * ROWS):
            batch = pages[start: start + COLUMNS * ROWS]
            corners = [(TILE * (i % COLUMNS), TILE * (i // COLUMNS)) for i in range(len(batch))]
            html = "".join(page_html(page, look, x, y) for page, (x, y) in zip(batch, corners))
            boxes = self.script("""
                document.body.innerHTML = arguments[0];
                return [...document.querySelectorAll('.page')].map(p => [...p.querySelectorAll('.widget')].map(w => {
                  const r = w.getBoundingClientRect(), o = p.getBoundingClientRect();
                  return [r.left - o.left, r.top - o.top, r.right - o.left, r.bottom - o.top]; }));""", html)
            sheet = self.picture()
            for page, (x, y), rects in zip(batch, corners, boxes):
                picture = sheet.crop((x, y, x + page["width"], y + page["height"]))
                limits = [page["width"], page["height"]] * 2
                yield picture, [[min(max(round(v), 0), m) for v, m in zip(r, limits)] for r in rects]
