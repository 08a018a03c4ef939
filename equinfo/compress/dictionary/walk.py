"""Longest-match walks of a double array, several spans of text side by side in one thread.

A walk waits for one load a byte, and where a piece ends cannot be foreseen. So each of five walks
takes one step in turn, without a branch that depends on the text: in the time of one load there is
work for the others. Whether a child exists decides by arithmetic whether the place moves on or the
next piece begins, two bytes at once; only what is rare branches off.

A span is text[begin : stop], walked as if the document ended at `stop`. Nothing outside is read: a
walk whose place is p has the bytes from its piece's begin to p behind it, and a piece ends at p or
before, so the pair after it is in the span as long as p <= stop - 2. The rest of a span is walked
byte by byte. And a code is written where fewer codes lie before it than bytes.
"""

import numpy as np

from equinfo.compress.dictionary.double_array import (
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
    PAIR,
    PAIRS,
    STRIDE,
)
from equinfo.compress.jit import inline, kernel
from equinfo.compress.raw import (
    address,
    copy16,
    load8,
    load16,
    load32,
    load64,
    opaque,
    pick,
    store32,
    store64,
)

LANES = 5
# in a queue: the next span, the lanes that have one, and the next span's place in out
SPAN, LIVE, ROOM = 0, 1, 2
# in a lane: (place in the text, entry, place in out, last place of a step, span or -1)
PLACE, LIMIT, OWNER = 0, 3, 4


@kernel
def walk(text, spans, table, fallback, root, shifts, amid_root, inside, pairs, out, counts):
    """Write each span's codes to `out`, with any bits above CODE_BITS, and how many to counts[k].

    text: uint8[n]. spans: int64[spans, 3], (begin, stop, 1 if it begins inside a pretoken, else 0).
    table to pairs: a DoubleArray. out: uint32; each span has a place for each of its bytes, behind
    those of the spans before. counts: int64[spans].
    """
    queue = np.array([0, LANES, 0])
    shift = np.int64(0) if shifts is None else address(shifts)
    second = root, address(table), np.int64(0)
    if pairs is not None:
        # behind the shifts, at one address: for each byte, where the entries of pairs after it are
        after = address(pairs) + 8 * PAIRS * (shifts.astype(np.int64) - MASK)
        queue = np.concatenate((queue, shifts.view(np.int64), after))
        shift = address(queue) + 8 * (ROOM + 1)
        second = amid_root, address(pairs) + 8 * PAIRS * END, address(inside)
    memory = address(table), address(fallback), shift, root, second
    work = address(queue), address(spans), len(spans), address(counts), address(text), address(out)
    # Lanes are variables and not an array: so their fields stay in the processor's registers.
    a = _take(work, memory)
    b = _take(work, memory)
    c = _take(work, memory)
    d = _take(work, memory)
    e = _take(work, memory)
    while queue[LIVE] > 0:
        one = e
        one = d if d[OWNER] >= 0 else one
        one = c if c[OWNER] >= 0 else one
        one = b if b[OWNER] >= 0 else one
        one = a if a[OWNER] >= 0 else one
        a = _beside(a, one)
        b = _beside(b, one)
        c = _beside(c, one)
        d = _beside(d, one)
        e = _beside(e, one)
        while (
            a[PLACE] <= a[LIMIT]
            and b[PLACE] <= b[LIMIT]
            and c[PLACE] <= c[LIMIT]
            and d[PLACE] <= d[LIMIT]
            and e[PLACE] <= e[LIMIT]
        ):
            a = _step(a, memory, shifts, inside)
            b = _step(b, memory, shifts, inside)
            c = _step(c, memory, shifts, inside)
            d = _step(d, memory, shifts, inside)
            e = _step(e, memory, shifts, inside)
        a = _turn(a, memory, shifts, inside, work)
        b = _turn(b, memory, shifts, inside, work)
        c = _turn(c, memory, shifts, inside, work)
        d = _turn(d, memory, shifts, inside, work)
        e = _turn(e, memory, shifts, inside, work)


@kernel
def _take(work, memory):
    """A lane at the begin of the next span, or of none."""
    queue, spans, count, counts, text, out = work
    table, _, _, root, (amid_root, amid, _) = memory
    span = load64(queue + 8 * SPAN)
    if span == count:
        store64(queue + 8 * LIVE, load64(queue + 8 * LIVE) - 1)
        return np.int64(0), root, np.int64(0), np.int64(0), np.int64(-1)
    store64(queue + 8 * SPAN, span + 1)
    begin = load64(spans + 24 * span)
    stop = load64(spans + 24 * span + 8)
    inside = load64(spans + 24 * span + 16)
    to = load64(queue + 8 * ROOM)
    store64(queue + 8 * ROOM, to + stop - begin)
    store64(counts + 8 * span, to)
    place, entry = text + begin, pick(inside, amid_root, root)
    if begin + PAIR <= stop:
        entry = load64(pick(inside, amid, table) + 8 * load16(place))
        place += PAIR
    return place, entry, out + 4 * to, text + stop - PAIR, span


