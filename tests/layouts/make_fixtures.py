"""Writes data/: small random transformers in the layouts that circulate, by the libraries that make
such files, and what those compute from them. See README.md."""

import json
import pathlib
import shutil
import sys
import tempfile

import diffusers
import modelopt.torch.quantization as mtq
import torch
from diffusers import SD3Transformer2DModel, TorchAoConfig
from modelopt.torch.export import export_hf_checkpoint
from safetensors.torch import load_file, save_file
from torchao.quantization import (
    Float8DynamicActivationFloat8WeightConfig,
    Float8WeightOnlyConfig,
    PerRow,
    PerTensor,
    quant_api,
)

import fp8_layouts
import tiny_transformers as tiny
from stability_names import to_stability

HERE = pathlib.Path(__file__).resolve().parent
WEIGHTS = "diffusion_pytorch_model.safetensors"
PRODUCT = "transformer_blocks.0.ff.net.2"  # the layer whose FP8 product is kept in full
# torchao asks for a GPU before it converts weights to FP8; the conversion itself needs none.
quant_api._check_hardware_support = lambda granularity: None


class Fixtures:
    def __init__(self, folder):
        self.folder, self.expected = folder, {}
        for name, value in tiny.inputs().items():
            self.expected[f"in.{name}"] = value
        g = torch.Generator().manual_seed(21)
        for width in (256, 512):
            self.expected[f"in.product.{width}"] = torch.randn(11, width, generator=g)

    def place(self, name):
        """The folder of a fixture's transformer, empty."""
        model = self.folder / name
        shutil.rmtree(model, ignore_errors=True)
        (model / "transformer").mkdir(parents=True)
        index = {"_class_name": "StableDiffusion3Pipeline",
                 "transformer": ["diffusers", "SD3Transformer2DModel"]}
        (model / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
        return model / "transformer"

    def expect(self, name, arch, means):
        """One forward of diffusers in FP32 on the values that the file means."""
        model = tiny.transformer(arch)
        model.load_state_dict({k: v.float() for k, v in means.items()}, strict=True)
        self.expected[f"{name}.out"] = tiny.forward(model)

    def expect_product(self, name, codes, scale, bias, input_scale=None):
        """torch's scaled product on inputs rounded to E4M3, by a given scale or one per row."""
        x = self.expected[f"in.product.{codes.shape[1]}"]
        if input_scale is None:
            input_scale = x.abs().amax(dim=1, keepdim=True) / fp8_layouts.E4M3_MAX
        rounded = fp8_layouts.codes_of(x, input_scale)
        one = torch.ones(())  # torch's CPU kernel takes one scale; rows are scaled behind it
        out = torch._scaled_mm(rounded, codes.t(), scale_a=one, scale_b=one,
                               out_dtype=torch.float32)
        out = out * input_scale * scale.reshape(1, -1) + bias.float()
        self.expected[f"{name}.product.codes"] = rounded.float()
        self.expected[f"{name}.product.out"] = out


def dequantised(model):
    """The values of a torchao model, by torchao."""
    state = {}
    for name, tensor in model.state_dict().items():
        is_plain = type(tensor) is torch.Tensor
        state[name] = tensor.float() if is_plain else tensor.dequantize(torch.float32)
    return state


def diffusers_shards(fixtures):
    for name, arch, dtype, variant in (
        ("diffusers-shards", tiny.SD3, torch.bfloat16, None),
        ("diffusers-shards-fp16", tiny.LARGE, torch.float16, "fp16"),
    ):
        model = tiny.transformer(arch).to(dtype)
        model.save_pretrained(fixtures.place(name), variant=variant, max_shard_size="100KB")
        fixtures.expect(name, arch, model.state_dict())


def torchao_models(fixtures, work):
    dynamic = Float8DynamicActivationFloat8WeightConfig
    for name, arch, config, keep in (
        ("torchao-row", tiny.DEEPER, dynamic(granularity=PerRow()), None),
        ("torchao-tensor", tiny.SD3, dynamic(granularity=PerTensor()), ["proj_out", "norm_out"]),
        ("torchao-weight-only", tiny.LARGE, Float8WeightOnlyConfig(), None),
    ):
        source, place = work / name, fixtures.place(name)
        tiny.transformer(arch).to(torch.bfloat16).save_pretrained(source)
        config = TorchAoConfig(config, modules_to_not_convert=keep)
        model = SD3Transformer2DModel.from_pretrained(
            source, torch_dtype=torch.bfloat16, quantization_config=config)
        model.save_pretrained(place)
        hide_path(place)
        again = SD3Transformer2DModel.from_pretrained(place, torch_dtype=torch.bfloat16)
        fixtures.expect(name, arch, dequantised(again))
        layer = again.get_submodule(PRODUCT)
        if layer.weight.act_quant_kwargs is not None:
            fixtures.expect_product(name, layer.weight.qdata, layer.weight.scale, layer.bias)


def modelopt_export(fixtures):
    name, arch = "modelopt", tiny.LARGE
    model = tiny.transformer(arch).to(torch.bfloat16)

    def calibrate(m):
        x = {k: v if k == "timestep" else v.to(torch.bfloat16) for k, v in tiny.inputs().items()}
        m(hidden_states=x["latents"], timestep=x["timestep"],
          encoder_hidden_states=x["prompt_embeds"], pooled_projections=x["pooled_prompt_embeds"])

    model = mtq.quantize(model, mtq.FP8_DEFAULT_CFG, calibrate)
    own = {f"{n}.weight": m.weight_quantizer(m.weight).float()
           for n, m in model.named_modules() if hasattr(m, "weight_quantizer")}
    place = fixtures.place(name)
    export_hf_checkpoint(model, export_dir=place)
    stored, means = load_file(place / WEIGHTS), {}
    for key, tensor in stored.items():
        scale = stored.get(f"{key}_scale")
        if scale is not None:
            means[key] = tensor.float() * scale
            # ModelOpt's forward scales in 16 bits, so a few codes are the neighbour of the file's.
            assert (means[key] - own[key]).norm() < 0.05 * own[key].norm(), key
        elif not key.endswith("_scale"):
            means[key] = tensor.float()
    fixtures.expect(name, arch, means)
    fixtures.expect_product(name, stored[f"{PRODUCT}.weight"], stored[f"{PRODUCT}.weight_scale"],
                            stored[f"{PRODUCT}.bias"], stored[f"{PRODUCT}.input_scale"])


def hide_path(folder):
    """Library configs name the folder of the source."""
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def diffusers_reads(file, arch, work):
    """What diffusers' converter makes of a single file."""
    tiny.transformer(arch).save_pretrained(work / "config")
    model = SD3Transformer2DModel.from_single_file(
        str(file), config=str(work / "config"), torch_dtype=torch.float32)
    return model.state_dict()


def to_diffusers(single, arch, work):
    """Values under Stability's names, under diffusers' names again."""
    save_file(single, work / "single.safetensors")
    return diffusers_reads(work / "single.safetensors", arch, work)


def single_files(fixtures, work):
    for name, arch, dtype in (("single-file-e4m3", tiny.LARGE, torch.float8_e4m3fn),
                              ("single-file-f16", tiny.MEDIUM, torch.float16)):
        state = tiny.transformer(arch).state_dict()
        stored = {k: v.to(dtype) for k, v in to_stability(state, arch.depth).items()}
        prefix = "model.diffusion_model."
        save_file({prefix + k: v for k, v in stored.items()}, fixtures.place(name) / WEIGHTS,
                  metadata={"modelspec.title": "tiny", "format": "pt"})
        means = to_diffusers({k: v.float() for k, v in stored.items()}, arch, work)
        torch.testing.assert_close(means, {k: v.to(dtype).float() for k, v in state.items()},
                                   rtol=0, atol=0)
        fixtures.expect(name, arch, means)


def comfy_files(fixtures, work):
    input_scale = 0.0078125 * 1.25  # clips nothing of the product's inputs
    for name, arch, make in (("comfy-old", tiny.MEDIUM, fp8_layouts.comfy_old),
                             ("comfy-new", tiny.LARGE, fp8_layouts.comfy_new)):
        single = to_stability(tiny.transformer(arch).state_dict(), arch.depth)
        stored, means, *metadata = make(single, input_scale)
        save_file(stored, fixtures.place(name) / WEIGHTS, metadata=metadata[0] if metadata else None)
        fixtures.expect(name, arch, to_diffusers(means, arch, work))
        layer = "joint_blocks.0.x_block.mlp.fc2"
        kind = ("scale_weight", "scale_input") if make is fp8_layouts.comfy_old else (
            "weight_scale", "input_scale")
        scale, static = (stored[f"{layer}.{k}"] for k in kind)
        fixtures.expect_product(name, stored[f"{layer}.weight"], scale, stored[f"{layer}.bias"],
                                None if static.item() == 1 else static)


def diffusers_named(fixtures):
    state = {a.name: tiny.transformer(a).state_dict() for a in (tiny.SD3, tiny.LARGE)}
    stored, means = fp8_layouts.block_scales(state["sd3"])
    place = fixtures.place("block-scales")
    save_file(stored, place / WEIGHTS)
    config = {"quant_method": "fp8", "weight_block_size": [fp8_layouts.BLOCK] * 2,
              "activation_scheme": "dynamic", "fmt": "e4m3"}
    (place / "config.json").write_text(json.dumps({"quantization_config": config}, indent=2) + "\n")
    fixtures.expect("block-scales", tiny.SD3, means)
    stored, means = fp8_layouts.plain_cast(state["sd35-large"], torch.float8_e5m2)
    save_file(stored, fixtures.place("plain-e5m2") / WEIGHTS)
    fixtures.expect("plain-e5m2", tiny.LARGE, means)


def main(folder):
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    fixtures = Fixtures(folder)
    with tempfile.TemporaryDirectory() as name, torch.no_grad():
        work = pathlib.Path(name)
        diffusers_shards(fixtures)
        torchao_models(fixtures, work)
        modelopt_export(fixtures)
        single_files(fixtures, work)
        comfy_files(fixtures, work)
        diffusers_named(fixtures)
    save_file({k: v.contiguous() for k, v in fixtures.expected.items()},
              folder / "expected.safetensors")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data")
