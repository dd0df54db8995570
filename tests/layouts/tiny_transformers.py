"""Transformers of the three architectures, as small as diffusers can make them: one block of width
64. Drawn as the golden models are, so that an error in any sub-step reaches the output."""

import dataclasses
import pathlib
import sys

import torch
from diffusers import SD3Transformer2DModel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from tiny_models import redraw  # noqa: E402

TEXT_WIDTH, POOLED_WIDTH = 40, 24


@dataclasses.dataclass(frozen=True)
class Arch:
    name: str
    seed: int
    qk_norm: str | None
    dual_layers: tuple
    depth: int = 1


SD3 = Arch("sd3", 11, None, ())
MEDIUM = Arch("sd35-medium", 12, "rms_norm", (0,))
LARGE = Arch("sd35-large", 13, "rms_norm", ())
DEEPER = Arch("sd35-medium-2", 14, "rms_norm", (0,), depth=2)  # a block that is not the last


def transformer(arch):
    return redraw(
        SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=arch.depth,
            attention_head_dim=64,
            num_attention_heads=arch.depth,
            joint_attention_dim=TEXT_WIDTH,
            caption_projection_dim=64 * arch.depth,
            pooled_projection_dim=POOLED_WIDTH,
            pos_embed_max_size=9,
            dual_attention_layers=arch.dual_layers,
            qk_norm=arch.qk_norm,
        ),
        arch.seed,
    )


def inputs():
    """Two rows with different noise levels; 13 text tokens, a multiple of nothing."""
    g = torch.Generator().manual_seed(7)
    return {
        "latents": torch.randn(2, 16, 6, 10, generator=g),
        "timestep": torch.tensor([873.25, 120.5]),
        "prompt_embeds": torch.randn(2, 13, TEXT_WIDTH, generator=g),
        "pooled_prompt_embeds": torch.randn(2, POOLED_WIDTH, generator=g),
    }


def forward(model):
    x = inputs()
    with torch.no_grad():
        return model(
            hidden_states=x["latents"],
            timestep=x["timestep"],
            encoder_hidden_states=x["prompt_embeds"],
            pooled_projections=x["pooled_prompt_embeds"],
            return_dict=False,
        )[0].float()
