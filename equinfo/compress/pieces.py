"""Bits <-> ids of N bits, as in bits.py, for streams that come in pieces."""

import math

import numpy as np

from equinfo.compress import bits

NO_BYTES = np.empty(0, dtype=np.uint8)
NO_IDS = np.empty(0, dtype=np.int64)


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
        return bits.pack(data[:whole], 8 * whole, self.width)

    def finish(self, data: np.ndarray, num_bits: int) -> np.ndarray:
        """The ids of what is held and of the last `num_bits` bits; the last id is padded with zero
        bits.
        """
        held = self.held
        return bits.pack(np.concatenate([held, data]), 8 * len(held) + num_bits, self.width)


class Unpacker:
    """Ids in, whole bytes out; holds less than one period of ids, those that hold a part of a byte
    among them.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.period = math.lcm(8, width) // width
        self.count = 0
        self.held = NO_IDS

    def feed(self, ids: np.ndarray) -> np.ndarray:
        """ids: int64[n]. Returns the bytes (uint8) that are complete."""
        out = self._whole_bytes()  # have gone out already
        joined = np.concatenate([self.held, ids]) if len(self.held) else ids
        data, num_bits = bits.unpack(joined, self.width)
        self.count += len(ids)
        self.held = joined[len(joined) - len(joined) % self.period :].copy()
        return data[out : num_bits // 8]

    def finish(self) -> np.ndarray:
        """The last byte, padded with zero bits, where only a part of it came."""
        return bits.unpack(self.held, self.width)[0][self._whole_bytes() :]

    def _whole_bytes(self) -> int:
        """How many bytes the held ids complete: a period begins with a byte."""
        return len(self.held) * self.width // 8
