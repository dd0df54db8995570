"""The guides name what is there: guides_test.py OCTET SOURCE

docs/troubleshooting.md has one section per id of doctor and none besides; commands and flags of octet in
docs/deploy.md, troubleshooting.md and hardware.md exist.
"""
import json
import pathlib
import re
import subprocess
import sys
import unittest

PROGRAM, SOURCE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
TEXTS = ("`undefined symbol`", "`CUDA error`", "`no kernel image`", "`out of memory`",
         "Black or white picture", "NaN", "FP8 not faster")


def read(name):
    return (SOURCE / "docs" / name).read_text()


def flags_of(command):
    text = subprocess.run([PROGRAM, command, "--help"], check=True, capture_output=True,
                          text=True).stdout
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", text))


def commands_in(text):
    """Of lines of code and of what stands in backquotes: the words from `octet COMMAND` on."""
    pieces = re.findall(r"^ {4,}(.*)$", text, re.MULTILINE) + re.findall(r"`([^`\n]+)`", text)
    for piece in pieces:
        found = re.search(r"(?<!-u )(?<![\w.-])octet ([a-z]+)((?: .*)?)$", piece)
        if found and not piece.startswith(("journalctl", "sudo systemctl")):
            yield found[1], re.findall(r"(?<!\S)--?[a-z][a-z0-9-]*", found[2])


class Guides(unittest.TestCase):
    def test_every_id_of_doctor_has_a_section_and_no_other(self):
        answer = subprocess.run([PROGRAM, "doctor", "--json"], capture_output=True, text=True)
        ids = list(dict.fromkeys(f["id"] for f in json.loads(answer.stdout)["findings"]))
        self.assertGreater(len(ids), 20)
        part = read("troubleshooting.md").split("## By the id of doctor")[1]
        self.assertEqual(re.findall(r"^### (.*)$", part, re.MULTILINE), ids)

    def test_texts_that_users_search_for(self):
        part = read("troubleshooting.md").split("## By the id of doctor")[0]
        self.assertEqual(tuple(re.findall(r"^### (.*)$", part, re.MULTILINE)), TEXTS)

    def test_commands_and_flags_exist(self):
        seen = 0
        for name in ("deploy.md", "troubleshooting.md", "hardware.md"):
            for command, flags in commands_in(read(name)):
                known = flags_of(command)
                for flag in flags:
                    self.assertIn(flag, known, f"{name}: octet {command} {flag}")
                seen += 1
        self.assertGreater(seen, 12)
        serve = flags_of("serve")
        for flag in re.findall(r"--[a-z][a-z0-9-]*",
                               re.search(r'OCTET_SERVE_FLAGS="(.*)"', read("deploy.md"))[1]):
            self.assertIn(flag, serve)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
