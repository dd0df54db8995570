"""Times `octet generate` against diffusers in FP32 and BF16 on one model folder.

Same prompt, steps, guidance, size and threads. Octet is timed as a whole process, start and load of
the model included; diffusers is timed from prompt to written PNG with import, load and one warm-up
run left out. Every round goes through the contenders in both orders. Prints a table of medians and,
with --json FILE, writes every single time. See README.md beside this file.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = ("diffusers-fp32", "diffusers-bf16")
STAGES = ("total", "load", "text", "denoise", "decode", "encode")


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--model", default="models/emoji", help="folder in the diffusers layout")
    parser.add_argument("--variant", default="fp16", help="variant that diffusers loads, if any")
    parser.add_argument("--prompt", default="a red apple on a blue background")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.5)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--octet-arg", action="append", default=[], help="passed on to octet")
    parser.add_argument("--no-octet", action="store_true", help="only the diffusers part")
    parser.add_argument("--json", help="file for the raw times")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def has_variant(args):
    return any(pathlib.Path(args.model).glob(f"transformer/*.{args.variant}*.safetensors"))


def load_peer(args):
    """The pipeline in the peer's type, on this process's threads."""
    import torch
    from diffusers import StableDiffusion3Pipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    dtype = torch.float32 if args.peer == "diffusers-fp32" else torch.bfloat16
    variant = {"variant": args.variant} if has_variant(args) else {}
    pipe = StableDiffusion3Pipeline.from_pretrained(args.model, torch_dtype=dtype, **variant)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def timed(owner, name, stages, stage):
    """Adds the time of owner.name to stages[stage]."""
    plain = getattr(owner, name)

    def call(*args, **kwargs):
        start = time.perf_counter()
        result = plain(*args, **kwargs)
        stages[stage] = stages.get(stage, 0) + time.perf_counter() - start
        return result

    setattr(owner, name, call)


def run_peer(args):
    """Child process: loads once, then makes one picture per line on stdin."""
    import torch

    pipe = load_peer(args)
    stages = {}
    timed(pipe, "encode_prompt", stages, "text")
    timed(pipe.transformer, "forward", stages, "denoise")
    timed(pipe.vae, "decode", stages, "decode")
    t5_length = min(256, pipe.tokenizer_3.model_max_length) if pipe.tokenizer_3 else 256
    print(json.dumps({"ready": True, "t5_length": t5_length, "versions": versions()}), flush=True)
    for line in sys.stdin:
        stages.clear()
        start = time.perf_counter()
        image = pipe(
            args.prompt,
            num_inference_steps=args.steps,
            guidance_scale=args.guidance,
            width=args.width,
            height=args.height,
            max_sequence_length=t5_length,
            generator=torch.Generator().manual_seed(args.seed),
        ).images[0]
        image.save(line.strip())
        print(json.dumps({"total": time.perf_counter() - start, **stages}), flush=True)


def versions():
    import diffusers
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    return {"torch": torch.__version__, "diffusers": diffusers.__version__, "kernels": capability}


class Peer:
    """A diffusers process that waits, asleep, between its turns."""

    def __init__(self, name, argv):
        self.name = name
        environment = {**os.environ, "OMP_NUM_THREADS": "", "TOKENIZERS_PARALLELISM": "false"}
        del environment["OMP_NUM_THREADS"]
        command = [sys.executable, "-W", "ignore", __file__, *argv, "--peer", name]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env=environment
        )
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with code {self.process.wait()}")
        return json.loads(line)

    def run(self, picture):
        self.process.stdin.write(f"{picture}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Octet:
    name = "octet"

    def __init__(self, args):
        self.command = [args.octet, "generate", args.prompt, "--model", args.model, "--json"]
        for key in ("steps", "guidance", "width", "height", "seed", "threads"):
            self.command += [f"--{key}", str(getattr(args, key))]
        self.command += ["--quiet", *args.octet_arg]
        self.about = {"command": self.command}

    def run(self, picture):
        start = time.perf_counter()
        done = subprocess.run([*self.command, "-o", picture], capture_output=True, text=True)
        total = time.perf_counter() - start
        if done.returncode:
            sys.exit(f"octet ended with code {done.returncode}: {done.stderr.strip()}")
        report = json.loads(done.stdout)
        self.about["report"] = report
        return {**report["seconds"], "in_process": report["seconds"].get("total"), "total": total}

    def close(self):
        pass


def compare(contenders, args, work):
    """All times, by contender, in the order in which they were taken."""
    times = {c.name: [] for c in contenders}
    for contender in contenders:  # the warm-up; for octet it fills the page cache
        contender.run(work / f"{contender.name}.png")
    for number in range(args.rounds):
        for order in (contenders, contenders[::-1]):
            for contender in order:
                result = contender.run(work / f"{contender.name}.png")
                times[contender.name].append(result)
                print(f"round {number + 1}: {contender.name} {result['total']:.3f} s", flush=True)
    return times


def median(runs, stage):
    values = [run[stage] for run in runs if run.get(stage) is not None]
    return statistics.median(values) if values else None


def picture_distance(work, first, second):
    """Mean distance of two written pictures in steps of 1/255, None when one is missing."""
    import numpy
    from PIL import Image

    paths = [work / f"{name}.png" for name in (first, second)]
    if not all(p.exists() for p in paths):
        return None
    a, b = (numpy.asarray(Image.open(p).convert("RGB"), dtype=float) for p in paths)
    return float(abs(a - b).mean())


def print_table(times):
    print("\nmedian seconds   " + "".join(f"{s:>10}" for s in STAGES) + "   spread of total")
    for name, runs in times.items():
        cells = [median(runs, stage) for stage in STAGES]
        totals = [run["total"] for run in runs]
        line = "".join(f"{'-' if c is None else format(c, '.3f'):>10}" for c in cells)
        print(f"{name:<17}{line}   {min(totals):.3f} .. {max(totals):.3f}")
    if "octet" in times:
        own = median(times["octet"], "total")
        for peer in PEERS:
            print(f"{peer} / octet = {median(times[peer], 'total') / own:.2f}")


def main(argv):
    args = parse_args(argv)
    if args.peer:
        return run_peer(args)
    contenders = [] if args.no_octet else [Octet(args)]
    contenders += [Peer(name, argv) for name in PEERS]
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        times = compare(contenders, args, work)
        print_table(times)
        distance = picture_distance(work, "octet", PEERS[0])
        if distance is not None:
            print(f"octet and diffusers-fp32 pictures differ by {distance:.3f} of 255 on average")
    for contender in contenders:
        contender.close()
    print(f"load average before {load[0]:.2f}, after {os.getloadavg()[0]:.2f}")
    if args.json:
        about = {c.name: c.about for c in contenders}
        raw = {"settings": vars(args), "about": about, "seconds": times, "load": load}
        pathlib.Path(args.json).write_text(json.dumps({**raw, "distance": distance}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
