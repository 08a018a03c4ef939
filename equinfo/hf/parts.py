"""Texts to ids where added tokens in a text count, and where not; what truncation leaves."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from transformers import AddedToken

from equinfo.hf.units import offsets
from equinfo.tokenizers.base import Tokenizer, id_dtype

WHITE = re.compile(r"\s*")
WORD = re.compile(r"\w")


@dataclass(frozen=True)
class Parser:
    """`native`, and the added tokens, by their ids, that a text's characters may spell.

    Options of these mean what they do in transformers' fast tokenizers: lstrip and rstrip take the
    white space beside a token along, single_word wants no letter there; `normalized` says nothing,
    as no text is normalised.
    """

    native: Tokenizer
    added: Mapping[int, AddedToken]

    @cached_property
    def codes(self) -> dict[str, int]:
        return {token.content: code for code, token in self.added.items() if token.content}

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of two tokens that begin at one place the longer."""
        return re.compile("|".join(map(re.escape, sorted(self.codes, key=len, reverse=True))))

    def ids(self, texts: list[str]) -> list[np.ndarray]:
        """Ids of each text; what lies between added tokens is encoded as a text of its own."""
        if not any(token in text for token in self.codes for text in texts):
            return self.native.encode_batch(texts)
        dtype = id_dtype(max(self.added) + 1)
        parts = [list(self._parts(text)) for text in texts]
        plain = [part for found in parts for _, part, code in found if code is None]
        encoded = iter(self.native.encode_batch(plain))
        ids = [
            [next(encoded) if code is None else np.array([code], dtype) for *_, code in found]
            for found in parts
        ]
        return [np.concatenate([np.empty(0, dtype), *found]) for found in ids]

    def _parts(self, text: str) -> Iterator[tuple[int, str, int | None]]:
        """(first character, text, id of an added token or None), in order; every other is one."""
        at = 0
        for match in self.pattern.finditer(text) if self.codes else ():
            code = self.codes[match[0]]
            token = self.added[code]
            start, end = match.span()
            beside = (text[start - 1 : start], text[end : end + 1])
            if start < at or (token.single_word and any(map(WORD.match, beside))):
                continue
            if token.lstrip:
                start = at + len(text[at:start].rstrip())
            if token.rstrip:
                end = WHITE.match(text, end).end()  # type: ignore[union-attr]
            yield at, text[at:start], None
            yield start, text[start:end], code
            at = end
        yield at, text[at:], None

    def offsets(self, text: str, ids: np.ndarray) -> np.ndarray:
        """int64[len(ids), 2]: first and last characters of each of the text's ids; see units.py."""
        added = np.flatnonzero(ids >= self.native.code_size)
        # a run of codes, an added token, a run of codes, ...
        runs = np.split(ids, np.stack([added, added + 1], axis=1).reshape(-1))
        found = [
            at + (offsets(self.native, part, run) if code is None else np.array([[0, len(part)]]))
            for (at, part, code), run in zip(self._parts(text), runs, strict=True)
        ]
        return np.concatenate(found)

    def last(self, ids: np.ndarray, keep: int) -> slice:
        """The last `keep` ids, or fewer: from the first whole unit or added token among them on."""
        drop = len(ids) - keep
        apart = ids >= self.native.code_size
        places = np.arange(len(ids))
        # where each id's run of codes begins
        runs = np.maximum.accumulate(np.where(apart, places + 1, 0))
        begins = np.append(apart | ((places - runs) % (self.native.unit or 1) == 0), True)
        return slice(drop + int(begins[drop:].argmax()), None)
