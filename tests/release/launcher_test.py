"""The launcher of release archives, with stub programs in front of the system's own."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

LAUNCHER = pathlib.Path(__file__).resolve().parents[2] / "packaging/launcher/octet"


class Launcher(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "a folder"
        self.stubs = pathlib.Path(folder.name) / "stubs"
        self.script("a folder/lib/octet/octet", 'echo "ran:$#:$*"; exit 3')
        (self.root / "bin").mkdir()
        shutil.copy(LAUNCHER, self.root / "bin/octet")

    def script(self, name, text):
        path = self.root.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run_it(self, libc=None, start=None):
        if libc is not None:
            self.script("stubs/getconf", libc)
        return subprocess.run([start or self.root / "bin/octet", "generate", "two words"],
                              capture_output=True, text=True, check=False, cwd="/",
                              env={"PATH": f"{self.stubs}:{os.environ['PATH']}"})

    def refused(self, run, text):
        self.assertEqual((run.returncode, run.stdout), (6, ""), run)
        self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        self.assertIn(text, run.stderr)

    def test_runs_the_program_with_its_words(self):
        for libc in ("glibc 2.34", "glibc 2.41", "glibc 2.100", "glibc 3.0", "glibc 2.36.9000"):
            run = self.run_it(f"echo {libc}")
            self.assertEqual((run.returncode, run.stdout), (3, "ran:2:generate two words\n"), libc)

    def test_runs_through_links(self):
        link = self.root.parent / "link"
        link.symlink_to(self.root / "bin/octet")
        run = self.run_it("echo glibc 2.36", start=link)
        self.assertEqual((run.returncode, run.stdout), (3, "ran:2:generate two words\n"))

    def test_refuses_older_glibc_in_one_line(self):
        for version in ("2.31", "2.33", "2.5", "1.99"):
            self.refused(self.run_it(f"echo glibc {version}"),
                         f"expected glibc 2.34 or newer, found glibc {version}")

    def test_tries_where_nobody_knows_the_version(self):
        self.refused(self.run_it("exit 1"), "found no glibc")  # the stub fails --version
        self.script("a folder/lib/octet/octet", '[ "$1" = --version ] || echo "ran:$#:$*"')
        self.assertEqual(self.run_it("exit 1").stdout, "ran:2:generate two words\n")

    def test_refuses_other_processors(self):
        self.script("stubs/uname", "echo aarch64")
        self.refused(self.run_it(), "found aarch64")


if __name__ == "__main__":
    unittest.main()
