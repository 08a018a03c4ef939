"""One document in pieces: what goes in piece by piece comes out as soon as it is certain.

    encoder = tokenizer.encoder()
    ids = [encoder.feed(piece) for piece in pieces] + [encoder.finish()]     # ==
    tokenizer.encode(b"".join(pieces))
    decoder = tokenizer.decoder()
    data = [decoder.feed(run) for run in runs] + [decoder.finish()]          # ==
    tokenizer.decode(all ids)

After `finish` an object is spent. Text for people: `TextDecoder` holds bytes back until their
character is complete.
"""

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from equinfo.tokenizers.base import Tokenizer


class Encoder(Protocol):
    """Bytes in, ids out, for one document; keeps a bounded part of it."""

    def feed(self, data: bytes) -> np.ndarray:
        """The ids that `data` makes certain: shape [n], the tokenizer's dtype, n may be 0."""

    def finish(self) -> np.ndarray:
        """The ids that are left, now that the document has ended."""


class Decoder(Protocol):
    """Ids in, bytes out, for one document."""

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        """The bytes that `ids` make certain. Raises EquinfoError for ids that no encoder has
        written, as it shows.
        """

    def finish(self) -> bytes:
        """The bytes that are left. Raises EquinfoError where the ids end before their document
        does.
        """


class WholeEncoder:
    """For tokenizers that can only see a document whole: holds it until `finish`."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self.tokenizer, self.held = tokenizer, bytearray()

    def feed(self, data: bytes) -> np.ndarray:
        self.held += data
        return np.empty(0, dtype=self.tokenizer.dtype)

    def finish(self) -> np.ndarray:
        return self.tokenizer.encode(bytes(self.held))


class WholeDecoder:
    """As `WholeEncoder`, the other way."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self.tokenizer = tokenizer
        self.held: list[np.ndarray] = []

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        self.held.append(self.tokenizer.checked(ids))
        return b""

    def finish(self) -> bytes:
        return self.tokenizer.decode(np.concatenate([np.empty(0, dtype=np.int64), *self.held]))


class TextDecoder:
    """A decoder's bytes as str: a character appears once its last byte has; what is no UTF-8
    becomes U+FFFD.
    """

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self.decoder = tokenizer.decoder()
        self.text = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, ids: Sequence[int] | np.ndarray) -> str:
        return self.text.decode(self.decoder.feed(ids))

    def finish(self) -> str:
        return self.text.decode(self.decoder.finish(), final=True)
