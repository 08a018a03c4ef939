"""Which codes never follow which, where text is cut into the longest pieces that fit.

A text goes on with the strings of a and b and then with t. Its first piece is a, and not a longer
one, if a may end before b's first byte, and if no piece w = a + u may end where the text goes on:

- u is a beginning of b: w must not be allowed before b's next byte, whatever t is;
- u is b: b must be allowed before some class of bytes (or the end) before which w is not.

In a strict dictionary (one with a `cut`) a piece that may not end everywhere begins only where text
is cut: it counts as found after a only if a is such a piece too, and follows only what it is cut
from. Longer ones hang on t, and some t is taken to have none of them. So what is forbidden is never
written; what is not, is written in some text, but for few pairs of the second kind. In the order
of bytes the strings that begin with u are neighbours: what is forbidden after a is a few ranges.
"""

import numpy as np

from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.double_array import ANY
from equinfo.compress.jit import inline, kernel

MOST_RUNS = 256  # of what all pieces of one kind have in common
Ranges = tuple[np.ndarray, np.ndarray]
"""(offsets int64[rows + 1], ranges int32[n, 2]): row r's are ranges[offsets[r] : offsets[r + 1]],
[low, high) each, ascending, and none touches the next."""


def never_follow(dictionary: Dictionary) -> tuple[Ranges, np.ndarray]:
    """(the codes that never follow each of the m codes, those that are never written: bool[m]).

    The ranges may hold codes that are never written; the rows of these are empty. dictionary:
    lossless, or a code has no string of its own.
    """
    coded = np.flatnonzero(dictionary.codes >= 0)
    strings = [dictionary.strings[k] for k in coded]
    alphabetic = np.array(sorted(range(len(strings)), key=strings.__getitem__))
    codes, masks = dictionary.codes[coded][alphabetic], dictionary.masks[coded][alphabetic]
    blob = np.frombuffer(b"".join([strings[k] for k in alphabetic]), dtype=np.uint8)
    ends = np.cumsum([len(strings[k]) for k in alphabetic], dtype=np.int64)
    # Codes are numbered as if there were no gaps, so that strings side by side make one range.
    written = np.sort(codes)
    rank = np.searchsorted(written, codes)
    cut = dictionary.cut
    parts = [_longer(blob, ends, masks, dictionary.classes, rank, cut is not None)]

    # before the first bytes of some classes a piece may not end
    size = len(codes) + 1
    bound = masks != ANY
    first = dictionary.classes[blob[ends - np.diff(ends, prepend=0)]]
    last = dictionary.classes[blob[ends - 1]]
    groups = [(masks == mask, ~mask >> first & 1 == 1) for mask in np.unique(masks[bound])]
    if cut is not None:
        groups += [(last == kind, bound & ~cut[kind][first]) for kind in np.unique(last)]
    for after, forbidden in groups:
        by_rank = np.empty(len(codes), dtype=np.bool_)
        by_rank[rank] = forbidden
        starts, stops = runs(by_rank[None])[1].T
        if len(starts) <= MOST_RUNS:  # else they are let pass: too many to be kept for each row
            rows = rank[after, None] * size
            parts.append(((rows + starts).ravel(), (rows + stops).ravel()))
    low, high = (np.concatenate(part) for part in zip(*parts, strict=True))

    # one axis for all rows: joined where they overlap or touch
    order = np.argsort(low, kind="stable")
    low, reach = low[order], np.maximum.accumulate(high[order])
    begins = np.flatnonzero(np.append(True, low[1:] > reach[:-1])) if len(low) else order
    stops = reach[np.append(begins[1:], len(low)) - 1] if len(low) else high
    row, low = np.divmod(low[begins], size)
    ranges = np.column_stack([written[low], written[stops - 1 - row * size] + 1])
    never = np.ones(len(dictionary.meanings), dtype=np.bool_)
    never[written] = False
    counts = np.bincount(written[row], minlength=len(never))
    return (np.append(0, np.cumsum(counts)), ranges.astype(np.int32)), never


