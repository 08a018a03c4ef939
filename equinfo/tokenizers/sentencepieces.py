"""Any SentencePiece model, as its library runs it. (`unigram` is ours, and loses nothing.)"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sentencepiece

from equinfo.compress.parallel import num_threads
from equinfo.errors import foreign
from equinfo.tokenizers.imported_base import ImportedTokenizer

PIECE, ID, END = 2, 2, 5  # fields of SentencePieceText and of a piece in it (sentencepiece.proto)


class SentencePieceTokenizer(ImportedTokenizer):
    """Ids as `EncodeAsIds` gives them, bytes as `Decode` does: not lossless, ▁ becomes a space."""

    kind = "sentencepiece"

    def _open(self) -> np.ndarray:
        self._library = sentencepiece.SentencePieceProcessor()
        self._library.LoadFromSerializedProto(self.model)
        return np.ones(self._library.GetPieceSize(), dtype=np.bool_)

    def encode_texts(self, texts: list[str]) -> list[list[int]]:
        return self._library.EncodeAsIds(texts, num_threads=num_threads())

    def _cuts(self, text: str) -> tuple[list[int], list[int]]:
        serialized = self._library.Encode(text, out_type="serialized_proto")
        pieces = [dict(fields(piece)) for number, piece in fields(serialized) if number == PIECE]
        return [piece[ID] for piece in pieces], [piece[END] for piece in pieces]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        with foreign(f"{self.name} cannot decode these ids"):
            return [self._library.Decode(i.tolist()).encode() if len(i) else b"" for i in streams]


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a protocol buffer's fields; the library's readers differ by version.

    Raises ValueError for what no field that is read here can be.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if tag >> 32 or kind not in (0, 2, 5):
            raise ValueError("a field of a kind that SentencePiece's models have not")
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
        else:  # 2: bytes, 5: a float, which none of the fields used is
            size, at = _varint(data, at) if kind == 2 else (4, at)
            yield number, data[at : at + size]
            at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends) of seven bits a byte, lowest first."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
