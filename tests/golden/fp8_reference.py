"""FP8 variant of a transformer file, and the arithmetic that an engine must reproduce on it.

File: E4M3 `<layer>.weight` [out, in] with F32 `<layer>.weight_scale` [out, 1] for the attention,
feed-forward and block modulation linears; everything else stays FP16. weight = code * scale, scale =
amax(row) / 448.
"""

import contextlib
import re

import torch
from safetensors.torch import load_file, save_file

E4M3_MAX = 448.0
TINY = 1e-12  # floor of a row's amax: an all-zero row must not divide by zero
# The block modulation linears are stored in FP8 too, but their input is never rounded.
LAYERS = re.compile(
    r"transformer_blocks\.\d+\."
    r"(attn2?\.(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)"
    r"|ff(_context)?\.net\.(0\.proj|2)|norm1(_context)?\.linear)$"
)


def quantize_rows(x, dtype=torch.float32):
    """Codes (as numbers) and scale of every row; nearest even, saturating."""
    amax = x.abs().amax(dim=-1, keepdim=True).clamp(min=TINY)
    scale = amax / E4M3_MAX
    codes = (x / scale).clamp(-E4M3_MAX, E4M3_MAX).to(torch.float32).to(torch.float8_e4m3fn)
    return codes, scale.to(dtype)


def write_variant(fp16_file, fp8_file):
    out = {}
    for name, tensor in load_file(fp16_file).items():
        layer = name.removesuffix(".weight")
        if name.endswith(".weight") and LAYERS.match(layer):
            codes, scale = quantize_rows(tensor.float())
            out[name] = codes
            out[layer + ".weight_scale"] = scale
        else:
            out[name] = tensor
    save_file(out, fp8_file, metadata={"format": "pt"})


def load_weights(model, fp8_file):
    """Puts code * scale into the model and returns {layer: (codes, scale)}."""
    stored = load_file(fp8_file)
    pairs, state = {}, {}
    for name, tensor in stored.items():
        layer = name.removesuffix(".weight")
        if layer + ".weight_scale" in stored:
            pairs[layer] = (tensor.float(), stored[layer + ".weight_scale"])
            state[name] = tensor.float() * stored[layer + ".weight_scale"]
        elif not name.endswith(".weight_scale"):
            state[name] = tensor.float()
    model.load_state_dict(state, strict=True)
    return pairs


def fp8_linear(x, codes, scale, bias):
    """Dynamic per-token activations times per-row weights: both scales, then the bias."""
    x_codes, x_scale = quantize_rows(x, x.dtype)
    product = x_codes.to(x.dtype) @ codes.to(x.dtype).T
    return product * x_scale * scale.to(x.dtype).T + bias.to(x.dtype), x_codes, x_scale


@contextlib.contextmanager
def fp8_activations(model, pairs, record=None):
    """Runs the attention and feed-forward linears of `model` in emulated FP8.

    `record` = (layer, dict): keeps that layer's input, codes, scale and output.
    """
    undo = []
    for name, module in model.named_modules():
        if name not in pairs or ".norm1" in name:
            continue

        def forward(x, name=name, module=module):
            out, codes, scale = fp8_linear(x, *pairs[name], module.bias)
            if record and record[0] == name:
                values = (("in", x), ("codes", codes.float()), ("scale", scale), ("out", out))
                record[1].update({k: v.clone() for k, v in values})
            return out

        module.forward = forward
        undo.append(module)
    try:
        yield
    finally:
        for module in undo:
            del module.forward
