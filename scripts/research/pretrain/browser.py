"""Images of pages, by headless Chromium."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from chromium import Chromium  # noqa: E402
from pages import CSS

# Of one sheet: pages of one size are laid out side by side and a screenshot is cut into many images.
WIDTH, HEIGHT = 1600, 1260
SCRIPT = """
document.body.innerHTML = arguments[0];
const box = (e, o) => {
  const r = e.getBoundingClientRect();
  return [r.left - o.left, r.top - o.top, r.right - o.left, r.bottom - o.top];
};
return [...document.querySelectorAll('.page')].map(p => {
  const o = p.getBoundingClientRect(), range = document.createRange(), letters = [];
  const walk = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    if (n.parentElement.tagName == 'OPTION') continue;
    for (let i = 0; i < n.length; ++i) {
      if (!/[a-z0-9#]/i.test(n.data[i])) continue;
      range.setStart(n, i); range.setEnd(n, i + 1);
      const r = range.getBoundingClientRect();
      letters.push([n.data[i].toLowerCase(), (r.left + r.right) / 2 - o.left, (r.top + r.bottom) / 2 - o.top]);
    }
  }
  const widgets = [...p.querySelectorAll('.w')].map(w => [box(w, o), box(w.querySelector('.t') || w, o)]);
  return {letters: letters, widgets: widgets};
});"""


class Browser(Chromium):
    """Use as a context manager."""

    def __init__(self):
        super().__init__(WIDTH, HEIGHT)

    def __enter__(self):
        super().__enter__()
        self.show(CSS)
        return self

    def render(self, pages):
        """For pages of one size, each one's image (RGB), the boxes (whole, target) of its widgets and the centres of
        its letters, in the image's pixels.
        """
        width, height = pages[0].width, pages[0].height
        columns, rows = WIDTH // width, HEIGHT // height
        for start in range(0, len(pages), columns * rows):
            batch = pages[start : start + columns * rows]
            corners = [(width * (i % columns), height * (i // columns)) for i in range(len(batch))]
            html = "".join(page.html(x, y) for page, (x, y) in zip(batch, corners))
            found = self.script(SCRIPT, html)
            sheet = self.screenshot()
            for page, (x, y), measured in zip(batch, corners, found):
                yield page, sheet.crop((x, y, x + width, y + height)), measured["widgets"], measured["letters"]
