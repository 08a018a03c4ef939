"""The limb arithmetic below the windows against Python integers."""

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from equinfo.compress.windows.intervals import (
    LIMB,
    LIMB_MASK,
    add_shifted,
    cell_number,
    first_cell,
    shifted_down,
    subtract_shifted,
)

positions = (
    st.integers(0, 2**179 - 1)
    | st.integers(2**119, 2**121)
    | st.sampled_from([0, 2**60 - 1, 2**120 - 1])
)
offsets = (
    st.integers(0, 2**62 - 1)
    | st.integers(2**61, 2**62 - 1)
    | st.integers(0, 62).map(lambda k: 2**k - 1)
)
shifts = st.integers(0, 119) | st.sampled_from([0, 1, 58, 59, 60, 61, 117])


def limbs(value):
    return np.array([(value >> (LIMB * at)) & LIMB_MASK for at in range(3)], dtype=np.int64)


def number(array):
    assert ((array >= 0) & (array < 1 << LIMB)).all()
    return sum(int(limb) << (LIMB * at) for at, limb in enumerate(array))


@settings(max_examples=500, deadline=None)
@example(position=5 << 60, offset=2**62 - 1, shift=59)  # borrows 2
@given(position=positions, offset=offsets, shift=shifts)
def test_add_and_subtract(position, offset, shift):
    total = position + (offset << shift)
    assume(total < 2**180)
    low = limbs(position)
    add_shifted(low, offset, shift)
    assert number(low) == total
    subtract_shifted(low, offset, shift)
    assert number(low) == position


@settings(max_examples=500, deadline=None)
@given(value=offsets, shift=shifts, below=st.integers(0, 2**119 - 1))
def test_shift_down(value, shift, below):
    assume(value << shift < 2**180)
    assert shifted_down(limbs((value << shift) + below % (1 << shift)), shift) == value


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 2**160), shift=st.integers(0, 60), precision=st.integers(9, 20))
def test_first_cell(position, shift, precision):
    position = position >> shift << shift  # always a multiple of the grain
    start, cell = first_cell(limbs(position), shift, precision)
    assert cell == max(1 << precision >> shift, 1)
    grain = 1 << shift
    cell_size = max(1 << precision, grain)
    assert (
        position + int(start) * grain == -(-position // cell_size) * cell_size or shift >= precision
    )
    assert shift < precision or start == 0


@settings(max_examples=300, deadline=None)
@given(cell=st.integers(0, 2**128 - 1), back=st.integers(0, 2**60), precision=st.integers(9, 20))
def test_cell_number(cell, back, precision):
    position = cell << precision
    back = min(back, position)
    code = np.zeros(3, dtype=np.int64)
    cell_number(limbs(position - back), back, 0, precision, code)
    assert number(code) == cell
