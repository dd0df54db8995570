#!/usr/bin/env python3
"""Writes the transformer and the T5 encoder of tests/golden/sd35-medium as GGUF files, and what
diffusers computes in FP32 with the values that the `gguf` package decodes from them.

Needs the packages of tests/golden/requirements.txt, gguf 0.19.0 and peft (for the table of names in
../lora/make_lora.py).

  transformer.gguf      single-file names without prefix, as ComfyUI-GGUF's converter writes: q, k and
                        v in one tensor, vectors and embedders in 16 or 32 bit, the rest quantised
  t5.gguf               llama.cpp's names for a T5 encoder
  expected.safetensors  `mmdit`: one forward on the golden inputs; `t5.TENSOR`: decoded tensors
"""
import pathlib
import sys

import gguf
import numpy as np
import torch
from diffusers import SD3Transformer2DModel
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lora"))
from make_lora import GOLDEN, single_file_layer, swap_halves  # noqa: E402

# By the end of the layer's name, so that every type which the package can write occurs.
TYPES = {"qkv": Type.Q8_0, "proj": Type.Q5_1, "fc1": Type.Q4_0, "fc2": Type.Q4_1,
         "adaLN_modulation.1": Type.Q5_0}
MORE = {"norm_out.linear": ("final_layer.adaLN_modulation.1", True),
        "proj_out": ("final_layer.linear", False),
        "context_embedder": ("context_embedder", False),
        "time_text_embed.timestep_embedder.linear_1": ("t_embedder.mlp.0", False),
        "time_text_embed.timestep_embedder.linear_2": ("t_embedder.mlp.2", False),
        "time_text_embed.text_embedder.linear_1": ("y_embedder.mlp.0", False),
        "time_text_embed.text_embedder.linear_2": ("y_embedder.mlp.2", False),
        "pos_embed.proj": ("x_embedder.proj", False)}
NORMS = {"attn.norm_q": ("x_block.attn.ln_q"), "attn.norm_k": ("x_block.attn.ln_k"),
         "attn.norm_added_q": ("context_block.attn.ln_q"),
         "attn.norm_added_k": ("context_block.attn.ln_k"),
         "attn2.norm_q": ("x_block.attn2.ln_q"), "attn2.norm_k": ("x_block.attn2.ln_k"),
         "ff_context.net.2": ("context_block.mlp.fc2")}
T5 = {"SelfAttention.q": "attn_q", "SelfAttention.k": "attn_k", "SelfAttention.v": "attn_v",
      "SelfAttention.o": "attn_o", "SelfAttention.relative_attention_bias": "attn_rel_b",
      "DenseReluDense.wi_0": "ffn_gate", "DenseReluDense.wi_1": "ffn_up",
      "DenseReluDense.wo": "ffn_down"}


def locate(layer, last=1):
    """(single-file layer, part, halves swapped)"""
    if layer in MORE:
        return MORE[layer][0], None, MORE[layer][1]
    parts = layer.split(".")
    rest = ".".join(parts[2:])
    if rest in NORMS:
        return f"joint_blocks.{parts[1]}.{NORMS[rest]}", None, False
    return single_file_layer(layer, last=last)


def single_file(tensors, last=1):
    result, groups = {}, {}
    for name, value in tensors.items():
        if name == "pos_embed.pos_embed":
            result["pos_embed"] = value
            continue
        layer, leaf = name.rsplit(".", 1)
        single, part, swapped = locate(layer, last)
        value = swap_halves(value) if swapped else value
        if part is None:
            result[f"{single}.{leaf}"] = value
        else:
            groups.setdefault(f"{single}.{leaf}", {})[part] = value
    for name, group in groups.items():
        result[name] = torch.cat([group[i] for i in range(3)])
    return result


def add(writer, name, value, kind):
    """Adds a tensor and gives the values that will be decoded."""
    data = value.float().numpy()
    if kind is not None:
        data = gguf.quantize(data, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        return torch.from_numpy(gguf.dequantize(data, kind).copy())
    half = data.astype(np.float16) if data.ndim > 1 else data
    writer.add_tensor(name, half)
    return torch.from_numpy(half.astype(np.float32))


def kind_of(name, value):
    if value.ndim != 2 or not name.endswith(".weight") or name.startswith("final_layer."):
        return None
    return next((k for end, k in TYPES.items() if name.endswith(end + ".weight")), None)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_transformer(tensors):
    writer = gguf.GGUFWriter(HERE / "transformer.gguf", "sd3")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    single = single_file(tensors)
    decoded = {n: add(writer, n, v, kind_of(n, v)) for n, v in single.items()}
    finish(writer)
    result = {}
    for name in tensors:
        if name == "pos_embed.pos_embed":
            result[name] = decoded["pos_embed"]
            continue
        layer, leaf = name.rsplit(".", 1)
        stored, part, swapped = locate(layer)
        value = decoded[f"{stored}.{leaf}"]
        value = value if part is None else value.chunk(3)[part]
        result[name] = swap_halves(value) if swapped else value
    return result


def t5_name(name):
    if name == "shared.weight":
        return "token_embd.weight"
    if name == "encoder.final_layer_norm.weight":
        return "enc.output_norm.weight"
    _, _, block, _, layer, *rest = name.split(".")
    rest = ".".join(rest[:-1])
    if rest == "layer_norm":
        rest = {"0": "attn_norm", "1": "ffn_norm"}[layer]
    return f"enc.blk.{block}.{T5.get(rest, rest)}.weight"


def write_t5(tensors):
    writer = gguf.GGUFWriter(HERE / "t5.gguf", "t5encoder")
    decoded = {}
    for name, value in tensors.items():
        if name == "encoder.embed_tokens.weight":
            continue
        quantise = value.ndim == 2 and value.shape[1] % 32 == 0
        decoded["t5." + name] = add(writer, t5_name(name), value,
                                    Type.Q8_0 if quantise else None)
    finish(writer)
    return decoded


def main():
    tensors = load_file(GOLDEN / "model/transformer/diffusion_pytorch_model.safetensors")
    decoded = write_transformer({n: v.float() for n, v in tensors.items()})
    model = SD3Transformer2DModel.from_pretrained(GOLDEN / "model" / "transformer",
                                                  torch_dtype=torch.float32).eval()
    model.load_state_dict(decoded)
    golden = load_file(GOLDEN / "golden.safetensors")
    with torch.no_grad():
        out = model(hidden_states=golden["mmdit.in.latents"],
                    timestep=golden["mmdit.in.timestep"],
                    encoder_hidden_states=golden["mmdit.in.prompt_embeds"],
                    pooled_projections=golden["mmdit.in.pooled_prompt_embeds"]).sample
    difference = (out - golden["mmdit.out"]).norm() / golden["mmdit.out"].norm()
    print(f"quantised against golden: {difference:.3f}", file=sys.stderr)
    expected = {"mmdit": out.contiguous()}
    expected |= write_t5(load_file(GOLDEN / "model/text_encoder_3/model.safetensors"))
    save_file(expected, HERE / "expected.safetensors")


if __name__ == "__main__":
    main()
