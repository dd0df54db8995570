"""What the tests of the page share: a server, a browser, and the words that they are written in."""
import argparse
import pathlib
import subprocess
import tempfile
import time
import unittest

from browser import Browser
from server import Server

FOLDER = pathlib.Path(__file__).resolve().parent
OPTIONS = argparse.Namespace(octet=str(FOLDER.parents[1] / "build/octet"), page=None, shots=None)
CONTRAST = (FOLDER / "contrast.js").read_text(encoding="utf-8")
DONE = "!document.getElementById('about').hidden"
GOING = "!document.getElementById('going').hidden"
LONG = 400  # steps that take some seconds


class PageCase(unittest.TestCase):
    flags = ()
    expected = ()  # beginnings of what the console may say

    @classmethod
    def setUpClass(cls):
        cls.server = cls.start()
        cls.browser = Browser()
        cls.folder = tempfile.TemporaryDirectory(prefix="octet-page-")

    @classmethod
    def start(cls, **where):
        page = ("--page", OPTIONS.page) if OPTIONS.page else ()
        return Server(OPTIONS.octet, *cls.flags, *page, **where)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.server.stop()
        cls.folder.cleanup()

    def setUp(self):
        b, self.url = self.browser, self.server.url
        b.new_tab()
        b.resize(1280, 900)
        b.prefer("light")
        b.send("Storage.clearDataForOrigin", origin=self.url, storageTypes="local_storage")
        b.open(self.url + "/")
        self.begin()

    def begin(self):
        self.browser.until("document.getElementById('status').dataset.state === 'ready'")

    def tearDown(self):
        self.shot(self.id().rpartition(".")[2])
        said = [line for line in self.browser.console
                if not any(part in line for part in self.expected)]
        self.assertEqual(said, [])
        foreign = [url for url in self.browser.requests
                   if not url.startswith((self.url, "data:image/", "blob:", "about:"))]
        self.assertEqual(foreign, [])
        self.assertGreater(len(self.browser.requests), 5)

    def shot(self, name):
        if OPTIONS.shots:
            pathlib.Path(OPTIONS.shots).mkdir(parents=True, exist_ok=True)
            self.browser.shot(pathlib.Path(OPTIONS.shots) / f"{name}.png")

    # ---- words of the tests

    def prompt(self, text):
        self.browser.fill("#prompt", text)

    def steps(self, count):
        if not self.browser.run("document.getElementById('more').open"):
            self.browser.click("#more > summary")
        self.browser.fill("#steps", str(count))

    def draw(self, text="a red apple"):
        self.prompt(text)
        tiles = self.tiles()
        self.browser.click("#generate")
        self.browser.until(f"document.querySelectorAll('#thumbs li').length > {tiles} && {DONE}")

    def tiles(self):
        return self.browser.run("document.querySelectorAll('#thumbs li').length")

    def facts(self):
        return dict(self.browser.run(
            "[...document.querySelectorAll('#facts div')].map((d) => [d.children[0].textContent,"
            " d.children[1].textContent])"))

    def file(self, name, data):
        path = pathlib.Path(self.folder.name) / name
        path.write_bytes(data)
        return path

    def octet(self, *words):
        path = pathlib.Path(self.folder.name) / f"{time.monotonic_ns()}.png"
        subprocess.run([OPTIONS.octet, "generate", *words, "-o", str(path)], check=True,
                       capture_output=True)
        return path

    def readable(self, state):
        for scheme in ("light", "dark"):
            self.browser.prefer(scheme, calm=True)
            result = self.browser.run(CONTRAST)
            self.shot(f"{state}_{scheme}")
            self.assertGreater(result["count"], 12)
            self.assertEqual(result["bad"], [], f"{state}, {scheme}")
        self.browser.prefer("light")

    def downloaded(self):
        """The file that a click on Download saves, and its name."""
        b = self.browser
        b.send("Page.setDownloadBehavior", behavior="allow", downloadPath=self.folder.name)
        name = b.run("document.getElementById('download').download")
        path = pathlib.Path(self.folder.name) / name
        path.unlink(missing_ok=True)
        b.click("#download")
        for _ in range(600):
            if path.exists():
                return name, path.read_bytes()
            time.sleep(0.05)
        self.fail(f"{name} was not downloaded")
