"""Codes of up to 128 bits as int64 limbs of 60 bits, little end first, and as bits."""

import numpy as np

from equinfo.compress.bits import get_bits, put_bits
from equinfo.compress.jit import kernel
from equinfo.compress.windows.intervals import LIMB, LIMB_MASK


def num_limbs(bits: int) -> int:
    """int64 limbs of 60 bits in a code of `bits` bits."""
    return -(-bits // LIMB)


def without_last(codes: np.ndarray, count: int, bits: int) -> np.ndarray:
    """int64[windows, limbs]: codes of `bits` bits without their last `count` (below 60)."""
    kept = codes >> count
    kept[:, :-1] |= codes[:, 1:] << (LIMB - count) & LIMB_MASK
    return kept[:, : num_limbs(bits - count)]


def with_last(codes: np.ndarray, last: int, count: int, bits: int) -> np.ndarray:
    """int64[windows, limbs]: codes of `bits` bits, and `count` (below 60) more: `last`."""
    longer = np.zeros((len(codes), num_limbs(bits + count) + 1), dtype=np.int64)
    longer[:, : codes.shape[1]] = codes << count & LIMB_MASK
    longer[:, 1 : codes.shape[1] + 1] |= codes >> (LIMB - count)
    longer[:, 0] |= last
    return longer[:, :-1]


@kernel
def codes_to_bits(codes, bits):
    """uint8[ceil(windows * bits / 8)]: codes (int64[windows, limbs]) of `bits` bits, big-endian."""
    data = np.zeros((len(codes) * bits + 7) // 8, dtype=np.uint8)
    for i in range(len(codes)):
        for limb in range(codes.shape[1]):
            below = min(bits, LIMB * (limb + 1))
            put_bits(data, (i + 1) * bits - below, codes[i, limb], below - LIMB * limb)
    return data


@kernel
def codes_from_bits(data, count, bits):
    """The inverse of `codes_to_bits` for `count` windows."""
    codes = np.empty((count, (bits + LIMB - 1) // LIMB), dtype=np.int64)
    for i in range(count):
        for limb in range(codes.shape[1]):
            below = min(bits, LIMB * (limb + 1))
            codes[i, limb] = get_bits(data, (i + 1) * bits - below, below - LIMB * limb)
    return codes
