"""A text as the fewest pieces of a dictionary; dictionary.py takes the longest piece first.

A piece fits where the text goes on with it and its mask allows the class of what follows. All
single bytes are pieces that may end anywhere, so every text has a parse.

The fewest pieces are found from the text's end backwards. So that memory is bounded, a document is
taken in blocks: where more than BLOCK + AHEAD bytes are left, the best parse of the next BLOCK +
AHEAD is made and of it the pieces that begin in the first BLOCK bytes are kept. A parse is
therefore the fewest of all for documents of BLOCK + AHEAD bytes or less; beyond, it depends on the
document alone, and not on how it comes.
"""

import numpy as np

from equinfo.compress.dictionary.double_array import (
    BASE,
    BASE_MASK,
    CODE,
    CODE_MASK,
    END,
    LABEL_MASK,
    MASK,
    PAIR,
    STRIDE,
)
from equinfo.compress.jit import inline, kernel
from equinfo.errors import EquinfoError

PARSES = ("longest", "fewest")
BLOCK = 1 << 15
AHEAD = 1 << 10


def check_parse(how: str) -> str:
    if how not in PARSES:
        raise EquinfoError(f"pieces by {how!r}: choose {', '.join(PARSES)}")
    return how


@kernel
def fewest(text, last, table, root, classes):
    """(codes of the pieces int64[n], bytes that they stand for) of text: uint8[m], or a part of it.

    Without `last`, more text may follow: only pieces are given that no more text can change. table,
    root: a DoubleArray's. classes: uint8[256]. Of two parses with as few pieces, the one whose
    first piece is longer.
    """
    found = np.empty(len(text), dtype=np.int64)
    size = 0
    at = 0
    room = min(len(text), BLOCK + AHEAD)
    counts = np.empty(room + 1, dtype=np.int32)
    chosen = np.empty(room, dtype=np.int32)
    lengths = np.empty(room, dtype=np.int32)
    while at < len(text):
        left = len(text) - at
        if not last and left <= BLOCK + AHEAD:
            break
        width = min(left, BLOCK + AHEAD)
        _fill(text, at, width, table, root, classes, counts, chosen, lengths)
        stop = width if left == width else BLOCK
        step = 0
        while step < stop:
            found[size] = chosen[step]
            size += 1
            step += lengths[step]
        at += step
    return found[:size].copy(), at


@kernel
def _fill(text, begin, width, table, root, classes, counts, chosen, lengths):
    """For every place of the block: the fewest pieces to its end, and the first of them."""
    counts[width] = 0
    for place in range(width - 1, -1, -1):
        at = begin + place
        entry = _child(table, root, text[at])
        depth = 1
        best, code, length = counts[place + 1], (entry >> CODE) & CODE_MASK, 1
        while place + depth < width:
            entry = _child(table, entry, text[at + depth])
            if entry == 0:
                break
            depth += 1
            if entry >> STRIDE == PAIR and counts[place + depth] <= best:  # its code is its own
                after = classes[text[at + depth]] if at + depth < len(text) else END
                if (entry >> (MASK + after)) & 1:
                    best, code, length = counts[place + depth], (entry >> CODE) & CODE_MASK, depth
        counts[place] = best + 1
        chosen[place] = code
        lengths[place] = length


@inline
def _child(table, entry, byte):
    """The entry below `entry` along `byte`, or 0."""
    following = table[((entry >> BASE) & BASE_MASK) + np.int64(byte)]
    return following if following & LABEL_MASK == byte else np.int64(0)
