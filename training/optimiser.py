"""Muon for the matrices inside the networks, AdamW for everything else; gradient exchange.

Muon (momentum whose matrix is made nearly orthogonal by a Newton-Schulz iteration) runs on
stacks of matrices of equal shape. Its update has the size of an AdamW update (0.2 RMS), so that
both share one learning rate.
"""

import torch
import torch.distributed as dist

ITERATION = ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
             (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012))


def orthogonal(stack):
    """Nearly orthogonal factor of each matrix of a stack [n, rows, columns]."""
    x = stack.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) * 1.02 + 1e-7)
    for a, b, c in ITERATION:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def is_matrix(name, p):
    """Weights for Muon: linears inside blocks and embedders, not tables, not the last layer."""
    if p.ndim != 2 or not name.endswith(".weight"):
        return False
    return not any(k in name for k in ("embedding", "shared", "proj_out", "relative"))


class Flat:
    """All trainable parameters of the modules; their gradients are views of one buffer."""

    def __init__(self, modules):
        self.named = [(n, p) for m in modules for n, p in m.named_parameters() if p.requires_grad]
        total = sum(p.numel() for _, p in self.named)
        device = self.named[0][1].device
        self.grad = torch.zeros(total, device=device)
        at = 0
        for _, p in self.named:
            p.grad = self.grad[at:at + p.numel()].view_as(p)
            at += p.numel()

    def exchange(self):
        """Sum over the processes; clip() makes it the mean."""
        if dist.is_initialized() and dist.get_world_size() > 1:
            dist.all_reduce(self.grad)

    def clip(self, limit):
        if dist.is_initialized():
            self.grad.div_(dist.get_world_size())
        self.grad.mul_((limit / (self.grad.norm() + 1e-6)).clamp(max=1.0))


class Optimiser:
    def __init__(self, flat, muon_rate, adam_rate, decay=0.05, momentum=0.95, convolutions=False):
        self.flat, self.decay, self.momentum = flat, decay, momentum
        self.muon_rate, self.groups, rest = muon_rate, {}, []
        for name, p in flat.named:
            if muon_rate and (is_matrix(name, p) or (convolutions and p.ndim == 4)):
                key = (p.shape[0], p[0].numel(), 6 if ".norm1" in name and p.shape[0] % 6 == 0
                       and p.shape[0] == 6 * p.shape[1] else 1)
                self.groups.setdefault(key, []).append(p)
            else:
                rest.append(p)
        self.state = {k: torch.zeros(len(v), k[0], k[1], device=v[0].device)
                      for k, v in self.groups.items()}
        device, cuda = flat.grad.device, flat.grad.is_cuda
        self.factor = torch.zeros((), device=device)  # a tensor, so that a CUDA graph reads it
        self.adam_rate, self.adam_now = adam_rate, torch.zeros((), device=device)
        self.adam = torch.optim.AdamW(rest, lr=self.adam_now, betas=(0.9, 0.98), eps=1e-9,
                                      weight_decay=0.0, fused=cuda, capturable=cuda)

    @torch.no_grad()
    def step(self):
        """One update with both learning rates times self.factor; clears the gradients."""
        rate = self.muon_rate * self.factor
        for (rows, columns, parts), params in self.groups.items():
            grads = torch.stack([p.grad.view(rows, columns) for p in params])
            state = self.state[rows, columns, parts]
            state.lerp_(grads, 1 - self.momentum)
            update = grads.lerp_(state, self.momentum)
            update = orthogonal(update.view(-1, rows // parts, columns))
            update = update.reshape(len(params), rows, columns).float()
            update = update * (-0.2 * max(rows // parts, columns) ** 0.5 * rate)
            torch._foreach_mul_(params, 1 - rate * self.decay)
            torch._foreach_add_(params, [u.view_as(p) for u, p in zip(update.unbind(0), params)])
        self.adam_now.copy_(self.adam_rate * self.factor)
        self.adam.step()
        self.flat.grad.zero_()

    def save(self):
        return {"muon": {str(k): v for k, v in self.state.items()}, "adam": self.adam.state_dict()}

    def load(self, saved):
        for key, value in self.state.items():
            value.copy_(saved["muon"][str(key)])
        self.adam.load_state_dict(saved["adam"])
        for group in self.adam.param_groups:
            group["lr"] = self.adam_now
