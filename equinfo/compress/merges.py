"""The merges of byte pair encoding, learnt from runs of ids of any length, such as documents.

The pair that stands side by side most often becomes a new id, again and again; of equals the first
in the order of their ids, as in Hugging Face's trainer. That one counts words: it can neither train
on documents in reasonable time nor go on from merges.

All places of a pair arise together, when the later of its two ids does, and are listed then. From
there on they only get fewer: a list's length is a bound, and what is left of the longest list is
counted when its turn comes. The text is one array, in which an id stands at its first place and,
in another guise, at its last. Memory: 12 to 16 bytes an id of the text, 24 a pair there twice.
"""

from heapq import heapify, heappop, heappush, heapreplace

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

MAX_IDS = (1 << 31) - 1
MAX_WORDS = 4
END = -1  # around documents
INSIDE = -(1 << 30)
LAST = -2  # less the id: at the last place of one that has several


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
    """marks: int64[size, 3], an id's spaces, whether it begins with one, and ends with a colon."""
    places = np.empty(3 * len(text), dtype=np.int32)
    used = _sort(text, places, known)
    heap = [(0, 0, 0) for _ in range(0)]
    low = 0
    while low < used:
        a, b = text[places[low]], text[places[low] + 1]
        high = low + 1
        while high < used and text[places[high]] == a and text[places[high] + 1] == b:
            high += 1
        if high - low > 1 and _allowed(marks, a, b):
            heap.append((low - high, _pair(a, b), low))
        low = high
    heapify(heap)

    lengths = np.ones(size, dtype=np.int64)
    counts = np.zeros(size + 1, dtype=np.int64)  # of the last, END
    lows = np.full(size + 1, -1, dtype=np.int64)
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
            if text[at] != a or text[at + step] != b:  # of "aaa": it went with the first two
                continue
            text[at + step - 1] = text[at + step] = INSIDE
            text[at + length - 1] = LAST - new
            text[at] = new
            places[end] = at
            end += 1

        for after in range(2):
            for i in range(low, end):
                counts[_beside(text, places[i], length, after)] += 1
            counts[END] = 0
            if not after:
                counts[new] = 0  # where two new ones meet, the first one's side counts
            for i in range(low, end):
                id = _beside(text, places[i], length, after)
                count, counts[id] = counts[id], 0
                if count == 0:
                    continue
                a, b = (new, id) if after else (id, new)
                lows[id] = -1
                if count > 1 and _allowed(marks, a, b):
                    heappush(heap, (-count, _pair(a, b), used))
                    lows[id] = used
                    used += count
            for i in range(low, end):
                id = _beside(text, places[i], length, after)
                if lows[id] >= 0:
                    places[lows[id]] = places[i] if after else places[i] - lengths[id]
                    lows[id] += 1
        new += 1
    return merges[: new - known]


@kernel
def _pair(a, b):
    return np.int64(a) << 32 | np.int64(b)


@kernel
def _allowed(marks, a, b):
    spaces_inside = marks[a, 0] - marks[a, 1] + marks[b, 0]
    return spaces_inside < MAX_WORDS and not (marks[a, 2] and marks[b, 1])


@kernel
def _beside(text, at, length, after):
    """The id before or after one that begins at a place, or END."""
    mark = np.int64(text[at + length] if after else text[at - 1])
    return LAST - mark if mark < END else mark


@kernel
def _sort(text, places, known):
    """Fill `places` with those of pairs, sorted by their two ids and place. Returns how many."""
    by_second = places[len(text) :]
    lows = np.zeros((2, known), dtype=np.int64)
    for at in range(1, len(text) - 1):
        if text[at] >= 0 and text[at + 1] >= 0:
            lows[0, text[at]] += 1
            lows[1, text[at + 1]] += 1
    total = lows[0].sum()
    lows[0] = np.cumsum(lows[0]) - lows[0]
    lows[1] = np.cumsum(lows[1]) - lows[1]
    for at in range(1, len(text) - 1):
        if text[at] >= 0 and text[at + 1] >= 0:
            by_second[lows[1, text[at + 1]]] = at
            lows[1, text[at + 1]] += 1
    for at in by_second[:total]:
        places[lows[0, text[at]]] = at
        lows[0, text[at]] += 1
    return total
