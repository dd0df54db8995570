"""Stage 2: the transformer and the text encoders together, on latents of a fixed autoencoder."""

import functools
import math
import time

import torch

import export
import report
from mmdit import Mmdit
from optimiser import Flat, Optimiser
from text_encoders import TextEncoders

EMPTY = 0.10  # part of the captions replaced by the empty one, for guidance
LOGIT_MEAN, LOGIT_STD, UNIFORM = 0.8, 1.1, 0.1  # noise levels: normal in logit(sigma), and flat


class Pool:
    """Latents and caption tokens in device memory; new scenes overwrite the oldest."""

    def __init__(self, run, encode, size):
        c, self.run, self.encode, self.size = run.config, run, encode, size
        self.latent = torch.empty(size, c.latent, c.side // 8, c.side // 8, device=run.device,
                                  dtype=torch.float16)
        self.ids = None
        self.filled = self.at = 0
        self.count = torch.zeros((), device=run.device)

    def add(self):
        objects, rgb, ids = self.run.source.next()
        objects, rgb = objects.to(self.run.device), rgb.to(self.run.device)
        latent = self.encode(self.run.renderer(objects, rgb, self.run.config.side))
        if self.ids is None:
            self.ids = torch.empty(self.size, *ids.shape[1:], device=self.run.device,
                                   dtype=torch.int16)
        rows = torch.arange(self.at, self.at + len(ids), device=self.run.device) % self.size
        self.latent[rows], self.ids[rows] = latent.half(), ids.to(self.run.device)
        self.at = (self.at + len(ids)) % self.size
        self.filled = min(self.size, self.filled + len(ids))
        self.count.fill_(self.filled)

    def draw(self, count):
        device = self.run.device
        rows = (torch.rand(count, device=device) * self.count).long()
        rows = torch.minimum(rows, self.count.long() - 1)
        wording = torch.randint(self.ids.shape[1], (count,), device=device)
        return self.latent[rows].float(), self.ids[rows, wording].long()


def noise_levels(count, device):
    """Stratified: one level from each of count equal parts of the distribution."""
    u = (torch.arange(count, device=device) + torch.rand(count, device=device)) / count
    sigma = torch.sigmoid(LOGIT_MEAN + LOGIT_STD * torch.special.ndtri(u.clamp(1e-5, 1 - 1e-5)))
    flat = torch.rand(count, device=device)
    sigma = torch.where(torch.rand(count, device=device) < UNIFORM, flat, sigma)
    return sigma[torch.rand(count, device=device).argsort()]


