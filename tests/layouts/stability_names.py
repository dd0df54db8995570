"""diffusers' names of an SD3 transformer turned into Stability's, from the published table of both.
make_fixtures.py lets diffusers' own converter read the result back, so this table is checked."""

import torch

OUTER = {
    "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    "context_embedder": "context_embedder",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}
INNER = {
    "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.norm_q": "x_block.attn.ln_q",
    "attn.norm_k": "x_block.attn.ln_k",
    "attn.norm_added_q": "context_block.attn.ln_q",
    "attn.norm_added_k": "context_block.attn.ln_k",
    "attn.to_out.0": "x_block.attn.proj",
    "attn.to_add_out": "context_block.attn.proj",
    "attn2.norm_q": "x_block.attn2.ln_q",
    "attn2.norm_k": "x_block.attn2.ln_k",
    "attn2.to_out.0": "x_block.attn2.proj",
    "ff.net.0.proj": "x_block.mlp.fc1",
    "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1",
    "ff_context.net.2": "context_block.mlp.fc2",
}
FUSED = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
}


def swap_halves(tensor):
    a, b = tensor.chunk(2)
    return torch.cat([b, a])


def to_stability(tensors, depth):
    """Every tensor of `tensors` under its single-file name."""
    left = dict(tensors)
    result = {"pos_embed": left.pop("pos_embed.pos_embed")}

    def move(old, new, swap):
        for leaf in ("weight", "bias"):
            value = left.pop(f"{old}.{leaf}", None)
            if value is not None:
                result[f"{new}.{leaf}"] = swap_halves(value) if swap else value

    for old, new in OUTER.items():
        move(old, new, swap=old == "norm_out.linear")
    for i in range(depth):
        before, after = f"transformer_blocks.{i}.", f"joint_blocks.{i}."
        for old, new in INNER.items():
            move(before + old, after + new, old == "norm1_context.linear" and i + 1 == depth)
        for new, parts in FUSED.items():
            for leaf in ("weight", "bias"):
                rows = [left.pop(f"{before}{part}.{leaf}", None) for part in parts]
                if rows[0] is not None:
                    result[f"{after}{new}.{leaf}"] = torch.cat(rows)
    assert not left, f"tensors without a place: {sorted(left)}"
    return {name: value.contiguous() for name, value in result.items()}
