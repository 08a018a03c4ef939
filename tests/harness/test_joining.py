"""Seams and sequences, on ids alone."""

import numpy as np
import pytest

from equinfo.harness.joining import common, tiles


@pytest.mark.parametrize(
    ("a", "b", "unit", "expected"),
    [
        ([1, 2, 3], [1, 2, 3, 4], 1, 3),
        ([1, 2, 3], [1, 2, 4, 4], 1, 2),
        ([1, 2, 3, 4], [1, 2, 3, 5, 6, 6], 2, 2),
        ([1, 2, 3, 4], [1, 2, 3, 4, 6, 6], 2, 4),
        ([], [1], 1, 0),
        ([1, 2], [], 2, 0),
        ([7], [8], 1, 0),
    ],
)
def test_what_two_streams_share(a, b, unit, expected):
    for left, right in ((a, b), (b, a)):
        assert (
            common(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), unit)
            == expected
        )


def test_every_id_from_first_on_is_predicted_once_after_as_many_as_fit():
    for length in range(13):
        ids = np.arange(length)
        for first in range(length + 1):
            for size in range(1, 15):
                pairs = tiles(ids, first, size)
                rows = [row for _, row in pairs]
                assert all(np.maximum(row, ~row)[0] == begin for begin, row in pairs)
                scored = np.concatenate([ids[:0], *(row[row >= 0] for row in rows)])
                assert sorted(scored) == list(range(first, length))
                assert all((np.diff(np.maximum(row, ~row)) == 1).all() for row in rows)
                assert all(len(row) <= size for row in rows)
                if rows:
                    assert len(rows[0]) == min(length, size)
                    assert rows[0][-1] == length - 1
                    assert len(rows) == -(-(length - first) // size)
