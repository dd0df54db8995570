"""Writes the golden fixtures: <arch>/model, <arch>/golden.safetensors, <arch>/meta.json,
<arch>/tokens.json and vectors.json. See README.md for the names and how to run it.

Everything is computed in FP32 on one thread by diffusers and transformers, from the FP16 files that
were written just before, so that an engine that reads the files sees the same numbers.
"""

import json
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import diffusers
import torch
import transformers
from safetensors.torch import save_file
from transformers import CLIPTokenizerFast

import fp8_reference
import init_cases
import tiny_models
import vectors

HERE = pathlib.Path(__file__).resolve().parent
PROMPT = "A red apple on the left, and 2 blue cats above it!"
NEGATIVE = "blurry, low quality"
FP8_LINEAR = "transformer_blocks.0.ff.net.2"
HEIGHT, WIDTH = 64, 96
STEPS, GUIDANCE, SEED = 28, 4.5, 42
TOKEN_CASES = (
    "",
    " ",
    PROMPT,
    NEGATIVE,
    "It's the DOG'S house; they'll see we're here, I'd say you've n't",
    "  two   spaces,\ttab\nnewline \r\n end  ",
    "! !! !!! a! !a wow!!!",
    "2024 10x 3.14 50% $7 #1 @home",
    "crème brûlée naïve Ünïcode cre\u0301me",
    "\u4e00\u4e8c \u65e5\u672c\u8a9e",
    "\U0001f34e\U0001f600 apple",
    "a" * 90,
    "red green blue " * 40,
    "<|endoftext|> apple <|startoftext|>cat",
    "apple</s>cat <extra_id_0> <pad> <unk>",
    "under_score snake-case (paren) [br] {cu} \"quote\" \u201ccurly\u201d \u2026",
    "\uff21\uff22\uff01 \ufb01ne \u2460 \u00a0nbsp",
    "ШАР и ёлка ΣΑΣ straße İstanbul",
    "x\u200by z\u00ady",
    "e\u0301 e\u0302 e\u0302\u0301 n\u0303 \ufb03 \u0001ctl\u007f \uff41\uff42 \u3000wide",
    " \t leading and trailing \u00a0 ",
)


def generator(seed=SEED):
    return torch.Generator().manual_seed(seed)


def embeddings(pipe, arch):
    p, n, pooled, n_pooled = pipe.encode_prompt(
        PROMPT, None, None, negative_prompt=NEGATIVE, max_sequence_length=arch.t5_length
    )
    return {
        "prompt_embeds": p,
        "negative_prompt_embeds": n,
        "pooled_prompt_embeds": pooled,
        "negative_pooled_prompt_embeds": n_pooled,
    }


def token_ids(pipe, arch):
    out = {}
    for prefix, text in (("tokens", PROMPT), ("negative_tokens", NEGATIVE)):
        for name, tokenizer, length in (
            ("clip_l", pipe.tokenizer, 77),
            ("clip_g", pipe.tokenizer_2, 77),
            ("t5", pipe.tokenizer_3, arch.t5_length),
        ):
            ids = tokenizer(text, padding="max_length", max_length=length, truncation=True).input_ids
            out[f"{prefix}.{name}"] = torch.tensor([ids], dtype=torch.int32)
    return out


def sample(pipe, arch, seeds=(SEED,), **changes):
    """Latents after all steps, and the picture in 0..1."""
    args = {
        "prompt": [PROMPT] * len(seeds),
        "negative_prompt": [NEGATIVE] * len(seeds),
        "height": HEIGHT,
        "width": WIDTH,
        "num_inference_steps": STEPS,
        "guidance_scale": GUIDANCE,
        "generator": [generator(s) for s in seeds],
        "max_sequence_length": arch.t5_length,
        **changes,
    }
    latents = pipe(**args, output_type="latent").images
    return latents, decode(pipe, latents)


def decode(pipe, latents):
    z = latents / pipe.vae.config.scaling_factor + pipe.vae.config.shift_factor
    return (pipe.vae.decode(z, return_dict=False)[0] / 2 + 0.5).clamp(0, 1)


