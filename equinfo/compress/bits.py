"""Bitstreams <-> ids of N bits, whole or in pieces. The first bit is the top bit of a byte."""

import math

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

MAX_WIDTH = 32
NO_BYTES = np.empty(0, dtype=np.uint8)


def pack(data: bytes | np.ndarray, num_bits: int, width: int) -> np.ndarray:
    """The first `num_bits` bits of `data` as ids of `width` bits, the last padded with zero bits.

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


class Packer:
    """Whole bytes in, ids of `width` bits out; holds less than one period of both."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.period = math.lcm(8, width) // 8
        self.held = NO_BYTES

    def feed(self, data: np.ndarray) -> np.ndarray:
        """data: uint8[n]. Returns the ids (int64) that are complete, in whole periods."""
        data = np.concatenate([self.held, data]) if len(self.held) else data
        whole = len(data) - len(data) % self.period
        self.held = data[whole:].copy()
        return pack(data[:whole], 8 * whole, self.width)

    def finish(self, data: np.ndarray, num_bits: int) -> np.ndarray:
        """The ids of what is held and of the last `num_bits` bits, padded with zero bits."""
        return pack(np.concatenate([self.held, data]), 8 * len(self.held) + num_bits, self.width)


class Unpacker:
    """Ids in, whole bytes out; holds less than a period of ids, with all parts of the next byte."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.period = math.lcm(8, width) // width
        self.count = 0
        self.held = np.empty(0, dtype=np.int64)

    def feed(self, ids: np.ndarray) -> np.ndarray:
        """ids: int64[n]. Returns the bytes (uint8) that are complete."""
        out = self._whole_bytes()  # have gone out already
        joined = np.concatenate([self.held, ids]) if len(self.held) else ids
        data, num_bits = unpack(joined, self.width)
        self.count += len(ids)
        self.held = joined[len(joined) - len(joined) % self.period :].copy()
        return data[out : num_bits // 8]

    def finish(self) -> np.ndarray:
        """The last byte, padded with zero bits, where only a part of it came."""
        return unpack(self.held, self.width)[0][self._whole_bytes() :]

    def _whole_bytes(self) -> int:
        """How many bytes the held ids complete: a period begins with a byte."""
        return len(self.held) * self.width // 8


@kernel
def _pack(data, num_bits, width):
    ids = np.zeros((num_bits + width - 1) // width, dtype=np.int64)
    for i in range(len(ids)):
        there = min(width, num_bits - i * width)
        ids[i] = get_bits(data, i * width, there) << (width - there)
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
