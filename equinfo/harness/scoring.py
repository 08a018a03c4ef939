"""Nats of many short sequences of different lengths, in few passes."""

from dataclasses import dataclass

import numpy as np

from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import predict

PADDING = ~0  # read after a sequence's end, so that nothing depends on it


@dataclass(frozen=True)
class Scored:
    """nats: of all scored ids together. right: whether each of them was the likeliest."""

    nats: float = 0.0
    right: bool = True

    def __add__(self, other: "Scored") -> "Scored":
        return Scored(self.nats + other.nats, self.right and other.right)


def score(
    model: Decoder, rows: list[tuple[int, np.ndarray]], *, bos_id: int, batch_size: int
) -> list[Scored]:
    """Of rows (first id's number in its document, int64[n], ~id where only read) after bos_id.

    Equal rows are computed once. Batches hold rows of about one length and depend on which rows
    there are, not on their order.
    """
    keys = [(row.tobytes(), begin % model.config.period) for begin, row in rows]
    lines = {key: row for key, (_, row) in zip(keys, rows, strict=True)}
    unique = sorted(lines.items(), key=lambda pair: (-len(pair[0][0]), pair[0]))
    found: dict[tuple[bytes, int], Scored] = {}
    for at in range(0, len(unique), batch_size):
        batch = unique[at : at + batch_size]
        firsts = np.array([place for (_, place), _ in batch])
        nats, right = predict(model, padded([row for _, row in batch]), bos_id, batch_size, firsts)
        for (key, row), n, r in zip(batch, nats, right, strict=True):
            kept = np.flatnonzero(row >= 0)
            found[key] = Scored(float(n[kept].sum(dtype=np.float64)), bool(r[kept].all()))
    return [found[key] for key in keys]


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """int64[rows, the longest's length]."""
    whole = np.full((len(rows), max(map(len, rows))), PADDING, dtype=np.int64)
    for line, row in zip(whole, rows, strict=True):
        line[: len(row)] = row
    return whole
