"""Quality figures and a contact sheet of the weights in training, and their checkpoint."""

import json
import time

import numpy as np
import torch
from PIL import Image, ImageDraw

import export
import quality_metric
import sampling

SHEET = (
    "a red apple on a blue background", "a smiling face with sunglasses", "a rocket on black",
    "a dog on the left and a cat on the right", "three red apples on a white background",
    "a small umbrella on a yellow background", "a rainbow above a mountain",
    "a guitar on a light green background", "a pizza", "two roses on a pink background",
    "a snowman on a light blue background", "the moon next to a star",
)


@torch.no_grad()
def pictures(run, mmdit, text, vae, checkpoint, prompts, guidance, seed=0):
    """uint8 [n, H, W, 3]; picture i starts from the noise of seed + i."""
    c, out = run.config, []
    for start in range(0, len(prompts), 200):
        part = prompts[start:start + 200]
        ids = torch.tensor(run.encoders([*part, ""])).transpose(0, 1).to(run.device)
        noise = torch.stack([torch.randn(
            c.latent, c.side // 8, c.side // 8,
            generator=torch.Generator().manual_seed(seed + start + i)) for i in range(len(part))])
        with run.autocast():
            context, pooled = text(ids)
            latent = sampling.sample(mmdit, context[:-1], pooled[:-1], context[-1:], pooled[-1:],
                                     noise.to(run.device), c.steps, guidance, c.shift)
            drawn = torch.cat([sampling.decode(vae, z, checkpoint) for z in latent.split(50)])
        out.append((drawn * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    return np.concatenate(out)


def figures(run, mmdit, text, vae, checkpoint, kinds, count, guidance):
    found = {}
    for kind in kinds:
        prompts = [p for p, _ in quality_metric.prompts(kind)[:count]]
        made = pictures(run, mmdit, text, vae, checkpoint, prompts, guidance)
        found[kind] = quality_metric.score(kind, made, run.gallery)
    return found


def sheet(path, made, prompts, columns=8, side=128):
    rows = -(-len(made) // columns)
    canvas = Image.new("RGB", (columns * side, rows * (side + 12)), (90, 90, 90))
    pen = ImageDraw.Draw(canvas)
    for i, (picture, prompt) in enumerate(zip(made, prompts)):
        x, y = i % columns * side, i // columns * (side + 12)
        canvas.paste(Image.fromarray(picture).resize((side, side)), (x, y))
        pen.text((x, y + side), prompt[:21], fill=(255, 255, 255))
    canvas.save(path)


def write(run, checkpoint, mmdit, text, vae, short):
    start = time.time()
    path = run.out / "checkpoint.pt"
    torch.save(checkpoint, str(path) + ".new")
    (run.out / "checkpoint.pt.new").replace(path)
    kinds, count = (("name", "pair"), 100) if short else (("name", "held", "pair"), 200)
    count = min(count, run.limit)
    guidance = run.config.guidance
    found = {"seconds": round(run.clock()), "guidance": guidance,
             "ema": figures(run, mmdit, text, vae, checkpoint, kinds, count, guidance)}
    if not short:
        for other in (2.0, 3.0, 6.0):
            found[f"guidance {other}"] = figures(run, mmdit, text, vae, checkpoint,
                                                 ("name",), min(count, 50), other)
        kept = {k: v.clone() for k, v in mmdit.state_dict().items()}
        mmdit.load_state_dict(export.through_fp8(kept))
        found["fp8 weights"] = figures(run, mmdit, text, vae, checkpoint, kinds, count, guidance)
        mmdit.load_state_dict(kept)
    prompts = [*SHEET, *(p for p, _ in quality_metric.prompts("name")[:min(20, run.limit)]),
               *(p for p, _ in quality_metric.prompts("pair")[:min(16, run.limit)])]
    made = pictures(run, mmdit, text, vae, checkpoint, prompts, guidance)
    sheet(run.out / "sheet.png", made, prompts)
    found["report seconds"] = round(time.time() - start, 1)
    run.say("report: " + json.dumps(found))
    (run.out / "report.json").write_text(json.dumps(found, indent=1) + "\n")
