"""Bytes: the id of a byte is its value."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from equinfo.tokenizers.base import Tokenizer, as_bytes


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

    def encoder(self) -> "ByteEncoder":
        return ByteEncoder(self)

    def decoder(self) -> "ByteDecoder":
        return ByteDecoder(self)


class ByteEncoder:
    """Holds nothing; see incremental.py."""

    def __init__(self, tokenizer: ByteTokenizer) -> None:
        self.dtype = tokenizer.dtype

    def feed(self, data: bytes) -> np.ndarray:
        return np.frombuffer(as_bytes(data), dtype=np.uint8).astype(self.dtype)

    def finish(self) -> np.ndarray:
        return np.empty(0, dtype=self.dtype)


class ByteDecoder:
    """Holds nothing."""

    def __init__(self, tokenizer: ByteTokenizer) -> None:
        self.tokenizer = tokenizer

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        return self.tokenizer.checked(ids).astype(np.uint8).tobytes()

    def finish(self) -> bytes:
        return b""
