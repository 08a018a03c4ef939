"""What the subword tokenizers share: text must be UTF-8, and every code stands for fixed bytes.

Text is encoded in parts, so that memory does not grow with a document and a stream's ids are a
whole document's. A part ends before the first space or line feed that follows another kind of
character, once it has PART characters; or, where none comes, at 2 * PART. At the former no piece of
either family is cut. GPT-2's pretokens hold white space only at their start or nothing but white
space, so one of them ends there, whatever follows. SentencePiece's pieces hold a space only as
their first character, so that its best segmentation is those of the parts side by side (but for the
rounding of the scores it adds up, which the rule takes out of the ids). A text of 2 * PART
characters without such a place costs a piece at its cut, and no more.
"""

import codecs
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers import utf8
from equinfo.tokenizers.base import Tokenizer, as_bytes

PART = 1 << 14
PLACE = re.compile(
    "[^\\s\u180e](?=[ \n])"
)  # Python's \s and U+180E hold all that any Unicode calls white space


def utf8_texts(documents: list[bytes]) -> list[str]:
    """The documents as str. Raises EquinfoError naming document and byte where one is not valid
    UTF-8.
    """
    texts = []
    for number, document in enumerate(documents):
        try:
            texts.append(document.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise EquinfoError(
                f"document {number} is not valid UTF-8 at byte {error.start}: subword tokenizers"
                " take text only; choose bytes, gzip, ac or equalinfo for any bytes"
            ) from error
    return texts


def part_end(text: str, at: int) -> int | None:
    """Where the part of `text` that begins at `at` ends; None where what follows `text` must
    decide.
    """
    place = PLACE.search(text, at + PART - 1, at + 2 * PART)
    if place:
        return place.end()
    return at + 2 * PART if len(text) >= at + 2 * PART else None


def parts_of(text: str) -> Iterator[str]:
    """The parts of a whole text, at least one."""
    at = 0
    while (end := part_end(text, at)) is not None:
        yield text[at:end]
        at = end
    yield text[at:]


class PiecesTokenizer(Tokenizer):
    """A tokenizer of UTF-8 text whose code i stands for the bytes `pieces[i]`, wherever it
    occurs.
    """

    pieces: list[bytes]
    unit = 1

    def decoder(self) -> "PiecesDecoder":
        return PiecesDecoder(self)

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """The pieces that go on where the last character stands."""
        return self._fitting[self._utf8_state(ids)]

    def may_end(self, ids: np.ndarray) -> bool:
        return self._utf8_state(ids) == utf8.START

    @cached_property
    def _fitting(self) -> np.ndarray:
        return utf8.fitting(self.pieces)

    def _utf8_state(self, ids: np.ndarray) -> int:
        return utf8.state_at_end(b"".join(self.pieces[i] for i in ids[-utf8.LONGEST + 1 :]))

    def _token_bytes(self, code: int) -> bytes:
        return self.pieces[code]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return [self._decode(ids, number) for number, ids in enumerate(streams)]

    def _decode(self, ids: np.ndarray, number: int) -> bytes:
        pieces = self.pieces
        data = b"".join([pieces[i] for i in ids.tolist()])
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EquinfoError(
                f"stream {number} decodes to invalid UTF-8 at byte {error.start}: {self.name}"
                " never wrote it"
            ) from error
        return data


class SubwordTokenizer(PiecesTokenizer):
    """One that encodes text in parts."""

    @abstractmethod
    def encode_texts(self, texts: list[str]) -> list[np.ndarray]:
        """Ids (any integer dtype) of each text, none longer than a part."""

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        parts = [list(parts_of(text)) for text in utf8_texts(documents)]
        encoded = iter(self.encode_texts([part for text in parts for part in text]))
        return [_joined([next(encoded) for _ in text]) for text in parts]

    def encoder(self) -> "SubwordEncoder":
        return SubwordEncoder(self)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class SubwordEncoder:
    """Ids a part; see incremental.py. Holds two parts at most, whatever the text."""

    def __init__(self, tokenizer: SubwordTokenizer) -> None:
        self.tokenizer, self.text = tokenizer, codecs.getincrementaldecoder("utf-8")()
        self.held = ""
        self.taken = 0  # bytes

    def feed(self, data: bytes) -> np.ndarray:
        self.held += self._decoded(as_bytes(data))
        parts, at = [], 0
        while (end := part_end(self.held, at)) is not None:
            parts.append(self.held[at:end])
            at = end
        self.held = self.held[at:]
        return self._ids(parts)

    def finish(self) -> np.ndarray:
        self._decoded(b"", final=True)
        return self._ids([self.held])

    def _decoded(self, data: bytes, final: bool = False) -> str:
        pending = len(self.text.getstate()[0])
        try:
            text = self.text.decode(data, final)
        except UnicodeDecodeError as error:
            at = self.taken - pending + error.start
            raise EquinfoError(
                f"the document is not valid UTF-8 at byte {at}: subword tokenizers take text only;"
                " choose bytes, gzip, ac or equalinfo for any bytes"
            ) from error
        self.taken += len(data)
        return text

    def _ids(self, parts: list[str]) -> np.ndarray:
        encoded = self.tokenizer.encode_texts(parts) if parts else []
        return np.concatenate([np.empty(0, dtype=self.tokenizer.dtype), *encoded]).astype(
            self.tokenizer.dtype
        )


class PiecesDecoder:
    """A code's bytes come out with it. Refuses, as a whole stream's decoding does, what is no
    UTF-8.
    """

    def __init__(self, tokenizer: PiecesTokenizer) -> None:
        self.tokenizer, self.text = tokenizer, codecs.getincrementaldecoder("utf-8")()

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        pieces = self.tokenizer.pieces
        return self._checked(b"".join([pieces[i] for i in self.tokenizer.checked(ids).tolist()]))

    def finish(self) -> bytes:
        return self._checked(b"", final=True)

    def _checked(self, data: bytes, final: bool = False) -> bytes:
        try:
            self.text.decode(data, final)
        except UnicodeDecodeError as error:
            raise EquinfoError(
                f"the stream decodes to invalid UTF-8: {self.tokenizer.name} never wrote it"
            ) from error
        return data
