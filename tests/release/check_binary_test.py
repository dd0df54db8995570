"""tools/check_binary.py must refuse each program that would not run elsewhere."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_binary  # noqa: E402

GOOD = ["-pie", "-fPIE", "-static-libstdc++", "-static-libgcc", "-Wl,-z,relro,-z,now"]
PLAIN = "#include <cstdio>\nint main() { std::puts(\"hello\"); }\n"
NEWER = "#include <cstdlib>\nint main() { return static_cast<int>(arc4random()); }\n"
STRING = "#include <string>\nint main(int n, char**) { return std::to_string(n) == \"7\"; }\n"


class CheckBinary(unittest.TestCase):
    def problems(self, source, flags, **options):
        with tempfile.TemporaryDirectory() as folder:
            program = f"{folder}/program"
            subprocess.run([os.environ.get("CXX", "g++"), "-x", "c++", "-", "-o", program, *flags],
                           input=source, text=True, check=True)
            return check_binary.problems(program, **options)

    def test_accepts_what_needs_only_glibc(self):
        self.assertEqual(self.problems(PLAIN, GOOD), [])

    def test_refuses_symbols_of_newer_glibc(self):
        found = self.problems(NEWER, GOOD)
        self.assertEqual(len(found), 1, found)
        self.assertIn("arc4random of GLIBC_2.36", found[0])
        self.assertEqual(self.problems(NEWER, GOOD, glibc="2.36"), [])

    def test_refuses_other_libraries_and_their_symbols(self):
        flags = [flag for flag in GOOD if "static" not in flag]
        found = self.problems(STRING, flags)
        self.assertTrue(any("libstdc++.so.6" in problem for problem in found), found)
        self.assertTrue(any("of GLIBCXX_3.4" in problem for problem in found), found)

    def test_refuses_search_paths(self):
        found = self.problems(PLAIN, [*GOOD, "-Wl,-rpath,/opt/somewhere"])
        self.assertEqual(len(found), 1, found)
        self.assertIn("/opt/somewhere", found[0])

    def test_refuses_weak_hardening(self):
        for change, text in (("-z,execstack", "executable stack"), ("-z,lazy", "writable"),
                             ("-z,norelro", "writable")):
            found = self.problems(PLAIN, [*GOOD, f"-Wl,{change}"])
            self.assertEqual(len(found), 1, (change, found))
            self.assertIn(text, found[0])
        found = self.problems(PLAIN, [*GOOD[2:], "-no-pie"])
        self.assertIn("fixed address", found[0])

    def test_refuses_given_text(self):
        self.assertEqual(len(self.problems(PLAIN, GOOD, without=["hello"])), 1)


if __name__ == "__main__":
    unittest.main()
