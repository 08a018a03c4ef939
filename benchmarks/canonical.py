"""What canonical masks forbid, whether any text has it, and what a mask costs an M2.

    python -m benchmarks.canonical --bytes 100000000 --out results/canonical.jsonl

For each tokenizer: ids of so many bytes of imdb and books, pairs among them that the mask forbids
(none), the share of all pairs that it forbids, and the mean share of the ids' own frequencies that
it takes from the next id. --cost: a training step (0.4m, 16 x 256 ids, AdamW) and a generated id,
in turns with and without the mask, each one's best seconds.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro

import equinfo
from benchmarks.common import append
from benchmarks.train_step import step
from equinfo.corpora import documents_of, limited
from equinfo.lm.config import OptimizerConfig, mask_weights, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.loss import cross_entropy
from equinfo.lm.optimize import make_optimizer
from equinfo.lm.sample import Sampling, sample
from equinfo.tokenizers.base import Tokenizer

FITTED = {"codebook": {"mode": "superword"}, "bpe": {}}
BATCH = 2000  # documents encoded at once
Mask = tuple[np.ndarray, np.ndarray]


def tokenizers(size: int, num_bytes: int) -> Iterator[Tokenizer]:
    yield equinfo.load("english-64k")
    documents = list(limited(documents_of("imdb+books", "train"), num_bytes, say=False))
    for kind, options in FITTED.items():
        yield equinfo.train_tokenizer(kind, corpus=documents, size=size, **options)


def pairs(tokenizer: Tokenizer, mask: Mask, num_bytes: int) -> dict[str, float]:
    offsets, ranges = mask
    size = tokenizer.vocab_size + 1
    row = np.repeat(np.arange(size - 1), np.diff(offsets))
    low, high = (row * size + edge for edge in ranges.T)

    def forbidden(a: np.ndarray, b: np.ndarray) -> int:
        keys = a * size + b
        at = np.searchsorted(low, keys, side="right") - 1
        return int((keys < high[at])[at >= 0].sum())

    found = num_ids = read = 0
    counts = np.zeros(size, dtype=np.int64)
    before = np.zeros(size, dtype=np.int64)
    documents = list(limited(documents_of("imdb+books", "train"), num_bytes, say=False))
    for at in range(0, len(documents), BATCH):
        some = documents[at : at + BATCH]
        read += sum(map(len, some))
        streams = [ids.astype(np.int64) for ids in tokenizer.encode_batch(some)]
        a, b = (
            np.concatenate([ids[part] for ids in streams]) for part in (slice(-1), slice(1, None))
        )
        found += forbidden(a, b) + forbidden(np.full_like(b, tokenizer.pad_id), b)
        num_ids += sum(map(len, streams))
        counts += np.bincount(b, minlength=size)
        before += np.bincount(a, minlength=size)
    below = np.append(0, np.cumsum(counts / counts.sum()))
    lost = np.bincount(row, below[ranges[:, 1]] - below[ranges[:, 0]], size)
    codes = row < tokenizer.code_size
    return {
        "num_bytes": read, "num_ids": num_ids, "forbidden": found, "ranges": len(ranges),
        "share_of_pairs": float(np.diff(ranges[codes]).sum() / tokenizer.code_size**2),
        "share_of_next": float((lost * before).sum() / before.sum()),
    }  # fmt: skip


def cost(tokenizer: Tokenizer, mask: Mask, rounds: int) -> dict[str, float]:
    """Ratios of the best seconds, with the mask / without, of each step's."""
    torch.set_num_threads(1)
    document = next(iter(documents_of("books", "train")))[:200_000]
    ids = tokenizer.encode(document)[: 16 * 257].astype(np.int64)
    rows = torch.from_numpy(ids.reshape(16, 257))
    plain = modern("0.4m", tokenizer.vocab_size)
    weights = {name: torch.from_numpy(part) for name, part in mask_weights(mask).items()}
    models = []
    for config in (plain, replace(plain, canonical=len(mask[1]))):
        model = Decoder(config).initialise(0)
        given = weights if config.canonical else {}
        model.load_state_dict({**model.state_dict(), **given})
        models.append(model)

    def loss(model: Decoder) -> torch.Tensor:
        hidden = model(rows[:, :-1]).flatten(0, 1)
        given = (rows[:, 1:].flatten(), 0.0, model.canonical, rows[:, :-1].flatten())
        return cross_entropy(hidden, model.head_weight, *given)[0] / len(hidden)

    def written(model: Decoder) -> Callable[[], object]:
        drawn = sample(
            model, [ids[:9]], bos_id=tokenizer.bos_id, context=256, sampling=Sampling(),
            mask=lambda row: tokenizer.may_follow(ids[:9]),
        )  # fmt: skip
        return partial(next, drawn)

    optimizers = [make_optimizer(OptimizerConfig(), model) for model in models]
    trained = [
        partial(step, model, optimizer, partial(loss, model))
        for model, optimizer in zip(models, optimizers, strict=True)
    ]
    generated = [written(Decoder.eval(model)) for model in models]
    return {
        "train_step": best(trained, rounds),
        "generate_id": best(generated, 30 * rounds),
    }


def best(actions: list[Callable[[], object]], rounds: int) -> float:
    seconds = np.full((rounds, 2), np.inf)
    for turn in range(rounds):
        for k in (0, 1) if turn % 2 else (1, 0):
            begun = time.perf_counter()
            actions[k]()
            seconds[turn, k] = time.perf_counter() - begun
    low = np.quantile(seconds, 0.1, axis=0)
    return float(low[1] / low[0])


def main(
    bytes: int = 100_000_000,
    size: int = 4096,
    fit_bytes: int = 8_000_000,
    cost_rounds: int = 20,
    out: Path | None = None,
) -> None:
    for tokenizer in tokenizers(size, fit_bytes):
        mask = tokenizer.canonical_mask()
        assert mask is not None
        row = {"tokenizer": tokenizer.name, **pairs(tokenizer, mask, bytes)}
        if cost_rounds:
            row |= cost(tokenizer, mask, cost_rounds)
        append(row, out)
        print(row, flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
