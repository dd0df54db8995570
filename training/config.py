"""Sizes of the emoji model, and the config files of its folder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    width: int = 320
    heads: int = 5
    layers: int = 5
    latent: int = 16
    positions: int = 32  # side of the position table in patches of 16 pixels: up to 512x512
    side: int = 256
    length: int = 32  # tokens of each encoder
    clip_vocabulary: int = 2560
    clip_width: int = 128
    clip_layers: int = 3
    clip_heads: int = 2
    t5_vocabulary: int = 2048
    t5_width: int = 256
    t5_layers: int = 2
    t5_heads: int = 4
    t5_hidden: int = 448
    vae_widths: tuple = (32, 48, 96, 112)
    vae_groups: int = 16
    shift: float = 3.0
    steps: int = 20
    guidance: float = 4.0


TINY = Config(width=128, heads=2, layers=2, clip_layers=2, t5_layers=1, side=64, positions=8,
              vae_widths=(16, 16, 16, 16), steps=4)  # tests of the trainer


def clip_json(c, project):
    kind = "gelu" if project else "quick_gelu"
    return {
        "architectures": ["CLIPTextModelWithProjection"], "attention_dropout": 0.0,
        "bos_token_id": c.clip_vocabulary - 2, "dropout": 0.0,
        "eos_token_id": c.clip_vocabulary - 1, "hidden_act": kind, "hidden_size": c.clip_width,
        "initializer_factor": 1.0, "initializer_range": 0.02,
        "intermediate_size": 4 * c.clip_width, "layer_norm_eps": 1e-05,
        "max_position_embeddings": c.length, "model_type": "clip_text_model",
        "num_attention_heads": c.clip_heads, "num_hidden_layers": c.clip_layers,
        "pad_token_id": 0 if project else c.clip_vocabulary - 1, "projection_dim": c.clip_width,
        "torch_dtype": "float16", "vocab_size": c.clip_vocabulary,
    }


def t5_json(c):
    return {
        "architectures": ["T5EncoderModel"], "classifier_dropout": 0.0, "d_ff": c.t5_hidden,
        "d_kv": c.t5_width // c.t5_heads, "d_model": c.t5_width, "decoder_start_token_id": 0,
        "dense_act_fn": "gelu_new", "dropout_rate": 0.1, "eos_token_id": 1,
        "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": False,
        "is_gated_act": True, "layer_norm_epsilon": 1e-06, "model_type": "t5",
        "num_decoder_layers": c.t5_layers, "num_heads": c.t5_heads, "num_layers": c.t5_layers,
        "output_past": True, "pad_token_id": 0, "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32, "tie_word_embeddings": False,
        "torch_dtype": "float16", "use_cache": False, "vocab_size": c.t5_vocabulary,
    }


def transformer_json(c):
    return {
        "_class_name": "SD3Transformer2DModel", "attention_head_dim": c.width // c.heads,
        "caption_projection_dim": c.width, "dual_attention_layers": [], "in_channels": c.latent,
        "joint_attention_dim": c.t5_width, "num_attention_heads": c.heads, "num_layers": c.layers,
        "out_channels": c.latent, "patch_size": 2, "pooled_projection_dim": 2 * c.clip_width,
        "pos_embed_max_size": c.positions, "qk_norm": "rms_norm", "sample_size": c.side // 8,
    }


def vae_json(c, scaling, shift):
    levels = len(c.vae_widths)
    return {
        "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": list(c.vae_widths),
        "down_block_types": ["DownEncoderBlock2D"] * levels, "force_upcast": False,
        "in_channels": 3, "latent_channels": c.latent, "latents_mean": None, "latents_std": None,
        "layers_per_block": 1, "mid_block_add_attention": True, "norm_num_groups": c.vae_groups,
        "out_channels": 3, "sample_size": c.side, "scaling_factor": scaling,
        "shift_factor": shift, "up_block_types": ["UpDecoderBlock2D"] * levels,
        "use_post_quant_conv": False, "use_quant_conv": False,
    }


def scheduler_json(c):
    return {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000,
            "shift": c.shift}


def index_json():
    transformers, diffusers = "transformers", "diffusers"
    return {
        "_class_name": "StableDiffusion3Pipeline",
        "feature_extractor": [None, None], "image_encoder": [None, None],
        "scheduler": [diffusers, "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": [transformers, "CLIPTextModelWithProjection"],
        "text_encoder_2": [transformers, "CLIPTextModelWithProjection"],
        "text_encoder_3": [transformers, "T5EncoderModel"],
        "tokenizer": [transformers, "CLIPTokenizer"],
        "tokenizer_2": [transformers, "CLIPTokenizer"],
        "tokenizer_3": [transformers, "T5TokenizerFast"],
        "transformer": [diffusers, "SD3Transformer2DModel"],
        "vae": [diffusers, "AutoencoderKL"],
    }


def octet_json(c):
    return {"name": "emoji", "steps": c.steps, "guidance": c.guidance, "width": c.side,
            "height": c.side, "sampler": "euler", "schedule": "normal", "shift": c.shift,
            "t5_length": c.length}
