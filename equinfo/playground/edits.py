"""Edits between two sequences of ids: how many, and which ids they leave (the paper's Fig. 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_CELLS = 1 << 23
"""Of the table of distances; sequences that differ for longer are not compared."""


@dataclass(frozen=True)
class Edits:
    """distance: fewest insertions, deletions, replacements. kept_a, kept_b: bool[ids], unedited."""

    distance: int
    kept_a: np.ndarray
    kept_b: np.ndarray

    @property
    def share(self) -> float:
        """The distance as a share of the longer sequence; 0 for two empty ones."""
        return self.distance / max(len(self.kept_a), len(self.kept_b), 1)


def edits(a: Sequence[int], b: Sequence[int]) -> Edits | None:
    """The Levenshtein alignment of two sequences of ids, None where they differ for too long."""
    first, second = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    head = _common(first, second)
    tail = _common(first[head:][::-1], second[head:][::-1])
    x, y = first[head : len(first) - tail], second[head : len(second) - tail]
    if (len(x) + 1) * (len(y) + 1) > MOST_CELLS:
        return None
    table = _distances(x, y)
    kept_a, kept_b = np.ones(len(first), dtype=np.bool_), np.ones(len(second), dtype=np.bool_)
    kept_a[head : head + len(x)], kept_b[head : head + len(y)] = _kept(table, x, y)
    return Edits(int(table[-1, -1]), kept_a, kept_b)


def _common(a: np.ndarray, b: np.ndarray) -> int:
    """How many ids both begin with."""
    size = min(len(a), len(b))
    differ = np.flatnonzero(a[:size] != b[:size])
    return int(differ[0]) if len(differ) else size


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """int32[len(a) + 1, len(b) + 1]: the distance of every beginning of a to every one of b."""
    columns = np.arange(len(b) + 1, dtype=np.int32)
    table = np.empty((len(a) + 1, len(b) + 1), dtype=np.int32)
    table[0] = columns
    for i in range(len(a)):
        row = table[i] + 1
        row[1:] = np.minimum(row[1:], table[i, :-1] + (b != a[i]))
        table[i + 1] = np.minimum.accumulate(row - columns) + columns  # insertions
    return table


def _kept(table: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One way back through the table: bool[len(a)], bool[len(b)], true where ids are matched."""
    kept_a, kept_b = np.zeros(len(a), dtype=np.bool_), np.zeros(len(b), dtype=np.bool_)
    i, j = len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            i, j = i - 1, j - 1
            kept_a[i] = kept_b[j] = True
        elif table[i, j] == table[i - 1, j - 1] + 1:
            i, j = i - 1, j - 1
        elif table[i, j] == table[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return kept_a, kept_b
