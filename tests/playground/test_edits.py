"""Edits between id sequences: rapidfuzz's distance, and an alignment that has it."""

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from equinfo.playground.edits import edits

RANDOM = np.random.default_rng(8)
PAIRS = [
    ([], []),
    ([], [1, 2]),
    ([5], [5]),
    ([1, 2, 3], [3, 2, 1]),
    ([1, 1, 1, 2], [1, 2]),
    ([7] * 9, [7] * 4),
]
PAIRS += [
    (RANDOM.integers(0, symbols, n).tolist(), RANDOM.integers(0, symbols, m).tolist())
    for symbols, n, m in [(2, 40, 30), (3, 17, 60), (9, 64, 64), (1000, 50, 50), (2, 200, 190)]
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_distance_is_levenshteins_and_the_alignment_has_it(a, b):
    found = edits(a, b)
    assert found.distance == Levenshtein.distance(a, b)
    assert found.share == found.distance / max(len(a), len(b), 1)
    stay = np.array(a, dtype=int)[found.kept_a]
    assert stay.tolist() == np.array(b, dtype=int)[found.kept_b].tolist()
    assert cost(found.kept_a, found.kept_b) == found.distance


def cost(kept_a: np.ndarray, kept_b: np.ndarray) -> int:
    """Edits between ids that stay: each gap takes as many as its longer side has."""
    gaps_a, gaps_b = (
        np.diff([-1, *np.flatnonzero(kept), len(kept)]) - 1 for kept in (kept_a, kept_b)
    )
    return int(np.maximum(gaps_a, gaps_b).sum())


def test_long_sequences_are_compared_also_where_all_differs():
    same = list(range(50_000))
    found = edits([*same, 1, *same], [*same, 2, 3, *same])
    assert (found.distance, found.kept_a.sum()) == (2, 100_000)
    assert edits([0] * 5000, [1] * 5000).distance == 5000
