"""MiniWoB++ pages in one headless Chromium: episodes by seed, their images, and what the pages themselves reward."""

import importlib.util
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from chromium import Chromium  # noqa: E402

WIDTH, HEIGHT = 160, 210  # of a page, in pixels


class MiniWoB(Chromium):
    """The pages of the PyPI package `miniwob`, one task at a time; use as a context manager."""

    def __init__(self):
        super().__init__(WIDTH, HEIGHT)

    def __enter__(self):
        super().__enter__()
        package = importlib.util.find_spec("miniwob")
        if package is None:
            sys.exit("there is no package miniwob; install it with: pip install --no-deps miniwob==1.1.0")
        self.folder = pathlib.Path(package.origin).parent / "html" / "miniwob"
        self.cdp("Emulation.setFocusEmulationEnabled", {"enabled": True})
        return self

    def tasks(self):
        return sorted(path.stem for path in self.folder.glob("*.html"))

    def open(self, task):
        self.call("/url", {"url": (self.folder / f"{task}.html").as_uri()})
        self.script((HERE / "episodes.js").read_text())

    def solve(self, seed, bins):
        """The instruction, the rewarded boxes and an answer (thousandths, or None) of a seed; its episode stands on the
        page.
        """
        return self.script("return episodes.solve(arguments[0], arguments[1]);", seed, bins)

    def click(self, seed, x, y):
        """Starts the seed's episode, clicks with the browser's own mouse, and returns the page's reward."""
        self.script("episodes.start(arguments[0]);", seed)
        for kind, button in (("mouseMoved", "none"), ("mousePressed", "left"), ("mouseReleased", "left")):
            self.cdp("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "clickCount": 1, "button": button})
        return self.script("return episodes.reward();")
