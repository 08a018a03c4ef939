"""The merges of byte pair encoding, learnt from whole documents: nothing but their ends is a limit.

The pair that stands side by side most often becomes a new id, again and again; of equals the first
in the order of their ids, as Hugging Face's trainer has it, That one holds sets
of words, so that it can neither train on documents nor go on from merges.

All places of a pair arise together, when the later of its two ids does. They are listed then, and
from there on only get fewer: a list's length is a bound, and counted again when it is the largest.
So of places no more is kept than three lists' worth of the text, and of counts nothing. The text
itself is one array: an id stands where it begins and, in another guise, where it ends.
Memory: 4 to 16 bytes an id of the text at first, and 24 for each pair that it has twice.
"""

from heapq import heapify, heappop, heappush, heapreplace

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

MAX_IDS = (1 << 31) - 1
MAX_WORDS = 4
END = -1  # around documents
INSIDE = -(1 << 30)
LAST = -2  # less an id: its last place


def learn(
    documents: list[np.ndarray], pieces: list[bytes], size: int, superwords: bool
) -> np.ndarray:
    """The pairs to merge until there are `size` ids: int64[m, 2], the n-th makes len(pieces) + n.

    documents: ids below len(pieces), any integer dtype. pieces: what these stand for. Fewer where
    no pair is there twice. superwords: SuperBPE's limits (Liu et al. 2025), no piece of more than
    four words, a space beginning one, and none with a colon and a space inside. Raises EquinfoError
    for a text of more than 2**31 ids.
    """
    total = sum(len(ids) + 1 for ids in documents) + 1
    if total > MAX_IDS:
        raise EquinfoError(f"merges are learnt from at most {MAX_IDS} ids, not from {total}")
    text = np.full(total, END, dtype=np.int32)
    at = 1
    for ids in documents:
        text[at : at + len(ids)] = ids
        at += len(ids) + 1
    marks = np.zeros((size, 3), dtype=np.int64)
    if superwords:
        marks[: len(pieces)] = [
            (piece.count(b" "), piece.startswith(b" "), piece.endswith(b":")) for piece in pieces
        ]
    return _learn(text, marks, len(pieces), size)


@kernel
def _learn(text, marks, known, size):
    """marks: int64[size, 3], of each id its spaces, and whether it begins with one, ends with ":"."""
    places = np.empty(3 * len(text), dtype=np.int32)
    used = _sort(text, places, known)
    heap = [(np.int64(0), np.int64(0), np.int64(0)) for _ in range(0)]
    low = 0
    while low < used:
        a, b = np.int64(text[places[low]]), np.int64(text[places[low] + 1])
        high = low + 1
        while high < used and text[places[high]] == a and text[places[high] + 1] == b:
            high += 1
        if high - low > 1 and _allowed(marks, a, b):
            heap.append((low - high, a << 32 | b, low))
        low = high
    heapify(heap)

    lengths = np.ones(size, dtype=np.int64)
    lefts, rights, left_lows, right_lows = np.zeros((4, size + 1), dtype=np.int64)
    merges = np.empty((size - known, 2), dtype=np.int64)
    new = known
    while new < size and len(heap) > 0:
        negative, pair, low = heap[0]
        a, b = pair >> 32, pair & (1 << 32) - 1
        step = lengths[a]
        high = low
        for i in range(low, low - negative):
            at = places[i]
            if text[at] == a and text[at + step] == b:
                places[high] = at
                high += 1
        if high - low < -negative:
            if high - low > 1:
                heapreplace(heap, (low - high, pair, low))
            else:
                heappop(heap)
            continue
        heappop(heap)
        merges[new - known, 0], merges[new - known, 1] = a, b
        marks[new, 0] = marks[a, 0] + marks[b, 0]
        marks[new, 1], marks[new, 2] = marks[a, 1], marks[b, 2]
        lengths[new] = length = step + lengths[b]
        end = low
        for i in range(low, high):
            at = places[i]
            if text[at] != a or text[at + step] != b:  # "aaa": its second pair has gone with the first
                continue
            text[at + step - 1] = text[at + step] = INSIDE
            text[at + length - 1] = LAST - new
            text[at] = new
            places[end] = at
            end += 1

        for i in range(low, end):
            at = places[i]
            lefts[_before(text, at)] += 1
            rights[text[at + length]] += 1
        lefts[END] = rights[END] = lefts[new] = 0  # a pair of two new ones is the first one's right
        for i in range(low, end):
            at = places[i]
            id = _before(text, at)
            if lefts[id] > 0:
                left_lows[id] = -1
                if lefts[id] > 1 and _allowed(marks, id, new):
                    heappush(heap, (-lefts[id], id << 32 | new, used))
                    left_lows[id] = used
                    used += lefts[id]
                lefts[id] = 0
            id = np.int64(text[at + length])
            if rights[id] > 0:
                right_lows[id] = -1
                if rights[id] > 1 and _allowed(marks, new, id):
                    heappush(heap, (-rights[id], new << 32 | id, used))
                    right_lows[id] = used
                    used += rights[id]
                rights[id] = 0
        left_lows[END] = right_lows[END] = left_lows[new] = -1
        for i in range(low, end):
            at = places[i]
            id = _before(text, at)
            if left_lows[id] >= 0:
                places[left_lows[id]] = at - lengths[id]
                left_lows[id] += 1
            id = np.int64(text[at + length])
            if right_lows[id] >= 0:
                places[right_lows[id]] = at
                right_lows[id] += 1
        new += 1
    return merges[: new - known]


@kernel
def _allowed(marks, a, b):
    spaces_inside = marks[a, 0] - marks[a, 1] + marks[b, 0]
    return spaces_inside < MAX_WORDS and not (marks[a, 2] and marks[b, 1])


@kernel
def _before(text, at):
    """The id that ends where another begins, or END."""
    mark = np.int64(text[at - 1])
    return LAST - mark if mark < END else mark


@kernel
def _sort(text, places, known):
    """Fill `places` with those of pairs, sorted by their two ids and place. Returns how many."""
    by_second = places[len(text) :]
    ends = np.zeros(known, dtype=np.int64)
    begins = np.zeros(known, dtype=np.int64)
    for at in range(1, len(text) - 1):
        if text[at] >= 0 and text[at + 1] >= 0:
            begins[text[at]] += 1
            ends[text[at + 1]] += 1
    total = begins.sum()
    begins = np.cumsum(begins) - begins
    ends = np.cumsum(ends) - ends
    for at in range(1, len(text) - 1):
        if text[at] >= 0 and text[at + 1] >= 0:
            by_second[ends[text[at + 1]]] = at
            ends[text[at + 1]] += 1
    for i in range(total):
        at = by_second[i]
        places[begins[text[at]]] = at
        begins[text[at]] += 1
    return total
