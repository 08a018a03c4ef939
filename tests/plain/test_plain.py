"""The plain files' examples run, and the fast coder writes and reads what the plain one does.

The other plain files are held against the fast ones in tests/compress and tests/lm.
"""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder import coder
from equinfo.compress.models.base import normalise
from equinfo.plain import arithmetic, codebook, network, rules, windows


@pytest.mark.parametrize("module", [arithmetic, windows, rules, codebook, network])
def test_the_examples_print_what_they_show(module):
    failed, attempted = doctest.testmod(module)
    assert attempted > 2
    assert failed == 0


def both(symbols, rows):
    """(bytes, bits) of the plain and the fast coder."""
    cumulative = np.cumsum(rows, axis=1) - rows
    at = np.arange(len(symbols))
    data, bits = coder.encode(
        cumulative[at, symbols], rows[at, symbols], int(rows[0].sum()).bit_length() - 1
    )
    return arithmetic.encode(symbols, lambda before: rows[len(before)].tolist()), (
        data.tobytes(),
        bits,
    )


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 80),
    size=st.sampled_from([3, 257]),
    precision=st.sampled_from([9, 16, 20]),
    sharpness=st.sampled_from([0.0, 3.0, 9.0]),
)
def test_the_fast_coder_is_the_plain_one(seed, count, size, precision, sharpness):
    rng = np.random.default_rng(seed)
    weights = np.exp(sharpness * rng.standard_normal((count + 1, size)))
    rows = np.stack([normalise((w / w.max() * 1e6).astype(np.int64), precision) for w in weights])
    symbols = [*rng.integers(0, size - 1, count).tolist(), size - 1]
    plain, fast = both(symbols, rows)
    assert plain == fast
    assert (
        arithmetic.decode(fast[0], lambda before: rows[len(before)].tolist(), size - 1) == symbols
    )
    assert coder.decode(np.frombuffer(plain[0], np.uint8), rows, precision).tolist() == symbols


@pytest.mark.parametrize(("row", "symbol"), [([1 << 15, 1 << 15], 0), ([32767, 2, 32767], 1)])
@pytest.mark.parametrize("count", [*range(1, 10), 24, 40])
def test_endings_at_zeros_and_carries_are_the_plain_ones(row, symbol, count):
    """The interval holds, or touches, a point whose shortest name is followed by zeros alone."""
    plain, fast = both([symbol] * count, np.array([row] * count))
    assert plain == fast
    assert len(plain[0]) <= arithmetic.TAIL + 1 or any(plain[0][-arithmetic.TAIL :])
