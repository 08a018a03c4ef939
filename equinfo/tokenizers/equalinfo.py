"""EqualInfoAC[b,v]: equal-info windows of b bits, cut into N-bit ids (§3.3), with the free-cell rule."""

import math
from typing import Any

import numpy as np

from equinfo.compress import bits
from equinfo.compress.models import ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.compress.windows import WindowCoder, codes_from_bits, codes_to_bits
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.modelled import ModelledTokenizer


class EqualInfoTokenizer(ModelledTokenizer):
    """Windows of `bits` bits over `model`, written as ids of `width` = 8, 12 or 16 bits, width <= bits.

    Where width divides bits, each window is bits / width whole ids; elsewhere ids run across window ends and the
    document's last id is padded with zero bits.
    """

    kind = "equalinfo"

    def __init__(self, model: ByteModel, bits: int, width: int, max_window: int | None = None) -> None:
        super().__init__(model, width)
        if width > bits:
            raise EquinfoError(f"ids of {width} bits do not fit windows of {bits}: choose width <= bits")
        self.windows = WindowCoder(model, bits, max_window)
        self.bits = bits
        self.unit = math.lcm(bits, width) // width
        self.name = f"EqualInfoAC[b={bits},{vocabulary_label(self.code_size)}]"

    def _options(self) -> dict[str, Any]:
        return {"bits": self.bits, "width": self.width, "max_window": self.windows.max_window}

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return map_groups(self._encode_group, documents)

    def _encode_group(self, documents: list[bytes]) -> list[np.ndarray]:
        return [
            bits.pack(codes_to_bits(codes, self.bits), len(codes) * self.bits, self.width)
            for codes in self.windows.encode(documents)
        ]

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return map_groups(self._decode_group, ids)

    def _decode_group(self, ids: list[np.ndarray]) -> list[bytes]:
        return self.windows.decode([self._codes(stream) for stream in ids])

    def _codes(self, ids: np.ndarray) -> np.ndarray:
        data, num_bits = bits.unpack(ids, self.width)
        left = num_bits % self.bits
        if left >= self.width or bits.get_bits(data, num_bits - left, left):
            raise EquinfoError(f"{len(ids)} ids end inside a window of {self.bits} bits: the stream was cut or altered")
        return codes_from_bits(data, num_bits // self.bits, self.bits)
