"""The faults that fault_table.py plants: generators of (name, golden that must show it, context)."""

import dataclasses
import math

import torch
from transformers.activations import ACT2FN

import fp8_reference
import tiny_models
from planting import changed, output_of, replaced, replaced_config, swapped

# A bias on every key of one softmax row cancels exactly, so no output can show these.
INVISIBLE = ("self_attn.k_proj.bias", "mid_block.attentions.0.to_k.bias")
# The last block throws the text queries away.
LAST_TEXT_QUERY = f"transformer_blocks.{tiny_models.DEPTH - 1}.attn."
INVISIBLE += tuple(
    LAST_TEXT_QUERY + n for n in ("add_q_proj.weight", "add_q_proj.bias", "norm_added_q.weight")
)


def chunks_of(name, tensor, width):
    """Row ranges to drop one by one: the chunks of a modulation linear, else the whole tensor."""
    if ".linear." in name and tensor.shape[0] % width == 0:
        return [(f"{name}[{i}]", i * width, (i + 1) * width) for i in range(len(tensor) // width)]
    return [(name, 0, len(tensor))]


def parameter_faults(probe):
    parts = (
        ("transformer", probe.pipe.transformer, "mmdit"),
        ("text_encoder", probe.pipe.text_encoder, "embeds"),
        ("text_encoder_2", probe.pipe.text_encoder_2, "embeds"),
        ("text_encoder_3", probe.pipe.text_encoder_3, "embeds"),
        ("vae.decoder", probe.pipe.vae.decoder, "image"),
        ("vae.encoder", probe.pipe.vae.encoder, "moments"),
    )
    for part, model, golden in parts:
        tensors = list(model.named_parameters())
        tensors += [(n, b) for n, b in model.named_buffers() if n.endswith("pos_embed")]
        for name, tensor in tensors:
            if name.endswith(INVISIBLE) or (part == "text_encoder" and "projection" in name):
                continue
            for label, first, last in chunks_of(name, tensor, tiny_models.WIDTH):
                value = tensor.detach().clone()
                is_norm = tensor.ndim == 1 and name.endswith("weight")
                value[first:last] = 1 if is_norm else 0
                yield f"{part}: drop {label}", golden, changed(tensor, value)


def transformer_faults(probe):
    model = probe.pipe.transformer
    first, last = model.transformer_blocks[0], model.transformer_blocks[-1]
    table = model.pos_embed.pos_embed
    grid = table.reshape(tiny_models.POS_TABLE, tiny_models.POS_TABLE, -1)
    rolled = {d: torch.roll(grid, -1, d).reshape(table.shape) for d in (0, 1)}
    flat = model.pos_embed.proj.weight
    yield "position crop one row off", "mmdit", changed(table, rolled[0])
    yield "position crop one column off", "mmdit", changed(table, rolled[1])
    mixed = flat.flatten(1).reshape(len(flat), 2, 2, 16).permute(0, 3, 1, 2)
    yield "patch weight read as (py, px, channel)", "mmdit", changed(flat, mixed)
    out = model.proj_out.weight
    order = torch.arange(64).reshape(2, 2, 16).permute(2, 0, 1).reshape(-1)
    yield "unpatchify with channel slowest", "mmdit", changed(out, out[order].clone())
    yield "shift/scale swapped, text, last block", "mmdit", swapped(last.norm1_context.linear, 0, 1)
    yield "shift/scale swapped, final layer", "mmdit", swapped(model.norm_out.linear, 0, 1)
    for name, linear in (("image", first.norm1.linear), ("text", first.norm1_context.linear)):
        yield f"shift/scale msa swapped, {name}", "mmdit", swapped(linear, 0, 1)
        yield f"shift/scale mlp swapped, {name}", "mmdit", swapped(linear, 3, 4)
        yield f"gates msa/mlp swapped, {name}", "mmdit", swapped(linear, 2, 5)
    time = model.time_text_embed.time_proj
    yield "timestep sine before cosine", "mmdit", replaced(time, "flip_sin_to_cos", False)
    yield "timestep frequency off by one", "mmdit", replaced(time, "downscale_freq_shift", 1)
    yield "c without SiLU", "mmdit", replaced(first.norm1, "silu", torch.nn.Identity())
    for name, ff in (("image", last.ff), ("text", first.ff_context)):
        golden = "mmdit" if name == "image" else "context"
        yield f"gelu erf for tanh, {name}", golden, replaced(ff.net[0], "approximate", "none")
    if probe.arch.qk_norm:
        attn = first.attn
        pairs = ((attn.norm_q, attn.norm_added_q, "q"), (attn.norm_k, attn.norm_added_k, "k"))
        for a, b, name in pairs:
            yield f"text {name} norm with image weight", "mmdit", changed(b.weight, a.weight.clone())
        for norm in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            same = output_of(getattr(attn, norm), lambda args, _r: args[0])
            yield f"{norm} left out", "mmdit", same
    if probe.arch.dual_layers:
        yield from dual_faults(first)


def dual_faults(block):
    def same_input(_args, r):
        return (*r[:5], r[0], r[6])

    def after_joint(hidden):
        # attn2 must not see the joint attention's result.
        def change(_args, r):
            return (*r[:5], r[5] + hidden["joint"], r[6])

        return change

    yield "attn2 reads the joint attention's input", "mmdit", output_of(block.norm1, same_input)
    swap = output_of(block.norm1, lambda _a, r: (r[5], *r[1:5], r[0], r[6]))
    yield "inputs of attn and attn2 swapped", "mmdit", swap
    hidden = {}
    hook = block.attn.register_forward_hook(lambda _m, _a, r: hidden.update(joint=r[0]))
    block(torch.zeros(2, 24, 128), torch.zeros(2, 37, 128), torch.zeros(2, 128))
    hook.remove()
    yield "attn2 reads past the joint attention", "mmdit", output_of(block.norm1, after_joint(hidden))
    for a, b, name in ((0, 6, "shift"), (1, 7, "scale"), (2, 8, "gate")):
        yield f"{name} msa/msa2 swapped", "mmdit", swapped(block.norm1.linear, a, b)


def text_faults(probe):
    pipe = probe.pipe
    l_model, g_model = pipe.text_encoder.text_model, pipe.text_encoder_2.text_model
    t5 = pipe.text_encoder_3
    yield "CLIP-G padded with the end token", "embeds", replaced(pipe, "tokenizer_2", pipe.tokenizer)
    yield "CLIP-L padded with 0", "embeds", replaced(pipe, "tokenizer", pipe.tokenizer_2)
    for name, model, other in (("L", l_model, "gelu"), ("G", g_model, "quick_gelu")):
        mlp = model.encoder.layers[0].mlp
        act = ACT2FN[other]
        yield f"CLIP-{name} with {other}", "embeds", replaced(mlp, "activation_fn", act)
        yield (
            f"CLIP-{name} final norm on the sequence",
            "embeds",
            output_of(model.encoder.layers[-2], lambda _a, r, m=model: norm_first(m, r)),
        )
    yield "last CLIP layer's output as sequence", "embeds", clip_skip_changed(pipe)
    eye = torch.eye(tiny_models.CLIP_G_WIDTH)
    yield "CLIP-G not projected", "embeds", changed(pipe.text_encoder_2.text_projection.weight, eye)
    transposed = pipe.text_encoder_2.text_projection.weight.T.clone()
    weight = pipe.text_encoder_2.text_projection.weight
    yield "CLIP-G projection transposed", "embeds", changed(weight, transposed)
    attention = t5.encoder.block[0].layer[0].SelfAttention
    for block in (0, 1):
        q = t5.encoder.block[block].layer[0].SelfAttention.q.weight
        scaled = q / math.sqrt(t5.config.d_kv)
        yield f"T5 scaled by 1/sqrt(d), block {block}", "embeds", changed(q, scaled)
    table = attention.relative_attention_bias.weight
    yield "T5 bucket signs swapped", "embeds", changed(table, torch.roll(table, 16, 0))
    yield "T5 bias in the first block only", "embeds", t5_bias_once(t5)
    dense = t5.encoder.block[0].layer[1].DenseReluDense
    yield "T5 gelu erf for tanh", "embeds", replaced(dense, "act", torch.nn.GELU())
    final = output_of(t5.encoder.final_layer_norm, lambda args, _r: args[0])
    yield "T5 without the final norm", "embeds", final


def norm_first(model, result):
    if isinstance(result, tuple):
        return (model.final_layer_norm(result[0]), *result[1:])
    return model.final_layer_norm(result)


def clip_skip_changed(pipe):
    plain = pipe._get_clip_prompt_embeds

    def wrong(*args, **kwargs):
        return plain(*args, **{**kwargs, "clip_skip": -1})

    return replaced(pipe, "_get_clip_prompt_embeds", wrong)


def t5_bias_once(t5):
    second = t5.encoder.block[1]
    plain = second.forward

    def wrong(hidden, mask, position_bias, *args, **kwargs):
        return plain(hidden, mask, torch.zeros_like(position_bias), *args, **kwargs)

    return replaced(second, "forward", wrong)


def sampler_faults(probe):
    pipe = probe.pipe
    plain = pipe.scheduler.set_timesteps

    def no_shift(*args, **kwargs):
        with replaced(pipe.scheduler, "_shift", 1.0):
            plain(*args, **kwargs)

    yield "sigma table without shift", "latents", replaced(pipe.scheduler, "set_timesteps", no_shift)
    encode = pipe.encode_prompt

    def cond_swapped(*args, **kwargs):
        p, n, pooled, n_pooled = encode(*args, **kwargs)
        return n, p, n_pooled, pooled

    yield "cond and uncond swapped", "latents", replaced(pipe, "encode_prompt", cond_swapped)

    def pooled_swapped(*args, **kwargs):
        p, n, pooled, n_pooled = encode(*args, **kwargs)
        return p, n, n_pooled, pooled

    yield "pooled of the other prompt", "latents", replaced(pipe, "encode_prompt", pooled_swapped)
    step = pipe.scheduler.step

    def last_missing(v, t, x, return_dict):
        if t == pipe.scheduler.timesteps[-1]:
            return (x,)
        return step(v, t, x, return_dict=return_dict)

    yield "step to sigma 0 left out", "latents", replaced(pipe.scheduler, "step", last_missing)
    if probe.arch.t5_length < 100:  # one padding row of 333 is too little to see; shapes show it
        yield "T5 length one short", "latents", replaced(probe, "arch", shorter(probe.arch))


def shorter(arch):
    return dataclasses.replace(arch, t5_length=arch.t5_length - 1)


def vae_faults(probe):
    vae = probe.pipe.vae
    yield "VAE without shift", "image", replaced_config(vae, shift_factor=0.0)
    yield "VAE shift with the wrong sign", "image", replaced_config(vae, shift_factor=-0.0609)
    yield "VAE without scale", "image", replaced_config(vae, scaling_factor=1.0)
    norm = vae.decoder.mid_block.resnets[0].norm1
    groups = 1 if norm.num_groups > 1 else 2
    yield "group norm with other groups", "image", replaced(norm, "num_groups", groups)
    attention = vae.decoder.mid_block.attentions[0]
    yield "VAE attention left out", "image", output_of(attention, lambda args, _r: args[0])
    conv = vae.encoder.down_blocks[0].downsamplers[0]
    pad = torch.nn.functional.pad

    def left_top(args, _r):
        return conv.conv(pad(args[0], (1, 0, 1, 0)))

    yield "downsample padded left and top", "moments", output_of(conv, left_top)


def fp8_faults(probe):
    """Mistakes in the FP8 arithmetic; the weights are those of the FP8 file."""
    if not probe.arch.variants:
        return
    quantize = fp8_reference.quantize_rows

    def toward_zero(x, dtype=torch.float32):
        codes, scale = quantize(x, dtype)
        exact = (x / scale).abs().clamp(max=fp8_reference.E4M3_MAX).to(torch.float32)
        step = 2.0 ** (exact.clamp(min=2.0**-6).log2().floor() - 3)
        return ((exact / step).floor() * step).copysign(x).to(torch.float8_e4m3fn), scale

    def per_tensor(x, dtype=torch.float32):
        scale = x.abs().amax().clamp(min=fp8_reference.TINY) / fp8_reference.E4M3_MAX
        scale = scale.expand(*x.shape[:-1], 1)
        return (x / scale).to(torch.float8_e4m3fn), scale.to(dtype)

    def not_rounded(x, dtype=torch.float32):
        _codes, scale = quantize(x, dtype)
        return (x / scale).double(), scale

    for name, wrong in (
        ("activations rounded toward zero", toward_zero),
        ("activation scale per tensor", per_tensor),
        ("activations not rounded", not_rounded),
    ):
        yield f"FP8 {name}", "fp8_linear", replaced(fp8_reference, "quantize_rows", wrong)
    linear = fp8_reference.fp8_linear

    def scale_twice(x, codes, scale, bias):
        return linear(x, codes, scale * scale, bias)

    def scale_missing(x, codes, scale, bias):
        return linear(x, codes, torch.ones_like(scale), bias)

    def bias_scaled(x, codes, scale, bias):
        out, x_codes, x_scale = linear(x, codes, scale, torch.zeros_like(bias))
        return out + bias * x_scale * scale.T, x_codes, x_scale

    for name, wrong in (
        ("weight scale applied twice", scale_twice),
        ("weight scale left out", scale_missing),
        ("bias added before the scales", bias_scaled),
    ):
        yield f"FP8 {name}", "fp8", replaced(fp8_reference, "fp8_linear", wrong)


SOURCES = (
    parameter_faults,
    transformer_faults,
    text_faults,
    sampler_faults,
    vae_faults,
    fp8_faults,
)
