"""A text of many documents in one buffer, and where its pretokens or its pieces begin."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from equinfo.compress.codebook.pretokens import CLASS, CUT, masks_of
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.double_array import MAX_LENGTH
from equinfo.compress.dictionary.parse import parse
from equinfo.compress.jit import kernel
from equinfo.compress.parallel import in_threads, num_threads

PIECE = 1 << 20  # bytes that are parsed at a time


class Text:
    """data: uint8[n], a zero byte after each document; begins, stops: int64[documents], in it."""

    def __init__(self, documents: list[bytes]) -> None:
        self.data = np.frombuffer(b"\0".join([*documents, b""]), dtype=np.uint8)
        self.stops = np.cumsum([len(document) + 1 for document in documents], dtype=np.int64) - 1
        self.begins = np.concatenate([[0], self.stops[:-1] + 1])
        self.num_bytes = len(self.data) - len(self.stops)


def pretoken_starts(text: Text) -> np.ndarray:
    """Where pretokens begin: uint32[n], ascending."""
    return np.concatenate(_in_threads(text, _pretoken_starts))


def dictionary_of(strings: list[bytes], mode: str) -> Dictionary:
    """`strings`, by their numbers, as pieces of a mode."""
    codes, cut = np.arange(len(strings)), CUT if mode == "strict" else None
    return Dictionary(strings, codes, masks_of(strings, mode), CLASS, cut=cut)


def cut(
    text: Text, dictionary: Dictionary, how: str, costs: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(where the pieces of a text begin: uint32[n], ascending; uses of each code: int64[codes]).

    how: one of parse.PARSES. costs: uint16[codes], for the likeliest.
    """
    if how != "longest":
        parts = _in_threads(text, _parsed, *dictionary.for_parse(costs))
        codes, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    else:
        spans = np.column_stack([text.begins, text.stops, np.zeros_like(text.stops)])
        codes, counts = dictionary.walk(text.data, spans, np.uint32)
    lengths = dictionary.spelled[0] & MAX_LENGTH
    return _starts(text.begins, counts, codes, lengths), np.bincount(codes, minlength=len(lengths))


def _in_threads(text: Text, function: Callable[..., Any], *given: Any) -> list[Any]:
    """function(data, begins, stops, *given) of the documents, in a run of equal size a thread."""
    wanted = [len(text.data) * n // num_threads() for n in range(1, num_threads())]
    edges = [0, *np.searchsorted(text.stops, wanted).tolist(), len(text.stops)]
    parts = [(text.begins[a:b], text.stops[a:b]) for a, b in pairwise(edges)]
    return in_threads(lambda part: function(text.data, *part, *given), parts)


@kernel
def _pretoken_starts(data, begins, stops):
    starts = np.empty(1 << 12, dtype=np.uint32)
    size = 0
    for document in range(len(stops)):
        for at in range(begins[document], stops[document]):
            if at == begins[document] or CUT[CLASS[data[at - 1]], CLASS[data[at]]]:
                starts = _with_room(starts, size, 1)
                starts[size] = at
                size += 1
    return starts[:size].copy()


@kernel
def _with_room(array, size, more):
    """`array`, or a larger one with its first `size` values, that holds `more` after these."""
    if size + more <= len(array):
        return array
    larger = np.empty(2 * (size + more), dtype=array.dtype)
    larger[:size] = array[:size]
    return larger


@kernel
def _starts(begins, counts, codes, lengths):
    starts = np.empty(len(codes), dtype=np.uint32)
    k = 0
    for document in range(len(begins)):
        at = begins[document]
        for _ in range(counts[document]):
            starts[k] = at
            at += lengths[codes[k]]
            k += 1
    return starts


@kernel
def _parsed(data, begins, stops, table, root, amid_root, inside, classes, costs):
    """(codes uint32[n], how many each document has)."""
    codes = np.empty(1 << 12, dtype=np.uint32)
    size = 0
    counts = np.zeros(len(stops), dtype=np.int64)
    for document in range(len(stops)):
        at = begins[document]
        stop = stops[document]
        while at < stop:
            end = min(at + PIECE, stop)
            cuts = at == begins[document] or CUT[CLASS[data[at - 1]], CLASS[data[at]]]
            given = table, root, amid_root, inside, classes, costs
            found, used = parse(data[at:end], end == stop, np.int64(not cuts), *given)
            codes = _with_room(codes, size, len(found))
            codes[size : size + len(found)] = found
            size += len(found)
            counts[document] += len(found)
            at += used
    return codes[:size].copy(), counts
