"""Prompt to PNG with diffusers: everything around the transformer of SD3.5, with random weights.

Text encoders (CLIP-L, CLIP-G, T5-XXL, 77 + 77 + 256 tokens), the steps as diffusers' pipeline makes
them, VAE, PNG as Pillow writes it. BF16 and eager: compiling the VAE takes minutes and saves 2 % of
a picture. Tokenizers are left out: prompts are random token ids.
"""

import io
import time

import torch

LARGE = {"clip_l": (768, 12), "clip_g": (1280, 32), "t5": (4096, 24),
         "channels": (128, 256, 512, 512)}
TINY = {"clip_l": (32, 2), "clip_g": (48, 2), "t5": (96, 2), "channels": (32, 32, 32, 32)}
PROMPTS, STEPS, GUIDANCE, CLIP_TOKENS, T5_TOKENS = 2, 28, 4.5, 77, 256


def clip(width, layers, activation):
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    return CLIPTextModelWithProjection(CLIPTextConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=width // 16 if width < 64 else width // 64, hidden_act=activation,
        projection_dim=width))


def t5(width, layers):
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(
        d_model=width, d_ff=width * 5 // 2, num_layers=layers, num_heads=width // 64 or 1, d_kv=64,
        vocab_size=32128, feed_forward_proj="gated-gelu", is_encoder_decoder=False,
        use_cache=False))


def vae(channels):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=channels, layers_per_block=2, latent_channels=16, sample_size=1024,
        scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False,
        use_post_quant_conv=False)


class Pictures:
    """The parts that all peers share, and the clock around them."""

    def __init__(self, tiny, device, pixels):
        size = TINY if tiny else LARGE
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.device(device):
                self.clip_l = clip(*size["clip_l"], "quick_gelu")
                self.clip_g = clip(*size["clip_g"], "gelu")
                self.t5 = t5(*size["t5"])
                self.vae = vae(size["channels"])
        finally:
            torch.set_default_dtype(before)
        for part in (self.clip_l, self.clip_g, self.t5, self.vae):
            part.eval().requires_grad_(False)
        self.device, self.pixels = device, pixels

    def embed(self):
        """([2, 333, width], [2, pooled]) of two random prompts."""
        rows, pooled = [], []
        for encoder in (self.clip_l, self.clip_g):
            ids = torch.randint(0, 49000, (PROMPTS, CLIP_TOKENS), device=self.device)
            out = encoder(input_ids=ids, output_hidden_states=True)
            rows.append(out.hidden_states[-2])
            pooled.append(out.text_embeds)
        ids = torch.randint(0, 32000, (PROMPTS, T5_TOKENS), device=self.device)
        long = self.t5(input_ids=ids)[0]
        short = torch.cat(rows, dim=-1)
        short = torch.nn.functional.pad(short, (0, long.shape[-1] - short.shape[-1]))
        return torch.cat([short, long], dim=1), torch.cat(pooled, dim=-1)

    def denoise(self, transformer, rows, pooled, steps):
        from diffusers import FlowMatchEulerDiscreteScheduler

        scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
        scheduler.set_timesteps(steps, device=self.device)
        side = self.pixels // 8
        latents = torch.randn(1, 16, side, side, device=self.device).bfloat16()
        for t in scheduler.timesteps:
            both = transformer(
                hidden_states=torch.cat([latents] * 2), timestep=t.expand(2),
                encoder_hidden_states=rows, pooled_projections=pooled, return_dict=False)[0]
            without, guided = both.chunk(2)
            velocity = without + GUIDANCE * (guided - without)
            latents = scheduler.step(velocity, t, latents, return_dict=False)[0]
        return latents

    def draw(self, transformer, steps=STEPS):
        """Seconds of each stage and of all."""
        from diffusers.image_processor import VaeImageProcessor

        clock = [self.now()]
        with torch.inference_mode():
            rows, pooled = self.embed()
            clock.append(self.now())
            latents = self.denoise(transformer, rows, pooled, steps)
            clock.append(self.now())
            config = self.vae.config
            decoded = self.vae.decode(latents / config.scaling_factor + config.shift_factor)[0]
            picture = VaeImageProcessor().postprocess(decoded, output_type="pil")[0]
            clock.append(self.now())
        file = io.BytesIO()
        picture.save(file, format="PNG")
        clock.append(self.now())
        names = ("text", "denoise", "decode", "encode")
        stages = {name: b - a for name, a, b in zip(names, clock, clock[1:])}
        return stages | {"total": clock[-1] - clock[0], "png_bytes": file.tell()}

    def now(self):
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()
