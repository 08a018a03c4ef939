"""A set of byte strings as a double-array trie of one 64-bit entry a node: a step is one load.

The child of a node with base B by byte c is the entry at B + c, if its label is c. No two nodes
share a base, so the label alone tells whose child an entry is; the leaves share the base LEAF, of
which nothing is a child. No other base is a multiple of 256, so a free place p with label p % 256
is nobody's child either. An entry holds

    label   8 bits   the byte that leads here
    base   24 bits
    code   20 bits
    mask    8 bits   bit k: a piece may end here, with `code`, if the next byte is of class k
    stride  4 bits   signed: PAIR less the bytes that the piece ended before

A node without a code of its own borrows that of the deepest prefix that may end where this string
goes on (code, and how far back), so that a walk that can go no further need not look back. Where
that is too far, or hangs on the next byte (a mask with some bits), `fallback` holds it, at the
place that the field `code` says: code | back << CODE_BITS.

The table's first 65,536 entries are where a walk stands that has read two bytes: first | second <<
8. Where no string begins with both, the entry stands for the first byte's piece, that ended a byte
before. So the next piece begins `stride` bytes further on than the walk that ended, with the entry
of a pair.

Where strings that may not end everywhere may not begin everywhere either, a second trie without
them follows in the same table, with a root of its own: a piece begins there where the byte before
and its first one lie in one pretoken. So the entries after two bytes hang on the byte before.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.raw import address, load64
from equinfo.errors import EquinfoError

LABEL_MASK = 255
BASE, BASE_MASK = 8, (1 << 24) - 1
CODE, CODE_BITS = 32, 20
CODE_MASK = (1 << CODE_BITS) - 1
MASK, ANY = 52, 255
STRIDE, PAIR = 60, 2
MAX_BACK = PAIR + 8
PAIRS = 1 << 16  # where nodes begin in the table
LEAF = PAIRS + 1  # the base of nodes without children
LENGTH_BITS = 12
MAX_LENGTH = (1 << LENGTH_BITS) - 1
MAX_NODES = 1 << CODE_BITS  # of a trie, and places of `fallback`; about 120 bytes each to build
LOOKAHEAD = 128  # bytes that a walk may read beyond the piece that it then ends; more than 4 * 20
NUM_CLASSES, END = 8, 7  # classes of bytes; the last is that of the end of a document
FAR = 1 << 8  # places that a search passes before the next one begins further on
ROOM = 1 << 10  # places behind the last one that a search may look at


class DoubleArray(NamedTuple):
    table: np.ndarray  # int64, 256 entries from each base on
    fallback: np.ndarray  # uint32
    root: int  # the entry that stands for the empty string
    # uint8[256]: which bit of an entry says whether its piece may end before a byte; None where all
    # entries know their pieces whatever follows
    shifts: np.ndarray | None
    # of the second trie, if there is one: its root; uint8[65536]: whether a pair, the byte before
    # and a piece's first, lies inside a pretoken; and int64[8, 65536], the entries after two bytes,
    # by the class of the byte before them (and, in the last row, inside a pretoken)
    amid_root: int = 0
    inside: np.ndarray | None = None
    pairs: np.ndarray | None = None

    def begins_amid(self, before: bytes, data: bytes) -> int:
        """1 if `data`, after the byte `before`, begins inside a pretoken, else 0."""
        if self.inside is None or not before or not data:
            return 0
        return int(self.inside[before[0] | data[0] << 8])


def build(
    strings: list[bytes],
    codes: np.ndarray,
    masks: np.ndarray,
    classes: np.ndarray,
    cut: np.ndarray | None = None,
) -> DoubleArray:
    """The trie of `Dictionary`'s strings, codes (int64[n]), masks (uint8[n]), classes (uint8[256]);
    with `cut` (bool[8, 8]), the second one, too.

    Strings that may not end everywhere have codes of their own. Raises EquinfoError, before it is
    built, for more than MAX_NODES beginnings (a trie, or with a place in `fallback`), and where a
    piece may end more than LOOKAHEAD bytes back: a walk reads these again, so without a bound it
    would take longer than in proportion.
    """
    alphabetic = sorted(range(len(strings)), key=strings.__getitem__)
    one_trie, roots = len(alphabetic), 1 if cut is None else 2
    if cut is not None:
        alphabetic += [k for k in alphabetic if masks[k] == ANY]
    ends = np.cumsum([len(strings[k]) for k in alphabetic], dtype=np.int64)
    blob = np.frombuffer(b"".join([strings[k] for k in alphabetic]), dtype=np.uint8)
    shared = _shared(blob, ends)
    shared[one_trie : one_trie + 1] = 0
    nodes = roots + len(blob) - int(shared.sum())
    if nodes > roots * MAX_NODES:
        raise EquinfoError(
            f"its strings have {nodes} beginnings: a dictionary's have at most {roots * MAX_NODES}"
        )
    parent, byte, node = _nodes(blob, ends, shared, nodes, one_trie)
    code = np.full(len(parent), -1, dtype=np.int64)
    mask = np.zeros(len(parent), dtype=np.int64)
    code[node] = codes[alphabetic]
    mask[node] = masks[alphabetic]
    borrowed, back = _borrowed(parent, byte, code, mask, classes.astype(np.int64))
    own = code >= 0
    furthest = int(back[~own | (mask != ANY)].max(initial=0))
    if furthest > LOOKAHEAD:
        raise EquinfoError(
            f"its strings go on for {furthest} bytes in which no piece may end: a dictionary's for"
            f" at most {LOOKAHEAD} (choose a smaller max_window)"
        )

    # Where the nodes lie. Codes are about equally frequent, so a node is as hot as there are codes
    # below it (of two tries, times the classes after which they begin). Hot ones lie close
    # together; those of one child come last and fill the holes.
    heat = own.astype(np.int64)
    if cut is not None:
        begins = cut[:END, classes[[strings[k][0] for k in alphabetic]]].sum(axis=0)
        begins[one_trie:] = END - begins[one_trie:]
        heat[node] *= begins
    children = np.argsort(parent, kind="stable")[roots:]
    first = np.searchsorted(parent[children], np.arange(len(parent) + 1))
    branches = np.diff(first)
    order = np.lexsort((-_below(parent, heat), branches == 1))
    base = _place(byte, children, first, order[branches[order] > 0])
    if base.max() > BASE_MASK:
        raise EquinfoError(f"a dictionary of {len(parent)} nodes: more than an entry can address")

    # What an entry cannot say stands in `fallback`, at the place that its `code` gives. A node that
    # has a code and hangs on the next byte has that code, no other such node's, as its place; one
    # whose piece ended far back has no code to keep, and takes a place that is left.
    far = ~own & (back > MAX_BACK)
    asks = far | own & (mask != ANY)
    if asks.sum() > MAX_NODES:
        raise EquinfoError(
            f"{asks.sum()} beginnings of its strings hang on what follows: at most {MAX_NODES} may"
        )
    field = np.where(own, code, borrowed)
    field[far] = _unused(field[asks & own], int(far.sum()))
    fallback = np.zeros(int(field[asks].max(initial=0)) + 1, dtype=np.uint32)
    fallback[field[asks]] = (borrowed | back << CODE_BITS)[asks]

    # A far one may end before no class, so that it always asks; a near one ends anywhere, `back`
    # bytes ago. Free places hold their own label % 256, by which they are nobody's child.
    may_end = np.where(own, mask, np.where(far, 0, ANY))
    stride = PAIR - np.where(own | far, 0, back)
    entries = byte | base << BASE | field << CODE | may_end << MASK | stride << STRIDE
    table = np.arange(base.max() + 256) % 256
    table[base[parent[children]] + byte[children]] = entries[children]
    table[:PAIRS] = _pairs(table, int(base[0]))
    root, amid_root = (
        int(base[k]) << BASE | ANY << MASK | PAIR << STRIDE
        for k in np.flatnonzero(parent < 0)[[0, -1]]
    )
    shifts = (classes + MASK).astype(np.uint8)
    if cut is None:
        return DoubleArray(table, fallback, root, shifts if asks.any() else None)
    amid = _pairs(table, amid_root >> BASE & BASE_MASK)
    second, first = np.divmod(np.arange(PAIRS), 256)
    inside = (~cut[classes[first], classes[second]]).astype(np.uint8)
    pairs = np.stack([np.where(after[classes[first]], table[:PAIRS], amid) for after in cut])
    pairs[END] = amid
    return DoubleArray(table, fallback, root, shifts, amid_root, inside, pairs)


def _unused(codes: np.ndarray, count: int) -> np.ndarray:
    """`count` places of `fallback` besides these; with them at most as many as there are nodes."""
    free = np.ones(len(codes) + count, dtype=np.bool_)
    free[codes[codes < len(free)]] = False
    return np.flatnonzero(free)[:count]


def _pairs(table: np.ndarray, root: int) -> np.ndarray:
    """The entries after two bytes, int64[65536]."""
    second, first = np.divmod(np.arange(PAIRS), 256)
    ones = table[root + first]
    both = table[(ones >> BASE & BASE_MASK) + second]
    ended = LEAF << BASE | ones & CODE_MASK << CODE | ANY << MASK | (PAIR - 1) << STRIDE
    return np.where(both & LABEL_MASK == second, both, ended)


@kernel
def _shared(blob, ends):
    """int64[n]: the bytes that each of sorted strings begins with like the one before."""
    shared = np.zeros(len(ends), dtype=np.int64)
    before = begin = np.int64(0)
    for k in range(len(ends)):
        common = min(begin - before, ends[k] - begin)
        while shared[k] < common and blob[before + shared[k]] == blob[begin + shared[k]]:
            shared[k] += 1
        before = begin
        begin = ends[k]
    return shared


@kernel
def _nodes(blob, ends, shared, size, one_trie):
    """The prefixes of sorted strings: (parent, last byte: int64[size], node of each string).

    The strings from `one_trie` on, sorted as well, are a second trie's. Roots have parent -1.
    """
    parent = np.full(size, -1)
    byte = np.zeros(size, dtype=np.int64)
    node = np.empty(len(ends), dtype=np.int64)
    path = np.zeros(MAX_LENGTH + 1, dtype=np.int64)
    last = begin = np.int64(0)
    for k in range(len(ends)):
        length = ends[k] - begin
        if k == one_trie:
            last += 1
            path[0] = last
        for depth in range(shared[k], length):
            last += 1
            parent[last] = path[depth]
            byte[last] = blob[begin + depth]
            path[depth + 1] = last
        node[k] = path[length]
        begin = ends[k]
    return parent, byte, node


@kernel
def _below(parent, heat):
    """The heat of each node and of those below it."""
    count = heat.copy()
    for node in range(len(parent) - 1, 0, -1):  # children come after their parents
        if parent[node] >= 0:
            count[parent[node]] += count[node]
    return count


@kernel
def _place(byte, children, first, order):
    """A base for each node: first fit, in `order`.

    Where a search took long, the next one begins there, but that of the first node of one child.
    """
    # a byte a place, so that eight are tested at once
    free = np.ones(2 * len(byte) + PAIRS + ROOM, dtype=np.uint8)
    spare = np.ones(len(free), dtype=np.uint8)
    base = np.full(len(byte), LEAF)
    spare[LEAF] = spare[::256] = 0
    start = high = behind = LEAF + 256  # the leaves' children, that are not there
    single = False
    for node in order:
        family = byte[children[first[node] : first[node + 1]]]
        # a family fits behind all others, or a few places further where a base is taken
        if high + ROOM > len(free):
            free = np.concatenate((free, np.ones(len(free), dtype=np.uint8)))
            spare = np.concatenate((spare, np.ones(len(spare), dtype=np.uint8)))
            spare[::256] = 0
        if len(family) == 1 and not single:
            single = True
            start = behind
        while free[start] == 0:
            start += 1
        found = _fitting(free, spare, family, start - family[0])
        if found + family[0] > start + FAR:
            start = found + family[0]
        base[node] = found
        spare[found] = 0
        high = max(high, found + family[-1])
        for label in family:
            free[found + label] = 0
    return base


@kernel
def _fitting(free, spare, family, base):
    """The first spare base from `base` on from which the places of all labels are free."""
    frees = address(free)
    spares = address(spare)
    while True:
        fits = load64(spares + base)
        for label in family:
            fits &= load64(frees + base + label)
            if fits == 0:
                break
        if fits:
            while spare[base] == 0 or not _all_free(free, family, base):
                base += 1
            return base
        base += 8


@kernel
def _all_free(free, family, base):
    count = 0
    for label in family:
        count += free[base + label]
    return count == len(family)


@kernel
def _borrowed(parent, byte, code, mask, classes):
    """Of each node's deepest shorter prefix that may end where it goes on: (code, bytes before)."""
    spare_code = np.zeros(len(parent), dtype=np.int64)
    spare_back = np.zeros(len(parent), dtype=np.int64)
    for node in range(1, len(parent)):
        up = parent[node]
        if up >= 0 and parent[up] >= 0:
            own = code[up] >= 0 and (mask[up] >> classes[byte[node]]) & 1
            spare_code[node] = code[up] if own else spare_code[up]
            spare_back[node] = 1 if own else spare_back[up] + 1
    return spare_code, spare_back
