#!/usr/bin/env python3
"""GGUF files of width 256 whose tensors are drawn from their names, so that a test can write the same
bytes again and only digests and results are kept.

Blocks are random bytes with modest scales: the `gguf` package, which writes the files and decodes
them, cannot quantise to k-quants. Needs the packages of make_gguf.py.

  seeded.safetensors  per type: `mmdit.TYPE`, `t5.TYPE`: what diffusers and transformers compute in
                      FP32 from the decoded values on `in.*`; metadata: each file's SHA-256 and the
                      shapes of its tensors
"""
import hashlib
import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np
import torch
from diffusers import SD3Transformer2DModel
from gguf import GGMLQuantizationType as Type
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

from make_gguf import HERE, finish, locate, single_file, swap_halves, t5_name

# Where a block has an FP16 scale or offset (or is the value), which bits stay random, which are set.
TYPES = {
    Type.F16: ((0, 0x83FF, 0x2800),),
    Type.BF16: ((0, 0x807F, 0x3D00),),
    Type.Q8_0: ((0, 0x3FF, 0x1000),),
    Type.Q4_0: ((0, 0x3FF, 0x2000),),
    Type.Q4_1: ((0, 0x3FF, 0x2000), (2, 0x3FF, 0xAC00)),
    Type.Q5_0: ((0, 0x3FF, 0x1C00),),
    Type.Q5_1: ((0, 0x3FF, 0x1C00), (2, 0x3FF, 0xAC00)),
    Type.Q4_K: ((0, 0x3FF, 0x0800), (2, 0x3FF, 0x1400)),
    Type.Q5_K: ((0, 0x3FF, 0x0400), (2, 0x3FF, 0x1400)),
    Type.Q6_K: ((208, 0x1FF, 0x0200),),  # a subnormal
}
WIDTH, TEXT, POOLED, DEPTH, VOCABULARY, LAYERS = 256, 256, 256, 4, 40, 2


def random_bytes(name, count):
    """SplitMix64 from the FNV-1a digest of a name."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, -(-count // 8) + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.frombuffer(z.astype("<u8").tobytes()[:count], np.uint8).copy()


def floats(name, shape):
    """Uniform in -1/8..1/8, around 1 for norms."""
    bits = random_bytes(name, 4 * int(np.prod(shape))).view("<u4")
    values = ((bits >> 8).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)) / 4
    return (values + np.float32("norm" in name or ".ln_" in name)).reshape(shape)


def halves(bytes_, at, step, keep, exponent):
    """16 bits at `at` and every `step` bytes on: those in `keep` stay, `exponent` is set."""
    words = bytes_[at::step].astype(np.uint16) | bytes_[at + 1::step].astype(np.uint16) << 8
    words = words & keep | exponent
    bytes_[at::step], bytes_[at + 1::step] = words & 255, words >> 8


def blocks(name, shape, kind):
    """Random codes and group scales; the FP16 scales make values of about 1/20."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    data = random_bytes(name, int(np.prod(shape)) // values * size)
    for at, keep, exponent in TYPES[kind]:
        halves(data, at, size, keep, exponent)
    return data.reshape(*shape[:-1], -1)


def add(writer, name, shape, kind):
    """Adds a tensor and gives the values that it means."""
    if len(shape) != 2 or "rel_b" in name:
        values = floats(name, shape)
        writer.add_tensor(name, values)
        return torch.from_numpy(values)
    data = blocks(name, shape, kind)
    writer.add_tensor(name, data, raw_dtype=kind)
    return torch.from_numpy(gguf.dequantize(data, kind).reshape(shape).astype(np.float32))


def write(path, architecture, tensors, kind):
    """Tensors in the order of their names; their values and the digest of the file."""
    writer = gguf.GGUFWriter(path, architecture)
    decoded = {n: add(writer, n, tuple(tensors[n].shape), kind) for n in sorted(tensors)}
    finish(writer)
    return decoded, hashlib.sha256(path.read_bytes()).hexdigest()


def named_by_diffusers(state, decoded):
    result = {}
    for name in state:
        layer, _, leaf = name.rpartition(".")
        if name == "pos_embed.pos_embed":
            result[name] = decoded["pos_embed"]
            continue
        stored, part, swapped = locate(layer, DEPTH - 1)
        value = decoded[f"{stored}.{leaf}"]
        value = value if part is None else value.chunk(3)[part]
        result[name] = swap_halves(value) if swapped else value
    return result


def transformer():
    return SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=DEPTH,
        attention_head_dim=64, num_attention_heads=WIDTH // 64, joint_attention_dim=TEXT,
        caption_projection_dim=WIDTH, pooled_projection_dim=POOLED, pos_embed_max_size=5,
        qk_norm="rms_norm").eval()


def encoder():
    return T5EncoderModel(T5Config(
        vocab_size=VOCABULARY, d_model=WIDTH, d_kv=64, d_ff=WIDTH, num_layers=LAYERS, num_heads=4,
        feed_forward_proj="gated-gelu", use_cache=False)).eval()


def main():
    kept, digests = {}, {}
    for name, shape in {"latents": (1, 16, 6, 8), "prompt_embeds": (1, 5, TEXT),
                        "pooled_prompt_embeds": (1, POOLED)}.items():
        kept[f"in.{name}"] = torch.from_numpy(floats(name, shape)) * 8
    kept["in.timestep"] = torch.tensor([437.5])
    kept["in.ids"] = torch.tensor([[3, 39, 17, 0, 8, 8, 1]], dtype=torch.int32)
    mmdit, t5 = transformer(), encoder()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = pathlib.Path(folder) / "seeded.gguf"
        for kind in TYPES:
            state = mmdit.state_dict()
            decoded, digests[f"mmdit.{kind.name}"] = write(path, "sd3", single_file(state, DEPTH - 1), kind)
            mmdit.load_state_dict(named_by_diffusers(state, decoded))
            kept[f"mmdit.{kind.name}"] = mmdit(
                hidden_states=kept["in.latents"], timestep=kept["in.timestep"],
                encoder_hidden_states=kept["in.prompt_embeds"],
                pooled_projections=kept["in.pooled_prompt_embeds"]).sample.contiguous()
            state = {n: v for n, v in t5.state_dict().items()
                     if n != "encoder.embed_tokens.weight"}
            decoded, digests[f"t5.{kind.name}"] = write(
                path, "t5encoder", {t5_name(n): v for n, v in state.items()}, kind)
            means = {n: decoded[t5_name(n)] for n in state}
            means["encoder.embed_tokens.weight"] = means["shared.weight"]
            t5.load_state_dict(means)
            kept[f"t5.{kind.name}"] = t5(kept["in.ids"].long()).last_hidden_state.contiguous()
            for model in ("mmdit", "t5"):
                out = kept[f"{model}.{kind.name}"]
                print(f"{model} {kind.name}: rms {out.square().mean().sqrt():.3f}",
                      file=sys.stderr)
    shapes = {"mmdit": single_file(mmdit.state_dict(), DEPTH - 1),
              "t5": {t5_name(n): v for n, v in t5.state_dict().items()
                     if n != "encoder.embed_tokens.weight"}}
    for model, tensors in shapes.items():
        digests[f"{model}.tensors"] = [[n, *tensors[n].shape] for n in sorted(tensors)]
    save_file(kept, HERE / "seeded.safetensors", metadata={"files": json.dumps(digests)})


if __name__ == "__main__":
    main()
