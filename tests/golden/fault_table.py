"""Plants faults in the reference and shows how far each moves the goldens.

A golden is worth having only if a wrong implementation cannot pass it. Every line gives the distance
from the golden, the tolerance of that golden and their ratio; the run fails if a fault stays below
20 tolerances. Two groups: every parameter dropped in turn (norm weights to 1, the rest to 0,
modulation linears chunk by chunk), and named mistakes in the graph, the tokens or the sampler.
"""

import copy
import pathlib
import sys

import torch
from safetensors.torch import load_file
from transformers.models.clip import modeling_clip

import faults
import fp8_reference
import make_golden
import tiny_models
from planting import replaced

LIMIT = 20
TOLERANCE = {
    "embeds": 1e-5,
    "mmdit": 1e-5,
    "context": 1e-5,
    "moments": 1e-5,
    "latents": 1e-3,
    "image": 1e-3,
    "fp8_linear": 1e-4,
    "fp8": 2e-3,  # one code that falls on the other side moves it by about 4e-4
}
# The two GELU forms differ by 5e-4 at most, so their faults can only be small in the output; the
# floor of correct implementations is below a tenth of the tolerance, hence still visible.
SUBTLE = {
    "gelu erf for tanh, image": 3,
    "gelu erf for tanh, text": 3,
    "T5 gelu erf for tanh": 3,
    "step to sigma 0 left out": 5,  # the last sigma is 0.0089: that is all it moves
}


def relative(got, want):
    return ((got.double() - want.double()).norm() / want.double().norm()).item()


def off_pixels(got, want):
    """Share of picture values more than 1/255 away."""
    return ((got - want).abs() > 1 / 255).double().mean().item()


class Probe:
    """The goldens of one architecture and how to compute each again."""

    def __init__(self, arch, folder):
        self.arch = arch
        self.pipe = tiny_models.load_pipeline(arch, folder / arch.name / "model")
        self.gold = load_file(folder / arch.name / "golden.safetensors")
        self.goldens = ["mmdit", "context", "embeds", "moments", "image", "latents"]
        if arch.variants:
            name = "model/transformer/diffusion_pytorch_model.fp8.safetensors"
            self.fp8_model = copy.deepcopy(self.pipe.transformer)
            self.pairs = fp8_reference.load_weights(self.fp8_model, folder / arch.name / name)
            self.goldens += ["fp8", "fp8_linear"]

    def mmdit(self):
        out = make_golden.forward(self.pipe.transformer, make_golden.forward_inputs())
        return relative(out, self.gold["mmdit.out"])

    def context(self):
        out = make_golden.mmdit(self.pipe)["mmdit.block.0.context"]
        return relative(out, self.gold["mmdit.block.0.context"])

    def fp8(self):
        with fp8_reference.fp8_activations(self.fp8_model, self.pairs):
            inputs = make_golden.forward_inputs()
            dtype = next(self.fp8_model.parameters()).dtype
            out = make_golden.forward(self.fp8_model, {k: v.to(dtype) for k, v in inputs.items()})
        return relative(out, self.gold["mmdit.out.fp8"])

    def fp8_linear(self):
        """The one recorded layer on its recorded input: no rounding upstream can blur it."""
        layer = make_golden.FP8_LINEAR
        bias = self.fp8_model.get_parameter(layer + ".bias")
        x = self.gold["fp8.linear.in"]
        out = fp8_reference.fp8_linear(x, *self.pairs[layer], bias)[0]
        return relative(out, self.gold["fp8.linear.out"])

    def embeds(self):
        new = make_golden.embeddings(self.pipe, self.arch)
        return max(relative(v, self.gold[k]) for k, v in new.items())

    def latents(self):
        # A fresh pass from the prompt to the latents, 28 steps with guidance.
        return relative(make_golden.sample(self.pipe, self.arch)[0], self.gold["latents"])

    def image(self):
        return off_pixels(make_golden.decode(self.pipe, self.gold["latents"]), self.gold["image"])

    def moments(self):
        new = make_golden.vae_encode(self.pipe)["vae.encode.moments"]
        return relative(new, self.gold["vae.encode.moments"])


def noise_floor(probe):
    """FP64 against the FP32 goldens: what two correct implementations may differ by."""

    def mask(shape, dtype, **_unused):  # the library's own mask cannot be built in FP64
        return torch.full((shape[-1], shape[-1]), -1e30, dtype=dtype).triu(1)[None, None]

    probe.pipe.to(torch.float64)
    inputs = {k: v.double() for k, v in make_golden.forward_inputs().items()}
    out = make_golden.forward(probe.pipe.transformer, inputs)
    noise = probe.gold["noise"].double()
    with replaced(modeling_clip, "_create_4d_causal_attention_mask", mask):
        embeds = probe.embeds()
        latents = make_golden.sample(probe.pipe, probe.arch, latents=noise)[0]
    picture = make_golden.decode(probe.pipe, probe.gold["latents"].double()).float()
    probe.pipe.to(torch.float32)
    floor = {
        "embeds": embeds,
        "mmdit": relative(out, probe.gold["mmdit.out"]),
        "latents": relative(latents, probe.gold["latents"]),
        "largest pixel difference": (picture - probe.gold["image"]).abs().max().item(),
    }
    if probe.arch.variants:
        probe.fp8_model.to(torch.float64)
        floor["fp8"] = probe.fp8()
        probe.fp8_model.to(torch.float32)
    return floor


def untouched(probe):
    distances = {golden: getattr(probe, golden)() for golden in probe.goldens}
    assert all(d < 1e-6 for d in distances.values()), distances


def run(arch, folder, all_lines):
    probe = Probe(arch, folder)
    print(f"\n== {arch.name}")
    untouched(probe)
    print("   FP64 against the goldens:", {k: f"{v:.1e}" for k, v in noise_floor(probe).items()})
    weak, groups = 0, {}
    for source in faults.SOURCES:
        for name, golden, fault in source(probe):
            with fault:
                ratio = getattr(probe, golden)() / TOLERANCE[golden]
            limit = SUBTLE.get(name, LIMIT)
            weak += not ratio >= limit
            is_sweep = source is faults.parameter_faults
            if is_sweep:
                groups.setdefault(name.split(":")[0], []).append((ratio, name))
            if not is_sweep or all_lines or ratio < limit:
                mark = "" if ratio >= limit else "   <-- too weak"
                print(f"   {name:<58} {golden:<10} {ratio:9.0f} x tolerance{mark}")
    for part, lines in groups.items():
        ratio, name = min(lines)
        print(f"   {part}: {len(lines)} parameters dropped, weakest {ratio:.0f} x ({name})")
    untouched(probe)
    return weak


def main(folder, all_lines):
    torch.set_num_threads(1)
    make_golden.quiet()
    with torch.no_grad():
        weak = sum(run(arch, folder, all_lines) for arch in tiny_models.ARCHES)
    print(f"\n{weak} faults below their limit ({LIMIT} tolerances unless listed as subtle)")
    return weak > 0


if __name__ == "__main__":
    folders = [a for a in sys.argv[1:] if not a.startswith("-")]
    where = pathlib.Path(folders[0]) if folders else make_golden.HERE
    sys.exit(main(where, "--all" in sys.argv))
