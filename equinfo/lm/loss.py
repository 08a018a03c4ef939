"""Cross-entropy over a large vocabulary in flat memory: logits of one chunk of positions a time."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinfo.lm.canonical import Canonical

CHUNK_LOGITS = 1 << 20  # held at once on a CPU: 4 MB in float32, which stay in a cache
CHUNK_LOGITS_CUDA = 1 << 22
LEAST_ROWS = 64  # of a chunk: fewer would read a large vocabulary's weights too often


def chunk_rows(vocab_size: int, device: torch.device) -> int:
    """Positions whose logits are held at once."""
    logits = CHUNK_LOGITS_CUDA if device.type == "cuda" else CHUNK_LOGITS
    return max(logits // vocab_size, LEAST_ROWS)


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Sums over all positions of -log p(target) and of log(Z)**2.

    The gradients are made in the forward pass, while a chunk's logits are at hand, so nothing is
    kept or done twice: d(nll)/d(logits) = softmax - onehot and d(log(Z)**2)/d(logits) = 2 log(Z)
    softmax.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        z_loss: float,
        canonical: Canonical | None,
        previous: Tensor,
    ) -> tuple[Tensor, Tensor]:
        rows = chunk_rows(len(weight), hidden.device)
        needs = hidden.requires_grad or weight.requires_grad
        products = weight.to(hidden.dtype)
        d_hidden = torch.empty_like(hidden) if needs else None
        d_weight = torch.zeros_like(weight) if needs else None
        nll, squares = torch.zeros(2, device=hidden.device)
        buffer = torch.empty(min(rows, len(hidden)), len(weight), device=hidden.device)
        for at in range(0, len(hidden), rows):
            h = hidden[at : at + rows]
            target = targets[at : at + rows, None]
            logits = buffer[: len(h)]
            if h.dtype == logits.dtype:
                torch.mm(h, products.T, out=logits)
            else:
                logits.copy_(h @ products.T)
            if canonical is not None:
                canonical(logits, previous[at : at + rows])
            of_target = logits.gather(1, target)
            if d_hidden is None or d_weight is None:
                log_z = logits.logsumexp(1, keepdim=True)
            else:
                # one pass of exp for softmax and log(Z): the largest p is 1 / sum(exp(x - max))
                log_z = logits.amax(1, keepdim=True)
                softmax = torch.softmax(logits, 1, out=logits)
                log_z = log_z - softmax.amax(1, keepdim=True).log()
                if z_loss:
                    softmax *= 1 + 2 * z_loss * log_z
                softmax.scatter_add_(1, target, torch.full_like(of_target, -1.0))
                gradient = softmax.to(h.dtype)
                torch.mm(gradient, products, out=d_hidden[at : at + rows])
                if h.dtype == d_weight.dtype:
                    d_weight.addmm_(gradient.T, h)
                else:
                    d_weight += gradient.T @ h
            nll += (log_z - of_target).sum()
            squares += (log_z * log_z).sum()
        ctx.save_for_backward(d_hidden, d_weight)
        ctx.mark_non_differentiable(nll)
        return nll + z_loss * squares, nll

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor, _: Any) -> tuple[Any, ...]:
        d_hidden, d_weight = ctx.saved_tensors
        return d_loss.to(d_hidden.dtype) * d_hidden, d_loss * d_weight, None, None, None, None


def cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    z_loss: float = 0.0,
    canonical: Canonical | None = None,
    previous: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(loss to differentiate, nats), sums of all positions; loss = nats + z_loss * sum(log(Z)**2).

    hidden: [n, d_model] in the products' type; weight: f32[vocab, d_model]; targets: i64[n].
    canonical: what gets no probability after `previous`, i64[n]; a target that it forbids makes
    nats infinite. Memory beyond the inputs and their gradients does not grow with n * vocab.
    """
    given = (hidden, weight, targets, z_loss, canonical, previous)
    loss, nats = _ChunkedCrossEntropy.apply(*given)
    return loss, nats.detach()


def scored(hidden: Tensor, ids: Tensor, targets: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """What counts of hidden states, the ids that they follow, and targets.

    hidden: [rows, context, d_model]; ids: i64[rows, context]; targets: i64[rows, context], negative
    where a position is only read. Returns [n, d_model], i64[n] and i64[n], on hidden's device.
    """
    hidden, ids = hidden.flatten(0, 1), ids.flatten()
    kept = np.flatnonzero(targets >= 0)
    if len(kept) < targets.size:
        at = torch.from_numpy(kept).to(hidden.device)
        hidden, ids = hidden[at], ids[at]
    return hidden, ids, torch.from_numpy(targets.ravel()[kept]).to(hidden.device)
