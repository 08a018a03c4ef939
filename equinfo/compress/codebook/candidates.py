"""All strings that follow a text's piece starts often enough, with how often they may end there.

The starts are kept sorted by what follows them, as deep as was looked: a string is then a range of
starts, and one more byte of depth is a stable counting sort inside it. Thresholds fall until there
are candidates enough, and only ranges that reach the threshold are looked into. Memory: 8 bytes a
start, and a NODE for each string that reaches the floor. In the mode strict, what follows a start
inside a pretoken ends with that, as with a document: no piece from there crosses its end.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from equinfo.compress.codebook.choose import NUM_BYTES, Candidates, spelt
from equinfo.compress.codebook.pretokens import (
    ALIGNED,
    ANYWHERE,
    CLASS,
    CUT,
    CUT_BITS,
    END,
    MODES,
    STRICT,
    SUPERWORD,
)
from equinfo.compress.codebook.segments import Text
from equinfo.compress.jit import kernel
from equinfo.compress.parallel import num_threads

MAX_LENGTH = 64  # bytes of a string
NO_BYTE = 256  # what follows a document's last byte


def node_type(weight: Any, *more: Any) -> np.dtype:
    """A string in a `Tree`, counted in `weight`s; parent and fallback as in choose.Candidates."""
    return np.dtype(
        [
            *more,
            ("parent", np.int32),
            ("fallback", np.int32),
            ("passes", weight),  # how much of the pieces goes on with it
            ("ends", weight),  # how much may end with it; 0 until it is `seen`
            ("byte", np.uint8),
            ("depth", np.uint8),
            ("cut", np.bool_),  # whether a pretoken boundary lies inside
            ("seen", np.bool_),
        ],
        align=True,
    )


NODE = node_type(np.uint32, ("low", np.uint32))  # `passes` of the sorted starts, from `low` on


class Tree:
    """Strings as a growing array of nodes, parents before their children."""

    def __init__(self, dtype: np.dtype, passes: np.ndarray) -> None:
        """The 256 bytes, each of which may end anywhere."""
        self.store = np.zeros(NUM_BYTES, dtype=dtype)
        self.size = NUM_BYTES
        self.store["parent"] = self.store["fallback"] = -1
        self.store["passes"] = self.store["ends"] = passes
        self.store["byte"] = np.arange(NUM_BYTES)
        self.store["depth"] = 1

    @property
    def array(self) -> np.ndarray:
        return self.store[: self.size]

    def grow(
        self, look: Callable[[np.ndarray], np.ndarray], threshold: int, floor: int, wanted: int
    ) -> None:
        """Look into strings that pass the threshold, then a lower one, down to `floor`.

        look: gives the children of nodes, which it has `seen`. The growth ends where `wanted`
        strings may end as often as the threshold says: none that was left out ends more often.
        """
        while True:
            todo = self._unseen(threshold, 0)
            while len(todo):
                new = look(todo)
                first = self.size
                self.size += len(new)
                if self.size > len(self.store):
                    self.store = np.concatenate([self.store, np.empty(self.size, dtype=new.dtype)])
                self.store[first : self.size] = new
                todo = self._unseen(threshold, first)
            if threshold == floor or np.count_nonzero(self.array["ends"] >= threshold) >= wanted:
                return
            threshold = max(threshold * 2 // 3, floor)

    def _unseen(self, threshold: int, first: int) -> np.ndarray:
        nodes = self.array[first:]
        return first + np.flatnonzero(~nodes["seen"] & (nodes["passes"] >= threshold))

    def strings(self, numbers: np.ndarray) -> list[bytes]:
        nodes = self.array
        return spelt(nodes["parent"], nodes["byte"], nodes["depth"], numbers)

    def candidates(self) -> Candidates:
        names = ("parent", "fallback", "depth", "ends")
        parents, fallbacks, depths, ends = (self.array[name].astype(np.int64) for name in names)
        return Candidates(parents, fallbacks, self.array["byte"].copy(), depths, ends)


def count_strings(text: Text, starts: np.ndarray, mode: str, wanted: int, floor: int) -> Candidates:
    """The strings after `starts` (uint32[n], which are sorted here).

    At least `wanted` of them may be pieces and pass as many starts as any that is left out; or else
    they are all that pass `floor` starts (2 or more). Does not depend on the number of threads.
    """
    scratch = np.empty_like(starts)
    counts, begins = np.zeros((2, NO_BYTE + 1), dtype=np.int64)
    _sort(text.data, np.zeros(0, dtype=np.int64), starts, scratch, 0, False, counts, begins)
    tree = Tree(NODE, counts[:NUM_BYTES])
    tree.array["low"] = begins[:NUM_BYTES]

    def look(todo: np.ndarray) -> np.ndarray:
        given = text.data, text.stops, starts, scratch, tree.array
        sums = np.cumsum(tree.array["passes"][todo], dtype=np.int64)
        wanted = [sums[-1] * n // num_threads() for n in range(1, num_threads())]
        edges = [0, *np.searchsorted(sums, wanted).tolist(), len(todo)]
        parts = [todo[low:high] for low, high in pairwise(edges)]
        found = pool.map(lambda part: _look(*given, part, MODES.index(mode), floor), parts)
        return np.concatenate(list(found))

    with ThreadPoolExecutor(num_threads()) as pool:
        tree.grow(look, max(len(starts) // 64, floor), floor, wanted)
    return tree.candidates()


@kernel
def expand(nodes, number, weights, mode, floor, children, size):
    """Where nodes[number] may end, and its children of `floor` or more, from children[size] on.

    weights: int64[257], how much of it goes on with each byte or NO_BYTE. mode: its place in MODES.
    Returns children, or a larger array where they have no room, and how many there are then.
    """
    node = nodes[number]
    mask = CUT_BITS[CLASS[node.byte]] if mode >= SUPERWORD and node.cut else ANYWHERE
    ends = weights[NO_BYTE] if mask >> END & 1 else np.int64(0)
    for byte in range(NUM_BYTES):
        may_end = mask >> CLASS[byte] & 1
        if may_end:
            ends += weights[byte]
        cut = node.cut or CUT[CLASS[node.byte], CLASS[byte]]
        if weights[byte] < floor or node.depth == MAX_LENGTH or (cut and mode == ALIGNED):
            continue
        if size == len(children):
            children = np.concatenate((children, np.empty_like(children)))
        child = children[size]
        child.parent = number
        child.fallback = number if may_end else node.fallback
        child.passes = weights[byte]
        child.ends = 0
        child.byte = byte
        child.depth = node.depth + 1
        child.cut = cut
        child.seen = False
        size += 1
    node.ends = ends
    node.seen = True
    return children, size


@kernel
def _look(data, stops, starts, scratch, nodes, todo, mode, floor):
    """Sort the ranges of the nodes `todo` by the next byte, and `expand` them: their children.

    The ranges must be disjoint; then threads may look into shares of them at once.
    """
    children, size = np.empty(1024, dtype=NODE), 0
    counts = np.empty(NO_BYTE + 1, dtype=np.int64)
    begins = np.empty(NO_BYTE + 1, dtype=np.int64)
    for number in todo:
        low = np.int64(nodes[number].low)
        part = slice(low, low + np.int64(nodes[number].passes))
        depth = np.int64(nodes[number].depth)
        _sort(data, stops, starts[part], scratch[part], depth, mode == STRICT, counts, begins)
        first = size
        children, size = expand(nodes, number, counts, mode, floor, children, size)
        for k in range(first, size):
            children[k].low = low + begins[children[k].byte]
    return children[:size].copy()


@kernel
def _sort(data, stops, starts, scratch, depth, strict, counts, begins):
    """Sort the starts by the byte `depth` after them, keeping their order.

    counts, begins: int64[257], filled: how many go on with each byte or NO_BYTE, and from where on.
    """
    counts[:] = 0
    for start in starts:
        counts[_next(data, stops, np.int64(start), depth, strict)] += 1
    begin = 0
    for symbol in range(NO_BYTE + 1):
        begins[symbol] = begin
        begin += counts[symbol]
    if counts.max() == len(starts):
        return
    places = begins.copy()
    for start in starts:
        symbol = _next(data, stops, np.int64(start), depth, strict)
        scratch[places[symbol]] = start
        places[symbol] += 1
    starts[:] = scratch


@kernel
def _next(data, stops, start, depth, strict):
    """The byte `depth` after a start, or NO_BYTE where no piece from there goes on with it."""
    byte = _byte(data, stops, start + depth)
    if strict and depth > 0 and byte != NO_BYTE and _boundary(data, stops, start + depth):
        return byte if _boundary(data, stops, start) else np.int64(NO_BYTE)
    return byte


@kernel
def _boundary(data, stops, at):
    """Whether a pretoken begins at a place."""
    before = _byte(data, stops, at - 1) if at > 0 else np.int64(NO_BYTE)
    return before == NO_BYTE or CUT[CLASS[before], CLASS[data[at]]]


@kernel
def _byte(data, stops, at):
    """The byte at a place, or NO_BYTE where a document ends there."""
    byte = np.int64(data[at])
    if byte == 0:
        document = np.searchsorted(stops, at)
        if document < len(stops) and stops[document] == at:
            return np.int64(NO_BYTE)
    return byte
