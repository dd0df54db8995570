"""Small random SD3-family models in the diffusers folder layout, one per architecture.

Every parameter is drawn again: library defaults have zero gates, zero biases and unit norms, behind
which a wrong implementation hides. Scales keep activations near 1, so that an error in any sub-step
reaches the output (fault_table.py measures that). Weights are stored as FP16.
"""

import dataclasses
import json
import math
import pathlib
import shutil

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

import tiny_tokenizers

DEPTH = 2
WIDTH = 64 * DEPTH
CLIP_L_WIDTH, CLIP_G_WIDTH, T5_WIDTH = 28, 36, 80
POS_TABLE = 9  # odd, so that flooring of the crop offsets matters


@dataclasses.dataclass(frozen=True)
class Arch:
    name: str
    seed: int
    qk_norm: str | None
    dual_layers: tuple
    vae_widths: tuple
    vae_groups: int
    vae_layers: int
    t5_length: int  # max_sequence_length of the golden run
    t5_model_max_length: int
    t5_legacy: bool
    t5_files: tuple  # which tokenizer files stay in tokenizer_3
    variants: bool  # transformer stored as .fp16 and .fp8 only


ARCHES = (
    Arch("sd3-medium", 1000, None, (), (8, 8, 16, 16), 4, 1, 32, 512, True,
         ("spiece.model",), False),
    Arch("sd35-medium", 2000, "rms_norm", (0,), (8, 12, 12, 20), 2, 1, 24, 24, False,
         ("spiece.model", "tokenizer.json"), False),
    Arch("sd35-large", 3000, "rms_norm", (), (6, 6, 12, 18), 3, 2, 256, 512, True,
         ("tokenizer.json",), True),
)  # fmt: skip

# Gains over 1/sqrt(fan_in), first match wins; the rest has 1.
GAINS = (
    ("norm1.linear", 0.8),
    ("norm1_context.linear", 0.8),
    ("norm_out.linear", 0.8),
    ("ff.net.0.proj", 1.5),
    ("ff_context.net.0.proj", 1.5),
    ("conv_out", 0.45),
    ("SelfAttention.q", 0.7),
    ("SelfAttention.k", 0.7),
    ("q_proj", 1.3),
    ("k_proj", 1.3),
    ("DenseReluDense.wo", 1.6),
)


def draw(name, tensor, generator):
    normal = torch.randn(tensor.shape, generator=generator)
    if "pos_embed.pos_embed" in name:
        return 0.5 * normal
    if "relative_attention_bias" in name:
        return normal
    if "token_embedding" in name or name.startswith("shared"):
        return normal
    if "position_embedding" in name:
        return 0.5 * normal
    if tensor.ndim == 1:
        is_norm_weight = name.endswith("weight")
        if is_norm_weight:
            return 1 + 0.3 * normal
        return (0.4 if ".linear." in name or "conv" in name else 0.25) * normal
    gain = next((g for key, g in GAINS if key in name), 1.0)
    return normal * gain / math.sqrt(tensor[0].numel())


def redraw(model, seed):
    generator = torch.Generator().manual_seed(seed)
    tensors = dict(model.named_parameters())
    tensors.update({n: b for n, b in model.named_buffers() if "pos_embed" in n})
    with torch.no_grad():
        for name in sorted(tensors):
            tensors[name].copy_(draw(name, tensors[name], generator))
    return model.eval()


def clip_encoder(width, heads, act, vocab, seed, eos_in_config):
    config = CLIPTextConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=heads,
        max_position_embeddings=77,
        hidden_act=act,
        bos_token_id=vocab - 2,
        eos_token_id=eos_in_config,
        pad_token_id=1,
    )
    return redraw(CLIPTextModelWithProjection(config), seed)


def t5_encoder(pieces, seed):
    config = T5Config(
        vocab_size=pieces + 12,  # rows beyond the tokenizer, as in the real file
        d_model=T5_WIDTH,
        d_kv=12,
        num_heads=4,  # inner width 48 is not d_model
        d_ff=52,
        num_layers=2,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
        tie_word_embeddings=False,
    )
    return redraw(T5EncoderModel(config), seed)


def transformer(arch):
    model = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=DEPTH,
        attention_head_dim=64,
        num_attention_heads=DEPTH,
        joint_attention_dim=T5_WIDTH,
        caption_projection_dim=WIDTH,
        pooled_projection_dim=CLIP_L_WIDTH + CLIP_G_WIDTH,
        pos_embed_max_size=POS_TABLE,
        dual_attention_layers=arch.dual_layers,
        qk_norm=arch.qk_norm,
    )
    return redraw(model, arch.seed + 1)


def vae(arch):
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=16,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=arch.vae_widths,
        layers_per_block=arch.vae_layers,
        norm_num_groups=arch.vae_groups,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=128,
    )
    return redraw(model, arch.seed + 2)


def write_model(arch, folder, work):
    """Writes the whole model folder (replacing it), weights as FP16."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    clip_l, clip_g, vocab = tiny_tokenizers.clip_tokenizers(pathlib.Path(work) / "clip")
    t5 = tiny_tokenizers.t5_tokenizer(
        pathlib.Path(work) / f"t5-{arch.name}", arch.t5_model_max_length, arch.t5_legacy
    )
    encoder_l = clip_encoder(CLIP_L_WIDTH, 2, "quick_gelu", vocab, arch.seed + 3, 2)
    with torch.no_grad():  # diffusers gives CLIP-L an identity projection
        encoder_l.text_projection.weight.copy_(torch.eye(CLIP_L_WIDTH))
    pipe = StableDiffusion3Pipeline(
        transformer=transformer(arch),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0),
        vae=vae(arch),
        text_encoder=encoder_l,
        tokenizer=clip_l,
        text_encoder_2=clip_encoder(CLIP_G_WIDTH, 3, "gelu", vocab, arch.seed + 4, vocab - 1),
        tokenizer_2=clip_g,
        text_encoder_3=t5_encoder(len(t5), arch.seed + 5),
        tokenizer_3=t5,
    )
    pipe.to(torch.float16)
    pipe.save_pretrained(folder, safe_serialization=True)
    for name in ("spiece.model", "tokenizer.json"):
        if name not in arch.t5_files:
            (folder / "tokenizer_3" / name).unlink(missing_ok=True)
    if "spiece.model" not in arch.t5_files:
        # This key makes the library convert again from spiece.model; tokenizer.json has the answer.
        config = folder / "tokenizer_3/tokenizer_config.json"
        settings = json.loads(config.read_text())
        del settings["add_prefix_space"]
        config.write_text(json.dumps(settings, indent=2) + "\n")


def load_pipeline(arch, folder, **components):
    """The folder as diffusers reads it, computing in FP32."""
    variant = {"variant": "fp16"} if arch.variants else {}
    pipe = StableDiffusion3Pipeline.from_pretrained(
        folder, torch_dtype=torch.float32, **variant, **components
    )
    pipe.set_progress_bar_config(disable=True)
    for model in (pipe.transformer, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        assert all(p.dtype == torch.float32 for p in model.parameters())
        model.eval()
    return pipe