@inline
def _beside(lane, other):
    """A lane without a span takes the other's steps with it, and writes the same to its places."""
    return lane if lane[OWNER] >= 0 else (other[0], other[1], other[2], other[3], np.int64(-1))


@inline
def _begun(place, memory, inside):
    """The entry after the pair of bytes with which a piece begins, behind another."""
    table, _, shift, _, _ = memory
    pairs = table if inside is None else load64(shift + 256 + 8 * load8(place - 1))
    return load64(pairs + 8 * load16(place))


@inline
def _step(lane, memory, shifts, inside):
    place, entry, to, limit, owner = lane
    table, fallback, shift, _, _ = memory
    byte = load8(place)
    following = load64(table + 8 * (((entry >> BASE) & BASE_MASK) + byte))
    miss = np.int64((following & LABEL_MASK) != byte)
    # rare: the piece has to be looked up in `fallback`, by the byte that follows or from far back
    if shifts is not None and opaque(miss & ~(entry >> load8(shift + byte))):
        spare = load32(fallback + 4 * ((entry >> CODE) & CODE_MASK))
        store32(to, spare)
        begin = place - (spare >> CODE_BITS)
        return begin + PAIR, _begun(begin, memory, inside), to + 4, limit, owner
    # Both ways are computed, and one is picked. A child: one byte on. None: the piece has ended at
    # place + stride - PAIR, and the next one has read the pair of bytes there. The code is written
    # in either case, but only a piece's end moves `to` on.
    stride = entry >> STRIDE
    next_piece = _begun(place + stride - PAIR, memory, inside)
    store32(to, entry >> CODE)
    place += pick(miss, stride, 1)
    return place, pick(miss, next_piece, following), to + 4 * miss, limit, owner


@kernel
def _turn(lane, memory, shifts, inside, work):
    """A lane whose span has too little left for a step goes through that and takes another."""
    place, entry, to, limit, owner = lane
    if owner < 0 or place <= limit:
        return lane
    table, fallback, shift, root, _ = memory
    _, _, _, counts, _, out = work
    stop = limit + PAIR
    while place < stop or entry != root:  # no other entry has the root's base
        bit = np.int64(MASK + END)
        if place < stop:
            byte = load8(place)
            following = load64(table + 8 * (((entry >> BASE) & BASE_MASK) + byte))
            if following & LABEL_MASK == byte:
                place, entry = place + 1, following
                continue
            if shifts is not None:
                bit = load8(shift + byte)
        if (entry >> bit) & 1:
            store32(to, entry >> CODE)
            place += (entry >> STRIDE) - PAIR
        else:
            spare = load32(fallback + 4 * ((entry >> CODE) & CODE_MASK))
            store32(to, spare)
            place -= spare >> CODE_BITS
        to, entry = to + 4, root
        if inside is not None and place < stop:
            amid_root, _, pretoken = memory[4]
            entry = amid_root if load8(pretoken + load16(place - 1)) else root
    store64(counts + 8 * owner, (to - out) // 4 - load64(counts + 8 * owner))
    return _take(work, memory)


@kernel
def close_up(out, spans, counts, codes):
    """Copy the spans' codes from `out` to `codes`, one after the other."""
    size = 0
    begin = 0
    for k in range(len(counts)):
        found = out[begin : begin + counts[k]]
        room = codes[size : size + counts[k]]
        for at in range(len(room)):
            room[at] = found[at] & CODE_MASK
        size += counts[k]
        begin += spans[k, 1] - spans[k, 0]


@kernel
def measure(codes, where, ends):
    """Turn `ends`, where streams end in `codes`, into where their bytes end.

    Returns the first code's place that means nothing, or -1. where: as for `spell`.
    """
    entries = address(where)
    size = np.int64(0)
    k = np.int64(0)
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

    where: int64[codes], begin << LENGTH_BITS | length of each string in `blob`, 0 for a code
    without one. blob and out: uint8, both 15 bytes longer than the strings.
    """
    source = address(blob)
    target = address(out)
    entries = address(where)
    for code in codes:
        entry = load64(entries + 8 * np.int64(code))
        length = entry & MAX_LENGTH
        copy16(source + (entry >> LENGTH_BITS), target)
        for more in range(16, length, 16):
            copy16(source + (entry >> LENGTH_BITS) + more, target + more)
        target += length
