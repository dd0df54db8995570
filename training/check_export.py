"""Compare this folder's plain PyTorch models with diffusers and transformers, on the CPU.

Loads the exported model folder with both and prints the relative L2 difference of every part,
of the conditioning, and of one whole picture. Exits 1 when one is above the limit.

    python training/check_export.py --model models/emoji
"""

import argparse
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel, StableDiffusion3Pipeline

import build_tokenizers
import export
import sampling
from config import Config
from mmdit import Mmdit
from text_encoders import TextEncoders
from vae import Vae

LIMIT = 1e-5


def relative(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompt", default="a red apple on a blue background")
    args = parser.parse_args()
    c, state = Config(), export.load(args.model)
    mmdit, text, vae = Mmdit(c).eval(), TextEncoders(c).eval(), Vae(c).eval()
    mmdit.load_state_dict(state["mmdit"])
    text.load_state_dict(state["text"])
    vae.load_state_dict(state["vae"])
    pipe = StableDiffusion3Pipeline.from_pretrained(
        args.model, variant="fp16", torch_dtype=torch.float32, use_safetensors=True)
    assert isinstance(pipe.transformer, SD3Transformer2DModel)
    assert isinstance(pipe.vae, AutoencoderKL)
    pipe.set_progress_bar_config(disable=True)
    torch.manual_seed(5)
    found = {}
    with torch.no_grad():
        ids = torch.tensor(build_tokenizers.Encoders(args.model)([args.prompt, ""]))
        context, pooled = text(ids.transpose(0, 1))
        theirs = pipe.encode_prompt(
            prompt=args.prompt, prompt_2=None, prompt_3=None, negative_prompt="",
            max_sequence_length=c.length)
        found["context"] = relative(context, torch.cat(theirs[:2]))
        found["pooled"] = relative(pooled, torch.cat(theirs[2:]))
        for side in (32, 24):
            latent, time = torch.randn(2, 16, side, 32), torch.tensor([713.25, 20.5])
            theirs = pipe.transformer(latent, context, pooled, time, return_dict=False)[0]
            found[f"mmdit {side}"] = relative(mmdit(latent, context, pooled, time), theirs)
        picture = torch.rand(1, 3, 256, 192) * 2 - 1
        theirs = pipe.vae.encode(picture).latent_dist
        found["vae mean"] = relative(vae.encode(picture)[0], theirs.mean)
        found["vae logvar"] = relative(vae.encode(picture)[1], theirs.logvar)
        latent = torch.randn(1, 16, 32, 24)
        found["vae decode"] = relative(vae.decoder(latent), pipe.vae.decode(latent).sample)
        noise = torch.randn(1, 16, 32, 32)
        theirs = pipe(args.prompt, num_inference_steps=c.steps, guidance_scale=c.guidance,
                      height=256, width=256, latents=noise, max_sequence_length=c.length,
                      output_type="pt").images
        latent = sampling.sample(mmdit, context[:1], pooled[:1], context[1:], pooled[1:], noise,
                                 c.steps, c.guidance, c.shift)
        found["picture"] = relative(sampling.decode(vae, latent, state), theirs)
    for name, value in found.items():
        print(f"{name:12} {value:.2e}")
    pipe.image_processor.pt_to_numpy(theirs)
    pipe.numpy_to_pil(pipe.image_processor.pt_to_numpy(theirs))[0].save("/tmp/check_export.png")
    return any(v > (LIMIT if k != "picture" else 100 * LIMIT) for k, v in found.items())


if __name__ == "__main__":
    sys.exit(main())
