"""Times diffusers and Octet on the same shapes and GPU, in turns: both orders, several rounds.

Peers hold random weights of SD3.5 Large or Medium (built from the config, nothing is downloaded) and
run one guided step, 4096 image and 333 text tokens, batch 2 x images:

  bf16-eager     diffusers BF16 as it comes
  bf16-compiled  regional compilation (every block on its own), cuDNN attention
  fp8-compiled   torchao dynamic FP8, one scale per row, on all linears of the blocks but the
                 modulation; regional compilation (max-autotune), cuDNN attention

Each round times every peer (median of --forwards after 3 to warm up) and runs `octet bench`; odd
rounds in the opposite order. All raw figures go to --json.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import torch

import synthetic

TEXT_TOKENS = 333


class Peer:
    """A compiled or eager transformer and its inputs."""

    def __init__(self, size, kind, images, args):
        self.name = f"{size} {kind} x{images}"
        self.size, self.kind, self.images = size, kind, images
        device = args.device
        began = time.time()
        self.model = synthetic.fill(synthetic.transformer(size, torch.bfloat16, device), False,
                                    device)
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
            "timestep": torch.full((batch,), 500.0, device=device, dtype=torch.bfloat16),
        }
        self.device = device
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
        return {"contender": self.name, "ms_per_step": statistics.median(times), "all_ms": times}


def octet(args, size, precision, images):
    command = [args.octet, "bench", "--model", f"synthetic:{size}@{precision}", "--device",
               args.device, "--width", str(args.pixels), "--height", str(args.pixels), "--steps",
               "28", "--guidance", "4.5", "--batch", str(images), "--rounds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"contender": f"octet {size} {precision} x{images}", "error": done.stderr}
    report = json.loads(done.stdout)
    return {"contender": f"octet {size} {precision} x{images}",
            "ms_per_step": report["batches"][0]["ms_per_step"], "report": report}


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
        runs.append(lambda p=peer: p.measure(args.forwards))
    for number in range(args.rounds):
        if time.time() - began > args.seconds:
            break
        rows = [run() for run in (runs if number % 2 == 0 else runs[::-1])]
        result["rounds"].append(rows)
        for row in rows:
            print(number, row["contender"], row.get("ms_per_step", row.get("error")), flush=True)
        save()
    summary = {}
    for rows in result["rounds"]:
        for row in rows:
            summary.setdefault(row["contender"], []).append(row.get("ms_per_step"))
    result["ms_per_step"] = {k: statistics.median(x for x in v if x is not None)
                             for k, v in summary.items() if any(x is not None for x in v)}
    save()
    print(json.dumps(result["ms_per_step"], indent=1))


if __name__ == "__main__":
    main()
