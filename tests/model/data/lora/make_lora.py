#!/usr/bin/env python3
"""Writes LoRA files for tests/golden/sd35-medium and what diffusers computes with them in FP32.

Needs the packages of tests/golden/requirements.txt and peft 0.21.2.

  peft.safetensors    made by PEFT on transformer and CLIP-L, saved by diffusers with its metadata
  second.safetensors  another rank, no alpha, transformer only
  kohya.safetensors   the changes of peft.safetensors under kohya's names: single-file layers joined
                      with underscores, q, k and v as one layer, alpha as tensors
  comfy.safetensors   the same under ComfyUI's names, single-file layers with dots
  expected.safetensors  inputs and results: `none`, `first` (weight 1), `both` (0.75 and -0.5)
"""
import pathlib
import sys

import torch
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModelWithProjection

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parents[2] / "golden" / "sd35-medium"
FIRST = ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.add_q_proj",
         "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out", "attn2.to_q", "attn2.to_k",
         "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj",
         "norm1.linear", "norm1_context.linear", "norm_out.linear", "proj_out", "context_embedder",
         "time_text_embed.text_embedder.linear_1", "pos_embed.proj"]
SECOND = ["attn.to_q", "attn.to_v", "ff.net.2", "norm1.linear"]
TEXT = ["q_proj", "v_proj", "out_proj", "fc1"]


def fresh():
    transformer = SD3Transformer2DModel.from_pretrained(GOLDEN / "model" / "transformer",
                                                        torch_dtype=torch.float32)
    clip = CLIPTextModelWithProjection.from_pretrained(GOLDEN / "model" / "text_encoder",
                                                       torch_dtype=torch.float32)
    return transformer.eval(), clip.eval()


def pipeline():
    transformer, clip = fresh()
    return StableDiffusion3Pipeline(
        transformer=transformer, scheduler=None, vae=None, text_encoder=clip, tokenizer=None,
        text_encoder_2=None, tokenizer_2=None, text_encoder_3=None, tokenizer_3=None)


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        if "lora_" in name:
            p.data = torch.randn(p.shape, generator=generator) * 0.05


def adapter(model, seed, **config):
    model.add_adapter(LoraConfig(init_lora_weights=False, **config))
    randomise(model, seed)
    return get_peft_model_state_dict(model)


def save_first():
    transformer, clip = fresh()
    layers = adapter(transformer, 1, r=3, lora_alpha=6, target_modules=FIRST,
                     alpha_pattern={"attn.to_out.0": 2.0})
    text = convert_state_dict_to_diffusers(
        adapter(clip, 2, r=2, lora_alpha=1, target_modules=TEXT))
    metadata = transformer.peft_config["default"].to_dict()
    text_metadata = clip.peft_config["default"].to_dict()
    StableDiffusion3Pipeline.save_lora_weights(
        HERE, transformer_lora_layers=layers, text_encoder_lora_layers=text,
        weight_name="peft.safetensors", transformer_lora_adapter_metadata=metadata,
        text_encoder_lora_adapter_metadata=text_metadata)


def save_second():
    transformer, _ = fresh()
    layers = adapter(transformer, 3, r=2, lora_alpha=2, target_modules=SECOND)
    StableDiffusion3Pipeline.save_lora_weights(HERE, transformer_lora_layers=layers,
                                               weight_name="second.safetensors")


def single_file_layer(layer, last):
    """(name, part of q, k, v or None, halves swapped) of a diffusers layer, as published."""
    parts = layer.split(".")
    if parts[0] != "transformer_blocks":
        return {"norm_out.linear": ("final_layer.adaLN_modulation.1", None, True),
                "proj_out": ("final_layer.linear", None, False),
                "context_embedder": ("context_embedder", None, False),
                "time_text_embed.text_embedder.linear_1": ("y_embedder.mlp.0", None, False),
                "pos_embed.proj": ("x_embedder.proj", None, False)}[layer]
    block, rest = parts[1], ".".join(parts[2:])
    table = {"attn.to_q": ("x_block.attn.qkv", 0), "attn.to_k": ("x_block.attn.qkv", 1),
             "attn.to_v": ("x_block.attn.qkv", 2), "attn.to_out.0": ("x_block.attn.proj", None),
             "attn.add_q_proj": ("context_block.attn.qkv", 0),
             "attn.add_k_proj": ("context_block.attn.qkv", 1),
             "attn.add_v_proj": ("context_block.attn.qkv", 2),
             "attn.to_add_out": ("context_block.attn.proj", None),
             "attn2.to_q": ("x_block.attn2.qkv", 0), "attn2.to_k": ("x_block.attn2.qkv", 1),
             "attn2.to_v": ("x_block.attn2.qkv", 2), "attn2.to_out.0": ("x_block.attn2.proj", None),
             "ff.net.0.proj": ("x_block.mlp.fc1", None), "ff.net.2": ("x_block.mlp.fc2", None),
             "ff_context.net.0.proj": ("context_block.mlp.fc1", None),
             "norm1.linear": ("x_block.adaLN_modulation.1", None),
             "norm1_context.linear": ("context_block.adaLN_modulation.1", None)}
    name, part = table[rest]
    swapped = rest == "norm1_context.linear" and block == str(last)
    return f"joint_blocks.{block}.{name}", part, swapped


