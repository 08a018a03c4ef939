"""What tokenizers over a dictionary share: one look-up a code, and no second look at arrays."""

import contextlib
from collections.abc import Iterable, Sequence

import numpy as np

from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.follow import never_follow
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer, listed
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.utf8 import Text, all_as_bytes


class LookedUpTokenizer(Tokenizer):
    """Ids are the codes of `dictionary`; where there is none, all is as by the class after this."""

    dictionary: Dictionary | None
    parse: str = "longest"  # see dictionary/parse.py; the others need more than the walk

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        if self.dictionary:
            return self.dictionary.encode(documents, self.dtype)
        return super()._encode_batch(documents)  # type: ignore[safe-super]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        if self.dictionary:
            return self.dictionary.decode(streams)
        return super()._decode_batch(streams)  # type: ignore[safe-super]

    def encoder(self) -> IncrementalEncoder:
        """Holds less than the longest string and a byte."""
        if not self.dictionary:
            return super().encoder()
        return IncrementalEncoder(self.dictionary.part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """Bytes come with their ids."""
        if not self.dictionary:
            return super().decoder()
        decode = self.dictionary.decode
        return IncrementalDecoder(lambda ids, last: (decode([ids])[0], len(ids)), self.checked)

    def canonical_mask(self) -> tuple[np.ndarray, np.ndarray] | None:
        """See dictionary/follow.py; of longest matches whose codes have strings of their own."""
        if not self.dictionary or self.parse != "longest" or not self.dictionary.lossless:
            return None
        return self._over_vocabulary(*never_follow(self.dictionary))

    def encode_batch(self, documents: Iterable[Text]) -> list[np.ndarray]:
        """Ids of each document. A str becomes bytes just before its walk, to touch less memory."""
        if isinstance(documents, str | bytes):
            return super().encode_batch(documents)
        documents = list(documents)
        plain = {str, bytes}.issuperset(map(type, documents))
        if self.dictionary and self.parse == "longest" and plain:
            return self.dictionary.encode(documents, self.dtype, all_as_bytes)
        return super().encode_batch(documents)

    def decode(self, ids: Sequence[int] | np.ndarray) -> bytes:
        return self.decode_batch([ids])[0]

    def decode_batch(self, streams: Iterable[Sequence[int] | np.ndarray]) -> list[bytes]:
        """The bytes of each id stream; arrays of `dtype` as they are: a check costs more."""
        streams = listed(streams)
        plain = [s for s in streams if isinstance(s, np.ndarray) and s.dtype == self.dtype]
        if self.dictionary and len(plain) == len(streams) > 0 and {s.ndim for s in plain} == {1}:
            with contextlib.suppress(EquinfoError):  # the long way says which id is wrong
                return self.dictionary.decode(plain)
        return super().decode_batch(streams)
