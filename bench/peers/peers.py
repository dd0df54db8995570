"""Times diffusers and Octet on the same shapes and GPU, in turns: both orders, several rounds.

Peers hold random weights of SD3.5 Large or Medium (built from the config, nothing is downloaded) and
run one guided step, 4096 image and 333 text tokens, batch 2 x images:

  bf16-eager     diffusers BF16 as it comes
  bf16-compiled  regional compilation (every block on its own), cuDNN attention
  fp8-compiled   torchao dynamic FP8, one scale per row, on all linears of the blocks but the
                 modulation; regional compilation (max-autotune), cuDNN attention

Each round times every peer (median of --forwards after 3 to warm up; those named in --pictures also
from prompt to PNG, see pictures.py) and runs `octet bench`; odd rounds in the opposite order. All raw
figures go to --json.
"""

import argparse
import json
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

    states = {}  # of every size, shared: nobody writes to them

    def __init__(self, size, kind, images, args):
        self.name = f"{size} {kind} x{images}"
        self.size, self.kind, self.images = size, kind, images
        device = args.device
        if size not in Peer.states:
            filled = synthetic.fill(synthetic.transformer(size, torch.bfloat16, device), False,
                                    device)
            Peer.states[size] = filled.state_dict()
        began = time.time()
        self.model = synthetic.transformer(size, torch.bfloat16, "meta")
        self.model.load_state_dict(Peer.states[size], assign=True)
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
            mode = {"mode": "max-autotune-no-cudagraphs"} if kind == "fp8-compiled" else {}
            for block in self.model.transformer_blocks:  # regional: one code for all of a kind
                block.compile(fullgraph=True, **mode)
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
        self.pictures = None
        self.step()
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
        row = {"contender": self.name, "ms_per_step": statistics.median(times), "all_ms": times}
        if self.pictures is not None:
            row["seconds"] = self.pictures.draw(self.model)
        return row


def octet(args, size, precision, images):
    whole = precision == "fp8"  # prompt to PNG; of other types only steps are compared
    steps = pictures.STEPS if whole else args.forwards
    command = [args.octet, "bench", "--model", f"synthetic:{size}@{precision}", "--device",
               args.device, "--width", str(args.pixels), "--height", str(args.pixels), "--steps",
               str(steps), "--guidance", "4.5", "--batch", str(images), "--rounds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"contender": f"octet {size} {precision} x{images}", "error": done.stderr}
    report = json.loads(done.stdout)
    batch = report["batches"][0]
    row = {"contender": f"octet {size} {precision} x{images}",
           "ms_per_step": batch["ms_per_step"], "report": report}
    return row | {"seconds": batch["seconds"]} if whole else row


def medians(rounds, figure):
    """{contender: median over the rounds that have the figure}."""
    found = {}
    for row in (row for rows in rounds for row in rows):
        if figure(row) is not None:
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
    parser.add_argument("--pictures", default="bf16-compiled,fp8-compiled",
                        help="kinds of peers that also draw from prompt to PNG, on the first size")
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

    runs, drawing = [], None
    for contender in args.contenders:
        size, kind, *images = contender.split(":")
        count = int(images[0]) if images else 1
        if kind.startswith("octet-"):
            runs.append(lambda s=size, k=kind, n=count: octet(args, s, k.removeprefix("octet-"), n))
            continue
        try:
            peer = Peer(size, kind, count, args)
        except Exception as error:  # one peer that does not run must not hide the others
            result["first_call_seconds"][contender] = f"failed: {error}"[:2000]
            print(contender, "failed:", str(error)[:500], flush=True)
            save()
            continue
        result["first_call_seconds"][peer.name] = peer.first_call_seconds
        print(peer.name, f"ready after {peer.first_call_seconds:.1f} s", flush=True)
        if kind in args.pictures.split(",") and size == args.contenders[0].split(":")[0]:
            drawing = drawing or pictures.Pictures(size.endswith("-tiny"), args.device, args.pixels)
            peer.pictures = drawing
            peer.pictures.draw(peer.model, steps=1)  # not counted
        runs.append(lambda p=peer: p.measure(args.forwards))
    for number in range(args.rounds):
        if time.time() - began > args.seconds:
            break
        rows = [run() for run in (runs if number % 2 == 0 else runs[::-1])]
        result["rounds"].append(rows)
        for row in rows:
            print(number, row["contender"], row.get("ms_per_step", row.get("error")), flush=True)
        save()
    result["ms_per_step"] = medians(result["rounds"], lambda row: row.get("ms_per_step"))
    result["prompt_to_png_seconds"] = medians(result["rounds"],
                                              lambda row: row.get("seconds", {}).get("total"))
    save()
    print(json.dumps([result["ms_per_step"], result["prompt_to_png_seconds"]], indent=1))


if __name__ == "__main__":
    main()
