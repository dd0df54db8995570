"""Settings that come back, and pictures to start from."""
import pathlib
import struct
import subprocess
import zlib

from page_case import DONE, OPTIONS, PageCase


class Pictures(PageCase):
    def test_settings_of_a_dropped_picture(self):
        b = self.browser
        path = self.octet("a cat on the left & a dog", "--seed", "12345678901234567890", "--steps",
                          "12", "--guidance", "3.25", "--sampler", "dpmpp_2m", "--width", "320",
                          "--height", "192", "--negative", "<fog>")
        b.drop("#stage", path)
        b.until("document.getElementById('prompt').value !== ''")
        form = b.run("Object.fromEntries(['prompt', 'seed', 'steps', 'guidance', 'sampler',"
                     "'negative'].map((id) => [id, document.getElementById(id).value]))")
        self.assertEqual(form, {"prompt": "a cat on the left & a dog",
                                "seed": "12345678901234567890", "steps": "12", "guidance": "3.25",
                                "sampler": "dpmpp_2m", "negative": "<fog>"})
        self.assertEqual(b.run("document.querySelector('[name=shape]:checked').value"), "320x192")
        b.click("#generate")
        b.until(DONE)
        _, same = self.downloaded()
        self.assertEqual(same, path.read_bytes(), "the same picture, byte for byte")

    def test_settings_in_jpeg_webp_and_of_other_programs(self):
        b = self.browser
        for suffix in ("jpg", "webp"):
            path = pathlib.Path(self.folder.name) / f"frog.{suffix}"
            subprocess.run([OPTIONS.octet, "generate", f"a frog & <{suffix}>", "--seed", "4", "-o",
                            str(path)], check=True, capture_output=True)
            b.drop("#stage", path)
            b.until(f"document.getElementById('prompt').value === 'a frog & <{suffix}>'")
        text = ("a castle\non a hill\nNegative prompt: fog, rain\nSteps: 31, Sampler: DPM++ 2M, "
                "Schedule type: SGM Uniform, CFG scale: 6.5, Seed: 99, Size: 256x320, Model: other")
        chunk = b"tEXtparameters\0" + text.encode("latin-1")
        png = self.octet("a", "--no-provenance").read_bytes()
        kept = b"".join(self.chunks(png, without=b"tEXt"))
        data = kept[:33] + struct.pack(">I", len(chunk) - 4) + chunk + \
            struct.pack(">I", zlib.crc32(chunk)) + kept[33:]
        b.drop("#stage", self.file("other.png", data))
        b.until("document.getElementById('prompt').value === 'a castle\\non a hill'")
        form = b.run("Object.fromEntries(['seed', 'steps', 'guidance', 'sampler', 'scheduler',"
                     "'negative'].map((id) => [id, document.getElementById(id).value]))")
        self.assertEqual(form, {"seed": "99", "steps": "31", "guidance": "6.5",
                                "sampler": "dpmpp_2m", "scheduler": "sgm_uniform",
                                "negative": "fog, rain"})
        self.assertEqual(b.run("document.querySelector('[name=shape]:checked').value"), "256x320")
        self.assertIn("except model other", b.text("#toasts"))

    @staticmethod
    def chunks(png, without):
        yield png[:8]
        at = 8
        while at < len(png):
            size, kind = struct.unpack(">I4s", png[at:at + 8])
            if kind != without:
                yield png[at:at + 12 + size]
            at += 12 + size

    def test_files_that_are_none(self):
        b = self.browser
        b.drop("#stage", self.file("note.txt", b"hello"))
        b.until("document.getElementById('toasts').textContent.includes('does not say')")
        b.drop("#start-choose", self.file("broken.png", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40))
        b.until("document.getElementById('toasts').textContent.includes('cannot be read')")
        self.assertTrue(b.sees("#start-choose"))

    def differences(self):
        """Mean difference between start and result in the middle and at the upper edge."""
        return self.browser.run("""(async () => {
            const result = document.getElementById('picture');
            await result.decode();
            const pixels = (source) => {
                const c = document.createElement('canvas');
                c.width = c.height = 256;
                const context = c.getContext('2d', {willReadFrequently: true});
                context.drawImage(source, 0, 0, 256, 256);
                return (x, y, w, h) => context.getImageData(x, y, w, h).data;
            };
            const [a, b] = [pixels(window.start), pixels(result)];
            const mean = (...box) => {
                const [p, q] = [a(...box), b(...box)];
                return p.reduce((sum, v, i) => sum + Math.abs(v - q[i]), 0) / p.length;
            };
            return [mean(96, 96, 64, 64), mean(0, 0, 256, 40)];
        })()""")

    def test_only_what_the_brush_painted_is_drawn_anew(self):
        b = self.browser
        path = self.octet("a red apple on a blue background", "--seed", "7")
        b.choose("#start-file", path)
        b.until("!document.getElementById('start-editor').hidden")
        b.run("(async () => { window.start = await createImageBitmap("
              "document.getElementById('mask')); })()")
        self.assertIn("leave it to change the whole picture", b.text("#mask-hint"))
        b.run("document.getElementById('mask-size').focus()")
        for _ in range(14):
            b.key("ArrowRight")
        for y in (0.35, 0.45, 0.55, 0.65):
            b.drag("#mask", (0.3, y), (0.7, y))
        self.assertEqual(b.text("#mask-hint"), "Only what is painted is drawn anew.")
        self.shot("masked")
        b.fill("#strength", "100")
        self.draw("a sunflower on a blue background")
        inside, outside = self.differences()
        self.assertGreater(inside, 20)
        self.assertLess(outside, 8)
        self.assertEqual(self.facts()["Change"], "100 %")
        self.readable("edited")
        first = self.downloaded()[1]
        b.click("#start-remove")
        self.prompt("something else")
        b.click("#reuse")
        b.until("!document.getElementById('start-editor').hidden && "
                "document.getElementById('mask-hint').textContent.startsWith('Only')")
        b.click("#generate")
        b.until("document.querySelectorAll('#thumbs li').length === 2 && " + DONE)
        self.assertEqual(self.downloaded()[1], first, "start, mask and seed came back")

    def test_mask_tools(self):
        b = self.browser
        b.drop("#start-choose", self.octet("a red apple", "--width", "320", "--height", "192"))
        b.until("!document.getElementById('start-editor').hidden")
        width, height = b.run("document.querySelector('[name=shape]:checked').value").split("x")
        self.assertLess(abs(int(width) / int(height) - 320 / 192), 0.2, "the shape next to it")
        painted = "document.getElementById('mask-hint').textContent.startsWith('Only')"
        b.drag("#mask", (0.4, 0.5), (0.6, 0.5))
        self.assertTrue(b.run(painted))
        b.click("#mask-undo")
        self.assertFalse(b.run(painted))
        b.drag("#mask", (0.4, 0.5), (0.6, 0.5))
        b.click("#mask-erase")
        self.assertEqual(b.run("document.getElementById('mask-erase').ariaPressed"), "true")
        for y in (0.44, 0.5, 0.56):
            b.drag("#mask", (0.3, y), (0.7, y))
        self.assertFalse(b.run(painted))
        b.click("#mask-paint")
        b.run("document.getElementById('mask').focus()")
        b.key(" ")
        self.assertTrue(b.run(painted), "by keyboard")
        b.click("#mask-clear")
        self.assertFalse(b.run(painted))
        b.click("#start-remove")
        self.assertTrue(b.sees("#start-choose"))

    def test_painting_with_a_finger(self):
        b = self.browser
        b.resize(360, 740, touch=True)
        b.send("Emulation.setTouchEmulationEnabled", enabled=True)
        b.choose("#start-file", self.octet("a red apple"))
        b.until("!document.getElementById('start-editor').hidden")
        x, y = b.place("#mask")
        for kind, points in (("touchStart", [(x - 40, y)]), ("touchMove", [(x, y + 30)]),
                             ("touchMove", [(x + 40, y)]), ("touchEnd", [])):
            b.send("Input.dispatchTouchEvent", type=kind,
                   touchPoints=[{"x": px, "y": py} for px, py in points])
        b.send("Emulation.setTouchEmulationEnabled", enabled=False)
        self.assertEqual(b.text("#mask-hint"), "Only what is painted is drawn anew.")

    def test_start_from_a_result(self):
        b = self.browser
        self.draw("a red apple on a blue background")
        b.click("#continue")
        b.until("!document.getElementById('start-editor').hidden")
        b.run("(async () => { window.start = await createImageBitmap("
              "document.getElementById('mask')); })()")
        b.fill("#strength", "30")
        self.draw("a green apple on a blue background")
        _, edge = self.differences()
        self.assertLess(edge, 40, "it still is the same scene")
        b.click("#again")
        b.until("document.querySelectorAll('#thumbs li').length === 3 && " + DONE)