def runs(table: np.ndarray) -> Ranges:
    """Where each row of a bool[rows, n] is True."""
    edges = np.diff(table.astype(np.int8), prepend=0, append=0)
    row, low = np.nonzero(edges == 1)
    offsets = np.append(0, np.cumsum(np.bincount(row, minlength=len(table))))
    return offsets, np.column_stack([low, np.nonzero(edges == -1)[1]]).astype(np.int32)


@kernel
def _longer(blob, ends, masks, classes, rank, strict):
    """Runs of b after a for which a longer piece w = a + u is found, as a * (n + 1) + b's rank.

    blob, ends: the strings, in the order of bytes; rank: int64[n], the number of each.
    """
    size = len(ends) + 1
    low = np.empty(1 << 12, dtype=np.int64)
    high = np.empty(1 << 12, dtype=np.int64)
    count = 0
    for a in range(len(ends)):
        row = rank[a] * size
        begin = ends[a - 1] if a else 0
        depth = ends[a] - begin
        whole = a  # the last w that may end anywhere: those that begin with it add nothing
        for w in range(a + 1, len(ends)):
            if not _begins(blob, ends, w, begin, depth):
                break
            if whole > a and _begins(blob, ends, w, ends[whole - 1], ends[whole] - ends[whole - 1]):
                continue
            if strict and masks[w] != ANY and masks[a] == ANY:
                continue
            whole = w if masks[w] == ANY else whole
            u = ends[w - 1] + depth
            length = ends[w] - u
            begun = stop = _first(blob, ends, u, length)
            while stop < len(ends) and _begins(blob, ends, stop, u, length):
                stop += 1
            if stop == begun:
                continue
            # all of them, if w may end anywhere: one run, where their codes are neighbours
            least, most = rank[begun:stop].min(), rank[begun:stop].max()
            one = masks[w] == ANY and most - least == stop - begun - 1
            reach = np.int64(-1)  # where the last run ends
            for b in range(begun, begun + 1 if one else stop):
                at = (ends[b - 1] if b else 0) + length
                if at == ends[b]:
                    hit = masks[b] & ~masks[w] == 0
                else:
                    hit = (masks[w] >> classes[blob[at]]) & 1 == 1
                if not (one or hit):
                    continue
                place = row + (least if one else rank[b])
                if place != reach:
                    if count == len(low):
                        low = np.concatenate((low, low))
                        high = np.concatenate((high, high))
                    low[count] = place
                    count += 1
                high[count - 1] = reach = (row + most if one else place) + 1
    return low[:count], high[:count]


@inline
def _begins(blob, ends, k, begin, length):
    """Whether string k begins with blob[begin : begin + length]."""
    at = ends[k - 1] if k else 0
    if ends[k] - at < length:
        return False
    same = 0
    while same < length and blob[at + same] == blob[begin + same]:
        same += 1
    return same == length


@kernel
def _first(blob, ends, begin, length):
    """The first string that is not before blob[begin : begin + length]."""
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        at = ends[middle - 1] if middle else 0
        common = min(ends[middle] - at, length)
        step = 0
        while step < common and blob[at + step] == blob[begin + step]:
            step += 1
        if step < common:
            before = blob[at + step] < blob[begin + step]
        else:
            before = ends[middle] - at < length
        if before:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def fill(values, rows, always, offsets, ranges, value):
    """values, f32[n, m], in place: `value` in the ranges of `always` and of each of rows, i64[n].

    offsets: int64[m + 1]; ranges: int32[k, 2], those of row i from offsets[i] to offsets[i + 1].
    """
    for at in range(len(rows)):
        for row in (always, rows[at]):
            for k in range(offsets[row], offsets[row + 1]):
                values[at, ranges[k, 0] : ranges[k, 1]] = value
