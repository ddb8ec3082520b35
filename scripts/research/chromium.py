"""One headless Chromium driven through chromedriver on loopback (standard library and Pillow only)."""

import base64
import io
import json
import os
import socket
import subprocess
import time
import urllib.request


class Chromium:
    """One chromedriver session with an exact viewport; use as a context manager."""

    def __init__(self, width, height):
        self.size = (width, height)

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}/session"
        arguments = [
            "--headless=new",
            "--hide-scrollbars",
            "--disable-gpu",
            "--disable-lcd-text",
            "--force-color-profile=srgb",
            "--font-render-hinting=none",
        ] + (["--no-sandbox"] if os.geteuid() == 0 else [])
        options = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}
        for attempt in range(50):
            try:
                self.url += "/" + self.call("", {"capabilities": {"alwaysMatch": options}})["sessionId"]
                break
            except (ConnectionError, urllib.error.URLError):
                if attempt == 49:
                    raise
                time.sleep(0.2)
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": self.size[0], "height": self.size[1], "deviceScaleFactor": 1, "mobile": False},
        )
        return self

    def __exit__(self, *_):
        try:
            urllib.request.urlopen(urllib.request.Request(self.url, method="DELETE")).close()
        finally:
            self.driver.terminate()
            self.driver.wait()

    def call(self, path, body):
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def cdp(self, command, parameters):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def script(self, text, *arguments):
        return self.call("/execute/sync", {"script": text, "args": list(arguments)})

    def show(self, css):
        """An empty page with that style."""
        html = f"<!doctype html><meta charset=utf-8><style>{css}</style><body></body>"
        self.call("/url", {"url": "data:text/html;base64," + base64.b64encode(html.encode()).decode()})

    def screenshot(self):
        """The page as it stands, an RGB image of Pillow's."""
        from PIL import Image  # here, so that what needs no screenshot needs no Pillow

        shot = self.cdp("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
        image = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
        assert image.size == self.size, image.size
        return image
