"""Write the model folder (diffusers layout) from a checkpoint, and read it back.

The FP8 variant is not written here but by `octet quantize` (make requantize).

    python training/export.py --checkpoint CHECKPOINT --model models/emoji

A checkpoint is a dict of the FP32 state dicts "mmdit", "text", "vae" and the floats "scaling"
and "shift" of the latents. load() rebuilds it from the 16-bit files, to continue the training.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import config
from mmdit import Mmdit
from text_encoders import TextEncoders
from vae import Vae

QUANTISED = (".norm1.linear.", ".norm1_context.linear.", "norm_out.linear.", ".attn.to_",
             ".attn.add_", ".ff.net.", ".ff_context.net.")
PARTS = ("text_encoder", "text_encoder_2", "text_encoder_3")


def half(state):
    """FP16 copy of a state dict; a value that FP16 cannot hold is an error."""
    out = {}
    for name, value in state.items():
        out[name] = value.detach().cpu().to(torch.float16).contiguous()
        if not torch.isfinite(out[name]).all():
            raise ValueError(f"{name}: does not fit FP16")
    return out


def quantise(weight):
    """(E4M3 codes, FP32 scale [out, 1]) with weight = codes * scale; a zero row keeps scale 1."""
    weight = weight.detach().cpu().float()
    scale = weight.abs().amax(1, keepdim=True) / 448.0
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (weight / scale).clamp(-448, 448).to(torch.float8_e4m3fn), scale


def is_quantised(name):
    return name.endswith(".weight") and any(part in name for part in QUANTISED)


def through_fp8(state):
    """The values that an FP8 variant would stand for, in FP32: for reports while training."""
    return {k: (torch.mul(*[t.float() for t in quantise(v)]) if is_quantised(k)
                else v.detach().cpu().half().float()) for k, v in state.items()}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_configs(model, c, scaling, shift):
    write_json(model / "model_index.json", config.index_json())
    write_json(model / "scheduler" / "scheduler_config.json", config.scheduler_json(c))
    write_json(model / "text_encoder" / "config.json", config.clip_json(c, False))
    write_json(model / "text_encoder_2" / "config.json", config.clip_json(c, True))
    write_json(model / "text_encoder_3" / "config.json", config.t5_json(c))
    write_json(model / "transformer" / "config.json", config.transformer_json(c))
    write_json(model / "vae" / "config.json", config.vae_json(c, scaling, shift))
    write_json(model / "octet.json", config.octet_json(c))


def export(checkpoint, model, c):
    model = Path(model)
    write_configs(model, c, checkpoint["scaling"], checkpoint["shift"])
    plain = {"format": "pt"}
    transformer = model / "transformer"
    save_file(half(checkpoint["mmdit"]),
              transformer / "diffusion_pytorch_model.fp16.safetensors", plain)
    save_file(half(checkpoint["vae"]),
              model / "vae" / "diffusion_pytorch_model.fp16.safetensors", plain)
    for part in PARTS:
        state = {k[len(part) + 1:]: v for k, v in checkpoint["text"].items()
                 if k.startswith(part + ".")}
        save_file(half(state), model / part / "model.fp16.safetensors", plain)
    readable(model)


def load(model):
    """The checkpoint that the folder's 16-bit files hold."""
    model = Path(model)
    text = {}
    for part in PARTS:
        for name, value in load_file(model / part / "model.fp16.safetensors").items():
            text[f"{part}.{name}"] = value.float()
    read = lambda folder: {k: v.float() for k, v in load_file(
        model / folder / "diffusion_pytorch_model.fp16.safetensors").items()}
    vae = json.loads((model / "vae" / "config.json").read_text())
    return {"mmdit": read("transformer"), "vae": read("vae"), "text": text,
            "scaling": vae["scaling_factor"], "shift": vae["shift_factor"]}


def fresh(c, seed=1):
    """A checkpoint of untrained weights; no gate is zero, so that every part matters."""
    torch.manual_seed(seed)
    mmdit = Mmdit(c)
    for name, value in mmdit.named_parameters():
        if "norm" in name and "linear" in name or "proj_out" in name:
            torch.nn.init.normal_(value, std=0.05)
    return {"mmdit": mmdit.state_dict(), "text": TextEncoders(c).state_dict(),
            "vae": Vae(c).state_dict(), "scaling": 1.0, "shift": 0.0}


def readable(model):
    """safetensors files come with mode 600; a model is for everybody."""
    for file in Path(model).rglob("*.safetensors"):
        file.chmod(0o644)


def bundle_bytes(model):
    """Size of what the program embeds: everything but the FP16 transformer and the texts."""
    return sum(f.stat().st_size for f in Path(model).rglob("*") if f.is_file()
               and f.name not in ("README.md", "LICENSE-data", "calibration.txt", "holdout.txt")
               and not (f.parent.name == "transformer" and ".fp16." in f.name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="without it: untrained weights")
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    c = config.Config()
    state = torch.load(args.checkpoint, map_location="cpu") if args.checkpoint else fresh(c)
    export(state, args.model, c)
    print(f"bundle with the FP8 transformer that is there: {bundle_bytes(args.model) / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
