"""What tokenizers and an M1 make of a short text: pieces, ids, bits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load
from equinfo.tokenizers.spans import Span

if TYPE_CHECKING:
    pass

DEFAULTS: tuple[str, ...] = ("bytes", "english-16k", "english-64k", "english-equalinfo16", "gzip8")
M1 = "english-m1"
LONGEST = 2000
"""Characters of a text; what is longer is cut, and the page says so."""
SLOW = 2000 * 3_200_000
"""Characters times M1 parameters that a tokenizer over a network may run: about a second."""
LEAST = 100


@dataclass(frozen=True)
class Reading:
    """A text as a tokenizer cuts it. label: the user's name for it. cut: the text was longer."""

    label: str
    tokenizer: Tokenizer
    text: bytes
    spans: tuple[Span, ...]
    cut: bool

    @cached_property
    def ids(self) -> list[int]:
        return [i for span in self.spans for i in span.ids]

    @property
    def bits(self) -> float:
        return sum(span.bits for span in self.spans)

    def piece(self, span: Span) -> bytes:
        return self.text[span.start : span.end]

    @cached_property
    def spent(self) -> np.ndarray:
        """f64[bytes]: each span's bits, spread evenly over its bytes."""
        sizes = np.array([span.end - span.start for span in self.spans], dtype=np.int64)
        bits = np.array([span.bits for span in self.spans], dtype=np.float64)
        return np.repeat(bits / np.maximum(sizes, 1), sizes)


def read(label: str, tokenizer: Tokenizer, text: str) -> Reading:
    """`text` under a tokenizer; of a slow one only the beginning."""
    most = longest(tokenizer)
    data = text[:most].encode()
    return Reading(label, tokenizer, data, tuple(tokenizer.spans(data)), len(text) > most)


def longest(tokenizer: Tokenizer) -> int:
    """Characters that a tokenizer is given at most."""
    if not tokenizer.m1_parameters:
        return LONGEST
    return max(LEAST, min(LONGEST, SLOW // tokenizer.m1_parameters))


def read_all(tokenizers: Mapping[str, Tokenizer], text: str) -> list[Reading]:
    return [read(label, tokenizer, text) for label, tokenizer in tokenizers.items()]


def clean(text: str | None, most: int = LONGEST) -> str:
    """At most `most` characters of what a browser sent; lone surrogates become U+FFFD."""
    units = (text or "")[: 2 * most].encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")[:most]


def by_character(text: str, values: Iterable[float]) -> list[float]:
    """Sums over each character of `text` of values, one a byte."""
    if not text:
        return []
    starts = np.cumsum([0, *(len(c.encode()) for c in text[:-1])])
    return np.add.reduceat(np.array([*values]), starts).tolist()


def default_tokenizers() -> list[Tokenizer | Path | str]:
    """DEFAULTS, and arithmetic coding over M1, whose ids are 8 bits of one number."""
    from equinfo.compress.models.base import load_model
    from equinfo.tokenizers.arithmetic import ArithmeticTokenizer

    return [*DEFAULTS, ArithmeticTokenizer(load_model(M1), 8)]


def load_all(names: Iterable[Tokenizer | Path | str]) -> dict[str, Tokenizer]:
    """Tokenizers by what the page calls them: a name, a folder's last part, the tokenizer's own."""
    found: dict[str, Tokenizer] = {}
    for name in names:
        tokenizer = load(name)
        label = tokenizer.name if isinstance(name, Tokenizer) else Path(name).resolve().name
        if label in found:
            if found[label].fingerprint == tokenizer.fingerprint:
                continue
            label = f"{label} ({tokenizer.fingerprint[:8]})"
        found[label] = tokenizer
    if not found:
        raise EquinfoError("name one tokenizer or more: -t bytes -t FOLDER")
    return found
