"""All strings that follow a text's window starts often enough, with how often they may end there.

The starts are kept sorted by what follows them, as deep as was looked: a string is then a range of
starts, and one more byte of depth is a stable counting sort inside it. Thresholds fall until there
are candidates enough, and only ranges that reach the threshold are looked into. Memory: 8 bytes a
start, and a NODE for each string that reaches the floor.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np

from equinfo.compress.codebook.choose import NUM_BYTES, Candidates
from equinfo.compress.codebook.pretokens import (
    ALIGNED,
    ANYWHERE,
    CLASS,
    CUT,
    CUT_BITS,
    END,
    MODES,
    SUPERWORD,
)
from equinfo.compress.codebook.segments import Text
from equinfo.compress.jit import kernel
from equinfo.compress.parallel import num_threads

MAX_LENGTH = 64  # bytes of a string
NO_BYTE = 256  # what follows a document's last byte

NODE = np.dtype(
    [
        ("parent", np.int32),  # as in choose.Candidates
        ("fallback", np.int32),
        ("low", np.uint32),  # its starts: low .. high - 1 of the sorted ones
        ("high", np.uint32),
        ("ends", np.uint32),  # at how many of them it may end; 0 until it is `seen`
        ("byte", np.uint8),
        ("depth", np.uint8),
        ("cut", np.bool_),  # whether a pretoken boundary lies inside
        ("seen", np.bool_),
    ],
    align=True,
)


def count_strings(text: Text, starts: np.ndarray, mode: str, wanted: int, floor: int) -> Candidates:
    """The strings after `starts` (uint32[n], which are sorted here).

    At least `wanted` of them may be pieces and pass as many starts as any that is left out; or else
    they are all that pass `floor` starts (2 or more). Does not depend on the number of threads.
    """
    nodes, scratch = _Nodes(_roots(text.data, starts)), np.empty_like(starts)
    threshold = max(len(starts) // 64, floor)
    with ThreadPoolExecutor(num_threads()) as pool:
        while True:
            todo = nodes.unseen(threshold)
            while len(todo):
                before = nodes.size
                shares = _shares(nodes.passes()[todo], num_threads())
                work = (text.data, text.stops, starts, scratch, nodes.array)
                calls = [
                    partial(_look, *work, todo[share], MODES.index(mode), floor) for share in shares
                ]
                jobs = [pool.submit(call) for call in calls]
                nodes.add(
                    np.concatenate([job.result() for job in jobs])
                )  # once all have written to the old ones
                todo = nodes.unseen(threshold, before)
            if threshold == floor or np.count_nonzero(nodes.array["ends"] >= threshold) >= wanted:
                return nodes.candidates()
            threshold = max(threshold * 2 // 3, floor)


class _Nodes:
    """A growing NODE array."""

    def __init__(self, nodes: np.ndarray) -> None:
        self.store, self.size = nodes, len(nodes)

    @property
    def array(self) -> np.ndarray:
        return self.store[: self.size]

    def add(self, nodes: np.ndarray) -> None:
        wanted = self.size + len(nodes)
        if wanted > len(self.store):
            larger = np.zeros(2 * wanted, dtype=NODE)
            larger[: self.size] = self.array
            self.store = larger
        self.store[self.size : wanted] = nodes
        self.size = wanted

    def passes(self, first: int = 0) -> np.ndarray:
        """uint32[size - first]: the starts that each passes."""
        return self.array["high"][first:] - self.array["low"][first:]

    def unseen(self, threshold: int, first: int = 0) -> np.ndarray:
        """Those from `first` on, not seen yet, that pass `threshold` starts or more."""
        return first + np.flatnonzero(
            ~self.array["seen"][first:] & (self.passes(first) >= threshold)
        )

    def candidates(self) -> Candidates:
        fields = (
            self.array[name].astype(np.int64) for name in ("parent", "fallback", "depth", "ends")
        )
        parents, fallbacks, depths, ends = fields
        return Candidates(parents, fallbacks, self.array["byte"].copy(), depths, ends)


def _shares(passes: np.ndarray, count: int) -> list[slice]:
    """The nodes in `count` runs of about as many starts."""
    sums = np.cumsum(passes, dtype=np.int64)
    edges = [
        0,
        *np.searchsorted(sums, [sums[-1] * n // count for n in range(1, count)]).tolist(),
        len(passes),
    ]
    return [slice(low, high) for low, high in pairwise(edges)]


@kernel
def _roots(data, starts):
    """Sort the starts by their first byte; a node for each byte."""
    nodes, counts, begins = (
        np.zeros(NUM_BYTES, dtype=NODE),
        np.zeros(257, np.int64),
        np.zeros(257, np.int64),
    )
    _sort(
        data,
        np.zeros(0, dtype=np.int64),
        starts,
        np.empty_like(starts),
        0,
        len(starts),
        0,
        counts,
        begins,
    )
    for byte in range(NUM_BYTES):
        node = nodes[byte]
        node.parent, node.fallback = -1, -1
        node.low, node.high = begins[byte], begins[byte] + counts[byte]
        node.byte, node.depth, node.ends = byte, 1, counts[byte]
    return nodes


@kernel
def _look(data, stops, starts, scratch, nodes, todo, mode, floor):
    """Sort the ranges of the nodes `todo` by the next byte, and count where their strings may end.

    Returns the children that pass `floor` starts: NODE[n]. The ranges must be disjoint; then
    threads may look into shares of them at once.
    """
    children, size = np.empty(1024, dtype=NODE), 0
    counts, begins = np.empty(257, dtype=np.int64), np.empty(257, dtype=np.int64)
    for number in todo:
        node = nodes[number]
        depth = np.int64(node.depth)
        _sort(
            data,
            stops,
            starts,
            scratch,
            np.int64(node.low),
            np.int64(node.high),
            depth,
            counts,
            begins,
        )
        mask = CUT_BITS[CLASS[node.byte]] if mode == SUPERWORD and node.cut else ANYWHERE
        ends = counts[NO_BYTE] if mask >> END & 1 else 0
        for byte in range(NUM_BYTES):
            may_end = mask >> CLASS[byte] & 1
            if may_end:
                ends += counts[byte]
            cut = node.cut or CUT[CLASS[node.byte], CLASS[byte]]
            if counts[byte] < floor or depth == MAX_LENGTH or (cut and mode == ALIGNED):
                continue
            if size == len(children):
                children = np.concatenate((children, np.empty(size, dtype=NODE)))
            below = children[size]
            below.parent, below.fallback = number, number if may_end else node.fallback
            below.low, below.high = begins[byte], begins[byte] + counts[byte]
            below.ends, below.byte, below.depth = 0, byte, depth + 1
            below.cut, below.seen = cut, False
            size += 1
        node.ends, node.seen = ends, True
    return children[:size].copy()


@kernel
def _sort(data, stops, starts, scratch, low, high, depth, counts, begins):
    """Sort starts[low:high] by the byte `depth` after them, keeping their order.

    counts, begins: int64[257], filled: how many starts go on with each byte or NO_BYTE, and from
    where on they lie.
    """
    counts[:] = 0
    for i in range(low, high):
        counts[_next(data, stops, np.int64(starts[i]) + depth)] += 1
    begin = low
    for symbol in range(257):
        begins[symbol] = begin
        begin += counts[symbol]
    if counts.max() == high - low:
        return
    places = begins.copy()
    for i in range(low, high):
        symbol = _next(data, stops, np.int64(starts[i]) + depth)
        scratch[places[symbol]] = starts[i]
        places[symbol] += 1
    starts[low:high] = scratch[low:high]


@kernel
def _next(data, stops, at):
    """The byte at a place, or NO_BYTE where a document ends there."""
    byte = np.int64(data[at])
    if byte == 0:
        document = np.searchsorted(stops, at)
        if document < len(stops) and stops[document] == at:
            return np.int64(NO_BYTE)
    return byte
