"""How equal two devices draw: PSNR of the same prompts and seeds, as one JSON object.

    python training/compare_devices.py --engine build-cuda/octet --compute bf16

Draws the prompts of compare_devices.txt with the emoji model on both devices, --seeds pictures each.
Needs numpy and Pillow.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def draw(args, device, compute, folder):
    """{(prompt number, picture number): float array}."""
    found = {}
    for n, prompt in enumerate(args.prompts.read_text().splitlines()):
        command = [args.engine, "generate", "--model", args.model, "--device", device, "--compute",
                   compute, "--seed", str(100 * n), "--batch", str(args.seeds), "--quiet"]
        names = str(Path(folder) / f"{device}-{n}-%d.png")
        subprocess.run(command + ["-o", names, "--", prompt], check=True)
        for i in range(args.seeds):
            picture = Image.open(names.replace("%d", str(i))).convert("RGB")
            found[n, i] = np.asarray(picture, np.float64)
    return found


def psnr(a, b):
    error = ((a - b) ** 2).mean()
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="build-cuda/octet")
    parser.add_argument("--model", default="emoji")
    parser.add_argument("--devices", nargs=2, default=["cuda", "cpu"])
    parser.add_argument("--compute", default="bf16")
    parser.add_argument("--reference-compute", help="of the second device, default as the first's")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--prompts", type=Path,
                        default=Path(__file__).with_name("compare_devices.txt"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first = draw(args, args.devices[0], args.compute, folder)
        second = draw(args, args.devices[1], args.reference_compute or args.compute, folder)
    values = sorted(psnr(first[key], second[key]) for key in first)
    print(json.dumps({"pictures": len(values), "median_db": round(statistics.median(values), 2),
                      "least_db": round(values[0], 2), "below_35_db": sum(v < 35 for v in values)}))


if __name__ == "__main__":
    main()
