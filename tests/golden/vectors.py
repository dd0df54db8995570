"""Numbers without a model: sigma tables, torch noise, FP8 casts, a dpmpp_2m path, activations."""

import hashlib
import math
import struct

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

NOISE_SIZES = (7, 15, 16, 17, 100, 16 * 16 * 16, 16 * 33 * 31)
NOISE_SEEDS = (0, 42, 2**32 + 7)


def bits(values):
    """FP32 values as 8 hex digits each, so that JSON keeps every bit."""
    array = np.asarray(values, dtype="<f4").ravel()
    return [f"{v:08x}" for v in array.view("<u4").tolist()]


def sigma_tables():
    tables = []
    for shift in (3.0, 1.0, 5.0):
        for steps in (1, 4, 8, 20, 28, 40, 50):
            scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
            scheduler.set_timesteps(steps)
            entry = {"shift": shift, "steps": steps, "sigmas": bits(scheduler.sigmas)}
            entry["timesteps"] = bits(scheduler.timesteps)
            tables.append(entry)
    return tables


def noise():
    out = []
    for seed in NOISE_SEEDS:
        for size in NOISE_SIZES:
            x = torch.randn(size, generator=torch.Generator().manual_seed(seed)).numpy()
            digest = hashlib.sha256(x.astype("<f4").tobytes()).hexdigest()
            entry = {"seed": seed, "size": size, "first": bits(x[:16]), "last": bits(x[-16:])}
            out.append({**entry, "sha256": digest})
    return out


def cast_inputs(dtype, largest):
    """Every code, every midpoint of neighbours with the floats beside it, and a random spread."""
    codes = torch.arange(256, dtype=torch.uint8).view(dtype).float()
    finite = np.unique(codes[codes.isfinite()].numpy())
    middle = ((finite[1:].astype(np.float64) + finite[:-1]) / 2).astype(np.float32)
    around = np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(-np.inf))
    rng = np.random.default_rng(5)
    spread = rng.standard_normal(64) * 10.0 ** rng.uniform(-6, math.log10(largest), 64)
    tiny = np.array([0.0, -0.0, 1e-40, -1e-40, 1e-30, -1e-30], np.float32)
    beyond = np.array([largest * f for f in (1.02, -1.02, 1.2, -1e6)], np.float32)
    parts = (finite, middle, *around, spread.astype(np.float32), tiny, beyond)
    return np.concatenate(parts).astype(np.float32)


def float8():
    out = {}
    for name, dtype, largest in (
        ("e4m3fn", torch.float8_e4m3fn, 448.0),
        ("e5m2", torch.float8_e5m2, 57344.0),
    ):
        x = cast_inputs(dtype, largest)
        codes = torch.from_numpy(x).clamp(-largest, largest).to(dtype).view(torch.uint8)
        values = torch.arange(256, dtype=torch.uint8).view(dtype).float()
        decoded = [b if v == v else "nan" for b, v in zip(bits(values), values.tolist())]
        out[name] = {"max": largest, "input": bits(x), "code": bytes(codes.tolist()).hex()}
        out[name]["decoded"] = decoded
    return out


def dpmpp_2m(velocity, x, sigmas):
    """Second order multistep in t = -ln(sigma), flow prediction, FP64. Returns every state."""
    states, previous = [x], None
    for i, (s, s_next) in enumerate(zip(sigmas, sigmas[1:])):
        x0 = x - s * velocity(x, s)
        ratio = s_next / s
        data = x0
        if previous is not None and s_next > 0:
            h, h_last = math.log(s / s_next), math.log(sigmas[i - 1] / s)
            w = h / (2 * h_last)
            data = (1 + w) * x0 - w * previous
        x = ratio * x + (1 - ratio) * data
        previous = x0
        states.append(x)
    return states


def toy_velocity(x, sigma):
    return np.sin(3 * x) + 0.5 * sigma * x - 0.25


def toy_path():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(12)
    sigmas = [float(s) for s in scheduler.sigmas]
    start = np.array([-1.5, -0.3, 0.0, 0.4, 2.0])
    states = dpmpp_2m(toy_velocity, start, sigmas)
    about = "v(x, sigma) = sin(3x) + 0.5*sigma*x - 0.25, FP64"
    return {"velocity": about, "sigmas": sigmas, "states": [s.tolist() for s in states]}


def activations():
    x = torch.cat([torch.linspace(-9, 9, 73), torch.tensor([-60.0, -20.0, 20.0, 60.0, 1e-6])])
    f = torch.nn.functional
    wide = x.double()
    return {
        "about": "FP64 results rounded once to FP32",
        "x": bits(x),
        "gelu_erf": bits(f.gelu(wide).float()),
        "gelu_tanh": bits(f.gelu(wide, approximate="tanh").float()),
        "quick_gelu": bits((wide * torch.sigmoid(1.702 * wide)).float()),
        "silu": bits(f.silu(wide).float()),
    }


def relative_buckets():
    """T5 bucket of key - query, as transformers computes it (32 buckets, distance 128)."""
    from transformers.models.t5.modeling_t5 import T5Attention

    r = torch.arange(-300, 301)
    bucket = T5Attention._relative_position_bucket(r, True, 32, 128)
    return {"first": -300, "bucket": bucket.tolist()}


def all_vectors():
    assert struct.pack("<f", 1.0) == bytes.fromhex(bits([1.0])[0])[::-1]
    return {
        "sigmas": sigma_tables(),
        "noise": noise(),
        "float8": float8(),
        "dpmpp_2m": toy_path(),
        "activations": activations(),
        "t5_buckets": relative_buckets(),
    }
