"""FP8 layouts without a library on the package index that writes them: ComfyUI's old and new one,
block scales as DeepSeek publishes them, and plain casts. Each function takes 32-bit tensors and
gives (tensors to store, the values that they mean)."""

import json

import torch

E4M3_MAX = 448.0
BLOCK = 128


def codes_of(values, scale):
    """Nearest even, saturating."""
    return (values / scale).clamp(-E4M3_MAX, E4M3_MAX).to(torch.float8_e4m3fn)


def is_scaled(name, tensor):
    """Linear weights of the blocks; embedders and output stay in 16 bits."""
    return ".weight" in name and tensor.ndim == 2 and "_blocks." in name


def wide(tensor):
    stored = tensor.to(torch.bfloat16)
    return stored, stored.float()


def split(tensors):
    """(scaled weights by layer, everything else stored in 16 bits, its values)"""
    layers, stored, means = {}, {}, {}
    for name, tensor in tensors.items():
        if is_scaled(name, tensor):
            layers[name.removesuffix(".weight")] = tensor
        else:
            stored[name], means[name] = wide(tensor)
    return layers, stored, means


def per_tensor(tensor):
    scale = tensor.abs().amax() / E4M3_MAX
    codes = codes_of(tensor, scale)
    return codes, scale.reshape(()), codes.float() * scale


def comfy_old(tensors, input_scale):
    """Marker of no elements: FP8 products allowed; an input scale of 1 means "not calibrated"."""
    layers, stored, means = split(tensors)
    for i, (layer, tensor) in enumerate(layers.items()):
        codes, scale, value = per_tensor(tensor)
        stored[f"{layer}.weight"], stored[f"{layer}.scale_weight"] = codes, scale.reshape(1)
        stored[f"{layer}.scale_input"] = torch.tensor([input_scale if i % 2 else 1.0])
        means[f"{layer}.weight"] = value
    stored["scaled_fp8"] = torch.empty(0, dtype=torch.float8_e4m3fn)
    return stored, means


def comfy_new(tensors, input_scale):
    """Half of the layers marked by a tensor, half in the metadata; one takes wide inputs."""
    layers, stored, means = split(tensors)
    listed = {}
    for i, (layer, tensor) in enumerate(layers.items()):
        codes, scale, value = per_tensor(tensor)
        stored[f"{layer}.weight"], stored[f"{layer}.weight_scale"] = codes, scale
        stored[f"{layer}.input_scale"] = torch.tensor(input_scale)
        means[f"{layer}.weight"] = value
        mark = {"format": "float8_e4m3fn"}
        if layer.endswith("attn.proj"):
            mark["full_precision_matrix_mult"] = True
        if i % 2:
            text = json.dumps(mark).encode()
            stored[f"{layer}.comfy_quant"] = torch.tensor(list(text), dtype=torch.uint8)
        else:
            listed[layer] = mark
    metadata = {"format_version": "1.0", "layers": listed}
    return stored, means, {"_quantization_metadata": json.dumps(metadata)}


def block_scales(tensors):
    """weight = codes * weight_scale_inv, one scale for each 128x128 block; the last ones ragged."""
    layers, stored, means = split(tensors)
    for layer, tensor in layers.items():
        rows, columns = (-(-side // BLOCK) for side in tensor.shape)
        scale, value = torch.empty(rows, columns), torch.empty_like(tensor)
        codes = torch.empty(tensor.shape, dtype=torch.float8_e4m3fn)
        for r in range(rows):
            for c in range(columns):
                at = slice(r * BLOCK, (r + 1) * BLOCK), slice(c * BLOCK, (c + 1) * BLOCK)
                codes[at], scale[r, c], value[at] = per_tensor(tensor[at])
        stored[f"{layer}.weight"], stored[f"{layer}.weight_scale_inv"] = codes, scale
        means[f"{layer}.weight"] = value
    return stored, means


def plain_cast(tensors, dtype):
    """Everything, norms and biases too, as the casts that circulate have it."""
    stored = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    return stored, {name: tensor.float() for name, tensor in stored.items()}
