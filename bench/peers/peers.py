"""Times diffusers and Octet on the same shapes and GPU, in turns: both orders, several rounds.

Peers hold random weights of SD3.5 Large or Medium (built from the config, nothing is downloaded), each
in a process of its own, so that all are compiled at once; one at a time is measured. They run one
guided step, 4096 image and 333 text tokens, batch 2 x images:

  bf16-eager     diffusers BF16 as it comes
  bf16-compiled  regional compilation (every block on its own), cuDNN attention
  fp8-compiled   torchao dynamic FP8, one scale per row, on all linears of the blocks but the
                 modulation; regional compilation, cuDNN attention. mode="max-autotune" took 150 s for
                 the first shape and chose the same _scaled_mm (8192x2432x2432: 0.111 ms, Triton 0.135).

Each round times every peer (median of --forwards after 3 to warm up) and runs `octet bench` over
--octet-steps; odd rounds in the opposite order. Then as many rounds from prompt to PNG with 28 steps
(pictures.py), of the peers in --pictures and Octet's FP8. All raw figures go to --json as they come.
"""

import argparse
import json
import multiprocessing
import pathlib
import statistics
import subprocess
import time

import torch

import pictures
import synthetic

TEXT_TOKENS = 333


class Peer:
    """A compiled or eager transformer and its inputs."""

    def __init__(self, size, kind, images, args):
        self.name = f"{size} {kind} x{images}"
        self.size, self.kind, self.images = size, kind, images
        device = args.device
        self.model = synthetic.fill(synthetic.transformer(size, torch.bfloat16, device), False,
                                    device)
        began = time.time()
        config = self.model.config
        if kind == "fp8-compiled":
            from torchao.quantization import (Float8DynamicActivationFloat8WeightConfig, PerRow,
                                              quantize_)

            quantize_(self.model, Float8DynamicActivationFloat8WeightConfig(granularity=PerRow()),
                      lambda m, n: isinstance(m, torch.nn.Linear)
                      and synthetic.is_fp8_layer(n + ".weight"))
        if kind != "bf16-eager":
            if device == "cuda":
                self.model.set_attention_backend("_native_cudnn")
            for block in self.model.transformer_blocks:  # regional: one code for all of a kind
                block.compile(fullgraph=True)
        batch, side = 2 * images, args.pixels // 8
        self.inputs = {
            "hidden_states": torch.randn(batch, 16, side, side, device=device).bfloat16(),
            "encoder_hidden_states": torch.randn(batch, TEXT_TOKENS, config.joint_attention_dim,
                                                 device=device).bfloat16(),
            "pooled_projections": torch.randn(batch, config.pooled_projection_dim,
                                              device=device).bfloat16(),
            "timestep": torch.full((batch,), 500.0, device=device),
        }
        self.device = device
        self.step()
        if kind in args.pictures.split(","):
            self.drawing = pictures.Pictures(size.endswith("-tiny"), device, args.pixels)
            self.drawing.draw(self.model, steps=1)
        self.first_call_seconds = time.time() - began

    def step(self):
        with torch.inference_mode():
            self.model(**self.inputs, return_dict=False)
        if self.device == "cuda":
            torch.cuda.synchronize()

    def measure(self, forwards):
        for _ in range(3):
            self.step()
        times = []
        for _ in range(forwards):
            began = time.perf_counter()
            self.step()
            times.append(1e3 * (time.perf_counter() - began))
        return {"contender": self.name, "ms_per_step": statistics.median(times), "all_ms": times}

    def draw(self):
        return {"contender": self.name, "seconds": self.drawing.draw(self.model)}


def serve(pipe, size, kind, images, args):
    """A peer's process: makes it, then does what the pipe says."""
    try:
        peer = Peer(size, kind, images, args)
        pipe.send({"name": peer.name, "first_call_seconds": peer.first_call_seconds})
        while (task := pipe.recv()) is not None:
            pipe.send(peer.measure(args.forwards) if task == "step" else peer.draw())
    except Exception as error:  # one peer that does not run must not hide the others
        pipe.send({"contender": f"{size} {kind} x{images}", "error": str(error)[:2000]})


class Process:
    """A peer seen from outside."""

    def __init__(self, size, kind, images, args):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, size, kind, images, args),
                                       daemon=True)
        self.process.start()
        self.draws = kind in args.pictures.split(",")

    def ask(self, task):
        self.pipe.send(task)
        return self.pipe.recv()


