"""Texts to ids where added tokens in a text count, and where not; what truncation leaves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from equinfo.hf.units import offsets
from equinfo.tokenizers.base import Tokenizer, id_dtype


@dataclass(frozen=True)
class Parser:
    """`native`, and the added tokens (string -> id) that a text's characters may spell."""

    native: Tokenizer
    added: dict[str, int]

    def ids(self, texts: list[str]) -> list[np.ndarray]:
        """Ids of each text; what lies between added tokens is encoded as a text of its own."""
        if not self.added:
            return self.native.encode_batch(texts)
        parts = [list(self._parts(text)) for text in texts]
        plain = [part for found in parts for _, part in found if part not in self.added]
        encoded = iter(self.native.encode_batch(plain))
        ids = [
            [self._id(part) if part in self.added else next(encoded) for _, part in found]
            for found in parts
        ]
        return [np.concatenate([self._id(), *found]) for found in ids]

    def _id(self, *tokens: str) -> np.ndarray:
        dtype = id_dtype(max(self.added.values()) + 1)
        return np.array([self.added[token] for token in tokens], dtype=dtype)

    def _parts(self, text: str) -> Iterator[tuple[int, str]]:
        """(first character, added token or text between), in order; the longer of two tokens."""
        at = 0
        longest = sorted(self.added, key=len, reverse=True)
        for match in re.finditer("|".join(map(re.escape, longest)), text) if longest else ():
            yield at, text[at : match.start()]
            yield match.start(), match[0]
            at = match.end()
        yield at, text[at:]

    def offsets(self, text: str, ids: np.ndarray) -> np.ndarray:
        """int64[len(ids), 2]: first and last characters of each of the text's ids; see units.py."""
        added = np.flatnonzero(ids >= self.native.code_size)
        # a run of codes, an added token, a run of codes, ...
        runs = np.split(ids, np.stack([added, added + 1], axis=1).reshape(-1))
        parts = zip(self._parts(text), runs, strict=True)
        return np.concatenate([at + self._offsets(part, run) for (at, part), run in parts])

    def _offsets(self, part: str, ids: np.ndarray) -> np.ndarray:
        return np.array([[0, len(part)]]) if part in self.added else offsets(self.native, part, ids)

    def last(self, ids: np.ndarray, keep: int) -> slice:
        """The last `keep` ids, or fewer: from the first whole unit or added token among them on."""
        drop = len(ids) - keep
        apart = ids >= self.native.code_size
        places = np.arange(len(ids))
        # where each id's run of codes begins
        runs = np.maximum.accumulate(np.where(apart, places + 1, 0))
        begins = np.append(apart | ((places - runs) % (self.native.unit or 1) == 0), True)
        return slice(drop + int(begins[drop:].argmax()), None)
