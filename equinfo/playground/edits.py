"""Edits between two sequences of ids: how many, and which ids they leave (the paper's Fig. 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equinfo.errors import needing


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


def edits(a: Sequence[int], b: Sequence[int]) -> Edits:
    """A Levenshtein alignment of two sequences of ids."""
    with needing("playground", "comparing ids"):
        from rapidfuzz.distance import Levenshtein

    found = Levenshtein.editops(a, b)
    kept_a = np.zeros(len(a), dtype=np.bool_)
    kept_b = np.zeros(len(b), dtype=np.bool_)
    for block in found.as_matching_blocks():
        kept_a[block.a : block.a + block.size] = True
        kept_b[block.b : block.b + block.size] = True
    return Edits(len(found), kept_a, kept_b)
