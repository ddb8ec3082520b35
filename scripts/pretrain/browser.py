"""Pictures of pages, by one headless Chromium driven through chromedriver on loopback (standard library and Pillow only)."""
import base64, io, json, os, socket, subprocess, time, urllib.request
from PIL import Image
from pages import CSS

WIDTH, HEIGHT = 1600, 1260  # of one sheet: pages of one size are laid out side by side and a screenshot is cut into many pictures
SCRIPT = """
document.body.innerHTML = arguments[0];
const box = (e, o) => { const r = e.getBoundingClientRect(); return [r.left - o.left, r.top - o.top, r.right - o.left, r.bottom - o.top]; };
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
  return {letters: letters, widgets: [...p.querySelectorAll('.w')].map(w => [box(w, o), box(w.querySelector('.t') || w, o)])};
});"""


class Browser:
    """One chromedriver session with an exact viewport; use as a context manager."""

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--hide-scrollbars", "--disable-gpu", "--disable-lcd-text", "--force-color-profile=srgb",
                     "--font-render-hinting=none"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
        options = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}
        for attempt in range(50):
            try:
                self.url += "/" + self.call("", {"capabilities": {"alwaysMatch": options}})["sessionId"]
                break
            except (ConnectionError, urllib.error.URLError):
                if attempt == 49:
                    raise
                time.sleep(0.2)
        self.cdp("Emulation.setDeviceMetricsOverride", {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False})
        html = f"<!doctype html><meta charset=utf-8><style>{CSS}</style><body></body>"
        self.call("/url", {"url": "data:text/html;base64," + base64.b64encode(html.encode()).decode()})
        return self

    def __exit__(self, *_):
        try:
            urllib.request.urlopen(urllib.request.Request(self.url, method="DELETE")).close()
        finally:
            self.driver.terminate()
            self.driver.wait()

    def call(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def cdp(self, command, parameters):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def render(self, pages):
        """For pages of one size, each one's picture (RGB), the boxes (whole, target) of its widgets and the centres of its letters,
        in the picture's pixels."""
        width, height = pages[0].width, pages[0].height
        columns, rows = WIDTH // width, HEIGHT // height
        for start in range(0, len(pages), columns * rows):
            batch = pages[start: start + columns * rows]
            corners = [(width * (i % columns), height * (i // columns)) for i in range(len(batch))]
            html = "".join(page.html(x, y) for page, (x, y) in zip(batch, corners))
            found = self.call("/execute/sync", {"args": [html], "script": SCRIPT})
            shot = self.cdp("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
            sheet = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
            assert sheet.size == (WIDTH, HEIGHT), sheet.size
            for page, (x, y), measured in zip(batch, corners, found):
                yield page, sheet.crop((x, y, x + width, y + height)), measured["widgets"], measured["letters"]
