"""The weights of Octet's synthetic models in PyTorch, bit for bit, and diffusers models to hold them.

The generator is that of src/tensor/random_codes.h; deviations and seeds are those of
src/engine/synthetic_tensors.cc. Shapes come from the diffusers model, whose names Octet uses too.
"""

import statistics

import torch

MASK = 0xFFFFFFFF
FP8_CODES = 122.0
FORMATS = {"bf16": False, "fp8": "rows", "fp8-static": "tensor"}  # scales of FP8 weights
LARGE = {"num_layers": 38, "pos_embed_max_size": 192, "dual_attention_layers": ()}
MEDIUM = {"num_layers": 24, "pos_embed_max_size": 384, "dual_attention_layers": tuple(range(13))}
TINY = {"num_layers": 2, "pos_embed_max_size": 16, "joint_attention_dim": 96,
        "pooled_projection_dim": 80}
SIZES = {
    "sd3.5-large": LARGE,
    "sd3.5-medium": MEDIUM,
    "sd3.5-large-tiny": LARGE | TINY,
    "sd3.5-medium-tiny": MEDIUM | TINY | {"dual_attention_layers": (0,)},
}


def transformer(name, dtype, device):
    """An SD3Transformer2DModel of a synthetic model's size, its weights not yet set."""
    from diffusers import SD3Transformer2DModel

    size = {"joint_attention_dim": 4096, "pooled_projection_dim": 2048} | SIZES[name]
    width = 64 * size["num_layers"]
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = SD3Transformer2DModel(
                sample_size=128,
                patch_size=2,
                in_channels=16,
                out_channels=16,
                attention_head_dim=64,
                num_attention_heads=size["num_layers"],
                caption_projection_dim=width,
                qk_norm="rms_norm",
                **size,
            )
    finally:
        torch.set_default_dtype(before)
    return model.to(dtype).eval().requires_grad_(False)


def quantiles():
    normal = statistics.NormalDist()
    low = [round(normal.inv_cdf((k + 0.5) / 4096) * 4096) / 4096 for k in range(2048)]
    return torch.tensor(low + [-z for z in reversed(low)], dtype=torch.float64)


def seed_of(name):
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & MASK
    return value


def random_tensor(name, shape, dtype, mean, deviation, device):
    """Tensor `name` ("transformer.proj_out.weight") of a synthetic model."""
    mean = torch.tensor(mean, dtype=torch.float32).double()
    deviation = torch.tensor(deviation, dtype=torch.float32).double()
    values = (mean + deviation * quantiles()).float()
    # The saturating conversion: nothing here lies beyond the largest code.
    table = values.to(dtype).to(device)
    seed = seed_of(name)
    out = torch.empty(shape, dtype=dtype, device=device)
    flat = out.view(-1)
    piece = 1 << 24
    for begin in range(0, flat.numel(), piece):
        x = torch.arange(begin, min(begin + piece, flat.numel()), device=device)
        x = (x * 0x9E3779B9 + seed) & MASK
        x = ((x ^ (x >> 16)) * 0x85EBCA6B) & MASK
        x = ((x ^ (x >> 13)) * 0xC2B2AE35) & MASK
        x = (x ^ (x >> 16)) >> 20
        taken = table.view(torch.uint8)[x] if dtype.itemsize == 1 else table[x]
        flat[begin : begin + piece] = taken.view(dtype)
    return out


def single(value):
    """`value` as C++ computes it in FP32."""
    return torch.tensor(value, dtype=torch.float32)


def is_fp8_layer(name):
    """Linears that @fp8 models keep in E4M3."""
    inside = name.startswith("transformer_blocks.") and ".norm" not in name
    return inside and name.endswith(".weight")


def tensors(model, fp8, device):
    """Yields (parameter name, tensor, row scale or None)."""
    for name, parameter in model.state_dict().items():
        shape, full = tuple(parameter.shape), "transformer." + name
        if name == "pos_embed.pos_embed":
            yield name, random_tensor(full, shape, torch.bfloat16, 0.0, 0.5, device), None
        elif name.endswith(".bias"):
            yield name, random_tensor(full, shape, torch.bfloat16, 0.0, 0.02, device), None
        elif len(shape) == 1:
            yield name, random_tensor(full, shape, torch.bfloat16, 1.0, 0.1, device), None
        else:
            fan_in = parameter[0].numel()
            gain = 0.5 if ".norm1" in name or "norm_out" in name else 1.0
            deviation = single(gain) / torch.sqrt(single(float(fan_in)))
            if not (fp8 and is_fp8_layer(name)):
                yield (name, random_tensor(full, shape, torch.bfloat16, 0.0, deviation.item(),
                                           device), None)
                continue
            codes = random_tensor(full, shape, torch.float8_e4m3fn, 0.0, FP8_CODES, device)
            scale = deviation / single(FP8_CODES)
            spread = single(0.0 if fp8 == "tensor" else 0.1) * scale
            rows = random_tensor(full + "_scale", shape[:1], torch.float32, scale.item(),
                                 spread.item(), device)
            yield name, codes, rows


def fill(model, fp8, device):
    """Sets every parameter and buffer; FP8 weights as code * scale in the model's dtype."""
    state = model.state_dict()
    for name, value, rows in tensors(model, fp8, device):
        if rows is not None:
            value = value.float() * rows[:, None]
        state[name].copy_(value)
    return model
