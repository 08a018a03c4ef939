"""One document in pieces: what goes in piece by piece comes out as soon as it is certain.

    encoder = tokenizer.encoder()
    ids = [encoder.feed(piece) for piece in pieces] + [encoder.finish()]     # ==
    tokenizer.encode(b"".join(pieces))
    decoder = tokenizer.decoder()
    data = [decoder.feed(run) for run in runs] + [decoder.finish()]          # ==
    tokenizer.decode(all ids)

A family says one thing in each direction, `part(held, last)`: what is certain of a document that
begins with `held`, or is `held` and no more (`last`), and how much of `held` that stands for. The
rest is held, and comes again before the next piece. After `finish` an object is spent.
"""

import codecs
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.utf8 import NOT_TEXT, Text, as_bytes

NO_IDS = np.empty(0, dtype=np.int64)
EncodePart = Callable[[bytes, bool], tuple[np.ndarray, int]]
DecodePart = Callable[[np.ndarray, bool], tuple[bytes, int]]


class IncrementalEncoder:
    """Bytes in, ids out, for one document; keeps a bounded part of it."""

    def __init__(self, part: EncodePart, dtype: type[np.unsignedinteger]) -> None:
        self.part = part
        self.dtype = dtype
        self.held = b""
        self.taken = 0  # bytes before those held

    def feed(self, data: Text, last: bool = False) -> np.ndarray:
        """The ids that `data` makes certain: shape [n], the tokenizer's dtype, n may be 0.

        last: the document ends with `data`, so these are all that are left.
        """
        held = self.held + as_bytes(data)
        try:
            ids, used = self.part(held, last)
        except UnicodeDecodeError as error:
            raise EquinfoError(f"the document {NOT_TEXT % (self.taken + error.start)}") from error
        self.held = held[used:]
        self.taken += used
        return ids.astype(self.dtype, copy=False)

    def finish(self) -> np.ndarray:
        """The ids that are left, now that the document has ended."""
        return self.feed(b"", last=True)


class IncrementalDecoder:
    """Ids in, bytes out, for one document."""

    def __init__(
        self, part: DecodePart, checked: Callable[[Sequence[int] | np.ndarray], np.ndarray]
    ) -> None:
        self.part = part
        self.checked = checked
        self.held = NO_IDS

    def feed(self, ids: Sequence[int] | np.ndarray, last: bool = False) -> bytes:
        """The bytes that `ids` make certain; `last` as above.

        Raises EquinfoError for ids that no encoder has written, as it shows.
        """
        codes = self.checked(ids)
        held = np.concatenate([self.held, codes]) if len(self.held) else codes
        data, used = self.part(held, last)
        self.held = held[used:]
        return data

    def finish(self) -> bytes:
        """The bytes that are left. Raises EquinfoError where the document has not ended."""
        return self.feed(NO_IDS, last=True)


class TextDecoder:
    """A decoder's bytes as str, each character with its last byte; what is no UTF-8 as U+FFFD."""

    def __init__(self, tokenizer: Any) -> None:
        self.decoder = tokenizer.decoder()
        self.text = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, ids: Sequence[int] | np.ndarray) -> str:
        return self.text.decode(self.decoder.feed(ids))

    def finish(self) -> str:
        return self.text.decode(self.decoder.finish(), final=True)
