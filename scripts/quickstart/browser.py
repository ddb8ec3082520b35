"""Pictures and widget boxes of pages, by one headless Chromium driven through chromedriver on loopback (standard library only)."""
import base64, io, json, os, socket, subprocess, time, urllib.request
from PIL import Image
from pages import LOOKS, SHARED_CSS, page_html

TILE, COLUMNS, ROWS = 176, 8, 8  # pages are laid out on a grid and one screenshot is cut into many pictures


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
        self.cdp("Emulation.setDeviceMetricsOverride",
                 {"width": TILE * COLUMNS, "height": TILE * ROWS, "deviceScaleFactor": 1, "mobile": False})
        css = SHARED_CSS + "".join(look["css"] for look in LOOKS.values())
        html = f"<!doctype html><meta charset=utf-8><style>{css}</style><body></body>"
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

    def render(self, pages, look):
        """For each page, its picture (RGB) and the boxes [x1, y1, x2, y2] of its widgets in the picture's pixels."""
        for start in range(0, len(pages), COLUMNS * ROWS):
            batch = pages[start: start + COLUMNS * ROWS]
            corners = [(TILE * (i % COLUMNS), TILE * (i // COLUMNS)) for i in range(len(batch))]
            html = "".join(page_html(page, look, x, y) for page, (x, y) in zip(batch, corners))
            boxes = self.call("/execute/sync", {"args": [html], "script": """
                document.body.innerHTML = arguments[0];
                return [...document.querySelectorAll('.page')].map(p => [...p.querySelectorAll('.widget')].map(w => {
                  const r = w.getBoundingClientRect(), o = p.getBoundingClientRect();
                  return [r.left - o.left, r.top - o.top, r.right - o.left, r.bottom - o.top]; }));"""})
            shot = self.cdp("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
            sheet = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
            assert sheet.size == (TILE * COLUMNS, TILE * ROWS), sheet.size
            for page, (x, y), rects in zip(batch, corners, boxes):
                picture = sheet.crop((x, y, x + page["width"], y + page["height"]))
                limits = [page["width"], page["height"]] * 2
                yield picture, [[min(max(round(v), 0), m) for v, m in zip(r, limits)] for r in rects]
