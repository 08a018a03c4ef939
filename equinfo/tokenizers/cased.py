"""Cased[T]: tokenizer T behind a lossless transform of bytes that writes case as signs."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from equinfo.compress.case import (
    INSIDE,
    KIND,
    LETTER,
    PLAIN,
    lowered,
    lowered_part,
    restored,
    restored_part,
)
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.stored import section, word
from equinfo.tokenizers.base import Tokenizer, listed
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.subword import SubwordTokenizer
from equinfo.tokenizers.utf8 import utf8_texts

KINDS = ("bpe", "unigram", "codebook")


class CasedTokenizer(Tokenizer):
    """The ids of `inner` for a text's small letters and signs of case (compress/case.py).

    Takes what `inner` takes, and any ids that decode there decode here. An id that ends with a sign
    acts on the next one, so ids have no bytes of their own everywhere (`unit` is None); `spans` has
    the runs that do.
    """

    kind = "cased"

    def __init__(self, inner: Tokenizer) -> None:
        if inner.kind not in KINDS:
            raise EquinfoError(f"{inner.name} has no case as signs: only {', '.join(KINDS)}")
        self.inner = inner
        self.code_size = inner.code_size
        self.name = f"Cased[{inner.name}]"

    @classmethod
    def lower(cls, documents: list[bytes]) -> list[bytes]:
        """The documents as `inner` sees them."""
        return map_groups(lowered, documents)

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        try:
            return self.inner.encode_batch(self.lower(documents))
        except EquinfoError:
            utf8_texts(documents)  # or it says where the document is none, before the signs
            raise

    def decode_batch(self, streams: Iterable[Sequence[int] | np.ndarray]) -> list[bytes]:
        """The bytes of each id stream, which `inner` checks."""
        return self._decode_batch(listed(streams))

    def _decode_batch(self, streams: list[Any]) -> list[bytes]:
        return map_groups(restored, self.inner.decode_batch(streams))

    def encoder(self) -> IncrementalEncoder:
        """Holds LONGEST + 1 bytes more than that of `inner`."""
        inner = self.inner.encoder()
        utf8 = codecs.getincrementaldecoder("utf-8")()
        inside = False

        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            nonlocal inside
            text, used, inside = lowered_part(data, inside, last)
            if isinstance(self.inner, SubwordTokenizer):  # which would count the signs
                begun = len(utf8.getstate()[0])
                try:
                    utf8.decode(data[:used], last)
                except UnicodeDecodeError as error:
                    error.start -= begun
                    raise
            return inner.feed(text, last), used

        return IncrementalEncoder(part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """As that of `inner`."""
        inner = self.inner.decoder()
        state = PLAIN

        def part(ids: np.ndarray, last: bool) -> tuple[bytes, int]:
            nonlocal state
            data, state = restored_part(inner.feed(ids, last), state)
            return data, len(ids)

        return IncrementalDecoder(part, self.checked)

    @property
    def ends_itself(self) -> bool:
        return False

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        return self.inner.allowed(ids)

    def may_end(self, ids: np.ndarray) -> bool:
        return self.inner.may_end(ids)

    def canonical_mask(self) -> tuple[np.ndarray, np.ndarray] | None:
        """That of `inner` for any text, with signs or not."""
        return self.inner.canonical_mask()

    def _runs(self, text: bytes) -> list[tuple[Any, int]]:
        return list(self._whole_runs(text))

    def _whole_runs(self, text: bytes) -> Iterator[tuple[np.ndarray, int]]:
        """Runs of `inner` up to where no sign acts on what follows."""
        (data,) = lowered([text])
        held, size, state, at = [], 0, PLAIN, 0
        for ids, length in self.inner._runs(data):
            found, state = restored_part(data[at : at + length], state)
            at += length
            held.append(ids)
            size += len(found)
            ended = at == len(data) or not KIND[data[at]] & LETTER
            if state == PLAIN or (state == INSIDE and ended):
                yield np.concatenate(held), size
                held, size, state = [], 0, PLAIN

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config, tensors = self.inner._parts()
        return {"inner": self.inner.kind, "config": config}, tensors

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        from equinfo.tokenizers.registry import tokenizer_class

        inner = tokenizer_class(word(config, "inner", KINDS))
        return cls(inner._from_parts(section(config, "config"), tensors))
