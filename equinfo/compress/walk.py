"""Longest-match walks of a double array, several spans of text side by side in one thread.

A walk waits for one load a byte, and where a piece ends cannot be foreseen. So each of five walks takes one step in
turn, without a branch that depends on the text: in the time of one load there is work for the others. Whether a child
exists decides by arithmetic whether the place moves on or a piece is written; only what is rare branches off.

A span is text[begin : stop], walked as if the document ended at `stop`.
"""

import numpy as np

from equinfo.compress.double_array import (
    BACK,
    BASE,
    BASE_MASK,
    CODE,
    CODE_BITS,
    CODE_MASK,
    END,
    LABEL_MASK,
    LENGTH_BITS,
    MASK,
    MAX_LENGTH,
)
from equinfo.compress.jit import inline, kernel
from equinfo.compress.raw import address, copy16, load8, load32, load64, store32, store64

LANES = 5
SPAN, LIVE = 0, 1  # in a queue: the next span, and the lanes that walk


@kernel
def walk(text, spans, table, fallback, root, classes, out, counts):
    """Write each span's codes to out[spans[k, 2] :], and how many to counts[k].

    text: uint8[n], one byte more than the last stop at least. spans: int64[spans, 3], (begin, stop, place in out); a
    span has a place for each of its bytes. table, fallback, root: a DoubleArray. classes: uint8[256]. out: uint32.
    counts: int64[spans].
    """
    counts[:] = 0
    queue = np.zeros(2, dtype=np.int64)
    queue[LIVE] = LANES
    memory = (address(text), address(table), address(classes), address(fallback), address(out))
    work = (address(queue), address(spans), len(spans), address(counts))
    a, b, c = _take(work, root), _take(work, root), _take(work, root)
    d, e = _take(work, root), _take(work, root)
    while queue[LIVE] > 0:
        a = _step(a, root, memory, work)
        b = _step(b, root, memory, work)
        c = _step(c, root, memory, work)
        d = _step(d, root, memory, work)
        e = _step(e, root, memory, work)


@kernel
def _take(work, root):
    """A lane at the begin of the next span that is not empty: (place in text, entry, its place, out, stop, span).

    Where there is none, a lane that stands still: at its stop, of span -1.
    """
    queue, spans, count, _ = work
    while load64(queue + 8 * SPAN) < count:
        span = load64(queue + 8 * SPAN)
        store64(queue + 8 * SPAN, span + 1)
        begin, stop = load64(spans + 24 * span), load64(spans + 24 * span + 8)
        if begin < stop:
            return begin, root, np.int64(0), load64(spans + 24 * span + 16), stop, span
    store64(queue + 8 * LIVE, load64(queue + 8 * LIVE) - 1)
    return np.int64(0), root, np.int64(0), np.int64(0), np.int64(0), np.int64(-1)


@inline
def _step(lane, root, memory, work):
    place, entry, _, to, stop, span = lane
    text, table, classes, _, out = memory
    byte = load8(text + place)
    child = ((entry >> BASE) & BASE_MASK) + byte
    following = load64(table + 8 * child)
    miss = np.int64((following & LABEL_MASK) != byte)
    if (miss & ~(entry >> (MASK + load8(classes + byte)))) | np.int64(place >= stop):
        return _turn(lane, root, memory, work)
    store32(out + 4 * to, (entry >> CODE) & CODE_MASK)
    # a product, since the compiler makes a branch of a choice between two values
    return place + 1 - miss * (1 + (entry >> BACK)), root if miss else following, child, to + miss, stop, span


@kernel
def _turn(lane, root, memory, work):
    """End a piece at the span's stop, or where only `fallback` knows the piece."""
    place, entry, at, to, stop, span = lane
    text, _, classes, fallback, out = memory
    if span < 0:
        return lane
    following = END if place >= stop else load8(classes + load8(text + place))
    if (entry >> (MASK + following)) & 1:
        code, back = (entry >> CODE) & CODE_MASK, entry >> BACK
    else:
        spare = load32(fallback + 4 * at)
        code, back = spare & CODE_MASK, spare >> CODE_BITS
    store32(out + 4 * to, code)
    if place - back < stop:
        return place - back, root, np.int64(0), to + 1, stop, span
    _, spans, _, counts = work
    store64(counts + 8 * span, to + 1 - load64(spans + 24 * span + 16))
    return _take(work, root)


@kernel
def close_up(out, spans, counts, codes):
    """Copy the spans' codes from `out` to `codes`, one after the other."""
    size = 0
    for k in range(len(counts)):
        codes[size : size + counts[k]] = out[spans[k, 2] : spans[k, 2] + counts[k]]
        size += counts[k]


@kernel
def measure(codes, where, ends):
    """Turn `ends`, where streams end in `codes`, into where their bytes end; the first code that means nothing, or -1.

    where: as for `spell`.
    """
    entries, size, k = address(where), np.int64(0), np.int64(0)
    for stream in range(len(ends)):
        while k < ends[stream]:
            code = np.int64(codes[k])
            length = load64(entries + 8 * code) & MAX_LENGTH if 0 <= code < len(where) else 0
            if length == 0:
                return k
            size += length
            k += 1
        ends[stream] = size
    return np.int64(-1)


@kernel
def spell(codes, where, blob, out):
    """Write the strings of codes to `out`, 16 bytes at a time.

    where: int64[codes], begin << LENGTH_BITS | length of each string in `blob`, 0 for a code without one. blob and out:
    uint8, both 15 bytes longer than the strings.
    """
    source, target, entries = address(blob), address(out), address(where)
    for code in codes:
        entry = load64(entries + 8 * np.int64(code))
        length = entry & MAX_LENGTH
        copy16(source + (entry >> LENGTH_BITS), target)
        for more in range(16, length, 16):
            copy16(source + (entry >> LENGTH_BITS) + more, target + more)
        target += length
