"""One forward at full size: how far Octet, diffusers and torchao are from FP32, on the same weights.

Octet makes the inputs (--dump) and one step from pure noise: latents = noise - velocity. diffusers
computes the same velocity in FP32 (without TF32), the reference, and in BF16; torchao's per-row
FP8 gets the very codes and scales that Octet has. Printed: relative L2 distances to FP32. Exit 1
when Octet's BF16 is farther from FP32 than diffusers', or its FP8 farther than torchao's.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

import synthetic


def octet_velocity(args, model, compute):
    """(velocity, inputs) of Octet's first step."""
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder) / "dump.safetensors"
        command = [args.octet, "generate", "a lighthouse at dusk", "--model", f"synthetic:{model}",
                   "--device", args.octet_device, "--compute", compute, "--steps", "1",
                   "--guidance", "1", "--seed", "7", "--dump", str(dump), "--quiet",
                   "-o", str(pathlib.Path(folder) / "x.png")]
        if args.size:
            command += ["--width", str(args.size), "--height", str(args.size)]
        subprocess.run(command, check=True)
        d = {k: v.to(args.device) for k, v in load_file(str(dump)).items()}
    return d["noise"] - d["latents"], d


def velocity(model, inputs, dtype):
    with torch.inference_mode():
        out = model(
            hidden_states=inputs["noise"].to(dtype),
            timestep=torch.full((1,), 1000.0, device=inputs["noise"].device, dtype=dtype),
            encoder_hidden_states=inputs["prompt_embeds"].to(dtype),
            pooled_projections=inputs["pooled_prompt_embeds"].to(dtype),
            return_dict=False,
        )[0]
    return out.float()


def distance(a, reference):
    a, reference = a.double(), reference.double()
    return ((a - reference).norm() / reference.norm()).item()


def torchao_fp8(name, scales, device):
    """The model under torchao's dynamic per-row FP8, holding Octet's codes."""
    from torchao.quantization import (Float8DynamicActivationFloat8WeightConfig, PerRow,
                                      quantize_)

    model = synthetic.fill(synthetic.transformer(name, torch.bfloat16, device), scales, device)
    chosen = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    quantize_(model, chosen,
              lambda m, n: isinstance(m, torch.nn.Linear) and synthetic.is_fp8_layer(n + ".weight"))
    layers = dict(model.named_modules())
    plain = synthetic.transformer(name, torch.bfloat16, "meta")
    for weight, codes, rows in synthetic.tensors(plain, scales, device):
        if rows is None:
            continue
        held = layers[weight.removesuffix(".weight")].weight
        held.qdata.copy_(codes)
        held.scale.copy_(rows.view_as(held.scale))
    return model


def compare(args, name):
    row = {"model": name}
    ours, inputs = octet_velocity(args, name + "@bf16", "bf16")
    reference = synthetic.fill(synthetic.transformer(name, torch.float32, args.device), False,
                               args.device)
    exact = velocity(reference, inputs, torch.float32)
    row["velocity_rms"] = exact.square().mean().sqrt().item()
    row["octet_bf16"] = distance(ours, exact)
    if args.f32:
        single, own = octet_velocity(args, name + "@bf16", "f32")  # its text encoders differ too
        row["octet_f32"] = distance(single, velocity(reference, own, torch.float32))
    half = reference.to(torch.bfloat16)
    row["diffusers_bf16"] = distance(velocity(half, inputs, torch.bfloat16), exact)
    del reference, half

    scales = synthetic.FORMATS[args.fp8]
    ours, inputs = octet_velocity(args, f"{name}@{args.fp8}", "fp8")
    reference = synthetic.fill(synthetic.transformer(name, torch.float32, args.device), scales,
                               args.device)
    exact = velocity(reference, inputs, torch.float32)
    del reference
    row["octet_fp8"] = distance(ours, exact)
    if not args.no_torchao:
        row["torchao_fp8"] = distance(
            velocity(torchao_fp8(name, scales, args.device), inputs, torch.bfloat16), exact)
    row["bf16_holds"] = row["octet_bf16"] <= row["diffusers_bf16"]
    row["fp8_holds"] = row["octet_fp8"] <= row.get("torchao_fp8", float("inf"))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--octet-device", default="cuda")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, help="pixels of a side, default from the model")
    parser.add_argument("--fp8", choices=["fp8", "fp8-static"], default="fp8",
                        help="scales per row, or embedded ones per tensor")
    parser.add_argument("--f32", action="store_true", help="also Octet in FP32")
    parser.add_argument("--no-torchao", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("models", nargs="*", default=["sd3.5-large", "sd3.5-medium"])
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    rows = []
    for name in args.models:
        rows.append(compare(args, name))
        print(json.dumps(rows[-1]), flush=True)
        if args.device == "cuda":
            torch.cuda.empty_cache()
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(0 if all(r["bf16_holds"] and r["fp8_holds"] for r in rows) else 1)


if __name__ == "__main__":
    main()
