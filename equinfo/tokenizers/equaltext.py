"""EqualTextAC[t,v]: windows of t bytes, each in as few whole ids as decode by themselves (the
paper's appendix B).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from equinfo.compress.coder.equal_text import EqualTextCoder
from equinfo.compress.models.base import ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.modelled import ModelledTokenizer

MAX_SIZE = 1 << 12


class EqualTextTokenizer(ModelledTokenizer):
    """Windows of `size` bytes over `model`, restarted for each, in ids of `width` (1 to 16) bits.

    A window takes as many ids as it needs, so `unit` is None; where each ends shows only in
    decoding.
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

    def encoder(self) -> "EqualTextEncoder":
        return EqualTextEncoder(self)

    def decoder(self) -> "EqualTextDecoder":
        return EqualTextDecoder(self)

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return map_groups(self.coder.encode, documents)

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return map_groups(self.coder.decode, ids)


class EqualTextEncoder:
    """One document in pieces; holds less than a window."""

    def __init__(self, tokenizer: EqualTextTokenizer) -> None:
        self.tokenizer, self.held = tokenizer, bytearray()

    def feed(self, data: bytes) -> np.ndarray:
        self.held += data
        whole = len(self.held) - len(self.held) % self.tokenizer.size
        ready = bytes(self.held[:whole])
        del self.held[:whole]
        return self.tokenizer.encode(ready)

    def finish(self) -> np.ndarray:
        return self.tokenizer.encode(bytes(self.held))


class EqualTextDecoder:
    """One document's ids in pieces; holds about as many as the longest window takes."""

    def __init__(self, tokenizer: EqualTextTokenizer) -> None:
        self.tokenizer = tokenizer
        self.held = np.empty(0, dtype=np.int64)

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        joined = np.concatenate([self.held, self.tokenizer.checked(ids)])
        data, used = self.tokenizer.coder.decode_part(joined)
        self.held = joined[used:]
        return data

    def finish(self) -> bytes:
        return self.tokenizer.decode(self.held)
