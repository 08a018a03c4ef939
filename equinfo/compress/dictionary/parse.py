"""A text as the fewest or likeliest pieces of a dictionary; dictionary.py takes the longest first.

A piece fits where the text goes on with it, its mask allows the class of what follows, and it may
begin there. All single bytes are pieces that fit anywhere, so every text has a parse. The likeliest
is that of the least cost: a code's is -log2 of its share of all, in integers, so that the parse is
the same everywhere.

The best pieces are found from the text's end backwards. So that memory is bounded, a document is
taken in blocks: where more than BLOCK + AHEAD bytes are left, the best parse of the next BLOCK +
AHEAD is made and of it the pieces that begin in the first BLOCK bytes are kept. A parse is
therefore the best of all for documents of BLOCK + AHEAD bytes or less; beyond, it depends on the
document alone, and not on how it comes.
"""

import numpy as np

from equinfo.compress.dictionary.double_array import (
    ANY,
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

PARSES = ("longest", "fewest", "likeliest")
BLOCK = 1 << 15
AHEAD = 1 << 10
BIT = 256  # units of cost
MAX_COST = 1 << 14  # of a code; 2**16 of them fit an int32


def check_parse(how: str) -> str:
    if how not in PARSES:
        raise EquinfoError(f"pieces by {how!r}: choose {', '.join(PARSES)}")
    return how


def costs_of(uses: np.ndarray) -> np.ndarray:
    """-log2 of the shares of codes used so often (int64[n]), in 1/256 bit, rounded up: uint16[n].

    One that was never used counts as used once. In integers: the same on every machine.
    """
    uses = np.maximum(uses, 1)
    whole = int(uses.sum()) ** BIT
    different, place = np.unique(uses, return_inverse=True)
    costs = [(whole // int(count) ** BIT).bit_length() for count in different]
    return np.array(costs, dtype=np.uint16)[place]


@kernel
def parse(text, last, begun, table, root, amid_root, inside, classes, costs):
    """(codes of the pieces int64[n], bytes that they stand for) of text: uint8[m], or a part of it.

    Without `last`, more text may follow: only pieces are given that no more text can change.
    begun: whether the text begins inside a pretoken (0 or 1). table to inside: of a DoubleArray.
    classes: uint8[256]. costs: uint16[codes], 1 to MAX_COST, or None: the fewest pieces. Of two
    parses that cost as much, the one whose first piece is longer.
    """
    found = np.empty(len(text), dtype=np.int64)
    size = 0
    at = 0
    room = min(len(text), BLOCK + AHEAD)
    totals = np.empty(room + 1, dtype=np.int32)
    chosen = np.empty(room, dtype=np.int32)
    lengths = np.empty(room, dtype=np.int32)
    while at < len(text):
        left = len(text) - at
        if not last and left <= BLOCK + AHEAD:
            break
        width = min(left, BLOCK + AHEAD)
        given = table, root, amid_root, inside, classes, costs
        _fill(text, at, width, begun, *given, totals, chosen, lengths)
        stop = width if left == width else BLOCK
        step = 0
        while step < stop:
            found[size] = chosen[step]
            size += 1
            step += lengths[step]
        at += step
    return found[:size].copy(), at


@kernel
def _fill(
    text, begin, width, begun, table, root, amid_root, inside, classes, costs, totals, chosen,
    lengths,
):  # fmt: skip
    """For every place of the block: the least cost of pieces to its end, and the first of them."""
    totals[width] = 0
    for place in range(width - 1, -1, -1):
        at = begin + place
        entry = root
        if inside is not None:
            amid = begun if at == 0 else np.int64(inside[text[at - 1] | np.int64(text[at]) << 8])
            entry = amid_root if amid else root
        entry = _child(table, entry, text[at])
        depth = 1
        code, length = (entry >> CODE) & CODE_MASK, 1
        best = totals[place + 1] + _cost(costs, code)
        while place + depth < width:
            entry = _child(table, entry, text[at + depth])
            if entry == 0:
                break
            depth += 1
            # Its code is its own; what may end before no class has a place of `fallback` there.
            if entry >> STRIDE == PAIR and (entry >> MASK) & ANY:
                this = (entry >> CODE) & CODE_MASK
                total = totals[place + depth] + _cost(costs, this)
                if total <= best:
                    after = classes[text[at + depth]] if at + depth < len(text) else END
                    if (entry >> (MASK + after)) & 1:
                        best, code, length = total, this, depth
        totals[place] = best
        chosen[place] = code
        lengths[place] = length


@inline
def _cost(costs, code):
    return np.int64(1) if costs is None else np.int64(costs[code])


@inline
def _child(table, entry, byte):
    """The entry below `entry` along `byte`, or 0."""
    following = table[((entry >> BASE) & BASE_MASK) + np.int64(byte)]
    return following if following & LABEL_MASK == byte else np.int64(0)
