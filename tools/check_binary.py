#!/usr/bin/env python3
"""Checks what a program asks of the machine that runs it: check_binary.py FILE [--glibc 2.34].

Refused are shared libraries other than glibc's, symbols of a newer glibc or of any other versioned
library, search paths inside the file, an executable stack, relocations that stay writable, and text
given by --without (the folder of the build, which would make each build differ).
Exit codes: 0 all well, 2 usage, 5 not readable, 7 refused."""
import argparse
import os
import re
import subprocess
import sys

GLIBC_LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1",
                   "ld-linux-x86-64.so.2"}


def readelf(*arguments):
    run = subprocess.run(["readelf", "--wide", *arguments], capture_output=True, text=True,
                         check=False, env={**os.environ, "LC_ALL": "C"})
    if run.returncode or "Error:" in run.stderr:
        print(f"check_binary: {run.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        sys.exit(5)
    return run.stdout


def needed_libraries(file):
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", readelf("--dynamic", file))


def imported_symbols(file):
    """(name, version) of each dynamic symbol that another file must bring; version may be ''."""
    found = []
    for line in readelf("--dyn-syms", file).splitlines():
        match = re.match(r"\s*\d+: \S+\s+\d+ \S+\s+(\S+)\s+\S+\s+UND (\S+?)(?:@+(\S+))?(?: \(\d+\))?$",
                         line)
        if match:
            found.append((match[2], match[3] or "", match[1]))
    return found


def numbers(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def library_problems(file):
    for name in needed_libraries(file):
        if name not in GLIBC_LIBRARIES:
            yield f"needs the shared library {name}; only glibc may be needed: link it statically"
    for tag, path in re.findall(r"\((RPATH|RUNPATH)\)\s+.*\[(.*)\]", readelf("--dynamic", file)):
        yield f"has the search path '{path}' ({tag}); it must find its libraries anywhere"


def symbol_problems(file, glibc):
    for name, version, binding in imported_symbols(file):
        if not version:
            if binding != "WEAK":
                yield f"asks for {name} of no known library"
        elif not re.fullmatch(r"GLIBC_[\d.]+", version):
            yield f"asks for {name} of {version}; only symbols of glibc are allowed"
        elif numbers(version) > numbers(glibc):
            yield (f"asks for {name} of {version}, but glibc {glibc} must be enough: see "
                   "apps/octet/glibc_floor.cc")


def hardening_problems(file):
    segments = readelf("--program-headers", file)
    if re.search(r"GNU_STACK\s.*\bRWE\b", segments) or "GNU_STACK" not in segments:
        yield "has an executable stack"
    flags = " ".join(re.findall(r"\(FLAGS(?:_1)?\)(.*)", readelf("--dynamic", file)))
    if "GNU_RELRO" not in segments or "NOW" not in flags:
        yield "leaves relocations writable; expected -z relro -z now"
    if "PIE" not in flags:
        yield "has a fixed address; expected a position-independent executable"


def text_problems(file, texts):
    with open(file, "rb") as opened:
        data = opened.read()
    for text in texts:
        if text.encode() in data:
            yield f"contains the text '{text}'"


def problems(file, glibc="2.34", without=()):
    found = [*library_problems(file), *symbol_problems(file, glibc), *hardening_problems(file)]
    return found + [*text_problems(file, without)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--glibc", default="2.34", help="the oldest glibc that must be enough")
    parser.add_argument("--without", action="append", default=[], help="text that may not occur")
    arguments = parser.parse_args()
    if not os.access(arguments.file, os.R_OK):
        print(f"check_binary: {arguments.file}: cannot be read", file=sys.stderr)
        sys.exit(5)
    found = problems(arguments.file, arguments.glibc, arguments.without)
    for problem in found:
        print(f"check_binary: {arguments.file}: {problem}", file=sys.stderr)
    if found:
        sys.exit(7)
    symbols = imported_symbols(arguments.file)
    highest = max((version for _, version, _ in symbols if version), key=numbers)
    print(f"binary: needs {', '.join(needed_libraries(arguments.file))}; "
          f"{len(symbols)} imported symbols, the newest of {highest} (<= {arguments.glibc})")


if __name__ == "__main__":
    main()
