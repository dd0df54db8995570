"""Two versions of Octet with two models at once, in the same folders: side_by_side_test.py OCTET NEXT SOURCE.

Each must draw what it draws alone, be reached at its own address, and leave nothing in shared folders that
does not carry its version."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

OLD, NEXT, SOURCE = (pathlib.Path(path).resolve() for path in sys.argv[1:4])
TINY = SOURCE / "tests/golden/sd3-medium/model"


class SideBySide(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("home", "cache", "tmp", "work"):
            (self.root / name).mkdir()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.root / "home"),
                            "XDG_CACHE_HOME": str(self.root / "cache"),
                            "TMPDIR": str(self.root / "tmp")}

    def start(self, program, *words):
        return subprocess.Popen([program, *words], cwd=self.root / "work", env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def draw(self, program, model, seed, name):
        return self.start(program, "generate", "a red apple", "--model", model, "--steps", "2",
                          "--seed", str(seed), "--device", "cpu", "--threads", "1", "--quiet",
                          "-o", name)

    def finish(self, process):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        return out

    def picture(self, name):
        return (self.root / "work" / name).read_bytes()

    def shared_files(self):
        return [path for folder in ("home", "cache", "tmp")
                for path in (self.root / folder).rglob("*") if path.is_file()]

    def test_versions_differ(self):
        versions = [self.finish(self.start(program, "--version")).split()[1]
                    for program in (OLD, NEXT)]
        self.assertEqual(versions[1], "99.0.0")
        self.assertNotEqual(*versions)

    def test_pictures_are_those_of_each_alone(self):
        jobs = [(OLD, "emoji", 1), (NEXT, str(TINY), 1), (OLD, str(TINY), 2), (NEXT, "emoji", 2)]
        for number, (program, model, seed) in enumerate(jobs):
            self.finish(self.draw(program, model, seed, f"alone{number}.png"))
        together = [self.draw(program, model, seed, f"both{number}.png")
                    for number, (program, model, seed) in enumerate(jobs)]
        for process in together:
            self.finish(process)
        for number in range(len(jobs)):
            self.assertEqual(self.picture(f"alone{number}.png"), self.picture(f"both{number}.png"))
        self.assertNotEqual(self.picture("both0.png"), self.picture("both1.png"))
        self.assertIn(b"99.0.0", self.picture("both3.png"))
        self.assertNotIn(b"99.0.0", self.picture("both0.png"))

    def ask(self, address, path, body=None):
        request = urllib.request.Request(address + path, headers={"Content-Type": "application/json"},
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def serve(self, program, model):
        process = self.start(program, "serve", "--listen", "127.0.0.1:0", "--model", model,
                             "--device", "cpu", "--threads", "1")
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stderr:
            match = re.search(r"listening on (http://\S+)", line)
            if match:
                return process, match[1]
        raise AssertionError("the server did not start")

    def await_ready(self, address):
        """It listens before its model is loaded, and says so."""
        for _ in range(240):
            health = self.start(OLD, "health", "--address", address.removeprefix("http://"))
            out, err = health.communicate(timeout=60)
            if health.returncode == 0:
                return self.assertEqual(out, "ready\n")
            self.assertEqual((health.returncode, out), (6, ""), err)
            self.assertIn("503", err)
            time.sleep(0.25)
        raise AssertionError("the server did not become ready")

    def test_servers_do_not_meet(self):
        old, old_address = self.serve(OLD, "small=emoji")
        new, new_address = self.serve(NEXT, f"tiny={TINY}")
        self.assertNotEqual(old_address, new_address)
        for address, model in ((old_address, "small"), (new_address, "tiny")):
            names = [entry["id"] for entry in self.ask(address, "/v1/models")["data"]]
            self.assertEqual(names, [model])
            self.await_ready(address)
        old.send_signal(signal.SIGTERM)
        self.assertEqual(old.wait(timeout=60), 0)
        health = self.start(OLD, "health", "--address", old_address.removeprefix("http://"))
        self.assertEqual((health.wait(timeout=60), health.communicate()[0]), (6, ""))
        answer = self.ask(new_address, "/v1/images/generations",
                          {"prompt": "a red apple", "model": "tiny", "seed": 1})
        self.assertEqual(len(answer["data"]), 1)
        new.send_signal(signal.SIGTERM)
        self.assertEqual(new.wait(timeout=60), 0)

    def tearDown(self):
        for path in self.shared_files():
            self.assertRegex(path.name, r"^octet-\d+\.\d+\.\d+-", "a shared file without a version")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
