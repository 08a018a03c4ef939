"""Evaluation: two sums, nats and bytes, divided last."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.loss import cross_entropy
from equinfo.lm.sequences import shifted


@dataclass(frozen=True)
class Evaluation:
    """sum_nats over all ids of a stream; num_bytes that the stream stands for; num_ids predicted, EOS included."""

    sum_nats: float
    num_bytes: int
    num_ids: int

    @property
    def bits_per_byte(self) -> float:
        return self.sum_nats / math.log(2) / self.num_bytes


@torch.no_grad()
def evaluate(
    model: Decoder, ids: np.ndarray, num_bytes: int, *, context: int, bos_id: int, batch_size: int = 32
) -> Evaluation:
    """Predict every id once, in tiles of `context` that begin with bos_id, as in training; the last may be short.

    ids: integers[n]. Raises EquinfoError for an empty stream or an id beyond the model's vocabulary.
    """
    if not len(ids) or num_bytes < 1:
        raise EquinfoError("there is nothing to evaluate on: the stream is empty")
    if int(ids.max()) >= model.config.vocab_size:
        raise EquinfoError(
            f"id {int(ids.max())} is beyond the model's {model.config.vocab_size}: another tokenizer's stream?"
        )
    was_training = model.training
    model.eval()
    whole = len(ids) // context * context
    batches = [
        b for b in np.split(ids[:whole].reshape(-1, context), range(batch_size, whole // context, batch_size)) if len(b)
    ]
    if whole < len(ids):
        batches.append(ids[None, whole:])
    sum_nats = sum(_nats(model, batch.astype(np.int64), bos_id) for batch in batches)
    model.train(was_training)
    return Evaluation(sum_nats, num_bytes, len(ids))


def _nats(model: Decoder, targets: np.ndarray, bos_id: int) -> float:
    device = model.embed.weight.device
    hidden = model(torch.from_numpy(shifted(targets, bos_id)).to(device))
    _, nats = cross_entropy(hidden.flatten(0, 1), model.head_weight, torch.from_numpy(targets).to(device).flatten())
    return float(nats)