def forward_inputs():
    """Two rows with different noise levels; 37 text tokens, a multiple of nothing."""
    g = generator(7)
    return {
        "latents": torch.randn(2, 16, HEIGHT // 8, WIDTH // 8, generator=g),
        "timestep": torch.tensor([873.25, 120.5]),
        "prompt_embeds": torch.randn(2, 37, tiny_models.T5_WIDTH, generator=g),
        "pooled_prompt_embeds": torch.randn(
            2, tiny_models.CLIP_L_WIDTH + tiny_models.CLIP_G_WIDTH, generator=g
        ),
    }


def forward(transformer, inputs, **more):
    return transformer(
        hidden_states=inputs["latents"],
        timestep=inputs["timestep"],
        encoder_hidden_states=inputs["prompt_embeds"],
        pooled_projections=inputs["pooled_prompt_embeds"],
        return_dict=False,
        **more,
    )[0]


def mmdit(pipe):
    """One forward with what enters and leaves every block."""
    inputs = forward_inputs()
    out = {f"mmdit.in.{k}": v for k, v in inputs.items()}
    hooks = []

    def keep(index):
        def hook(_module, _args, result):
            context, x = result
            out[f"mmdit.block.{index}.x"] = x
            if context is not None:
                out[f"mmdit.block.{index}.context"] = context

        return hook

    def keep_first(_module, _args, kwargs):
        out["mmdit.embed.x"] = kwargs["hidden_states"]
        out["mmdit.embed.context"] = kwargs["encoder_hidden_states"]
        out["mmdit.embed.c"] = kwargs["temb"]

    blocks = pipe.transformer.transformer_blocks
    hooks.append(blocks[0].register_forward_pre_hook(keep_first, with_kwargs=True))
    hooks += [b.register_forward_hook(keep(i)) for i, b in enumerate(blocks)]
    out["mmdit.out"] = forward(pipe.transformer, inputs)
    for hook in hooks:
        hook.remove()
    return out


def vae_encode(pipe):
    g = generator(11)
    picture = torch.rand(1, 3, 48, 80, generator=g)
    moments = pipe.vae.encode(picture * 2 - 1).latent_dist.parameters
    return {"vae.encode.in": picture, "vae.encode.moments": moments}


def dpmpp_2m(pipe, embeds):
    """The transformer on the independent multistep path of vectors.py, guidance in one batch."""
    pipe.scheduler.set_timesteps(STEPS)
    sigmas = [float(s) for s in pipe.scheduler.sigmas]
    text = torch.cat([embeds["negative_prompt_embeds"], embeds["prompt_embeds"]])
    pooled = torch.cat([embeds["negative_pooled_prompt_embeds"], embeds["pooled_prompt_embeds"]])

    def velocity(x, sigma):
        inputs = {"latents": x.float().repeat(2, 1, 1, 1), "prompt_embeds": text}
        inputs["timestep"] = torch.full((2,), sigma * 1000, dtype=torch.float32)
        inputs["pooled_prompt_embeds"] = pooled
        uncond, cond = forward(pipe.transformer, inputs).double().chunk(2)
        return uncond + GUIDANCE * (cond - uncond)

    return vectors.dpmpp_2m(velocity, embeds["noise"].double(), sigmas)[-1].float()


def extras(pipe, arch, embeds, model):
    """What only one architecture shows."""
    out = {}
    if arch.name == "sd3-medium":
        bare = tiny_models.load_pipeline(arch, model, text_encoder_3=None, tokenizer_3=None)
        embedded = embeddings(bare, arch)
        out["no_t5.prompt_embeds"] = embedded["prompt_embeds"]
        out["no_t5.latents"], _ = sample(bare, arch)
        out["no_guidance.latents"], _ = sample(pipe, arch, guidance_scale=1.0)
    if arch.name == "sd35-medium":
        slg = {"skip_guidance_layers": [0], "skip_layer_guidance_scale": 2.8}
        out["skip_layers.latents"], _ = sample(pipe, arch, **slg)
        out["mmdit.out.skip_layers"] = forward(pipe.transformer, forward_inputs(), skip_layers=[0])
    if arch.name == "sd35-large":
        out["batch.latents"], _ = sample(pipe, arch, seeds=(SEED, SEED + 1))
        out["dpmpp_2m.latents"] = dpmpp_2m(pipe, embeds)
    return out


def fp8_goldens(pipe, folder):
    """Writes the FP8 variant beside the FP16 one; leaves the pipeline's weights changed."""
    stem = folder / "model/transformer/diffusion_pytorch_model"
    fp8_reference.write_variant(f"{stem}.fp16.safetensors", f"{stem}.fp8.safetensors")
    pairs = fp8_reference.load_weights(pipe.transformer, f"{stem}.fp8.safetensors")
    inputs, kept = forward_inputs(), {}
    out = {"mmdit.out.fp8_weights": forward(pipe.transformer, inputs)}
    with fp8_reference.fp8_activations(pipe.transformer, pairs, (FP8_LINEAR, kept)):
        out["mmdit.out.fp8"] = forward(pipe.transformer, inputs)
    out.update({f"fp8.linear.{k}": v[:1, :11] for k, v in kept.items()})
    return out, {"linear": FP8_LINEAR, "amax_floor": fp8_reference.TINY, "layers": sorted(pairs)}


def token_cases(arch, model):
    """Ids of awkward prompts: `slow` as the pipeline's CLIPTokenizer, `fast` as CLIPTokenizerFast."""
    pipe = tiny_models.load_pipeline(arch, model)
    out = {"cases": []}
    for text in TOKEN_CASES:
        entry = {"text": text, "t5": pipe.tokenizer_3(text).input_ids}
        for name, folder in (("clip_l", "tokenizer"), ("clip_g", "tokenizer_2")):
            slow = getattr(pipe, folder)(text).input_ids
            fast = CLIPTokenizerFast.from_pretrained(model / folder)(text).input_ids
            entry[name] = fast
            if slow != fast:
                entry[name + "_slow"] = slow
        out["cases"].append(entry)
    return out


def meta(arch, tensors, fp8):
    about = {
        "arch": arch.name,
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "width": WIDTH,
        "height": HEIGHT,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "shift": 3.0,
        "seed": SEED,
        "t5_length": arch.t5_length,
        "variant": "fp16" if arch.variants else None,
        "skip_layers": {"layers": [0], "scale": 2.8, "start": 0.01, "stop": 0.2},
        "tensors": {k: list(v.shape) for k, v in sorted(tensors.items())},
        "versions": {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
        },
    }
    return {**about, "fp8": fp8} if fp8 else about


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True, sort_keys=True) + "\n")


