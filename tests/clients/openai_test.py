"""The official Python client, unmodified, against `octet serve`: python.sh clients openai_test.py OCTET"""
import base64
import io
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import openai

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "soak"))
from octet_server import OctetServer  # noqa: E402

SMALL = {"size": "128x128", "extra_body": {"seed": 7, "num_inference_steps": 6}}


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = OctetServer(OCTET)
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.server.port}/v1",
                                   api_key="unused", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.__exit__()

    def png(self, text):
        data = base64.b64decode(text, validate=True)
        self.assertTrue(data.startswith(b"\x89PNG"))
        return data

    def drawn(self):
        return self.png(self.client.images.generate(prompt="a red apple", **SMALL).data[0].b64_json)

    def test_generation_is_that_of_the_command_line(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.png"
            subprocess.run([OCTET, "generate", "a red apple", "--seed", "7", "--steps", "6",
                            "--width", "128", "--height", "128", "-o", str(path), "--quiet"], check=True)
            self.assertEqual(self.drawn(), path.read_bytes())

    def test_what_an_answer_tells(self):
        answer = self.client.images.generate(model="emoji", prompt="a", n=2, output_format="jpeg",
                                             output_compression=80, quality="low", **SMALL)
        self.assertEqual((len(answer.data), answer.size, answer.output_format),
                         (2, "128x128", "jpeg"))
        self.assertTrue(base64.b64decode(answer.data[1].b64_json).startswith(b"\xff\xd8"))

    def test_stream(self):
        body = {"size": "256x256", "extra_body": {"num_inference_steps": 150}}
        events = list(self.client.images.generate(prompt="a cat", stream=True, partial_images=2, **body))
        self.assertEqual([e.type for e in events], 2 * ["image_generation.partial_image"] +
                         ["image_generation.completed"])
        self.assertEqual([e.partial_image_index for e in events[:2]], [0, 1])
        for event in events:
            self.png(event.b64_json)

    def test_edit_with_a_mask(self):
        image = io.BytesIO(self.drawn())
        image.name = "apple.png"
        answer = self.client.images.edit(image=image, mask=("mask.png", self.drawn()),
                                         prompt="a green apple", **SMALL)
        self.png(answer.data[0].b64_json)

    def test_edit_as_a_stream(self):
        events = list(self.client.images.edit(image=[("a.png", self.drawn())], prompt="a dog",
                                              stream=True, **SMALL))
        self.assertEqual([e.type for e in events], ["image_edit.completed"])

    def test_models(self):
        self.assertEqual([m.id for m in self.client.models.list()], ["emoji"])
        self.assertEqual(self.client.models.retrieve("emoji").object, "model")

    def test_errors(self):
        for arguments, kind, code, param in (
                ({"model": "nope"}, openai.NotFoundError, "model_not_found", "model"),
                ({"size": "17"}, openai.BadRequestError, "invalid_value", "size"),
                ({"size": "4096x4096"}, openai.UnprocessableEntityError, "impossible_size", "size"),
                ({"n": 1000}, openai.BadRequestError, "invalid_value", "n")):
            with self.assertRaises(kind) as raised:
                self.client.images.generate(prompt="x", **arguments)
            self.assertEqual((raised.exception.code, raised.exception.param), (code, param))
        with self.assertRaises(openai.BadRequestError):
            self.client.images.edit(image=("x.png", b"\x89PNG\r\n\x1a\nrubbish"), prompt="x")


if __name__ == "__main__":
    OCTET = sys.argv.pop(1)
    unittest.main(verbosity=1)
