#!/usr/bin/env python3
"""Checks the dependency direction of the sources.

All modules share the include root src/, so the linker does not notice a header taken from a
folder that should be out of reach. EDGES states what a folder may include; what its dependencies
may include, it may too. Tests and benchmarks may include everything.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Folder under src/ (or "include", "apps") -> the folders it may include directly.
EDGES = {
    "include": [],
    "base": ["include"],
    "bill": ["base"],
    "tensor": ["base"],
    "backend": ["tensor"],
    "backend/cpu": ["backend"],
    "backend/null": ["backend"],
    "backend/profile": ["backend"],
    "backend/cuda": ["backend"],
    "checkpoint": ["backend"],  # HostWeight, the form in which weights reach a backend
    "text": ["base"],
    "image": ["base"],
    "lock": ["checkpoint", "text"],
    "model": ["backend", "checkpoint"],
    "diffusion": ["base"],
    "pipeline": ["model", "diffusion", "text", "image", "backend/null"],
    "engine": ["pipeline", "backend/profile", "image", "lock"],
    "doctor": ["base"],
    "quantize": ["engine"],
    "http": ["base"],
    "serve": ["engine", "doctor", "image"],
    "api": ["serve", "engine", "image", "http"],
    "apps": ["engine", "doctor", "serve", "api", "http", "bill"],
}

# Devices are named in one file; every other file reaches them through backend/backend.h.
DEVICE_FOLDERS = ("backend/cpu", "backend/cuda")
DEVICE_LIST = "src/engine/backend_registry.cc"

# Third-party header -> the folders that may include it.
LIBRARIES = {
    r"nlohmann/": ["base", "bill", "checkpoint", "text", "engine", "quantize", "api", "apps"],
    r"toml\+\+/": ["apps", "bill", "lock"],
    r"(png|jpeglib|zlib|turbojpeg)\.h|webp/": ["image"],
    r"cuda|cublas|cudnn|nccl": ["backend/cuda"],
    r"boost/": ["http"],
    r"openssl/": ["http"],
    r"cblas\.h|openblas": [],
    r"regex$": [],  # recursion on hostile text overflows the stack
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path):
    """The folder of EDGES a repository path belongs to; None where no rule applies."""
    parts = path.split("/")
    if parts[0] in ("include", "apps"):
        return parts[0]
    if parts[0] != "src":
        return None
    for depth in (2, 1):
        name = "/".join(parts[1:1 + depth])
        if len(parts) > 1 + depth and name in EDGES:
            return name
    return parts[1] if len(parts) > 2 else "src"


def reach(folder):
    """The folder and everything it may include, directly or through others."""
    seen, todo = set(), [folder]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += EDGES[name]
    return seen


def check_file(path, text, problems):
    folder = folder_of(path)
    if folder is None:
        return
    if folder not in EDGES:
        problems.append(f"{path}: folder '{folder}' has no row in tools/check_includes.py")
        return
    allowed = reach(folder)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        where, quoted, name = f"{path}:{line}", match.group(1) == '"', match.group(2)
        if quoted:
            if name.startswith(".") or "/" not in name:
                if path.startswith("apps/") or name.endswith(".inc"):
                    continue
                problems.append(f'{where}: "{name}" is not written relative to src/ or include/')
                continue
            if name.startswith("octet/"):
                continue
            target = folder_of("src/" + name)
            if target in allowed:
                continue
            if target in DEVICE_FOLDERS and path == DEVICE_LIST:
                continue
            problems.append(f'{where}: {folder} may not include "{name}" ({target})')
        for pattern, users in LIBRARIES.items():
            if re.match(pattern, name) and not quoted and folder not in users:
                problems.append(f"{where}: <{name}> belongs to {', '.join(users) or 'tests'} only")


def main():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "*.h", "*.cc", "*.cu", "*.cuh", "*.inc"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    problems = []
    for name in files:
        check_file(name, (ROOT / name).read_text(encoding="utf-8"), problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(f"include direction: {len(problems)} problems")
    print(f"include direction: {len(files)} files follow it")


if __name__ == "__main__":
    main()
