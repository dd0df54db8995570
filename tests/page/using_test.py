"""Keyboard, width, colours, motion."""
from page_case import DONE, GOING, LONG, PageCase


class Using(PageCase):
    expected = ("status of 404", )

    def test_by_keyboard_alone(self):
        b = self.browser
        b.key("/")
        self.assertEqual(b.run("document.activeElement.id"), "prompt")
        for text in ("a red apple", "a sunflower", "a cat"):
            b.key("a", ctrl=True)
            b.type(text)
            b.key("Enter", ctrl=True)
            b.until(DONE + f" && document.getElementById('said').textContent === '{text}'")
        b.run("document.querySelector('#thumbs [tabindex=\"0\"]').focus()")
        for key, text in (("ArrowRight", "a sunflower"), ("ArrowRight", "a red apple"),
                          ("ArrowRight", "a red apple"), ("Home", "a cat"), ("End", "a red apple"),
                          ("ArrowLeft", "a sunflower")):
            b.key(key)
            self.assertEqual(b.text("#said"), text, key)
            self.assertEqual(b.run("document.activeElement.ariaSelected"), "true")
        b.key("Enter")
        self.assertTrue(b.sees("#zoom"))
        b.key("ArrowLeft")
        self.assertEqual(b.run("document.getElementById('zoom-picture').alt"), "a cat")
        b.key("ArrowRight")
        b.key("Escape")
        self.assertFalse(b.sees("#zoom"))
        b.key("Delete")
        self.assertEqual(self.tiles(), 2)
        self.assertEqual(b.run("document.activeElement.role"), "option", "the focus stays there")
        b.run("document.activeElement.blur()")
        b.click("#help")
        self.assertTrue(b.sees("#help-dialog"))
        self.readable("help")
        b.key("Escape")
        self.assertFalse(b.sees("#help-dialog"))

    def test_every_stop_of_tab_is_seen_and_named(self):
        b = self.browser
        self.draw()
        b.click("#more > summary")
        b.drop("#start-choose", self.octet("a red apple"))
        b.until("!document.getElementById('start-editor').hidden")
        b.run("document.querySelector('.skip').focus()")
        stops = []
        for _ in range(60):
            b.key("Tab")
            stop = b.run("""(() => {
                const e = document.activeElement;
                if (e === document.body) return null;
                const mark = e.labels?.length && e.type === 'radio' ? e.labels[0].children[1] : e;
                const style = getComputedStyle(mark);
                return [e.id || e.value || e.textContent.trim(), style.outlineStyle !== 'none' &&
                        parseFloat(style.outlineWidth) >= 2];
            })()""")
            if stop is None:
                break
            stops.append(stop[0])
            self.assertTrue(stop[1], f"no ring around {stop[0]}")
        for id_ in ("prompt", "generate", "seed", "mask", "steps", "download", "theme"):
            self.assertIn(id_, stops)
        nodes = b.send("Accessibility.getFullAXTree")["nodes"]
        for node in nodes:
            role = node.get("role", {}).get("value")
            if node.get("ignored") or role not in ("button", "textbox", "slider", "spinbutton",
                                                   "combobox", "radio", "option", "link",
                                                   "progressbar", "listbox", "dialog"):
                continue
            self.assertTrue(node.get("name", {}).get("value"), f"a {role} without a name")

    def test_readable_in_every_state(self):
        b = self.browser
        self.readable("empty")
        b.click("#more > summary")
        self.readable("settings")
        self.draw("a sunflower")
        self.readable("done")
        b.click("#reuse")
        self.readable("toast")
        self.steps(LONG)
        b.click("#generate")
        b.until(GOING)
        self.readable("going")
        b.key("Escape")

    def test_phone(self):
        b = self.browser
        for width in (360, 320):
            b.resize(width, 740, touch=True)
            b.open(self.server.url + "/")
            self.begin()
            self.narrow(width, "phone_empty")
            b.click("#settings > summary")
            self.narrow(width, "phone_settings")
            self.prompt("a red apple on a blue background")
            b.click("#generate")
            b.until(DONE)
            top = b.run("document.getElementById('stage').getBoundingClientRect().top")
            self.assertLess(abs(top), 300, "the picture comes into view")
            self.narrow(width, "phone_done")

    def narrow(self, width, name):
        self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)
        small = self.browser.run("""[...document.querySelectorAll(
            'button, a.plain, select, summary, textarea, input:not([type=radio], [type=file])')]
            .filter((e) => e.checkVisibility()).map((e) => [e.id, e.getBoundingClientRect()])
            .filter(([, b]) => b.width < 24 || b.height < 24).map(([id]) => id)""")
        self.assertEqual(small, [], "targets of at least 24 pixels")
        self.shot(name)

    def test_light_dark_and_system(self):
        b = self.browser
        background = "getComputedStyle(document.body).backgroundColor"
        light = b.run(background)
        b.prefer("dark")
        dark = b.run(background)
        self.assertNotEqual(light, dark)
        b.click("#theme")
        self.assertEqual((b.text("#theme-name"), b.run(background)), ("Light", light))
        b.click("#theme")
        b.prefer("light")
        self.assertEqual((b.text("#theme-name"), b.run(background)), ("Dark", dark))
        b.open(self.server.url + "/")
        self.assertEqual(b.run(background), dark, "kept")
        self.begin()

    def test_calm_where_motion_is_not_wanted(self):
        b = self.browser
        b.prefer("light", calm=True)
        self.steps(LONG)
        self.prompt("a cat")
        b.click("#generate")
        b.until(GOING)
        self.assertEqual(b.run("document.getAnimations().length"), 0)
        b.key("Escape")

    def test_a_reload_keeps_what_was_typed(self):
        b = self.browser
        self.prompt("half of a tho")
        b.fill("#seed", "5")
        b.open(self.server.url + "/")
        self.begin()
        self.assertEqual(b.run("document.getElementById('prompt').value"), "half of a tho")
        self.assertEqual(b.run("document.getElementById('seed').value"), "5")

    def test_a_reload_keeps_the_pictures_while_the_server_does(self):
        b = self.browser
        for text in ("a red apple", "a sunflower", "a cat"):
            self.draw(text)
            b.until(f"document.getElementById('said').textContent === '{text}'")
        b.click("#thumbs li:nth-child(2)")
        b.click("#remove")
        seed = self.facts()["Seed"]
        b.open(self.server.url + "/")
        b.until("document.querySelectorAll('#thumbs li').length === 2 && " + DONE)
        self.assertEqual(b.text("#said"), "a cat")
        b.click("#thumbs li:nth-child(2)")
        self.assertEqual(b.text("#said"), "a red apple")
        self.assertEqual(self.facts()["Seed"], seed)
        b.run("sessionStorage.setItem('octet.session', JSON.stringify([{job: 'job_0', index: 0}]))")
        b.open(self.server.url + "/")
        b.until("document.getElementById('toasts').textContent.includes('no longer there')")
        self.assertTrue(b.sees("#empty"))
