"""Sampling: ids after ids from a decoder, many sequences in step, each position computed once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equinfo.errors import EquinfoError
from equinfo.lm.cache import KVCache
from equinfo.lm.decoder import Decoder
from equinfo.lm.sequences import places


@dataclass(frozen=True)
class Sampling:
    """How an id is drawn: by temperature (0: the likeliest), of the top_k likeliest (0: all) and
    of the fewest of these whose shares sum to top_p."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise EquinfoError(f"temperature is {self.temperature}: it must be 0 or more")
        if self.top_k < 0:
            raise EquinfoError(f"top_k is {self.top_k}: it must be 0 (all) or more")
        if not 0 < self.top_p <= 1:
            raise EquinfoError(f"top_p is {self.top_p}: it must be above 0 and at most 1")


def shares(logits: Tensor, sampling: Sampling) -> Tensor:
    """What `sampling` draws from: shares f32[vocab] of f32[vocab] logits (-inf: never)."""
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()
    p = (logits / sampling.temperature).softmax(-1)
    if sampling.top_k and sampling.top_k < len(p):
        kept = torch.zeros_like(p).index_fill(0, p.topk(sampling.top_k).indices, 1)
        p = p * kept / (p * kept).sum()
    if sampling.top_p < 1:
        ordered, order = p.sort(descending=True, stable=True)
        before = ordered.cumsum(0) - ordered
        p = p * torch.zeros_like(p).index_fill(0, order[before < sampling.top_p], 1)
    return p / p.sum()


@torch.no_grad()
def sample(
    model: Decoder,
    prompts: list[np.ndarray],
    *,
    bos_id: int,
    context: int,
    sampling: Sampling,
    mask: Callable[[int], np.ndarray | None] = lambda row: None,
) -> Iterator[np.ndarray]:
    """Each step's ids, int64[len(prompts)], without end: -1 for rows whose prompt is not through
    yet.

    prompts: integers[n] each, n may differ. context: ids a sequence, BOS included, as in training;
    when it is full, a new one begins with the last half. mask(row): bool[vocab], what row may draw
    (asked when it draws). Row r draws from a generator of its own, seeded by (seed, r), so a row's
    ids do not depend on the other rows.
    """
    device = model.embed.weight.device
    cache = KVCache(model.config, len(prompts), context, device)
    seeds = [_row_seed(sampling.seed, row) for row in range(len(prompts))]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    rows = [prompt.tolist() for prompt in prompts]
    # the current sequence is BOS and the ids from `begin` on; those before `seen` are in the cache
    begin = seen = 0
    upto = min(len(row) for row in rows)
    while True:
        if 1 + upto - begin > context:
            begin = upto - context // 2
            cache.clear()
        inputs = [row[seen:upto] for row in rows]
        first = None
        if not cache.length:
            inputs = [[bos_id, *row[begin:upto]] for row in rows]
            found = [places(np.array(row), np.array([begin]), model.config) for row in rows]
            first = torch.from_numpy(np.concatenate(found)).to(device)
        logits = model.logits(torch.tensor(inputs).to(device), cache, first)[:, -1].cpu()
        if logits.isnan().any():
            raise EquinfoError("the LM predicts no numbers: its weights are of no training")
        drawn = np.full(len(rows), -1, dtype=np.int64)
        for number, row in enumerate(rows):
            if len(row) == upto:
                drawn[number] = _draw(logits[number], mask(number), sampling, generators[number])
                row.append(int(drawn[number]))
        seen = upto
        upto += 1
        yield drawn


def _row_seed(seed: int, row: int) -> int:
    return int(np.random.SeedSequence((seed, row)).generate_state(1, np.uint64)[0] >> 1)


def _draw(
    logits: Tensor, allowed: np.ndarray | None, sampling: Sampling, generator: torch.Generator
) -> int:
    if allowed is not None:
        others = ~torch.from_numpy(allowed)
        logits = logits.masked_fill(others, float("-inf"))
        if logits.amax() == float("-inf"):  # nothing is left: the canonical mask gives way
            logits = torch.zeros_like(logits).masked_fill(others, float("-inf"))
    if sampling.temperature == 0:
        return int(logits.argmax())
    # The inverse distribution function: torch.multinomial takes as long as all of a small model.
    upto = shares(logits, sampling).double().cumsum(0)
    drawn = torch.rand((), generator=generator, dtype=torch.float64) * upto[-1]
    # Right of `drawn`, or what has no share could be drawn; rounding may put it on the last's end.
    place = torch.searchsorted(upto, drawn, right=True)
    return min(int(place), int(torch.searchsorted(upto, upto[-1])))
