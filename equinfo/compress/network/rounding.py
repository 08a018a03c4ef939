"""The rounding rule of fixedpoint.py for kernels."""

import numpy as np

from equinfo.compress.jit import inline
from equinfo.compress.network.matmul import MIDDLE
from equinfo.fixedpoint import ACTIVATION_MAX, SHIFT


@inline
def rounded(value, shift):
    """value / 2**shift to the nearest, halves upwards."""
    return (value + (1 << (shift - 1))) >> shift


@inline
def saturated(value, limit):
    return min(max(value, -limit), limit)


@inline
def rescaled(value, multiplier, limit):
    """value * multiplier / 2**SHIFT, at most `limit` from 0: int32. Both factors are int32."""
    return np.int32(saturated(rounded(np.int64(value) * np.int64(multiplier), SHIFT), limit))


@inline
def as_byte(value):
    """A signed byte, saturated, plus 128: uint8."""
    return np.uint8(saturated(value, ACTIVATION_MAX) + MIDDLE)