class Trainer:
    def __init__(self, run, vae, scaling, shift, args):
        self.run, self.args, self.scaling, self.shift = run, args, scaling, shift
        torch.manual_seed(21)
        c = run.config
        self.vae = vae
        self.mmdit, self.text = Mmdit(c).to(run.device), TextEncoders(c).to(run.device)
        self.slow_mmdit = Mmdit(c).to(run.device).requires_grad_(False)
        self.slow_text = TextEncoders(c).to(run.device).requires_grad_(False)
        self.flat = Flat([self.mmdit, self.text])
        self.optimiser = Optimiser(self.flat, args.muon_rate, args.adam_rate, args.decay)
        names = {id(p): n for m in (self.mmdit, self.text) for n, p in m.named_parameters()}
        slow = dict([*self.slow_mmdit.named_parameters(), *self.slow_text.named_parameters()])
        self.slow = [slow[names[id(p)]] for _, p in self.flat.named]
        self.fast = [p.data for _, p in self.flat.named]
        self.empty = torch.tensor(run.encoders([""])).transpose(0, 1).to(run.device)
        self.step, self.done, self.graphs = 0, 0.0, None
        self.last_loss = torch.zeros((), device=run.device)
        encoder = torch.compile(vae.encode, dynamic=False) if run.compile else vae.encode

        def encode(picture):
            picture = picture.contiguous(memory_format=torch.channels_last)
            with torch.no_grad(), run.autocast():
                return (encoder(picture)[0].float() - shift) * scaling

        self.pool = Pool(run, encode, args.pool)

    def restore(self, state):
        """Starts from the 16-bit weights of a model folder, or from a full saved state."""
        if "optimiser" in state:
            self.optimiser.load(state["optimiser"])
            self.step, self.done = state["step"], state["done"]
            for p, q, a, b in zip(self.fast, self.slow, state["fast"], state["slow"]):
                p.copy_(a)
                q.copy_(b)
        else:
            self.mmdit.load_state_dict(state["mmdit"])
            self.text.load_state_dict(state["text"])
            torch._foreach_copy_(self.slow, self.fast)

    def full(self):
        return {"fast": self.fast, "slow": self.slow, "optimiser": self.optimiser.save(),
                "step": self.step, "done": self.done}

    def checkpoint(self):
        half = lambda m: export.half(m.state_dict())
        return {"mmdit": half(self.slow_mmdit), "text": half(self.slow_text),
                "vae": half(self.vae), "scaling": self.scaling, "shift": self.shift}

    def loss(self, batch):
        latent, ids = self.pool.draw(batch)
        drop = torch.rand(batch, device=self.run.device) < EMPTY
        ids = torch.where(drop[:, None, None], self.empty, ids)
        noise = torch.randn_like(latent)
        sigma = noise_levels(batch, self.run.device)
        mixed = torch.lerp(latent, noise, sigma[:, None, None, None])
        with self.run.autocast():
            context, pooled = self.text(ids)
            if self.run.device.type == "cuda":
                mixed, context = mixed.bfloat16(), context.bfloat16()
            velocity = self.mmdit(mixed, context, pooled, 1000 * sigma)
        return (velocity.float() - (noise - latent)).square().mean()

    def factor(self, progress):
        """Warm-up over 300 steps, flat, then a linear fall to zero over the last part."""
        fall = (1 - progress) / self.args.fall
        return max(0.0, min(1.0, (self.step + 1) / 300, fall))

    def fill(self):
        start = time.time()
        while self.pool.filled < min(self.args.pool, self.args.first):
            self.pool.add()
        self.run.sync()
        self.run.say(f"pool: {self.pool.filled} latents in {time.time() - start:.1f} s")

    def gradients(self):
        loss = self.loss(self.args.batch)
        loss.backward()
        self.last_loss.copy_(loss.detach())

    def update(self):
        self.flat.clip(self.args.clip)
        self.optimiser.step()
        torch._foreach_lerp_(self.slow, self.fast, 1 - self.args.average)

    def record(self):
        """The two halves of a step as CUDA graphs: thousands of launches become two."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.gradients()
                self.flat.exchange()
                self.update()
        torch.cuda.current_stream().wait_stream(stream)
        graphs = []
        for part in (self.gradients, self.update):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                part()
            graphs.append(graph)
        self.graphs = graphs

    def one(self, progress):
        """One step; the first ones run without graphs, and settle what is compiled."""
        self.optimiser.factor.fill_(self.factor(progress))
        if self.run.compile and not self.args.no_graph and self.graphs is None and self.step >= 3:
            try:
                self.record()
                self.run.say(f"mmdit: recorded after {self.run.clock():.0f} s")
            except Exception as error:  # slower, but still right
                self.args.no_graph = True
                print(f"[{self.run.rank}] no graphs: {error!r}", flush=True)
                torch.cuda.synchronize()
                self.flat.grad.zero_()
        if self.graphs:
            self.graphs[0].replay()
            self.flat.exchange()
            self.graphs[1].replay()
        else:
            self.gradients()
            self.flat.exchange()
            self.update()
        self.step += 1
        if self.step in (100, 1000):  # the average starts anew from weights worth averaging
            torch._foreach_copy_(self.slow, self.fast)

    def compile(self):
        text = self.text
        layers = [*text.text_encoder.text_model.encoder.layers,
                  *text.text_encoder_2.text_model.encoder.layers,
                  *text.text_encoder_3.encoder.block]
        modules = [] if self.args.warm_up == "text" else list(self.mmdit.transformer_blocks)
        modules += [] if self.args.warm_up == "blocks" else layers
        forwards = {type(m): torch.compile(type(m).forward, dynamic=False) for m in modules}
        for module in modules:  # not the class: the averaged networks stay as they are
            module.forward = functools.partial(forwards[type(module)], module)

    def train(self, seconds):
        """Runs for so many seconds; the learning rate falls to zero at the end of them."""
        if self.run.compile:
            self.compile()
        self.fill()
        torch.manual_seed(5000 + 100 * self.step + self.run.rank)
        begin, reported = None, time.time()
        progress, mean, earlier = self.done, torch.zeros((), device=self.run.device), self.done
        while progress < 1:
            self.one(progress)
            mean.lerp_(self.last_loss, 0.02 if self.step > 100 else 0.2)
            if begin is None:
                self.run.sync()
                begin = time.time()
                mark = (begin, self.step)
                if self.args.deadline:
                    seconds = max(1.0, self.args.deadline - begin)
                self.run.say(f"mmdit: first step after {self.run.clock():.0f} s")
            if self.step % self.args.refresh == 0:
                self.pool.add()
            if self.step % 20 == 0:
                progress = earlier + (1 - earlier) * self.run.agree(
                    (time.time() - begin) / seconds)
                if self.args.warm_up and self.step >= 40:
                    self.run.sync()
                    self.run.say(f"warm-up: 20 steps in {time.time() - mark[0]:.2f} s, "
                                 f"loss {self.last_loss.item():.3f}")
                    return
                mark = (time.time(), self.step) if self.step == 20 else mark
            if self.step % 500 == 0 or self.step == 100:
                now, value = time.time(), mean.item()
                speed = (self.step - mark[1]) * self.args.batch / (now - mark[0])
                mark = (now, self.step)
                self.run.say(f"mmdit: {self.run.clock():.0f} s step {self.step} progress "
                             f"{progress:.3f} loss {value:.4f} {speed:.0f} pictures/s/device "
                             f"pool {self.pool.filled}")
                if not math.isfinite(value):
                    raise RuntimeError("mmdit: the loss is not finite")
                if self.run.agree(now - reported) > self.args.report:
                    self.done, reported = progress, time.time()
                    self.save(short=True)
                    mark = (time.time(), self.step)
        self.done = 1.0
        self.save(short=False)

    def save(self, short):
        """Process 0 writes the weights, a quality report and a contact sheet."""
        if self.run.rank == 0:
            report.write(self.run, self.checkpoint(), self.slow_mmdit, self.slow_text, self.vae,
                         short)
            if self.args.state:
                torch.save(self.full(), str(self.args.state) + ".new")
                (self.args.state.parent / (self.args.state.name + ".new")).replace(
                    self.args.state)
