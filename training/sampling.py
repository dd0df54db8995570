"""Euler sampling of flow matching with classifier-free guidance, as diffusers does it."""

import numpy as np
import torch


def sigmas(steps, shift):
    """The family's schedule: the shift acts on the end points and again on the grid."""
    grid = lambda t: shift * t / (1 + (shift - 1) * t)
    points = grid(np.linspace(1.0, float(np.float32(grid(np.float64(0.001)))), steps))
    return [*np.float32(points).tolist(), 0.0]


@torch.no_grad()
def sample(mmdit, context, pooled, empty_context, empty_pooled, noise, steps, guidance, shift):
    """Latents [B, 16, h, w] from unit noise; the empty prompt is given once, as a batch of 1."""
    count, x = len(noise), noise.float()
    context = torch.cat([empty_context.expand(count, -1, -1), context])
    pooled = torch.cat([empty_pooled.expand(count, -1), pooled])
    table = sigmas(steps, shift)
    for now, then in zip(table, table[1:]):
        time = torch.full((2 * count,), 1000.0 * now, device=x.device)
        free, told = mmdit(torch.cat([x, x]), context, pooled, time).float().chunk(2)
        x = x + (then - now) * (free + guidance * (told - free))
    return x


@torch.no_grad()
def decode(vae, latent, state):
    """Pictures [B, 3, H, W] in 0..1."""
    picture = vae.decoder(latent / state["scaling"] + state["shift"])
    return (picture.float() / 2 + 0.5).clamp(0, 1)
