"""The table of broken environments: environments_test.py OCTET SOURCE [NAME...] [--write-docs].

--gpu-program=FILE runs the rows of GPUs with another program: one that says that it has machine code for Hopper.

Every row really breaks something (room.py), then doctor must name the row's id, the cause and a remedy, and
generate and serve must refuse with the same id, or work where the breakage does no harm (judge.py). The table in
docs/environments.md is made from the rows and compared with them here."""
import collections
import ctypes
import pathlib
import re
import sys
import unittest

import rows_gpu
import rows_machine
import rows_model
import rows_serve
from judge import Wrong, examine, judge, start, end_of
from room import CannotBuild, Room
from row import WORKS, Row
from table import document

NAMES = [word for word in sys.argv[3:] if not word.startswith("-")]
OCTET, SOURCE = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
GPU_PROGRAM = next((pathlib.Path(word.partition("=")[2]).resolve() for word in sys.argv
                    if word.startswith("--gpu-program=")), OCTET)
GOLDEN = SOURCE / "tests/golden/sd3-medium/model"
DOCS = SOURCE / "docs/environments.md"
SECTIONS = [("Driver", rows_gpu.DRIVERS), ("GPUs", rows_gpu.GPUS), ("CUDA's libraries", rows_gpu.LIBRARIES),
            ("Memory and limits", rows_machine.LIMITS), ("Disks", rows_machine.DISKS),
            ("Kernel and clock", rows_machine.KERNEL), ("Model", rows_model.MODELS), ("Lock", rows_model.LOCKS),
            ("Server", rows_serve.ROWS)]
ROWS = [row for _, rows in SECTIONS for row in rows]
SOUND = Row(name="nothing_broken", id="cpu", level="ok", broken="", how="", build=lambda room: None,
            says=("processor has",), remedy="^$", generate=WORKS, serve=WORKS, asks=("--device", "cpu"))


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def filled(row, built):
    """The row with what its build returned in the place of {built}."""
    if not isinstance(built, str):
        return row
    changes = {name: tuple(word.format(built=built) for word in getattr(row, name))
               for name in ("asks", "doctor", "drawing", "serving")}
    return row.__class__(**{**row.__dict__, **changes})


class Environments(unittest.TestCase):
    def room(self):
        room = Room(OCTET, GOLDEN)
        self.addCleanup(room.close)
        return room

    def judge(self, row):
        room = self.room()
        try:
            judge(room, GPU_PROGRAM if row in rows_gpu.ROWS else OCTET, filled(row, row.build(room)))
        except CannotBuild as reason:
            self.skipTest(f"{row.name}: {reason}")
        except Wrong as wrong:
            self.fail(f"{row.name}: {wrong}")

    def test_nothing_broken(self):
        self.judge(SOUND)


def add_test(row):
    def test(self):
        if row.name == "driver_absent" and has_driver():
            self.skipTest("this machine has a driver")
        self.judge(row)
    setattr(Environments, f"test_{row.name}", test)


for one in ROWS:
    add_test(one)


class Table(unittest.TestCase):
    def test_names_differ(self):
        twice = [name for name, count in collections.Counter(row.name for row in ROWS).items() if count > 1]
        self.assertEqual(twice, [])

    def test_is_documented(self):
        self.assertEqual(DOCS.read_text(encoding="utf-8"), document(SECTIONS),
                         "docs/environments.md is not what the rows say; write it anew: "
                         "python3 tests/environments/environments_test.py build/octet . --write-docs")

    def test_ids_can_be_explained(self):
        room = Room(OCTET, GOLDEN)
        self.addCleanup(room.close)
        for name in sorted({row.id for row in ROWS}):
            code, out, err = end_of(start(room, OCTET, "doctor", "--explain", name))
            self.assertEqual((code, err), (0, ""), name)
            self.assertTrue(out.startswith(name), out)


if __name__ == "__main__":
    if "--write-docs" in sys.argv:
        DOCS.write_text(document(SECTIONS), encoding="utf-8")
        sys.exit()
    names = [f"Environments.test_{name}" for name in NAMES]
    flags = [word for word in sys.argv[3:] if word.startswith("-") and "=" not in word]
    unittest.main(argv=sys.argv[:1] + flags + names)
