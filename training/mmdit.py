"""The SD3.5-Large kind of MMDiT in plain PyTorch, with the parameter names of diffusers."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def sincos_table(side, width):
    """Position table [1, side*side, width]: first half the column, second half the row."""
    omega = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angle = torch.arange(side, dtype=torch.float64)[:, None] * omega
    axis = torch.cat([angle.sin(), angle.cos()], 1)
    rows = axis[:, None].expand(side, side, -1)
    columns = axis[None].expand(side, side, -1)
    return torch.cat([columns, rows], -1).flatten(0, 1).float()[None]


class PatchEmbed(nn.Module):
    def __init__(self, width, channels, side):
        super().__init__()
        self.side = side
        self.proj = nn.Conv2d(channels, width, 2, 2)
        self.register_buffer("pos_embed", sincos_table(side, width))

    def forward(self, latent):
        x = F.conv2d(latent, self.proj.weight.to(latent.dtype), self.proj.bias.to(latent.dtype),
                     stride=2)
        h, w = x.shape[-2:]
        top, left = (self.side - h) // 2, (self.side - w) // 2
        table = self.pos_embed.unflatten(1, (self.side, self.side))
        table = table[:, top:top + h, left:left + w].flatten(1, 2)
        return x.flatten(2).transpose(1, 2).contiguous() + table.to(x.dtype)


class Embedder(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(inputs, width), nn.Linear(width, width)

    def forward(self, x):
        return self.linear_2(F.silu(self.linear_1(x)))


class TimeText(nn.Module):
    def __init__(self, width, pooled):
        super().__init__()
        self.timestep_embedder = Embedder(256, width)
        self.text_embedder = Embedder(pooled, width)

    def forward(self, timestep, pooled):
        omega = torch.exp(-math.log(10000) * torch.arange(128, device=timestep.device) / 128)
        angle = timestep.float()[:, None] * omega
        wave = torch.cat([angle.cos(), angle.sin()], -1)
        return self.timestep_embedder(wave) + self.text_embedder(pooled)


class Modulation(nn.Module):
    def __init__(self, width, parts):
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(width, parts * width)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, c):
        return self.linear(F.silu(c))[:, None].chunk(self.parts, -1)


def modulate(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight
        return y.to(x.dtype)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        first = nn.Module()
        first.proj = nn.Linear(width, 4 * width)
        self.net = nn.ModuleList([first, nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x):
        return self.net[2](F.gelu(self.net[0].proj(x), approximate="tanh"))


class JointAttention(nn.Module):
    def __init__(self, width, heads, last):
        super().__init__()
        self.heads, self.last = heads, last
        for name in ("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj"):
            setattr(self, name, nn.Linear(width, width))
        for name in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            setattr(self, name, RmsNorm(width // heads))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        if not last:
            self.to_add_out = nn.Linear(width, width)

    def project(self, x, layers):
        """One GEMM for several layers of the same input; their heads [B, heads, N, 64]."""
        weight = torch.cat([m.weight for m in layers])
        y = F.linear(x, weight, torch.cat([m.bias for m in layers]))
        y = y.unflatten(-1, (len(layers), self.heads, -1)).permute(2, 0, 3, 1, 4)
        return y.unbind(0)

    def forward(self, x, context):
        q, k, v = self.project(x, (self.to_q, self.to_k, self.to_v))
        q, k = self.norm_q(q), self.norm_k(k)
        if self.last:  # the query rows of the last context would be thrown away
            ck, cv = self.project(context, (self.add_k_proj, self.add_v_proj))
        else:
            cq, ck, cv = self.project(context, (self.add_q_proj, self.add_k_proj,
                                                self.add_v_proj))
            q = torch.cat([q, self.norm_added_q(cq)], 2)
        k = torch.cat([k, self.norm_added_k(ck)], 2)
        y = F.scaled_dot_product_attention(q, k, torch.cat([v, cv], 2))
        y = y.transpose(1, 2).flatten(2)
        image = self.to_out[0](y[:, :x.shape[1]])
        return image, (None if self.last else self.to_add_out(y[:, x.shape[1]:]))


class Block(nn.Module):
    def __init__(self, width, heads, last):
        super().__init__()
        self.last = last
        self.norm1 = Modulation(width, 6)
        self.norm1_context = Modulation(width, 2 if last else 6)
        self.attn = JointAttention(width, heads, last)
        self.ff = FeedForward(width)
        if not last:
            self.ff_context = FeedForward(width)

    def forward(self, x, context, c):
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = self.norm1(c)
        h = modulate(x, shift, scale)
        if self.last:
            scale, shift = self.norm1_context(c)
            y, _ = self.attn(h, modulate(context, shift, scale))
        else:
            parts = self.norm1_context(c)
            y, z = self.attn(h, modulate(context, parts[0], parts[1]))
            context = context + parts[2] * z
            h = modulate(context, parts[3], parts[4])
            context = context + parts[5] * self.ff_context(h)
        x = x + gate * y
        return x + gate_mlp * self.ff(modulate(x, shift_mlp, scale_mlp)), context


class Mmdit(nn.Module):
    """Velocity of flow matching. Latent [B, 16, h, w], context [B, L, W], pooled [B, P]."""

    def __init__(self, c):
        super().__init__()
        self.pos_embed = PatchEmbed(c.width, c.latent, c.positions)
        self.time_text_embed = TimeText(c.width, 2 * c.clip_width)
        self.context_embedder = nn.Linear(c.t5_width, c.width)
        self.transformer_blocks = nn.ModuleList(
            Block(c.width, c.heads, i == c.layers - 1) for i in range(c.layers))
        self.norm_out = Modulation(c.width, 2)
        self.proj_out = nn.Linear(c.width, 4 * c.latent)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, latent, context, pooled, timestep):
        b, channels, h, w = latent.shape
        c = self.time_text_embed(timestep, pooled)
        x, context = self.pos_embed(latent), self.context_embedder(context)
        for block in self.transformer_blocks:
            x, context = block(x, context, c)
        scale, shift = self.norm_out(c)
        x = self.proj_out(modulate(x, shift, scale))
        x = x.view(b, h // 2, w // 2, 2, 2, channels)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(b, channels, h, w)
