"""Stage 1: the autoencoder, on windows of scenes and then on whole scenes."""

import math
import time

import torch

from optimiser import Flat, Optimiser
from vae import Vae, decoder_gflop

KL = 1e-4
WINDOW = 0.5  # side of a training window; the last part of the time sees whole pictures
WHOLE_FROM = 0.8


def edges(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def losses(made, picture, mean, logvar):
    made = made.float()
    error = made - picture
    loss = error.abs().mean() + 4 * error.square().mean()
    for a, b in zip(edges(made), edges(picture)):
        loss = loss + 0.5 * (a - b).abs().mean()
    kl = 0.5 * (mean.float().square() + logvar.exp() - 1 - logvar).mean()
    return loss + KL * kl


def factor(progress, step, warm=100):
    """Learning rate over the run: short warm-up, flat, then a linear fall to zero."""
    return min(1.0, (step + 1) / warm, max(0.0, (1 - progress) / 0.6))


class Windows:
    """Training pictures from the scene source: several windows of every scene."""

    def __init__(self, run):
        self.run, self.store = run, []

    def draw(self, count, whole):
        run = self.run
        while len(self.store) < 64:
            objects, rgb, _ = run.source.next()
            self.store.append((objects.to(run.device), rgb.to(run.device)))
        which = torch.randint(len(self.store), (1,)).item()
        if torch.rand(()) < 0.25:
            self.store.pop(which)
            which = -1
        objects, rgb = self.store[which]
        rows = torch.randint(len(objects), (count,), device=run.device)
        window, side = None, run.config.side
        if not whole:
            corner = torch.rand(count, 2, device=run.device) * (1 - WINDOW)
            window = torch.cat([corner, torch.full_like(corner[:, :1], WINDOW)], 1)
            side = int(side * WINDOW)
        return run.renderer(objects[rows], rgb[rows], side, window)


def psnr(run, vae, count=512):
    """Mean PSNR over whole fresh scenes, posterior mean, and the latents' (mean, std)."""
    total, latents = [], []
    with torch.no_grad(), run.autocast():
        while len(total) * 64 < count:
            objects, rgb, _ = run.source.next()
            picture = run.renderer(objects[:64].to(run.device), rgb[:64].to(run.device),
                                   run.config.side)
            mean = vae.encode(picture)[0]
            error = (vae.decoder(mean).float().clamp(-1, 1) - picture) / 2
            total.append(-10 * error.square().mean((1, 2, 3)).clamp(min=1e-9).log10())
            latents.append(mean.float())
    latents = torch.cat(latents)
    return torch.cat(total).mean().item(), latents.mean().item(), latents.std().item()


def train_vae(run, seconds, batch, muon_rate, adam_rate):
    """Trains a new autoencoder; returns (vae, scaling, shift)."""
    torch.manual_seed(11)
    vae = Vae(run.config).to(run.device)
    run.say(f"vae: decoder {decoder_gflop(vae):.1f} GFLOP")
    flat = Flat([vae])
    optimiser = Optimiser(flat, muon_rate, adam_rate, decay=0.0, convolutions=True)
    torch.manual_seed(100 + run.rank)
    windows = Windows(run)
    forward = torch.compile(vae, dynamic=False) if run.vae_compile else vae
    start, step, progress, seen = None, 0, 0.0, 0
    marks = []
    while progress < 1:
        whole = progress > WHOLE_FROM
        picture = windows.draw(batch // 4 if whole else batch, whole)
        picture = picture.contiguous(memory_format=torch.channels_last)
        with run.autocast():
            made, mean, logvar = (vae if whole else forward)(picture)
        loss = losses(made, picture, mean, logvar)
        loss.backward()
        flat.exchange()
        flat.clip(1.0)
        optimiser.factor.fill_(factor(progress, step))
        optimiser.step()
        step, seen = step + 1, seen + len(picture)
        if start is None:
            run.sync()
            start = time.time()
            run.say(f"vae: first step after {run.clock():.0f} s")
        if step % 20 == 0:
            progress = run.agree((time.time() - start) / seconds)
        if step % 100 == 0 or (whole and not marks):
            if not math.isfinite(loss.item()):
                raise RuntimeError("vae: the loss is not finite")
            rate = seen / (time.time() - start)
            run.say(f"vae: step {step} progress {progress:.2f} loss {loss.item():.4f} "
                    f"{rate:.0f} pictures/s/device")
            marks = marks or ([1] if whole else [])
    run.spread([p for _, p in flat.named])
    quality, shift, deviation = psnr(run, vae)
    run.say(f"vae: {step} steps, PSNR {quality:.2f} dB, latent mean {shift:.4f} "
            f"std {deviation:.4f}")
    vae.requires_grad_(False)
    scaling, shift = run.agree(1 / deviation), run.agree(shift)
    return vae, round(scaling, 6), round(shift, 6)
