#!/usr/bin/env python3
"""The web page in a headless Chromium, against `octet serve` with the emoji model.

    page_test.py [--octet build/octet] [--page src/api/page] [--shots FOLDER] [drawing_test...]

Every test begins with a fresh page and ends with a silent console and no request to anybody but the
server. --page tests the files of a folder instead of those in the program, --shots keeps a screenshot
of every state.
"""
import argparse
import sys
import unittest

from browser import find
from page_case import OPTIONS

TESTS = ["drawing_test", "pictures_test", "using_test", "trouble_test"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--octet", default=OPTIONS.octet)
    parser.add_argument("--page")
    parser.add_argument("--shots")
    options, rest = parser.parse_known_args()
    vars(OPTIONS).update(vars(options))
    if not find():
        print("page_test.py: the page was NOT tested: expected Chromium in the path, found none; "
              "tools/deps.sh page installs it", file=sys.stderr)
        sys.exit(6)
    unittest.main(module=None, argv=[sys.argv[0], *(rest or TESTS)], verbosity=2)


if __name__ == "__main__":
    main()
