"""Bytes: the id of a byte is its value."""

from typing import Any, Self

import numpy as np

from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder


class ByteTokenizer(Tokenizer):
    """One id a byte, 256 codes. Takes any bytes."""

    kind = "bytes"
    name = "Bytes"
    code_size = 256
    unit = 1

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return [np.frombuffer(document, dtype=np.uint8) for document in documents]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return [ids.astype(np.uint8).tobytes() for ids in streams]

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        return cls()

    def encoder(self) -> IncrementalEncoder:
        return IncrementalEncoder(
            lambda data, last: (np.frombuffer(data, dtype=np.uint8), len(data)), self.dtype
        )

    def decoder(self) -> IncrementalDecoder:
        return IncrementalDecoder(
            lambda ids, last: (ids.astype(np.uint8).tobytes(), len(ids)), self.checked
        )
