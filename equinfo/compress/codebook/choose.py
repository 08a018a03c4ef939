"""Which of many candidates make the longest pieces, each the longest chosen string that fits.

Without a string, the pieces that it ended end at its fallback, the longest shorter candidate that
may end there: the loss is their weight times the bytes between, and `piece_cost` bytes more for
the piece that then begins there. Losses only grow while other strings are taken away, so taking
the least loss first, time after time, is done by a lazy heap. What this leaves is better than the
most frequent strings: "produ" is frequent, and of no use beside "produce" and "product".
"""

from heapq import heapify, heappop, heapreplace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel

NUM_BYTES = 256


class Candidates(NamedTuple):
    """Strings as nodes of a tree, parents before their children, the 256 bytes first: int64[n]."""

    parents: np.ndarray  # the string without its last byte, -1 for bytes
    fallbacks: np.ndarray  # the longest shorter one that may end wherever text goes on with this
    last: np.ndarray  # byte
    depths: np.ndarray  # bytes
    ends: np.ndarray  # the weight of the starts at which it may end, in any unit; below 2**56

    def ranked(self, piece_cost: int = 0) -> np.ndarray:
        """All that may be pieces, the most useful first, after the 256 bytes: int64[m]."""
        usable = self.ends > 0
        usable[:NUM_BYTES] = True
        numbers = np.flatnonzero(usable)
        place = np.cumsum(usable) - 1
        fallbacks = np.where(self.fallbacks[numbers] < 0, -1, place[self.fallbacks[numbers]])
        removed = _removals(fallbacks, self.depths[numbers], self.ends[numbers], piece_cost)
        return np.concatenate([numbers[:NUM_BYTES], numbers[removed[::-1]]])

    def own(self, chosen: np.ndarray) -> np.ndarray:
        """The weight of the pieces that each chosen string (int64[m], bytes first) ends."""
        there = np.zeros(len(self.ends), dtype=np.bool_)
        there[chosen] = True
        own = np.where(there, self.ends, 0)
        above = self.fallbacks.copy()
        while (skipped := there & (above >= 0) & ~there[above]).any():
            above[skipped] = self.fallbacks[above[skipped]]
        below = np.flatnonzero(there & (above >= 0))
        np.subtract.at(own, above[below], self.ends[below])
        return own[chosen]

    def strings(self, numbers: np.ndarray) -> list[bytes]:
        return spelt(self.parents, self.last, self.depths, numbers)


def spelt(
    parents: np.ndarray, last: np.ndarray, depths: np.ndarray, numbers: np.ndarray
) -> list[bytes]:
    """The strings of nodes (int64[n]) of a tree of Candidates."""
    data = _spelt(parents, last, depths, numbers).tobytes()
    ends = np.cumsum(depths[numbers], dtype=np.int64).tolist()
    return [data[begin:end] for begin, end in pairwise([0, *ends])]


@kernel
def _loss(own, depths, node, above, piece_cost):
    return own[node] * (depths[node] - depths[above] + piece_cost)


@kernel
def _removals(fallbacks, depths, ends, piece_cost):
    """In which order the strings after the bytes should go: int64[n - 256]. Ties: larger first."""
    own = ends.copy()
    above = fallbacks.copy()
    there = np.ones(len(ends), dtype=np.bool_)
    for node in range(NUM_BYTES, len(ends)):
        own[fallbacks[node]] -= ends[node]
    heap = [
        (_loss(own, depths, node, above[node], piece_cost), -node)
        for node in range(NUM_BYTES, len(ends))
    ]
    heapify(heap)
    order = np.empty(len(heap), dtype=np.int64)
    size = 0
    while len(heap) > 0:
        loss, node = heap[0][0], -heap[0][1]
        while not there[above[node]]:
            above[node] = above[above[node]]
        now = _loss(own, depths, node, above[node], piece_cost)
        if now > loss:
            heapreplace(heap, (now, -node))
            continue
        heappop(heap)
        there[node] = False
        own[above[node]] += own[node]
        order[size] = node
        size += 1
    return order


@kernel
def _spelt(parents, last, depths, numbers):
    data = np.empty(depths[numbers].sum(), dtype=np.uint8)
    end = np.int64(0)
    for number in numbers:
        end += np.int64(depths[number])
        node, at = np.int64(number), end
        while node >= 0:
            at -= 1
            data[at] = last[node]
            node = np.int64(parents[node])
    return data
