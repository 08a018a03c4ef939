"""Evaluation: two sums, nats and bytes, divided last."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.loss import chunk_rows, scored
from equinfo.lm.sequences import places, shifted


@dataclass(frozen=True)
class Evaluation:
    """sum_nats over all ids of a stream, num_ids with EOS; num_bytes that the stream stands for."""

    sum_nats: float
    num_bytes: int
    num_ids: int
    nats: np.ndarray = field(repr=False, compare=False)
    """Of each id, f32[num_ids]."""

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
) -> Evaluation:
    """Predict every id once, in tiles of `context` that begin with bos_id; the last may be short.

    ids: integers[n], a stream; or, with `blocks`, the first `context` ids of each of many blocks.
    Raises EquinfoError for an empty stream or an id beyond the model's vocabulary.
    """
    if not len(ids) or num_bytes < 1:
        raise EquinfoError("there is nothing to evaluate on: the stream is empty")
    if int(ids.max()) >= model.config.vocab_size:
        raise EquinfoError(
            f"id {int(ids.max())} is beyond the model's {model.config.vocab_size}: another"
            " tokenizer's stream?"
        )
    was_training = model.training
    model.eval()
    whole = len(ids) // context * context
    tiles = ids[:whole].reshape(-1, context)
    batches = [tiles[at : at + batch_size] for at in range(0, len(tiles), batch_size)]
    if whole < len(ids):
        batches.append(ids[None, whole:])
    begins = np.arange(0, len(ids), context)
    firsts = np.zeros_like(begins) if blocks else places(ids, begins, model.config)
    found = []
    at = 0
    for batch in batches:
        first = firsts[at : at + len(batch)]
        found.append(_nats(model, batch.astype(np.int64), first, bos_id))
        at += len(batch)
    nats = np.concatenate(found)
    model.train(was_training)
    return Evaluation(float(nats.sum(dtype=np.float64)), num_bytes, len(ids), nats)


def _nats(model: Decoder, targets: np.ndarray, first: np.ndarray, bos_id: int) -> np.ndarray:
    """f32[rows * context]: of each target."""
    hidden, there = scored(_hidden(model, targets, first, bos_id), targets)
    size = chunk_rows(len(model.head_weight), hidden.device)
    chunks = zip(hidden.split(size), there.split(size), strict=True)
    parts = [_lost(h @ model.head_weight.T, target).cpu().numpy() for h, target in chunks]
    return np.concatenate(parts)


def _lost(logits: Tensor, targets: Tensor) -> Tensor:
    """-log p(target), f32[n]."""
    return logits.logsumexp(1) - logits.gather(1, targets[:, None])[:, 0]


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
        hidden = _hidden(model, targets, firsts[at : at + batch_size], bos_id)
        found = _predict(*scored(hidden, targets), model.head_weight)
        for whole, part in zip((nats, right), found, strict=True):
            whole[at : at + batch_size][targets >= 0] = part
    return nats, right


def _hidden(model: Decoder, targets: np.ndarray, first: np.ndarray, bos_id: int) -> Tensor:
    """What predicts targets (i64[rows, context]), whose first ids have these places (i64[rows])."""
    arrays = (shifted(targets, bos_id), first)
    ids, places = (torch.from_numpy(array).to(model.embed.weight.device) for array in arrays)
    return model(ids, first=places)


def _predict(hidden: Tensor, targets: Tensor, weight: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """As `predict`, for hidden states f32[n, d_model] and targets i64[n], a chunk at a time."""
    parts = []
    size = chunk_rows(len(weight), weight.device)
    for h, target in zip(hidden.split(size), targets.split(size), strict=True):
        logits = h @ weight.T
        likeliest = logits.argmax(1) == target
        parts.append((_lost(logits, target).cpu().numpy(), likeliest.cpu().numpy()))
    nats, right = (np.concatenate(part) for part in zip(*parts, strict=True))
    return nats, right
