"""Evaluation: two sums, nats and bytes, divided last."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.loss import chunk_rows, scored
from equinfo.lm.routing import Routing
from equinfo.lm.sequences import places, shifted


@dataclass(frozen=True)
class Evaluation:
    """sum_nats over all ids of a stream, num_ids with EOS; num_bytes that the stream stands for."""

    sum_nats: float
    num_bytes: int
    num_ids: int
    nats: np.ndarray = field(repr=False, compare=False)
    """Of each id, f32[num_ids]."""
    entropies: np.ndarray | None = field(default=None, repr=False, compare=False)
    """f32[num_ids]: nats expected of each id, by the model's own prediction; where asked for."""
    weights: np.ndarray | None = field(default=None, repr=False, compare=False)
    """f32[blocks, num_ids]: of each routed block of a mixture of depths, the router's weight (0 to
    1) of the position that an id was predicted at."""
    computed: np.ndarray | None = field(default=None, repr=False, compare=False)
    """bool[blocks, num_ids]: whether the block computed that position."""

    @property
    def taken(self) -> float | None:
        """The share of positions that those blocks computed."""
        return None if self.computed is None else float(self.computed.mean())

    @property
    def bits_per_byte(self) -> float:
        return self.sum_nats / math.log(2) / self.num_bytes


@torch.no_grad()
def evaluate(
    model: Decoder,
    ids: np.ndarray,
    num_bytes: int,
    *,
    context: int,
    bos_id: int,
    batch_size: int = 32,
    blocks: bool = False,
    ahead: bool = False,
    entropies: bool = False,
) -> Evaluation:
    """Predict every id once, in tiles of `context` that begin with bos_id; the last may be short.

    ids: integers[n], a stream; or, with `blocks`, the first `context` ids of each of many blocks.
    ahead: a mixture of depths chooses by whole tiles, as in training: what follows an id is seen,
    so these are no probabilities, only what the causal ones are compared with. entropies: also of
    every prediction. Raises EquinfoError
    for an empty stream, an id beyond the model's vocabulary, and one that never follows the one
    before by the model's canonical mask.
    """
    if not len(ids) or num_bytes < 1:
        raise EquinfoError("there is nothing to evaluate on: the stream is empty")
    if int(ids.max()) >= model.config.vocab_size:
        raise EquinfoError(
            f"id {int(ids.max())} is beyond the model's {model.config.vocab_size}: another"
            " tokenizer's stream?"
        )
    was_training, was_ahead = model.training, model.ahead
    model.eval()
    model.ahead = ahead
    whole = len(ids) // context * context
    tiles = ids[:whole].reshape(-1, context)
    batches = [tiles[at : at + batch_size] for at in range(0, len(tiles), batch_size)]
    if whole < len(ids):
        batches.append(ids[None, whole:])
    begins = np.arange(0, len(ids), context)
    firsts = np.zeros_like(begins) if blocks else places(ids, begins, model.config)
    found = []
    routings = []
    also = _entropy if entropies else None
    at = 0
    for batch in batches:
        first = firsts[at : at + len(batch)]
        routing = Routing()
        found.append(_found(model, batch.astype(np.int64), first, bos_id, also, routing))
        routings.append(routing)
        at += len(batch)
    nats, expected = map(np.concatenate, zip(*found, strict=True))
    model.train(was_training)
    model.ahead = was_ahead
    told = Evaluation(float(nats.sum(dtype=np.float64)), num_bytes, len(ids), nats)
    if entropies:
        told = replace(told, entropies=expected)
    if model.config.depth_capacity == 1:
        return told
    weights, computed = (
        np.concatenate([torch.stack(getattr(one, name)).flatten(1).cpu() for one in routings], 1)
        for name in ("weights", "computed")
    )
    return replace(told, weights=weights, computed=computed)


@torch.no_grad()
def predict(
    model: Decoder,
    rows: np.ndarray,
    bos_id: int,
    batch_size: int = 32,
    firsts: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(nats f32, whether the likeliest id was right: bool), shaped as `rows`; 0, False at ~ids.

    rows: integers[count, context], ~id where a position is only read. firsts: int64[count], the
    place in its unit of each row's first id; by default rows begin documents.
    """
    firsts = np.zeros(len(rows), dtype=np.int64) if firsts is None else firsts
    nats = np.zeros(rows.shape, dtype=np.float32)
    right = np.zeros(rows.shape, dtype=bool)
    for at in range(0, len(rows), batch_size):
        targets = rows[at : at + batch_size].astype(np.int64)
        found = _found(model, targets, firsts[at : at + batch_size], bos_id, _right)
        for whole, part in zip((nats, right), found, strict=True):
            whole[at : at + batch_size][targets >= 0] = part
    return nats, right


def _entropy(logits: Tensor, target: Tensor) -> Tensor:
    return torch.special.entr(logits.softmax(1)).sum(1)


def _right(logits: Tensor, target: Tensor) -> Tensor:
    """Whether the likeliest id was right."""
    return logits.argmax(1) == target


def _found(
    model: Decoder, targets: np.ndarray, first: np.ndarray, bos_id: int,
    also: Callable[[Tensor, Tensor], Tensor] | None, routing: Routing | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(nats f32[n], also(logits, target)[n], if wanted) of what is scored of targets, i64[rows,
    context], whose first ids have these places, i64[rows]; a chunk at a time.
    """
    arrays = (shifted(targets, bos_id), first)
    ids, places = (torch.from_numpy(array).to(model.embed.weight.device) for array in arrays)
    hidden, previous, there = scored(model(ids, first=places, routing=routing), ids, targets)
    size = chunk_rows(len(model.head_weight), hidden.device)
    nats, others = [], []
    for h, before, target in zip(*(t.split(size) for t in (hidden, previous, there)), strict=True):
        logits = model.masked(h @ model.head_weight.T, before)
        nats.append(logits.logsumexp(1) - logits.gather(1, target[:, None])[:, 0])
        if also is not None:
            others.append(also(logits, target))
    lost = torch.cat(nats)
    if model.canonical is not None and lost.isinf().any():
        model.canonical.check_pairs(previous, there)
    return lost.cpu().numpy(), torch.cat(others).cpu().numpy() if others else np.empty(0)