def common_args(arch):
    return {
        "prompt": PROMPT,
        "negative_prompt": NEGATIVE,
        "height": HEIGHT,
        "width": WIDTH,
        "guidance_scale": GUIDANCE,
        "max_sequence_length": arch.t5_length,
    }


def make_arch(arch, out):
    folder = out / arch.name
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model"
    with tempfile.TemporaryDirectory() as work:
        tiny_models.write_model(arch, model, work)
    if arch.variants:
        weights = model / "transformer/diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    pipe = tiny_models.load_pipeline(arch, model)
    tensors = embeddings(pipe, arch)
    tensors["noise"] = torch.randn(1, 16, HEIGHT // 8, WIDTH // 8, generator=generator())
    tensors["latents"], tensors["image"] = sample(pipe, arch)
    tensors.update({**token_ids(pipe, arch), **mmdit(pipe), **vae_encode(pipe)})
    tensors.update(extras(pipe, arch, tensors, model))
    init_cases.write(pipe, arch, folder / "init.safetensors", SEED, common_args(arch))
    fp8 = None
    if arch.variants:
        more, fp8 = fp8_goldens(pipe, folder)
        tensors.update(more)
    tensors = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    save_file(tensors, folder / "golden.safetensors")
    write_json(folder / "meta.json", meta(arch, tensors, fp8))
    write_json(folder / "tokens.json", token_cases(arch, model))


def quiet():
    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def main(out):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    quiet()
    with torch.no_grad():
        for arch in tiny_models.ARCHES:
            make_arch(arch, out)
            print("wrote", arch.name)
    write_json(out / "vectors.json", vectors.all_vectors())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
