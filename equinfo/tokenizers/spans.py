"""What runs of ids stand for: bytes, characters, bits."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equinfo.errors import EquinfoError

if TYPE_CHECKING:
    from equinfo.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class Span:
    """A run of ids that decodes by itself, and the part of the text that it stands for.

    start, end: bytes of the text. first, last: characters, None where that end lies inside a
    character or the text is no UTF-8 (last is exclusive, as end is). bits: what the ids hold,
    log2(code_size) each (§3.8).
    """

    ids: tuple[int, ...]
    start: int
    end: int
    first: int | None
    last: int | None
    bits: float


def spans(tokenizer: "Tokenizer", text: bytes) -> list[Span]:
    """The shortest runs of the ids of `text` that decode by themselves; they cover text and ids
    without a gap.
    """
    each = math.log2(tokenizer.code_size)
    characters = _characters(text)
    found, start = [], 0
    for ids, size in _runs(tokenizer, text):
        end = start + size
        numbers = tuple(int(i) for i in ids)
        found.append(
            Span(numbers, start, end, characters[start], characters[end], len(numbers) * each)
        )
        start = end
    return found


def _characters(text: bytes) -> list[int | None]:
    """For each byte offset, the end included: how many characters come before it, None inside
    one.
    """
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return [None] * (len(text) + 1)
    found: list[int | None] = []
    seen = 0
    for byte in text:
        begins = byte & 0xC0 != 0x80
        found.append(seen if begins else None)
        seen += begins
    return [*found, seen]


def _runs(tokenizer: "Tokenizer", text: bytes) -> Iterator[tuple[np.ndarray, int]]:
    """(ids, number of bytes) of each run."""
    ids = tokenizer.encode(text)
    if (
        tokenizer.unit is None or not tokenizer.lossless
    ):  # what the ids decode to is not the text they stand for
        return iter([(ids, len(text))] if len(ids) else [])
    runs = [ids[at : at + tokenizer.unit] for at in range(0, len(ids), tokenizer.unit)]
    try:
        return zip(runs, map(len, tokenizer.decode_batch(runs)), strict=True)
    except EquinfoError:  # a subword that is a part of a character
        return _joined(tokenizer, runs)


def _joined(tokenizer: "Tokenizer", runs: list[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """As many runs together as it takes to decode."""
    held = runs[0][:0]
    for run in runs:
        held = np.concatenate([held, run])
        with contextlib.suppress(EquinfoError):
            size = len(tokenizer.decode(held))
            yield held, size
            held = held[:0]
