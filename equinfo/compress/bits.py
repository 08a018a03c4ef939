"""Bitstreams <-> ids of N bits. Bits are big-endian: the first bit is the top bit of the first
byte.
"""

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

MAX_WIDTH = 32


def pack(data: bytes | np.ndarray, num_bits: int, width: int) -> np.ndarray:
    """Cut the first `num_bits` bits of `data` into ids of `width` bits; the last is padded with
    zero bits.

    data: bytes or uint8[>= num_bits / 8]. Returns int64[ceil(num_bits / width)].
    """
    _check_width(width)
    array = np.frombuffer(data, dtype=np.uint8) if isinstance(data, bytes | bytearray) else data
    if num_bits > 8 * len(array):
        raise EquinfoError(f"{num_bits} bits were asked of {8 * len(array)}")
    return _pack(array, num_bits, width)


def unpack(ids: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """The bits of ids of `width` bits: (uint8[ceil(n * width / 8)], num_bits = n * width)."""
    _check_width(width)
    return _unpack(np.ascontiguousarray(ids, dtype=np.int64), width), len(ids) * width


def _check_width(width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise EquinfoError(f"ids of {width} bits: the width must be 1 to {MAX_WIDTH}")


@kernel
def _pack(data, num_bits, width):
    ids = np.zeros((num_bits + width - 1) // width, dtype=np.int64)
    for i in range(len(ids)):
        first, last = i * width, min((i + 1) * width, num_bits)
        value = np.int64(0)
        bit = first
        while bit < last:
            take = min(8 - (bit & 7), last - bit)
            piece = (np.int64(data[bit >> 3]) >> (8 - (bit & 7) - take)) & ((1 << take) - 1)
            value = (value << take) | piece
            bit += take
        ids[i] = value << (width - (last - first))
    return ids


@kernel
def _unpack(ids, width):
    data = np.zeros((len(ids) * width + 7) // 8, dtype=np.uint8)
    for i in range(len(ids)):
        put_bits(data, i * width, ids[i], width)
    return data


@kernel
def put_bits(data, at, value, width):
    """Write the low `width` bits of `value` into zeroed `data` from bit `at` on."""
    left = width
    while left > 0:
        room = 8 - (at & 7)
        take = min(room, left)
        piece = (value >> (left - take)) & ((1 << take) - 1)
        data[at >> 3] |= np.uint8(piece << (room - take))
        at += take
        left -= take


@kernel
def get_bits(data, at, width):
    """The `width` bits of `data` from bit `at` on; bits beyond the end are zero."""
    value = np.int64(0)
    left = width
    while left > 0:
        room = 8 - (at & 7)
        take = min(room, left)
        byte = np.int64(data[at >> 3]) if (at >> 3) < len(data) else np.int64(0)
        value = (value << take) | ((byte >> (room - take)) & ((1 << take) - 1))
        at += take
        left -= take
    return value
