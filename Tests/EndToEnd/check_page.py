#!/usr/bin/env python3
"""Load a page in headless Chromium and check that it is whole: standard library alone, Chromium over a pipe.

    python3 check_page.py PAGE.html [--count SELECTOR=N]... [--screenshots PREFIX]

Loaded at the widths of a desk and of a phone, in light and in dark, the page must log nothing, ask for nothing but
itself and data: URLs, never be wider than the window, and every svg, img and image in it must have content and a size.
Rows of charts must be full.
`--count` states how many elements a selector finds. With `--screenshots` each view is saved as PREFIX-WIDTH-SCHEME.png.
Every fault is a line; the status is 1 if there is any.
"""

import argparse
import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]

FIGURES = """(async () => {
  const faults = [];
  const name = e => e.outerHTML.slice(0, 120);
  for (const e of document.querySelectorAll('svg, img, svg image, svg rect, svg text, svg polyline')) {
    const box = e.getBoundingClientRect();
    if (e.closest('clipPath')) continue;
    const flat = e.tagName === 'polyline' || e.tagName === 'rect';  // a level line, a box without area
    const empty = [box.width, box.height].map(side => side <= 0);
    if (flat ? empty.every(Boolean) : empty.some(Boolean)) faults.push('no size: ' + name(e));
    const shapes = 'rect, circle, path, polyline, line, image';
    if (e.tagName === 'svg' && !e.querySelector(shapes)) faults.push('empty: ' + name(e));
    for (const a of e.attributes) if (/NaN|Infinity|undefined/.test(a.value)) faults.push(a.name + ': ' + name(e));
  }
  for (const e of document.querySelectorAll('img, svg image')) {
    const image = new Image();
    image.src = e.src ?? e.href.baseVal;
    await image.decode().catch(() => faults.push('not decoded: ' + name(e)));
  }
  const charts = document.querySelector('.charts:not(.single)');
  const edge = e => Math.round(e.getBoundingClientRect().right);
  const isFull = !charts || innerWidth <= 900 || edge(charts.lastElementChild) === edge(charts);
  if (!isFull) faults.push('a hole after the charts');
  const width = document.scrollingElement.scrollWidth;
  if (width > innerWidth) faults.push(`the page is ${width} wide in a window of ${innerWidth}`);
  return faults;
})()"""


class Browser:
    """One headless Chromium; messages are JSON between zero bytes on its file descriptors 3 and 4."""

    def __enter__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            sys.exit("no Chromium: scripts/install-dependencies.sh --tests installs it")
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
        # Above those that they are moved to.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        arguments = [
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={self.folder.name}",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [program, *arguments, "about:blank"],
            close_fds=False,
            preexec_fn=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        self.reader, self.writer = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.last, self.events, self.session = 0, [], None
        # A browser that hangs is a failure, not a wait.
        self.watch = threading.Timer(120, self.process.kill)
        self.watch.start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.watch.cancel()
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def receive(self):
        message = bytearray()
        while (byte := self.reader.read(1)) != b"\0":
            if not byte:
                sys.exit("Chromium ended or did not answer")
            message += byte
        return json.loads(message)

    def call(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"a check failed to run: {result['exceptionDetails']}")
        return result["result"]["value"]


def faults_of(browser, url):
    """What the events since the page was opened tell against it."""
    for event in browser.events:
        method, p = event.get("method"), event.get("params", {})
        if (
            method == "Network.requestWillBeSent"
            and p["request"]["url"] != url
            and not p["request"]["url"].startswith("data:")
        ):
            yield f"a request: {p['request']['url']}"
        elif method == "Log.entryAdded":
            yield f"logged: {p['entry']['text']}"
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            yield f"{method}: {json.dumps(p)[:200]}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("--count", action="append", default=[], metavar="SELECTOR=N")
    parser.add_argument("--screenshots", metavar="PREFIX")
    options = parser.parse_args()
    url = options.page.resolve().as_uri()
    faults = []
    with Browser() as browser:
        for width, scheme in VIEWS:
            view = f"{width} wide, {scheme}"
            browser.events.clear()
            browser.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
            )
            browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.call("Page.navigate", url=url)
            browser.wait("Page.loadEventFired")
            faults += [f"{view}: {fault}" for fault in browser.evaluate(FIGURES)]
            for wanted in options.count:
                selector, _, count = wanted.rpartition("=")
                found = browser.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length")
                if found != int(count):
                    faults.append(f"{view}: {found} of {selector}, wanted {count}")
            faults += [f"{view}: {fault}" for fault in faults_of(browser, url)]
            if options.screenshots:
                shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
                Path(f"{options.screenshots}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    print("\n".join(dict.fromkeys(faults)) or f"{options.page}: whole in {len(VIEWS)} views")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
