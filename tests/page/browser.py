"""A headless Chromium, driven over its DevTools pipe: no driver program, no library.

Clicks, keys and drags are the browser's own input events, so they go where a user's would: an
element that is covered, hidden or outside the window does not get them. Whatever the page says on
its console and whatever it asks of any network is kept for the tests to judge.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Failure(AssertionError):
    """The page is not what the test expects."""


def find():
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    return None


class Browser:
    """One page of one browser with a profile of its own."""

    def __init__(self, width=1280, height=860):
        self.profile = tempfile.mkdtemp(prefix="octet-page-")
        command = [find(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox",
                   f"--user-data-dir={self.profile}", "--no-first-run", "--disable-gpu",
                   "--disable-background-networking", "--disable-component-update",
                   "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
                   # Whatever is not this machine does not exist.
                   "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                   f"--window-size={width},{height}", "about:blank"]
        to_browser, self.to = os.pipe()
        self.back, from_browser = os.pipe()

        def at_descriptors_3_and_4():
            # First out of the way, so that neither overwrites the other.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        close_fds=False, preexec_fn=at_descriptors_3_and_4)
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.answers = {}
        self.changed = threading.Condition()
        self.console, self.requests = [], []
        self.streams, self.most_streams = set(), 0  # of events, at once
        self.session = self.target = None
        self.size = width, height
        threading.Thread(target=self._read, daemon=True).start()
        self.new_tab()

    def new_tab(self):
        """Another tab instead of the one so far: it knows nothing of what went on there."""
        before, self.session = self.target, None
        self.target = self.send("Target.createTarget", url="about:blank")["targetId"]
        if before:
            self.send("Target.closeTarget", targetId=before)
        self.session = self.send("Target.attachToTarget", targetId=self.target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.send(f"{domain}.enable")
        self.resize(*self.size)
        self.console.clear()
        self.requests.clear()
        self.streams.clear()
        self.most_streams = 0

    def close(self):
        try:
            self.session = None
            self.send("Browser.close", wait=5)
        except (Failure, OSError):
            self.process.kill()
        self.process.wait(timeout=20)
        shutil.rmtree(self.profile, ignore_errors=True)

    # ---- the pipe

    def _read(self):
        rest = b""
        while True:
            try:
                piece = os.read(self.back, 1 << 16)
            except OSError:
                return
            if not piece:
                return
            *messages, rest = (rest + piece).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message):
        if "id" in message:
            with self.changed:
                self.answers[message["id"]] = message
                self.changed.notify_all()
            return
        method, values = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(a.get("value", a.get("description")))
                                         for a in values["args"]))
        elif method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.console.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
            if values["request"]["url"].endswith("/events"):
                self.streams.add(values["requestId"])
                self.most_streams = max(self.most_streams, len(self.streams))
        elif method in ("Network.loadingFinished", "Network.loadingFailed"):
            self.streams.discard(values["requestId"])

    def send(self, method, wait=120, **values):
        with self.changed:
            self.number += 1
            number = self.number
        message = {"id": number, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers, timeout=wait):
                raise Failure(f"the browser does not answer {method}")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error']}")
        return answer["result"]

    # ---- the page

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def resize(self, width, height, scale=1, touch=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=touch)

    def prefer(self, scheme, calm=False):
        self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}])

    def run(self, script):
        """The value of an expression, which may be a promise."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise Failure(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def until(self, script, seconds=120):
        """Waits for an expression to become true, and returns its value."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script)
            if value:
                return value
            if time.monotonic() > end:
                raise Failure(f"not within {seconds} s: {script}")
            time.sleep(0.05)

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def sees(self, selector):
        """Whether the element takes part in what is shown."""
        return self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
                        "return Boolean(e && e.checkVisibility({visibilityProperty: true})); })()")

    def place(self, selector):
        """The middle of an element that a click there would reach; scrolls to it."""
        place = self.run(f"""(() => {{
            const e = document.querySelector({json.dumps(selector)});
            if (!e) return 'is not there';
            e.scrollIntoView({{block: 'center', behavior: 'instant'}});
            const b = e.getBoundingClientRect();
            const x = b.x + b.width / 2, y = b.y + b.height / 2;
            const top = document.elementFromPoint(x, y);
            const own = top && (e.contains(top) || e.closest('label')?.contains(top) ||
                                [...(e.labels ?? [])].some((l) => l.contains(top)));
            return own ? [x, y] : 'is covered by ' + (top ? top.outerHTML.slice(0, 80) : 'nothing');
        }})()""")
        if isinstance(place, str):
            raise Failure(f"{selector} {place}")
        return place

    # ---- what a user does

    def mouse(self, kind, x, y, **values):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **values)

    def click(self, selector):
        x, y = self.place(selector)
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def drag(self, selector, begin, end, steps=12):
        """Along a line inside an element; begin and end are (x, y) from 0 to 1."""
        self.place(selector)
        box = self.run(f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
                       ".getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()")

        def at(t):
            part = [a + (b - a) * t for a, b in zip(begin, end)]
            return box[0] + part[0] * box[2], box[1] + part[1] * box[3]

        self.mouse("mouseMoved", *at(0))
        self.mouse("mousePressed", *at(0), button="left", buttons=1, clickCount=1)
        for i in range(1, steps + 1):
            self.mouse("mouseMoved", *at(i / steps), button="left", buttons=1)
        self.mouse("mouseReleased", *at(1), button="left", clickCount=1)

    def drop(self, selector, path):
        """A file from outside, dropped onto an element."""
        x, y = self.place(selector)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def choose(self, selector, path):
        """What the dialog of an <input type=file> would do."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def type(self, text):
        self.send("Input.insertText", text=text)

    KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
            "ArrowDown": 40, "Delete": 46, "Tab": 9, "Home": 36, "End": 35, " ": 32, "/": 191,
            "a": 65, "]": 221}

    def key(self, name, ctrl=False, shift=False):
        code = {" ": "Space", "/": "Slash", "a": "KeyA", "]": "BracketRight"}.get(name, name)
        values = {"key": name, "code": code, "windowsVirtualKeyCode": self.KEYS[name],
                  "modifiers": (2 if ctrl else 0) | (8 if shift else 0)}
        text = {"Enter": "\r"}.get(name, name if len(name) == 1 else "")
        if text and not ctrl:
            values["text"] = text
        if name == "a" and ctrl:
            values["commands"] = ["selectAll"]
        self.send("Input.dispatchKeyEvent", type="keyDown", **values)
        values.pop("text", None)
        values.pop("commands", None)
        self.send("Input.dispatchKeyEvent", type="keyUp", **values)

    def fill(self, selector, text):
        """Replaces what a field holds."""
        self.click(selector)
        self.key("a", ctrl=True)
        self.type(text)

    def shot(self, path):
        path = pathlib.Path(path)
        data = self.send("Page.captureScreenshot", format="webp" if path.suffix == ".webp" else "png",
                         **({"quality": 80} if path.suffix == ".webp" else {}))["data"]
        path.write_bytes(base64.b64decode(data))
