"""Quality of a model folder, as one JSON object.

    python training/quality.py --model models/emoji --variant fp8 --engine build/octet
    python training/quality.py --model models/emoji --pipeline        # diffusers, FP16 variant

Kinds of prompt (200 each, chosen by a hash): "name": "a NAME on a white background" (a phrasing
seen in training); "held": phrasings never used for training; "pair": "A on the left and B on
the right", both halves count. Picture i uses seed i and the defaults of the model. The metric
is in quality_metric.py.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import quality_metric


def by_engine(args, jobs, folder):
    for i, (prompt, _) in enumerate(jobs):
        path = Path(folder) / f"{i:03}.png"
        command = [args.engine, "generate", prompt, "--model", args.model, "--variant",
                   args.variant, "--seed", str(args.start + i), "--quiet", "-o", str(path)]
        subprocess.run(command + args.options.split(), check=True)
        yield np.asarray(Image.open(path).convert("RGB"))


def by_pipeline(args, jobs, folder):
    import torch
    from diffusers import StableDiffusion3Pipeline

    pipe = StableDiffusion3Pipeline.from_pretrained(
        args.model, variant="fp16", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    default = json.loads((Path(args.model) / "octet.json").read_text())
    for i, (prompt, _) in enumerate(jobs):
        image = pipe(prompt, num_inference_steps=default["steps"], height=default["height"],
                     width=default["width"], guidance_scale=default["guidance"],
                     max_sequence_length=default["t5_length"],
                     generator=torch.Generator().manual_seed(args.start + i)).images[0]
        image.save(Path(folder) / f"{i:03}.png")
        yield np.asarray(image)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/emoji")
    parser.add_argument("--variant", default="fp8")
    parser.add_argument("--engine", default="build/octet")
    parser.add_argument("--pipeline", action="store_true", help="diffusers instead of the engine")
    parser.add_argument("--options", default="", help="more options for the engine")
    parser.add_argument("--kinds", default="name,held,pair")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, default=quality_metric.COUNT)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work",
                        help="folder of atlas.npz, see glyphs.py")
    parser.add_argument("--out", type=Path, help="keep the pictures here")
    args = parser.parse_args()
    known = quality_metric.cached_gallery(args.work)
    found = {"model": args.model, "by": "diffusers" if args.pipeline else args.engine,
             "variant": "fp16" if args.pipeline else args.variant}
    for kind in args.kinds.split(","):
        jobs = quality_metric.prompts(kind)[args.start:args.start + args.count]
        with tempfile.TemporaryDirectory() as scratch:
            folder = args.out / kind if args.out else Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            pictures = list((by_pipeline if args.pipeline else by_engine)(args, jobs, folder))
        found[kind] = quality_metric.score(kind, pictures, known, args.start)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
