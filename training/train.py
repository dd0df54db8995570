"""Train the emoji model from nothing, or go on from the weights of a model folder.

    torchrun --nproc-per-node 1 training/train.py --seconds 1400 --vae-seconds 120
    torchrun --nproc-per-node 1 training/train.py --seconds 1400 --continue-from models/emoji

Needs WORK/atlas.npz (glyphs.py) and the tokenizers (build_tokenizers.py). Writes OUT/checkpoint.pt
(for export.py), OUT/report.json and OUT/sheet.png now and then and at the end. The lengths are
wall-clock seconds of training, start and compilation not counted. See README.md.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

import config
import export
import quality_metric
from build_tokenizers import Encoders
from scenes import Renderer, Source
from train_mmdit import Trainer
from train_vae import train_vae
from vae import Vae

HERE = Path(__file__).resolve().parent


class Run:
    """One process of the run: its device, its data, and what it shares with the others."""

    def __init__(self, args):
        self.begin = time.time()
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.alone = args.alone or self.world == 1
        # one visible device each: then the compiler's cache serves every process
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", os.environ.get("LOCAL_RANK", "0"))
        cuda = torch.cuda.is_available() and not args.cpu
        self.device = torch.device("cuda", 0) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(self.device)
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
        if not self.alone:
            dist.init_process_group("nccl" if cuda else "gloo",
                                    device_id=self.device if cuda else None)
        self.compile, self.limit = cuda and not args.eager, args.limit
        self.vae_compile = self.compile and args.vae_compile
        self.config = config.TINY if args.tiny else config.Config()
        self.encoders = Encoders(args.model)
        self.source = Source(args.model, args.seed + self.rank, args.workers, args.chunk)
        rgba = np.load(args.work / "atlas.npz")["rgba"]
        self.gallery = quality_metric.cached_gallery(args.work)
        self.renderer = Renderer(rgba, self.device, self.config.side)
        self.out = args.out / f"rank{self.rank}" if args.alone and self.world > 1 else args.out
        self.out.mkdir(parents=True, exist_ok=True)

    def clock(self):
        return time.time() - self.begin

    def say(self, text):
        if self.rank == 0 or self.alone:
            print(f"[{self.rank}] {text}", flush=True)

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def sync(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def agree(self, value):
        """Process 0's value, in all processes."""
        if self.alone:
            return float(value)
        cell = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(cell, 0)
        return float(cell)

    def spread(self, tensors):
        """Process 0's tensors, into all processes."""
        if not self.alone:
            for tensor in tensors:
                dist.broadcast(tensor.data, 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--seconds", type=float, default=1400, help="of the transformer")
    add("--vae-seconds", type=float, default=120)
    add("--continue-from", type=Path, help="model folder: go on from its 16-bit weights")
    add("--state", type=Path, help="full state of stage 2: written, and read when it exists")
    add("--vae", type=Path, help="autoencoder file: written, and read when it exists")
    add("--model", type=Path, default=HERE.parent / "models" / "emoji", help="for tokenizers")
    add("--work", type=Path, default=HERE / "work")
    add("--out", type=Path, default=HERE / "work" / "out")
    add("--batch", type=int, default=512, help="per device")
    add("--vae-batch", type=int, default=128, help="per device, of quarter pictures")
    add("--muon-rate", type=float, default=3e-3)
    add("--adam-rate", type=float, default=2e-3)
    add("--vae-muon-rate", type=float, default=3e-3)
    add("--vae-adam-rate", type=float, default=2e-3)
    add("--decay", type=float, default=0.05, help="weight decay of the matrices")
    add("--clip", type=float, default=1.0)
    add("--average", type=float, default=0.999, help="decay of the averaged weights")
    add("--fall", type=float, default=0.6, help="last part in which the rate falls to zero")
    add("--pool", type=int, default=131072, help="latents kept on each device")
    add("--first", type=int, default=32768, help="latents made before the first step")
    add("--refresh", type=int, default=4, help="steps between two chunks of new scenes")
    add("--chunk", type=int, default=256)
    add("--workers", type=int, default=6, help="caption processes per device")
    add("--report", type=float, default=150, help="seconds between reports")
    add("--limit", type=int, default=200, help="most prompts of each kind in a report")
    add("--seed", type=int, default=1)
    add("--alone", action="store_true", help="processes do not share: to compare settings")
    add("--rates", help="with --alone: muon:adam:vae_muon:vae_adam of each process, by commas")
    add("--cpu", action="store_true")
    add("--eager", action="store_true", help="no compilation")
    add("--vae-compile", action="store_true", help="pays for long trainings of stage 1")
    add("--deadline", type=float, help="instead of --seconds: time of day, seconds since 1970")
    add("--no-graph", action="store_true", help="launch every kernel of a step by itself")
    add("--warm-up", choices=("text", "blocks"), help="compile into the disk cache, then stop")
    add("--tiny", action="store_true", help="small network, to test this program")
    return parser.parse_args()


def autoencoder(run, args, state):
    """(vae, scaling, shift): from a model folder, from a file, or trained now."""
    if state is None and args.vae and args.vae.exists():
        state = torch.load(args.vae, map_location="cpu")
    if state is not None:
        vae = Vae(run.config).to(run.device)
        vae.load_state_dict(state["vae"])
        return vae.requires_grad_(False), state["scaling"], state["shift"]
    if args.warm_up:
        return Vae(run.config).to(run.device).requires_grad_(False), 1.0, 0.0
    vae, scaling, shift = train_vae(run, args.vae_seconds, args.vae_batch, args.vae_muon_rate,
                                    args.vae_adam_rate)
    if args.vae and run.rank == 0:
        torch.save({"vae": vae.state_dict(), "scaling": scaling, "shift": shift}, args.vae)
    return vae, scaling, shift


def main():
    args = arguments()
    run = Run(args)
    if args.rates:
        rates = [float(v) for v in args.rates.split(",")[run.rank].split(":")]
        args.muon_rate, args.adam_rate, args.vae_muon_rate, args.vae_adam_rate = rates
    run.say(f"start: {run.world} processes on {run.device}, ready after {run.clock():.0f} s")
    state = export.load(args.continue_from) if args.continue_from else None
    vae, scaling, shift = autoencoder(run, args, state)
    trainer = Trainer(run, vae, scaling, shift, args)
    if args.state and args.state.exists():
        state = torch.load(args.state, map_location=run.device)
    if state is not None:
        trainer.restore(state)
    trainer.train(args.seconds)
    run.source.close()
    if not run.alone:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
