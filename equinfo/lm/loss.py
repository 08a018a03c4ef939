"""Cross-entropy over a large vocabulary in flat memory: logits exist for one chunk of positions at a time."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

CHUNK_LOGITS = 1 << 22  # logits held at once, 16 MB in float32


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Sums over all positions of -log p(target) and of log(Z)**2.

    The gradients are made in the forward pass, while a chunk's logits are at hand, so nothing is kept or done twice:
    d(nll)/d(logits) = softmax - onehot and d(log(Z)**2)/d(logits) = 2 log(Z) softmax.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, z_loss: float) -> tuple[Tensor, Tensor]:
        rows = max(CHUNK_LOGITS // weight.shape[0], 1)
        needs = hidden.requires_grad or weight.requires_grad
        products = weight.to(hidden.dtype)
        d_hidden = torch.empty_like(hidden) if needs else None
        d_weight = torch.zeros_like(weight) if needs else None
        nll, squares = torch.zeros(2, device=hidden.device)
        for at in range(0, len(hidden), rows):
            h, target = hidden[at : at + rows], targets[at : at + rows]
            logits = (h @ products.T).float()
            log_z = torch.logsumexp(logits, dim=1)
            nll += (log_z - logits.gather(1, target[:, None])[:, 0]).sum()
            squares += (log_z * log_z).sum()
            if d_hidden is None or d_weight is None:
                continue
            gradient = torch.exp(logits.sub_(log_z[:, None]))
            if z_loss:
                gradient *= (1 + 2 * z_loss * log_z)[:, None]
            gradient[torch.arange(len(h), device=h.device), target] -= 1
            gradient = gradient.to(hidden.dtype)
            torch.mm(gradient, products, out=d_hidden[at : at + rows])
            d_weight += (gradient.T @ h).to(d_weight.dtype)
        ctx.save_for_backward(d_hidden, d_weight)
        ctx.mark_non_differentiable(nll)
        return nll + z_loss * squares, nll

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor, _: Any) -> tuple[Any, ...]:
        d_hidden, d_weight = ctx.saved_tensors
        return d_loss.to(d_hidden.dtype) * d_hidden, d_loss * d_weight, None, None


def cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, z_loss: float = 0.0) -> tuple[Tensor, Tensor]:
    """(loss to differentiate, nats), both sums over all positions; loss = nats + z_loss * sum(log(Z)**2).

    hidden: [n, d_model] in the products' type; weight: f32[vocab, d_model]; targets: i64[n]. Memory beyond the inputs
    and their gradients does not grow with n * vocab.
    """
    loss, nats = _ChunkedCrossEntropy.apply(hidden, weight, targets, z_loss)
    return loss, nats.detach()


def scored(hidden: Tensor, targets: np.ndarray) -> tuple[Tensor, Tensor]:
    """The hidden states and targets that count: where a target is negative, its position is read but not scored.

    hidden: [rows, context, d_model]; targets: i64[rows, context]. Returns [n, d_model] and i64[n] on hidden's device.
    """
    hidden, kept = hidden.flatten(0, 1), np.flatnonzero(targets >= 0)
    if len(kept) < targets.size:
        hidden = hidden[torch.from_numpy(kept).to(hidden.device)]
    return hidden, torch.from_numpy(targets.ravel()[kept]).to(hidden.device)
