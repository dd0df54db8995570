"""From a prompt to a file."""
import json
import struct
import time

from page_case import DONE, GOING, LONG, PageCase


def texts(png):
    """The tEXt chunks of a PNG."""
    found, at = {}, 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"tEXt":
            key, _, value = png[at + 8:at + 8 + size].partition(b"\0")
            found[key.decode()] = value.decode("latin-1")
        at += 12 + size
    return found


class Drawing(PageCase):
    expected = ("status of 400", )

    def test_defaults_are_the_models(self):
        _, models = self.server.ask("GET", "/v1/models")
        card = models["data"][0]["octet"]
        b = self.browser
        self.assertEqual(b.run("document.getElementById('steps').value"),
                         str(card["num_inference_steps"]))
        self.assertEqual(float(b.run("document.getElementById('guidance').value")),
                         card["guidance_scale"])
        self.assertEqual(b.run("document.querySelector('[name=shape]:checked').value"), card["size"])
        self.assertEqual(b.text("#shape-chosen"), card["size"].replace("x", "\u00d7"))
        self.assertEqual(b.run("document.getElementById('sampler').value"), card["sampler"])
        self.assertEqual(b.run("document.querySelectorAll('[name=shape]').length"),
                         len(card["sizes"]))

    def test_a_picture_and_its_file(self):
        b = self.browser
        self.prompt("three green frogs")
        b.fill("#seed", "18446744073709551615")  # 64 bits, of which JavaScript's numbers lose some
        b.click("#generate")
        b.until(DONE)
        self.assertEqual(self.facts()["Seed"], "18446744073709551615")
        self.assertEqual(b.run("(async () => { const p = document.getElementById('picture');"
                               "await p.decode(); return p.naturalWidth; })()"), 256)
        name, data = self.downloaded()
        self.assertEqual(name, "three-green-frogs-18446744073709551615.png")
        record = json.loads(texts(data)["octet"])
        self.assertEqual(record["prompt"], "three green frogs")
        self.assertEqual(record["seed"], 18446744073709551615)
        like = self.octet("three green frogs", "--seed", "18446744073709551615")
        self.assertEqual(data, like.read_bytes(), "as the command line draws it")

    def test_an_example_is_one_click(self):
        b = self.browser
        b.click("#examples button:nth-child(2)")
        b.until(DONE)
        self.assertEqual(b.text("#said"), b.run("document.getElementById('prompt').value"))

    def test_progress_previews_and_time_left(self):
        b = self.browser
        b.run("""(() => {
            window.seen = {texts: [], said: [], previews: new Set(), values: []};
            const track = document.getElementById('track');
            new MutationObserver(() => {
                seen.texts.push(document.getElementById('going-text').textContent);
                seen.values.push(Number(track.getAttribute('aria-valuenow')));
                const url = document.getElementById('picture').src;
                if (url.startsWith('data:')) seen.previews.add(url);
            }).observe(document.getElementById('view'),
                       {subtree: true, attributes: true, childList: true});
            new MutationObserver(() => seen.said.push(document.getElementById('live').textContent))
                .observe(document.getElementById('live'), {childList: true});
        })()""")
        self.steps(60)
        self.draw()
        seen = b.run("({...seen, previews: seen.previews.size})")
        steps = [text for text in seen["texts"] if text.startswith("Step ")]
        self.assertTrue(any(text.startswith("Step 30 of 60, ") and text.endswith(" left")
                            for text in steps), steps)
        self.assertGreaterEqual(seen["previews"], 2)
        self.assertEqual(seen["values"], sorted(seen["values"]))
        self.assertLess(len(seen["said"]), 12, "whoever listens is not flooded")
        self.assertEqual(seen["said"][-1], "The picture is done.")
        self.assertIn("50 percent", seen["said"])

    def test_several_pictures(self):
        b = self.browser
        b.click("#counts label:nth-child(3)")
        b.fill("#seed", "7")
        self.draw()
        self.assertEqual(self.tiles(), 3)
        self.assertEqual(b.text("#session-count"), "3 pictures")
        self.assertEqual(self.facts()["Seed"], "7")
        b.click("#thumbs li:nth-child(3)")
        self.assertEqual(self.facts()["Seed"], "9")

    def test_many_at_once_leave_connections_for_the_rest(self):
        b = self.browser
        for steps in (1000, 20):
            self.steps(steps)
            for _ in range(4):
                self.prompt(f"a red apple in {steps} steps")
                b.key("Enter", ctrl=True)
        # The last ones have no stream, and are done while the first ones hold theirs.
        b.until("document.querySelectorAll('#thumbs li[data-state=done]').length === 4")
        for left in (7, 6, 5, 4):
            b.click("#thumbs li[data-state=going]")
            b.click("#cancel")
            b.until(f"document.querySelectorAll('#thumbs li').length === {left}")
        self.assertEqual(b.most_streams, 3, "of six connections")

    def test_cancel_by_button_and_by_key(self):
        b = self.browser
        self.steps(LONG)
        for way in (lambda: b.click("#cancel"), lambda: b.key("Escape")):
            self.prompt("a red apple")
            b.click("#generate")
            b.until(GOING + " && document.getElementById('going-text').textContent"
                            ".startsWith('Step ')")
            self.assertEqual(self.tiles(), 1)
            way()
            b.until("document.querySelectorAll('#thumbs li').length === 0")
            self.assertTrue(b.sees("#empty"))
        self.assertEqual(b.text("#live"), "Cancelled.")

    def test_a_closed_page_leaves_no_work(self):
        b = self.browser
        self.steps(1000)
        self.prompt("a red apple")
        b.click("#generate")
        b.until(GOING + " && document.getElementById('going-text').textContent.startsWith('Step ')")
        events = [url for url in b.requests if url.endswith("/events")]
        b.open(self.server.url + "/")
        path = events[0].removesuffix("/events").removeprefix(self.server.url)
        end = time.monotonic() + 60
        while self.server.ask("GET", path)[1]["state"] != "cancelled":
            self.assertLess(time.monotonic(), end, "it is drawn for nobody")
            time.sleep(0.05)

    def test_errors_are_shown_where_they_belong(self):
        b = self.browser
        b.click("#generate")
        self.assertEqual(b.text("#problem"), "Say what to draw first.")
        self.assertEqual(b.run("document.activeElement.id"), "prompt")
        self.steps(5000)
        self.prompt("a red apple")
        b.key("Enter", ctrl=True)
        b.until("document.getElementById('problem').textContent.startsWith('Steps: expected')")
        self.assertEqual(b.run("document.activeElement.id"), "steps")
        self.assertEqual(b.run("document.getElementById('steps').getAttribute('aria-invalid')"),
                         "true")
        self.assertEqual(self.tiles(), 0)
        self.readable("refused")
        b.click("#defaults")
        b.click("#generate")
        b.until(DONE)
        self.assertFalse(b.sees("#problem"))

    def test_a_prompt_is_text_and_never_markup(self):
        text = "<img src=x onerror=alert(1)> </script><b>&amp; \"quoted\" \u4f60\u597d \U0001f34e"
        self.draw(text)
        self.assertEqual(self.browser.text("#said"), text)
        self.assertEqual(self.browser.run("document.querySelectorAll('#said *').length"), 0)
