#!/usr/bin/env python3
"""Copies the licence texts of what a program contains: collect_licences.py OCTET FOLDER. The texts are
those that Debian's packages install, and that of the CUDA toolkit. Exit code 5: one is missing."""
import json
import pathlib
import shutil
import subprocess
import sys

CUDA_TEXTS = ("EULA.txt", "dist-info/nvidia_cuda_runtime-*/licenses/License.txt")


def cuda_text():
    compiler = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    toolkit = pathlib.Path(compiler).resolve().parents[1]
    for pattern in CUDA_TEXTS:
        for path in sorted(toolkit.glob(pattern)):
            return path
    return toolkit / CUDA_TEXTS[0]


def texts(components):
    """(name, path) of each licence text."""
    for component in components:
        values = {p["name"]: p["value"] for p in component["properties"]}
        if "octet:package" in values:
            package = values["octet:package"]
            yield package, pathlib.Path("/usr/share/doc") / package / "copyright"
        elif component["name"].startswith("CUDA"):
            yield "cuda", cuda_text()


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    bill = subprocess.run([program, "sbom"], check=True, capture_output=True, text=True).stdout
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in texts(json.loads(bill)["components"]):
        if not path.is_file():
            print(f"collect_licences: {name}: expected its licence in {path}, found none",
                  file=sys.stderr)
            sys.exit(5)
        shutil.copyfile(path, folder / f"{name}.txt")


if __name__ == "__main__":
    main()
