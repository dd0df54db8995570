"""Writes <arch>/init.safetensors: image to image and inpainting by diffusers' pipelines.

The picture and the mask are formulas (init_cases.h has the same), in sizes that diffusers resizes.
"""

import numpy
import torch
from diffusers import StableDiffusion3Img2ImgPipeline, StableDiffusion3InpaintPipeline
from PIL import Image
from safetensors.torch import save_file

STEPS = 20


def picture(width=90, height=70):
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    value = x * (7 + 2 * c) + y * (11 - 3 * c) + (x // 8 + y // 8) % 2 * 90 + c * 40
    return Image.fromarray((value % 256).astype(numpy.uint8))


def mask(width=60, height=48):
    """A white disc with a soft edge, off the centre."""
    y, x = numpy.mgrid[0:height, 0:width]
    return Image.fromarray((400 - (x - 30) ** 2 - (y - 22) ** 2).clip(0, 255).astype(numpy.uint8))


def run(cls, pipe, strength, seeds, common, **more):
    args = {
        **common,
        "prompt": [common["prompt"]] * len(seeds),
        "negative_prompt": [common["negative_prompt"]] * len(seeds),
        "image": [picture()] * len(seeds),
        "strength": strength,
        "num_inference_steps": STEPS,
        "generator": [torch.Generator().manual_seed(s) for s in seeds],
        "output_type": "latent",
    }
    other = cls(**{k: v for k, v in pipe.components.items() if v is not None})
    other.set_progress_bar_config(disable=True)
    return other(**args, **more).images


def init_latents(pipe, seed, common):
    """What an encoded picture is before noise is added: a sample by the seed's first numbers."""
    processor = StableDiffusion3Img2ImgPipeline(**pipe.components).image_processor
    pixels = processor.preprocess(picture(), height=common["height"], width=common["width"])
    sample = pipe.vae.encode(pixels).latent_dist.sample(torch.Generator().manual_seed(seed))
    return (sample - pipe.vae.config.shift_factor) * pipe.vae.config.scaling_factor


def write(pipe, arch, path, seed, common):
    img2img, inpaint = StableDiffusion3Img2ImgPipeline, StableDiffusion3InpaintPipeline
    out = {
        "init_latents": init_latents(pipe, seed, common),
        "img2img.latents": run(img2img, pipe, 0.6, [seed], common),
        "inpaint.latents": run(inpaint, pipe, 0.75, [seed], common, mask_image=mask()),
    }
    if arch.name == "sd3-medium":
        full = {"mask_image": mask(), "guidance_scale": 1.0}
        out["inpaint_full.latents"] = run(inpaint, pipe, 1.0, [seed], {**common, **full})
    if arch.name == "sd35-large":
        out["batch.latents"] = run(img2img, pipe, 0.35, [seed, seed + 1], common)
    save_file({k: v.detach().clone().contiguous() for k, v in out.items()}, path)
