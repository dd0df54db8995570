"""Man pages, completions and the systemd unit, made from the program as it is: manual_test.py OCTET SOURCE"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, SOURCE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name)
        subprocess.run([sys.executable, SOURCE / "packaging/manual.py", PROGRAM, cls.root],
                       check=True)
        overview = output(PROGRAM, "--help")
        names = re.findall(r"^  ([a-z]+)  +\S", overview, re.MULTILINE)
        # Counted here by the indentation of the rows alone, unlike in manual.py.
        cls.flags = {name: set(re.findall(r"^  (?:-\w, )?(--[a-z0-9-]+)", output(
            PROGRAM, name, "--help"), re.MULTILINE)) for name in names}

    def completion(self, path):
        return (self.root / path).read_text()

    def test_every_flag_is_in_its_page_and_in_all_completions(self):
        self.assertGreater(len(self.flags), 10)
        self.assertGreater(sum(map(len, self.flags.values())), 100)
        fish = self.completion("fish/vendor_completions.d/octet.fish")
        zsh = self.completion("zsh/site-functions/_octet")
        bash = self.completion("bash-completion/completions/octet")
        for name, flags in self.flags.items():
            page = (self.root / f"man/man1/octet-{name}.1").read_text().replace("\\-", "-")
            for flag in flags:
                self.assertIn(f"\\fB{flag}\\fR", page)
                self.assertIn(f"__fish_seen_subcommand_from {name}' -l {flag[2:]} ", fish)
                self.assertIn(f"'{flag}[", zsh.split(f"    {name}) _arguments")[1])
                words = re.search(rf"^    {name}\) flags='([^']*)'", bash, re.MULTILINE)[1]
                self.assertIn(flag, words.split())

    def test_bash_completes(self):
        def ask(*words):
            script = (f"source {self.root}/bash-completion/completions/octet; COMP_WORDS=(octet "
                      f"{' '.join(words)}); COMP_CWORD={len(words)}; _octet; "
                      "echo \"${COMPREPLY[@]}\"")
            return output("bash", "-c", script).split()
        self.assertEqual(ask("ver"), ["verify", "version"])
        self.assertEqual(ask("sbom", "--format", "''"), ["cyclonedx", "spdx"])
        self.assertIn("--steps", ask("generate", "--st"))

    def test_other_shells_read_theirs(self):
        for shell, path in (("zsh", "zsh/site-functions/_octet"),
                            ("fish", "fish/vendor_completions.d/octet.fish")):
            if shutil.which(shell):
                output(shell, "-n", self.root / path)

    @unittest.skipUnless(shutil.which("man"), "needs man-db")
    def test_pages_have_no_warnings(self):
        for page in (self.root / "man/man1").iterdir():
            run = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
                                 capture_output=True, text=True, check=True,
                                 env={**os.environ, "MANROFFSEQ": "", "LC_ALL": "C.UTF-8"})
            self.assertEqual(run.stderr, "", page.name)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd")
    def test_the_unit_is_sound(self):
        unit = (SOURCE / "packaging/systemd/octet.service").read_text()
        path = self.root / "octet.service"
        path.write_text(unit.replace("/usr/bin/octet", str(PROGRAM)))
        run = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True,
                             text=True, check=False)
        complaints = [line for line in run.stderr.splitlines() if "octet.service" in line]
        self.assertEqual(complaints, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
