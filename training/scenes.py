"""Draws scenes on the device, and makes them with their captions in worker processes."""

import queue

import numpy as np
import torch
import torch.nn.functional as F

SLOTS = 4  # most objects of a scene


class Renderer:
    """Glyphs as premultiplied RGBA in 0..1 on the device, at several sizes against aliasing."""

    def __init__(self, rgba, device, full):
        x = torch.from_numpy(rgba).to(device).permute(0, 3, 1, 2)
        self.levels, self.full = [], full
        for side in (full, full // 2, full // 4):
            parts = []
            for part in x.split(256):
                part = part.float() / 255
                part = torch.cat([part[:, :3] * part[:, 3:], part[:, 3:]], 1)
                part = F.interpolate(part, (side, side), mode="bicubic", antialias=True)
                parts.append(part.clamp(0, 1).half())
            self.levels.append(torch.cat(parts))

    def __call__(self, objects, rgb, side, window=None):
        """Pictures [N, 3, side, side] in -1..1.

        objects [N, SLOTS, 4]: glyph (-1: none), centre x, centre y, canvas side, as parts of the
        picture; rgb [N, 3] in 0..1; window [N, 3]: left, top and side of the part to draw.
        """
        out = rgb[:, :, None, None].expand(-1, -1, side, side).clone()
        ids, x, y, size = objects.unbind(-1)
        if window is not None:
            left, top, wide = (w[:, None] for w in window.unbind(-1))
            x, y, size = (x - left) / wide, (y - top) / wide, size / wide
        pixels = size * side
        level = (pixels < 0.6 * self.full).long() + (pixels < 0.3 * self.full).long()
        for slot in range(objects.shape[1]):
            for n, glyphs in enumerate(self.levels):
                rows = torch.nonzero((ids[:, slot] >= 0) & (level[:, slot] == n))[:, 0]
                if not len(rows):
                    continue
                s, zero = 1 / size[rows, slot], torch.zeros(len(rows), device=rgb.device)
                theta = torch.stack([s, zero, -s * (2 * x[rows, slot] - 1),
                                     zero, s, -s * (2 * y[rows, slot] - 1)], 1).view(-1, 2, 3)
                grid = F.affine_grid(theta, (len(rows), 4, side, side), align_corners=False)
                drawn = F.grid_sample(glyphs[ids[rows, slot].long()].float(), grid,
                                      padding_mode="zeros", align_corners=False)
                out[rows] = drawn[:, :3] + out[rows] * (1 - drawn[:, 3:])
        return out * 2 - 1


def pack(scenes):
    """(objects [N, SLOTS, 4], rgb [N, 3]) of a list of captions.Scene."""
    objects = np.full((len(scenes), SLOTS, 4), -1.0, np.float32)
    for i, scene in enumerate(scenes):
        objects[i, :len(scene.objects)] = scene.objects
    rgb = np.array([s.rgb for s in scenes], np.float32) / 255
    return torch.from_numpy(objects), torch.from_numpy(rgb)


def produce(out, stop, seed, chunk, wordings, model):
    """Worker process: puts (objects, rgb, ids [chunk, wordings, 3, L] int16) until told to stop."""
    import captions
    from build_tokenizers import Encoders

    torch.set_num_threads(1)
    writer, encoders = captions.Writer(seed), Encoders(model)
    while not stop.is_set():
        scenes = [writer.scene() for _ in range(chunk)]
        texts = [writer.caption(s) for s in scenes for _ in range(wordings)]
        ids = np.array(encoders(texts), np.int16).reshape(3, chunk, wordings, -1)
        item = (*pack(scenes), torch.from_numpy(ids.transpose(1, 2, 0, 3).copy()))
        while not stop.is_set():
            try:
                out.put(tuple(t.numpy() for t in item), timeout=0.5)
                break
            except queue.Full:
                continue
    out.cancel_join_thread()


class Source:
    """Scenes from several worker processes; next() waits for one chunk."""

    def __init__(self, model, seed, workers, chunk=256, wordings=4):
        context = torch.multiprocessing.get_context("spawn")
        self.queue, self.stop = context.Queue(maxsize=24), context.Event()
        self.workers = [context.Process(
            target=produce, daemon=True,
            args=(self.queue, self.stop, seed * 1000 + i, chunk, wordings, str(model)))
            for i in range(workers)]
        for worker in self.workers:
            worker.start()

    def next(self):
        return tuple(torch.from_numpy(a) for a in self.queue.get())

    def close(self):
        self.stop.set()
        for worker in self.workers:
            worker.join(3)
            if worker.is_alive():
                worker.terminate()