def swap_halves(up):
    first, second = up.chunk(2)
    return torch.cat([second, first])


def save_single_file_styles():
    tensors = load_file(HERE / "peft.safetensors")
    groups, text = {}, {}
    for key in tensors:
        if not key.endswith("lora_A.weight") and not key.endswith("lora.down.weight") \
                and not key.endswith("lora_linear_layer.down.weight"):
            continue
        layer = key.split(".lora_")[0]
        down, up = tensors[key], tensors[key.replace("lora_A", "lora_B").replace(".down.", ".up.")]
        if layer.startswith("text_encoder."):
            text[layer.removeprefix("text_encoder.")] = (down, up)
            continue
        name, part, swapped = single_file_layer(layer.removeprefix("transformer."), last=1)
        alpha = 2.0 if layer.endswith(".attn.to_out.0") else 6.0
        groups.setdefault(name, {})[part] = (down, swap_halves(up) if swapped else up, alpha / 3)
    kohya, comfy = {}, {}
    for name, group in groups.items():
        if None in group:
            down, up, scale = group[None]
        else:
            down = torch.cat([group[i][0] for i in range(3)])
            up = torch.block_diag(*[group[i][1] for i in range(3)])
            scale = group[0][2]
        alpha = torch.tensor(scale * down.shape[0])
        for target, prefix in ((kohya, "lora_unet_" + name.replace(".", "_")),
                               (comfy, "diffusion_model." + name)):
            target[prefix + ".lora_down.weight"] = down.clone()
            target[prefix + ".lora_up.weight"] = up.clone()
            target[prefix + ".alpha"] = alpha.clone()
    for layer, (down, up) in text.items():
        for target, prefix in ((kohya, "lora_te1_" + layer.replace(".", "_")),
                               (comfy, "text_encoders.clip_l.transformer." + layer)):
            target[prefix + ".lora_down.weight"] = down.clone()
            target[prefix + ".lora_up.weight"] = up.clone()
            target[prefix + ".alpha"] = torch.tensor(1.0)
    save_file(kohya, HERE / "kohya.safetensors", metadata={"ss_network_dim": "3"})
    save_file(comfy, HERE / "comfy.safetensors")


def results(pipe, golden):
    ids = golden["tokens.clip_l"].long()
    with torch.no_grad():
        out = pipe.transformer(hidden_states=golden["mmdit.in.latents"],
                               timestep=golden["mmdit.in.timestep"],
                               encoder_hidden_states=golden["mmdit.in.prompt_embeds"],
                               pooled_projections=golden["mmdit.in.pooled_prompt_embeds"]).sample
        text = pipe.text_encoder(ids.reshape(1, -1), output_hidden_states=True)
    return {"mmdit": out.contiguous(), "hidden": text.hidden_states[-2].contiguous(),
            "pooled": text.text_embeds.contiguous()}


def main():
    torch.manual_seed(0)
    save_first()
    save_second()
    save_single_file_styles()
    golden = load_file(GOLDEN / "golden.safetensors")
    expected = {}

    def keep(case, pipe):
        for name, value in results(pipe, golden).items():
            expected[f"{case}.{name}"] = value.float()

    pipe = pipeline()
    keep("none", pipe)
    pipe.load_lora_weights(HERE, weight_name="peft.safetensors", adapter_name="first")
    keep("first", pipe)
    pipe.load_lora_weights(HERE, weight_name="second.safetensors", adapter_name="second")
    pipe.set_adapters(["first", "second"], [0.75, -0.5])
    keep("both", pipe)
    for case in ("first", "both"):
        for name in ("mmdit", "hidden"):
            change = (expected[f"{case}.{name}"] - expected[f"none.{name}"]).norm()
            print(case, name, float(change / expected[f"none.{name}"].norm()), file=sys.stderr)
    save_file(expected, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