class Octet:
    draws = False

    def __init__(self, size, precision, images, args):
        self.name, self.args = f"octet {size} {precision} x{images}", args
        self.command = [args.octet, "bench", "--model", f"synthetic:{size}@{precision}", "--device",
                        args.device, "--width", str(args.pixels), "--height", str(args.pixels),
                        "--guidance", "4.5", "--batch", str(images), "--rounds", "1", "--json"]
        self.draws = precision == "fp8"

    def ask(self, task):
        steps = self.args.octet_steps if task == "step" else pictures.STEPS
        done = subprocess.run(self.command + ["--steps", str(steps)], capture_output=True,
                              text=True)
        if done.returncode != 0:
            return {"contender": self.name, "error": done.stderr}
        report = json.loads(done.stdout)
        batch = report["batches"][0]
        row = {"contender": self.name, "ms_per_step": batch["ms_per_step"], "report": report}
        return row if task == "step" else row | {"seconds": batch["seconds"]}


def medians(rounds, figure):
    """{contender: median over the rounds that have the figure}."""
    found = {}
    for row in rounds:
        if "error" not in row and figure(row):
            found.setdefault(row["contender"], []).append(figure(row))
    return {contender: statistics.median(values) for contender, values in found.items()}


def environment():
    import diffusers

    found = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    try:
        import torchao

        found["torchao"] = torchao.__version__
    except ImportError:
        found["torchao"] = None
    if torch.cuda.is_available():
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                  "cudnn": torch.backends.cudnn.version()}
        query = ["nvidia-smi", "--query-gpu=driver_version,clocks.sm,power.draw,memory.total",
                 "--format=csv,noheader"]
        found["nvidia_smi"] = subprocess.run(query, capture_output=True, text=True).stdout.strip()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--octet", default="build-cuda/octet")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--pixels", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forwards", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1e9,
                        help="start no further round after this time")
    parser.add_argument("--octet-steps", type=int, default=28)
    parser.add_argument("--pictures", default="bf16-compiled,fp8-compiled",
                        help="kinds of peers that also draw from prompt to PNG")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("contenders", nargs="*", metavar="SIZE:KIND[:IMAGES]",
                        default=["sd3.5-large:bf16-eager", "sd3.5-large:bf16-compiled",
                                 "sd3.5-medium:bf16-compiled", "sd3.5-large:fp8-compiled",
                                 "sd3.5-large:octet-fp8", "sd3.5-large:octet-bf16",
                                 "sd3.5-medium:octet-fp8"])
    args = parser.parse_args()
    began = time.time()
    result = {"date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
              "environment": environment(), "pixels": args.pixels, "first_call_seconds": {},
              "rounds": []}

    def save():
        args.json.write_text(json.dumps(result, indent=1) + "\n")

    runs = []
    for contender in args.contenders:
        size, kind, *images = contender.split(":")
        make = Octet if kind.startswith("octet-") else Process
        runs.append(make(size, kind.removeprefix("octet-"), int(images[0]) if images else 1, args))
    for run in [run for run in runs if isinstance(run, Process)]:
        made = run.pipe.recv()
        print(made, flush=True)
        result["first_call_seconds"][made.get("name", made.get("contender"))] = made
        if "error" in made:
            runs.remove(run)
    for task in ("step", "picture"):
        asked = [run for run in runs if task == "step" or run.draws]
        for number in range(args.rounds):
            for run in asked if number % 2 == 0 else asked[::-1]:
                if time.time() - began > args.seconds:
                    break
                row = {"task": task, "round": number} | run.ask(task)
                result["rounds"].append(row)
                print(number, row["contender"], row.get("ms_per_step"),
                      row.get("seconds", {}).get("total"), row.get("error", ""), flush=True)
                save()
    result["ms_per_step"] = medians(
        result["rounds"], lambda row: row["task"] == "step" and row.get("ms_per_step"))
    result["prompt_to_png_seconds"] = medians(
        result["rounds"], lambda row: row["task"] == "picture" and row["seconds"]["total"])
    save()
    print(json.dumps([result["ms_per_step"], result["prompt_to_png_seconds"]], indent=1))


if __name__ == "__main__":
    main()
