"""EqualTextAC[t,v]: windows of t bytes, each in as few ids as decode (the paper's appendix B)."""

from typing import Any

import numpy as np

from equinfo.compress.coder.equal_text import EqualTextCoder
from equinfo.compress.models.base import ByteModel
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.modelled import ModelledTokenizer

MAX_SIZE = 1 << 12


class EqualTextTokenizer(ModelledTokenizer):
    """Windows of `size` bytes over `model`, restarted for each, in ids of `width` (1 to 16) bits.

    A window takes as many ids as it needs (`unit` is None); where each ends only decoding shows.
    """

    kind = "equaltext"

    def __init__(self, model: ByteModel, size: int, width: int) -> None:
        super().__init__(model, width)
        if not 1 <= size <= MAX_SIZE:
            raise EquinfoError(f"windows of {size} bytes: choose 1 to {MAX_SIZE}")
        self.size = size
        self.coder = EqualTextCoder(model, size, width)
        self.name = f"EqualTextAC[t={size},{vocabulary_label(self.code_size)}]"

    def _options(self) -> dict[str, Any]:
        return {"size": self.size, "width": self.width}

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return self.coder.encode(documents)

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return self.coder.decode(ids)

    def encoder(self) -> IncrementalEncoder:
        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            used = len(data) if last else len(data) - len(data) % self.size
            return self.coder.encode([data[:used]])[0], used

        return IncrementalEncoder(part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """Holds about as many ids as the longest window takes."""

        def part(ids: np.ndarray, last: bool) -> tuple[bytes, int]:
            return (self.coder.decode([ids])[0], len(ids)) if last else self.coder.decode_part(ids)

        return IncrementalDecoder(part, self.checked)
