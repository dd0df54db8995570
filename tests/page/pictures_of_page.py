#!/usr/bin/env python3
"""Takes the pictures of the web page in the documentation: docs/images/page_*.webp.

They hold a session with the emoji model and fixed seeds: a picture in light, a masked edit in dark at
the width of a phone.
"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from browser import Browser  # noqa: E402
from page_case import DONE, OPTIONS  # noqa: E402
from server import Server  # noqa: E402

IMAGES = pathlib.Path(__file__).resolve().parents[2] / "docs/images"


def draw(b, prompt, seed):
    b.fill("#prompt", prompt)
    b.fill("#seed", str(seed))
    b.click("#generate")
    b.until(f"document.getElementById('said').textContent === '{prompt}' && {DONE} && "
            f"document.getElementById('facts').textContent.includes('Seed{seed}')")


def take(b, name):
    b.mouse("mouseMoved", 1270, 400)
    b.run("scrollTo(0, 0); document.activeElement.blur()")
    b.shot(IMAGES / name)


def main():
    server = Server(OPTIONS.octet)
    b = Browser(1280, 800)
    try:
        b.prefer("light", calm=True)
        b.open(server.url + "/")
        b.until("document.getElementById('status').dataset.state === 'ready'")
        for seed, prompt in ((3, "a sunflower"), (1, "three green frogs"),
                             (2, "a cat on the left and a dog on the right"),
                             (5, "a pineapple on a yellow background"),
                             (7, "a red apple on a blue background")):
            draw(b, prompt, seed)
        take(b, "page_light.webp")
        b.prefer("dark", calm=True)
        b.click("#continue")
        b.until("!document.getElementById('start-editor').hidden")
        b.run("document.getElementById('mask-size').focus()")
        for _ in range(16):
            b.key("ArrowRight")
        for y in (0.45, 0.55, 0.65):
            b.drag("#mask", (0.35, y), (0.68, y))
        b.fill("#strength", "100")
        draw(b, "a sunflower on a blue background", 3)
        take(b, "page_dark.webp")
    finally:
        b.close()
        server.stop()


if __name__ == "__main__":
    main()
