"""The three text encoders of SD3 in plain PyTorch, with the parameter names of transformers.

CLIP-L type (quick GELU, pooled row unprojected), CLIP-G type (erf GELU, projection) and the
T5 v1.1 encoder. encode() assembles the conditioning as the SD3 pipeline does: the CLIP hidden
states before the last layer side by side, zero-padded to the T5 width, T5 rows appended after.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class ClipAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x):
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class ClipMlp(nn.Module):
    def __init__(self, width, quick):
        super().__init__()
        self.quick = quick
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x) if self.quick else F.gelu(x))


class ClipLayer(nn.Module):
    def __init__(self, width, heads, quick):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn, self.mlp = ClipAttention(width, heads), ClipMlp(width, quick)

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Clip(nn.Module):
    """CLIPTextModelWithProjection; forward gives (hidden states [-2], pooled)."""

    def __init__(self, vocabulary, length, width, layers, heads, quick, project):
        super().__init__()
        self.eos = vocabulary - 1
        inner = nn.Module()
        inner.embeddings = nn.Module()
        inner.embeddings.token_embedding = nn.Embedding(vocabulary, width)
        inner.embeddings.position_embedding = nn.Embedding(length, width)
        inner.encoder = nn.Module()
        inner.encoder.layers = nn.ModuleList(
            ClipLayer(width, heads, quick) for _ in range(layers))
        inner.final_layer_norm = nn.LayerNorm(width)
        self.text_model = inner
        self.text_projection = nn.Linear(width, width, bias=False)
        if not project:
            self.text_projection.weight.requires_grad_(False).copy_(torch.eye(width))
        self.project = project
        nn.init.normal_(inner.embeddings.token_embedding.weight, std=0.3)
        nn.init.normal_(inner.embeddings.position_embedding.weight, std=0.1)

    def forward(self, ids):
        inner = self.text_model
        x = inner.embeddings.token_embedding(ids)
        x = x + inner.embeddings.position_embedding.weight[:ids.shape[1]]
        for layer in inner.encoder.layers[:-1]:
            x = layer(x)
        last = inner.final_layer_norm(inner.encoder.layers[-1](x))
        first = (ids == self.eos).int().argmax(-1)
        pooled = last[torch.arange(len(ids), device=ids.device), first]
        return x, (self.text_projection(pooled) if self.project else pooled)


class T5Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        x = x.float()
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def buckets(length):
    """T5's bidirectional relative position buckets [length, length]: 32, at most 128 away."""
    r = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    far = 8 + (torch.log(r.abs().clamp(min=1) / 8.0) / math.log(16) * 8).long()
    near = torch.where(r.abs() < 8, r.abs(), far.clamp(max=15))
    return near + 16 * (r > 0)


class T5Block(nn.Module):
    def __init__(self, width, heads, hidden, first):
        super().__init__()
        self.heads = heads
        attention, gated = nn.Module(), nn.Module()
        attention.SelfAttention, attention.layer_norm = nn.Module(), T5Norm(width)
        for name in "qkvo":
            setattr(attention.SelfAttention, name, nn.Linear(width, width, bias=False))
        if first:
            attention.SelfAttention.relative_attention_bias = nn.Embedding(32, heads)
        nn.init.normal_(attention.SelfAttention.q.weight, std=(width * 64) ** -0.5)
        gated.DenseReluDense, gated.layer_norm = nn.Module(), T5Norm(width)
        gated.DenseReluDense.wi_0 = nn.Linear(width, hidden, bias=False)
        gated.DenseReluDense.wi_1 = nn.Linear(width, hidden, bias=False)
        gated.DenseReluDense.wo = nn.Linear(hidden, width, bias=False)
        self.layer = nn.ModuleList([attention, gated])

    def forward(self, x, bias):
        heads = self.layer[0].SelfAttention
        split = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        h = self.layer[0].layer_norm(x)
        q, k, v = split(heads.q(h)), split(heads.k(h)), split(heads.v(h))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), scale=1.0)
        x = x + heads.o(y.transpose(1, 2).flatten(2))
        mlp = self.layer[1].DenseReluDense
        h = self.layer[1].layer_norm(x)
        return x + mlp.wo(F.gelu(mlp.wi_0(h), approximate="tanh") * mlp.wi_1(h))


class T5(nn.Module):
    """T5EncoderModel; no mask: padding is attended to, as in SD3."""

    def __init__(self, vocabulary, length, width, layers, heads, hidden):
        super().__init__()
        self.shared = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.shared.weight, std=0.5)
        self.encoder = nn.Module()
        self.encoder.block = nn.ModuleList(
            T5Block(width, heads, hidden, i == 0) for i in range(layers))
        self.encoder.final_layer_norm = T5Norm(width)
        self.register_buffer("bucket", buckets(length), persistent=False)

    def forward(self, ids):
        table = self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
        bias = table[self.bucket[:ids.shape[1], :ids.shape[1]]].permute(2, 0, 1)[None]
        x = self.shared(ids)
        for block in self.encoder.block:
            x = block(x, bias)
        return self.encoder.final_layer_norm(x)


class TextEncoders(nn.Module):
    """All three; forward takes ids [B, 3, L] and gives (context [B, 2L, W], pooled [B, W])."""

    def __init__(self, c):
        super().__init__()
        clip = (c.clip_vocabulary, c.length, c.clip_width, c.clip_layers, c.clip_heads)
        self.text_encoder = Clip(*clip, quick=True, project=False)
        self.text_encoder_2 = Clip(*clip, quick=False, project=True)
        self.text_encoder_3 = T5(c.t5_vocabulary, c.length, c.t5_width, c.t5_layers, c.t5_heads,
                                 c.t5_hidden)

    def forward(self, ids):
        first, pooled_first = self.text_encoder(ids[:, 0])
        second, pooled_second = self.text_encoder_2(ids[:, 1])
        third = self.text_encoder_3(ids[:, 2])
        clip = torch.cat([first, second], -1)
        clip = F.pad(clip, (0, third.shape[-1] - clip.shape[-1]))
        return (torch.cat([clip.to(third.dtype), third], 1),
                torch.cat([pooled_first, pooled_second], -1))
