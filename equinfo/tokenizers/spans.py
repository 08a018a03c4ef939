"""What runs of ids stand for: bytes, characters, bits."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from equinfo.tokenizers.utf8 import characters


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


def spans_of(
    runs: Iterable[tuple[list[int] | np.ndarray, int]], text: bytes, bits: float
) -> list[Span]:
    """The spans of runs, (ids, bytes that they stand for) each, that make up all of `text`.

    bits: what an id holds.
    """
    number: list[int | None] = [None] * (len(text) + 1)  # of the character that begins at a byte
    with contextlib.suppress(UnicodeDecodeError):
        text.decode("utf-8")
        counts = zip(*characters(text), strict=True)
        number = [int(before) if begins else None for before, begins in counts]
    spans = []
    start = 0
    for ids, size in runs:
        end = start + size
        codes = tuple(int(i) for i in ids)
        spans.append(Span(codes, start, end, number[start], number[end], len(codes) * bits))
        start = end
    return spans
