#!/usr/bin/env python3
"""Checks what a clone would stumble over: sizes, paths of one machine, line ends, dead links, and
planted faults (tests/faults) that no longer fit the code."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

MIB = 1 << 20
FILE_BYTES = 50 * MIB
TREE_BYTES = 90 * MIB
GOLDEN_BYTES = 12 * MIB

# Text that belongs to one machine or one network. Written in pieces, so that this file passes.
FORBIDDEN = [
    (re.compile(r"(?<![\w.$/}])/(?:home/\w|root/|Users/\w|work/|data/\w+/)"),
     "an absolute path of one machine"),
    (re.compile(r"(?<!\w)\.\./shared\b"), "a path outside the repository"),
    (re.compile(r"\b(?:files\.pythonhosted|pypi|registry\.npmjs|deb\.debian|proxy\.golang)"
                r"\.(?:org|com)\b"), "the host name of a package registry"),
]
# Which pull a registry by design, or quote a text of others.
EXEMPT = {"tools/check_repo.py", "tools/test_checks.py", "LICENSE"}

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
IMAGE_TAG = re.compile(r"""<(?:img|a)\b[^>]*?\b(?:src|href)=["']([^"']+)["']""")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def anchors(markdown):
    """The anchors that a hosting site makes from headings."""
    found = set()
    for match in HEADING.finditer(CODE_BLOCK.sub("", markdown)):
        title = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).lower()
        found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


def dead_links(path, markdown):
    """The relative links of a Markdown file that lead nowhere."""
    text = re.sub(r"`[^`\n]*`", "", CODE_BLOCK.sub("", markdown))
    for target in LINK.findall(text) + IMAGE_TAG.findall(text):
        if re.match(r"^[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        if not file.exists():
            yield target
        elif anchor.startswith("L") and anchor[1:].isdigit():
            if int(anchor[1:]) > file.read_text(encoding="utf-8").count("\n"):
                yield target
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8")):
            yield target


def text_of(data):
    """The file as text, or None for a binary file."""
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def problems_in_text(name, text):
    if "\r\n" in text and not name.startswith("tests/"):
        yield f"{name}: has CRLF line ends"
    if name in EXEMPT:
        return
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, what in FORBIDDEN:
            match = pattern.search(line)
            if match:
                yield f"{name}:{number}: {what}: '{match.group(0)}'"


def stale_faults(root, names):
    """The patches of tests/faults that no longer apply; `make faults` itself takes minutes."""
    for name in names:
        if not name.startswith("tests/faults/") or not name.endswith(".patch"):
            continue
        if subprocess.run(["git", "apply", "--check", name], cwd=root, capture_output=True,
                          check=False).returncode:
            yield f"{name}: the patch no longer applies; mend it"


def check(root, names):
    """(problems, bytes of the tree, bytes of the goldens)."""
    problems, tree, goldens = [], 0, 0
    for name in names:
        path = root / name
        data = path.read_bytes()
        tree += len(data)
        if name.startswith("tests/golden/"):
            goldens += len(data)
        if len(data) > FILE_BYTES:
            problems.append(f"{name}: {len(data) / MIB:.1f} MiB, at most {FILE_BYTES // MIB}")
        text = text_of(data)
        if text is not None:
            problems += problems_in_text(name, text)
            if name.endswith(".md"):
                problems += [f"{name}: dead link '{link}'" for link in dead_links(path, text)]
    if tree > TREE_BYTES:
        problems.append(f"tracked tree: {tree / MIB:.1f} MiB, at most {TREE_BYTES // MIB}")
    if goldens > GOLDEN_BYTES:
        problems.append(f"tests/golden: {goldens / MIB:.1f} MiB, at most {GOLDEN_BYTES // MIB}")
    problems += stale_faults(root, names)
    return problems, tree, goldens


def main():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True,
                            text=True).stdout
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    problems, tree, goldens = check(ROOT, names)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(f"repository: {len(problems)} problems")
    print(f"repository: {len(names)} files, {tree / MIB:.1f} MiB (<= {TREE_BYTES // MIB}), "
          f"goldens {goldens / MIB:.1f} MiB (<= {GOLDEN_BYTES // MIB})")


if __name__ == "__main__":
    main()
