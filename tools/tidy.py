#!/usr/bin/env python3
"""Runs clang-tidy on the product's sources, several at once, skipping what has not changed.

A source counts as unchanged when it, the project's headers it includes, .clang-tidy and its
compile command are the same as in a run that found nothing; stamps lie under BUILD/tidy.
"""
import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
FOLDERS = ("src", "apps")
# What clang 14 cannot read, and why.
UNREADABLE = {
    "src/backend/cpu/cpu_backend.cc": '__builtin_cpu_supports("f16c") is g++ only',
    "apps/octet/build_info.cc": '__builtin_cpu_supports("f16c") is g++ only',
}


def headers_of(path, seen):
    """Adds to `seen` every project header that a file includes, directly or not."""
    for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        for base in (ROOT / "src", ROOT / "include", path.parent):
            header = base / name
            if header.is_file() and header not in seen:
                seen.add(header)
                headers_of(header, seen)
                break
    return seen


def fingerprint(source, command):
    digest = hashlib.sha256(command.encode())
    for path in [ROOT / ".clang-tidy", source, *sorted(headers_of(source, set()))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sources(build):
    """(source, compile command) of the product's files in the compilation database."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if path.suffix == ".cc" and path.is_relative_to(ROOT) and \
                path.relative_to(ROOT).parts[0] in FOLDERS and \
                str(path.relative_to(ROOT)) not in UNREADABLE:
            yield path, entry["command"]


def tidy(tool, build, source):
    # Warnings of the compiler are g++'s business; clang knows others.
    run = subprocess.run([tool, "-p", str(build), "--quiet", "--extra-arg=-w", str(source)],
                         capture_output=True, text=True)
    return run.returncode, run.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("files", nargs="*", help="only these sources")
    args = parser.parse_args()
    tool = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    build = args.build.resolve()
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)

    work, total = {}, 0
    for source, command in sources(build):
        if args.files and str(source.relative_to(ROOT)) not in args.files:
            continue
        total += 1
        stamp = stamps / fingerprint(source, command)
        if not stamp.exists():
            work[source] = stamp
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        runs = {pool.submit(tidy, tool, build, source): source for source in work}
        for run in concurrent.futures.as_completed(runs):
            code, output = run.result()
            if code == 0:
                work[runs[run]].touch()
            else:
                failed += 1
                print(output, file=sys.stderr)
    if failed:
        sys.exit(f"tidy: {failed} of {total} sources have findings")
    print(f"tidy: {total} sources have no findings ({total - len(work)} unchanged)")


if __name__ == "__main__":
    main()
