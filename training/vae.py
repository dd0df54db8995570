"""A small AutoencoderKL in plain PyTorch, with the parameter names of diffusers."""

import torch
import torch.nn.functional as F
from torch import nn


class Resnet(nn.Module):
    def __init__(self, inputs, outputs, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=1e-6)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)
        self.same = inputs == outputs

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.same else self.conv_shortcut(x))


class Attention(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x):
        h = self.group_norm(x).flatten(2).transpose(1, 2)
        q, k, v = (m(h)[:, None] for m in (self.to_q, self.to_k, self.to_v))
        h = self.to_out[0](F.scaled_dot_product_attention(q, k, v)[:, 0])
        return x + h.transpose(1, 2).reshape(x.shape)


class Middle(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(width, width, groups) for _ in range(2)])
        self.attentions = nn.ModuleList([Attention(width, groups)])

    def forward(self, x):
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Resize(nn.Module):
    def __init__(self, width, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(width, width, 3, padding=1) if up else nn.Conv2d(width, width, 3, 2)

    def forward(self, x):
        if self.up:
            return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Level(nn.Module):
    def __init__(self, inputs, outputs, count, groups, resize):
        super().__init__()
        self.resnets = nn.ModuleList(
            Resnet(inputs if i == 0 else outputs, outputs, groups) for i in range(count))
        self.resize = resize
        if resize:
            name = "upsamplers" if resize == "up" else "downsamplers"
            setattr(self, name, nn.ModuleList([Resize(outputs, resize == "up")]))

    def forward(self, x):
        for resnet in self.resnets:
            x = resnet(x)
        if not self.resize:
            return x
        return (self.upsamplers if self.resize == "up" else self.downsamplers)[0](x)


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, last = c.vae_widths, len(c.vae_widths) - 1
        self.conv_in = nn.Conv2d(3, w[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            Level(w[max(i - 1, 0)], w[i], 1, c.vae_groups, "down" if i < last else "")
            for i in range(len(w)))
        self.mid_block = Middle(w[-1], c.vae_groups)
        self.conv_norm_out = nn.GroupNorm(c.vae_groups, w[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(w[-1], 2 * c.latent, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, last = c.vae_widths[::-1], len(c.vae_widths) - 1
        self.conv_in = nn.Conv2d(c.latent, w[0], 3, padding=1)
        self.mid_block = Middle(w[0], c.vae_groups)
        self.up_blocks = nn.ModuleList(
            Level(w[max(i - 1, 0)], w[i], 2, c.vae_groups, "up" if i < last else "")
            for i in range(len(w)))
        self.conv_norm_out = nn.GroupNorm(c.vae_groups, w[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(w[-1], 3, 3, padding=1)

    def forward(self, z):
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Vae(nn.Module):
    """Pictures are [-1, 1]; encode gives (mean, log variance) of the latent."""

    def __init__(self, c):
        super().__init__()
        self.encoder, self.decoder = Encoder(c), Decoder(c)

    def encode(self, picture):
        mean, logvar = self.encoder(picture).chunk(2, 1)
        return mean, logvar.float().clamp(-30, 20)

    def forward(self, picture):
        mean, logvar = self.encode(picture)
        noise = torch.randn_like(logvar)
        z = mean.float() + torch.exp(0.5 * logvar) * noise
        return self.decoder(z.to(mean.dtype)), mean, logvar


def decoder_gflop(vae, side=256):
    """Multiply-adds x 2 of one decode of a side x side picture, by hooks on a real pass."""
    total = [0.0]

    def count(module, inputs, output):
        if isinstance(module, nn.Conv2d):
            total[0] += 2.0 * output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total[0] += 2.0 * output.numel() * module.in_features

    hooks = [m.register_forward_hook(count) for m in vae.decoder.modules()]
    device = next(vae.parameters()).device
    with torch.no_grad():
        vae.decoder(torch.zeros(1, vae.decoder.conv_in.in_channels, side // 8, side // 8,
                                device=device))
    for hook in hooks:
        hook.remove()
    return (total[0] + 4.0 * (side // 8) ** 4 * vae.decoder.conv_in.out_channels) / 1e9
