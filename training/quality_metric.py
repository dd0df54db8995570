"""The metric of the emoji model: which glyph is in the picture? Needs numpy and Pillow only.

Fixed before the first training run. The object is found as what differs from the colour of the
picture's border, cut out as a square around its middle, scaled to 32x32 RGB, and compared by L2
distance with all 1,358 glyphs, which are drawn on white and treated in exactly the same way.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

import captions
import glyphs

COUNT = 200  # prompts of each kind
SIDE = 32
DIFFERENCE = 30  # of 255, in the channel that differs most
GALLERY_SCALE = 0.85  # glyph canvas in the gallery's pictures, as training draws one object
NAME_FORM = "{x} {bg}"
PAIR_FORM = "{a} on the left and {b} on the right"


def normalise(picture):
    """uint8 [H, W, 3] -> float32 [SIDE*SIDE*3]: the object, cut out, centred and scaled."""
    p = picture.astype(np.int16)
    border = np.concatenate([p[:3].reshape(-1, 3), p[-3:].reshape(-1, 3),
                             p[:, :3].reshape(-1, 3), p[:, -3:].reshape(-1, 3)])
    ground = np.median(border, 0)
    mask = np.abs(p - ground).max(2) > DIFFERENCE
    rows = np.flatnonzero(mask.sum(1) >= 3)
    columns = np.flatnonzero(mask.sum(0) >= 3)
    if not len(rows) or not len(columns):
        rows, columns = np.array([0, p.shape[0] - 1]), np.array([0, p.shape[1] - 1])
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = ground.astype(np.uint8)
    y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    canvas[y:y + bottom - top, x:x + right - left] = picture[top:bottom, left:right]
    small = Image.fromarray(canvas).resize((SIDE, SIDE), Image.BOX)
    return np.asarray(small, np.float32).ravel()


def gallery(atlas, side=256):
    """float32 [emoji, SIDE*SIDE*3] of all glyphs, drawn on white and normalised."""
    out, inner = [], round(GALLERY_SCALE * side)
    for rgba in atlas:
        canvas = Image.new("RGB", (side, side), (255, 255, 255))
        glyph = Image.fromarray(rgba).resize((inner, inner), Image.LANCZOS)
        canvas.paste(glyph, ((side - inner) // 2, (side - inner) // 2), glyph)
        out.append(normalise(np.asarray(canvas)))
    return np.stack(out)


def cached_gallery(work):
    """The gallery, kept in WORK/gallery.npz next to the atlas that it comes from."""
    path = Path(work) / "gallery.npz"
    if not path.exists():
        whole = gallery(np.load(Path(work) / "atlas.npz")["rgba"])
        np.savez_compressed(path, gallery=whole.round().astype(np.uint8))
    return np.load(path)["gallery"].astype(np.float32)


def rank(picture, target, known):
    """0 when the target is the nearest glyph, 1 when one glyph is nearer, and so on."""
    distance = np.einsum("ij,ij->i", known, known) - 2 * known @ normalise(picture)
    return int((distance < distance[target]).sum())


def order(salt):
    """All list positions, ordered by a hash of the code point."""
    key = lambda i: hashlib.sha256(f"{salt}:{rows[i][0]:X}".encode()).hexdigest()
    rows = glyphs.read_list()
    return sorted(range(len(rows)), key=key)


def prompts(kind):
    """[(prompt, targets)] of kind name, held or pair."""
    names = [name for _, name, _ in glyphs.read_list()]
    ids = order("octet-quality-v1")
    if kind == "pair":
        left, right = order("octet-quality-v1:left"), order("octet-quality-v1:right")
        pairs = [(a, b) for a, b in zip(left, right) if a != b][:COUNT]
        return [(captions.exact_prompt(PAIR_FORM, [names[a], names[b]]), (a, b))
                for a, b in pairs]
    forms = captions.HELD_OUT if kind == "held" else (NAME_FORM,)
    return [(captions.exact_prompt(forms[n % len(forms)], [names[i]]), (i,))
            for n, i in enumerate(ids[:COUNT])]


def score(kind, pictures, known, start=0):
    """Figures of the uint8 pictures [n, H, W, 3] of prompts(kind)[start : start + n]."""
    jobs, ranks = prompts(kind)[start:start + len(pictures)], []
    for picture, (_, targets) in zip(pictures, jobs):
        half = picture.shape[1] // 2
        parts = [picture[:, :half], picture[:, half:]] if kind == "pair" else [picture]
        ranks.append([rank(p, t, known) for p, t in zip(parts, targets)])
    ranks = np.array(ranks)
    top = lambda n: round(100 * float((ranks < n).all(1).mean()), 2)
    found = {"pictures": len(ranks), "top1": top(1), "top5": top(5)}
    if kind == "pair":
        found["each_top5"] = [round(100 * float(v), 2) for v in (ranks < 5).mean(0)]
    return found
