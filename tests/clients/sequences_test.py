"""What two chat programs ask of an image server, request by request, against `octet serve`.

The sequences were read in the public source of

- Open WebUI, github.com/open-webui/open-webui at 02530d501461ce58ab06231d7c2ef2024a141ddf:
  backend/open_webui/routers/images.py, engines "automatic1111" and "openai";
- SillyTavern, github.com/SillyTavern/SillyTavern at ba6f7b7a98cf7a5eaf4f0e81da9779a9a668ced4:
  src/endpoints/stable-diffusion.js and public/scripts/extensions/stable-diffusion/index.js, source
  "auto".

    sequences_test.py OCTET
"""
import base64
import json
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "soak"))
from octet_server import OctetServer  # noqa: E402

PNG = b"\x89PNG\r\n\x1a\n"


def size_of(png):
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


class Program(unittest.TestCase):
    """A server, and the HTTP habits of the program."""
    headers = {}

    @classmethod
    def setUpClass(cls):
        cls.server = OctetServer(OCTET, "--threads", "1", nice=5)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, JSON or bytes)"""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        headers = {**self.headers, **({"Content-Type": kind} if data is not None else {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{path}", data, headers,
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ok(self, *request, **more):
        status, answer = self.ask(*request, **more)
        self.assertEqual(status, 200, answer)
        return answer

    def picture(self, text, size):
        """It takes what follows a comma, if there is one, and expects base64 of a picture."""
        png = base64.b64decode(text.split(",", 1)[-1], validate=True)
        self.assertTrue(png.startswith(PNG))
        self.assertEqual(size_of(png), size)
        return png


class OpenWebUiAutomatic1111(Program):
    headers = {"authorization": ""}  # AUTOMATIC1111_API_AUTH is not set

    def test_the_address_is_verified(self):
        self.assertIn("sd_model_checkpoint", self.ok("GET", "/sdapi/v1/options"))

    def test_models_have_title_and_name(self):
        models = self.ok("GET", "/sdapi/v1/sd-models")
        self.assertEqual([(m["title"], m["model_name"]) for m in models], [("emoji", "emoji")])

    def test_options_go_back_whole(self):
        options = self.ok("GET", "/sdapi/v1/options")
        title = self.ok("GET", "/sdapi/v1/sd-models")[0]["title"]
        self.assertEqual(options["sd_model_checkpoint"], title)  # or it would switch every time
        options["sd_model_checkpoint"] = title
        self.ok("POST", "/sdapi/v1/options", options)
        options["sd_model_checkpoint"] = "another"
        self.assertEqual(self.ask("POST", "/sdapi/v1/options", options)[0], 422)

    def test_a_generation(self):
        self.ok("GET", "/sdapi/v1/options")
        answer = self.ok("POST", "/sdapi/v1/txt2img",
                         {"prompt": "a red apple", "batch_size": 2, "width": 128, "height": 128,
                          "steps": 3, "negative_prompt": "text", "cfg_scale": 5,
                          "sampler_name": "Euler", "scheduler": "Automatic"})
        self.assertEqual(len(answer["images"]), 2)
        for image in answer["images"]:
            self.picture(image, (128, 128))
        self.assertEqual(json.loads(answer["info"])["prompt"], "a red apple")

    def test_its_standard_size(self):
        """512x512 when nothing is set."""
        answer = self.ok("POST", "/sdapi/v1/txt2img", {"prompt": "a red apple", "batch_size": 1,
                                                       "width": 512, "height": 512, "steps": 1})
        png = base64.b64decode(answer["images"][0])
        self.assertTrue(png.startswith(PNG))


class OpenWebUiOpenAi(Program):
    headers = {"Authorization": "Bearer sk-unused"}

    def test_a_generation(self):
        answer = self.ok("POST", "/v1/images/generations",
                         {"model": "emoji", "prompt": "a red apple", "n": 1, "size": "128x128",
                          "response_format": "b64_json"})
        self.assertFalse(answer["data"][0].get("url"))
        self.picture(answer["data"][0]["b64_json"], (128, 128))

    def test_a_version_in_the_address(self):
        self.ok("POST", "/v1/images/generations?api-version=2025-04-01-preview",
                {"model": "emoji", "prompt": "a", "n": 1, "size": "64x64",
                 "response_format": "b64_json"})

    def form(self, image_name, count):
        png = base64.b64decode(self.ok("POST", "/v1/images/generations", {
            "model": "emoji", "prompt": "a red apple", "size": "128x128"})["data"][0]["b64_json"])
        fields = {"model": "emoji", "prompt": "a green apple", "n": "1", "size": "128x128",
                  "response_format": "b64_json"}
        parts = [f'Content-Type: text/plain; charset=utf-8\r\n'
                 f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
                 for name, value in fields.items()]
        parts += [f'Content-Type: image/png\r\nContent-Disposition: form-data; name="{image_name}"; '
                  f'filename="{i}.png"\r\n\r\n'.encode() + png for i in range(count)]
        return b"".join(b"--line\r\n" + part + b"\r\n" for part in parts) + b"--line--\r\n"

    def test_an_edit(self):
        for name in ("image", "image[]"):
            answer = self.ok("POST", "/v1/images/edits", self.form(name, 1),
                             kind="multipart/form-data; boundary=line")
            self.picture(answer["data"][0]["b64_json"], (128, 128))


class SillyTavern(Program):
    headers = {"Authorization": "Basic Og=="}  # of an empty name and password, as it always sends

    def body(self, **more):
        return {"url": "http://127.0.0.1", "auth": "", "prompt": "a red apple",
                "negative_prompt": "text", "sampler_name": "DDIM", "scheduler": "normal",
                "steps": 4, "cfg_scale": 7, "width": 128, "height": 128, "restore_faces": False,
                "enable_hr": False, "hr_upscaler": "Latent", "hr_scale": 2,
                "denoising_strength": 0.7, "hr_second_pass_steps": 0,
                "override_settings": {"CLIP_stop_at_last_layers": 1},
                "override_settings_restore_afterwards": True, "clip_skip": 1, "save_images": True,
                "send_images": True, "do_not_save_grid": False, "do_not_save_samples": False, **more}

    def test_connecting(self):
        """Ping, then the menus: everything that is mapped over must be a list of objects."""
        model = self.ok("GET", "/sdapi/v1/options")["sd_model_checkpoint"]
        samplers = [s["name"] for s in self.ok("GET", "/sdapi/v1/samplers")]
        self.assertIn("Euler", samplers)
        self.assertTrue(all(s["name"] for s in self.ok("GET", "/sdapi/v1/schedulers")))
        self.assertIn(model, [m["title"] for m in self.ok("GET", "/sdapi/v1/sd-models")])
        self.assertEqual([v["model_name"] for v in self.ok("GET", "/sdapi/v1/sd-vae")], [])
        names = [u["name"] for u in self.ok("GET", "/sdapi/v1/upscalers")]
        names[1:1] = [u["name"] for u in self.ok("GET", "/sdapi/v1/latent-upscale-modes")]

    def test_choosing_the_model(self):
        """Only that key is sent; then it asks every 2 s until nothing is under way, 10 times."""
        self.ok("POST", "/sdapi/v1/options", {"sd_model_checkpoint": "emoji"})
        state = self.ok("GET", "/sdapi/v1/progress")
        self.assertTrue(state["progress"] == 0.0 and state["state"]["job_count"] == 0, state)

    def test_a_generation(self):
        answer = self.ok("POST", "/sdapi/v1/txt2img", self.body(seed=3))
        self.picture(answer["images"][0], (128, 128))
        self.assertEqual(answer["images"], self.ok("POST", "/sdapi/v1/txt2img",
                                                   self.body(seed=3))["images"])

    def test_giving_up(self):
        """It interrupts and drops the request; meanwhile the progress is there to be seen."""
        results = []
        asking = threading.Thread(target=lambda: results.append(
            self.ask("POST", "/sdapi/v1/txt2img", self.body(steps=900))))
        asking.start()
        until = time.monotonic() + 30
        while self.ok("GET", "/sdapi/v1/progress")["progress"] == 0:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        state = self.ok("GET", "/sdapi/v1/progress")
        self.assertEqual(state["state"]["job_count"], 1)
        self.assertEqual(state["state"]["sampling_steps"], 900)
        self.assertEqual(self.ok("POST", "/sdapi/v1/interrupt"), {})
        asking.join(30)
        self.assertFalse(asking.is_alive())
        self.assertEqual(results[0][0], 409, results)
        state = self.ok("GET", "/sdapi/v1/progress")
        self.assertTrue(state["progress"] == 0.0 and state["state"]["job_count"] == 0, state)


if __name__ == "__main__":
    OCTET = sys.argv.pop(1)
    unittest.main(verbosity=1)
