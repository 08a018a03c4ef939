"""A set of byte strings as a double-array trie of one 64-bit entry a node: a step is one load.

The child of a node with base B by byte c is the entry at B + c, if its label is c. No two nodes share a base, so the
label alone tells whose child an entry is; the leaves share base 0, of which nothing is a child. An entry holds

    label  9 bits   the byte that leads here; FREE where nothing is stored
    base  22 bits
    code  20 bits
    mask   8 bits   bit k: a piece may end here if the next byte is of class k; its code is then `code`
    back   4 bits   ... and it ended so many bytes before

A node without a code of its own borrows that of the deepest prefix that may end where this string goes on (code, back),
so that a walk that can go no further need not look back. Where that is too far, or hangs on the next byte (a mask with
some bits), `fallback` holds it: code | back << 20.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

LABEL_MASK, FREE = 511, 256
BASE, BASE_MASK = 9, (1 << 22) - 1
CODE, CODE_BITS = 31, 20
CODE_MASK = (1 << CODE_BITS) - 1
MASK, ANY = 51, 255
BACK, MAX_BACK = 59, 15
LENGTH_BITS = 12
MAX_LENGTH = (1 << LENGTH_BITS) - 1
NUM_CLASSES, END = 8, 7  # classes of bytes; the last is that of the end of a document
TRIES = 32  # places tried in vain before the search for one begins further on


class DoubleArray(NamedTuple):
    """table: int64[n + 256 at least]; fallback: uint32, as long; root: what stands for the empty string."""

    table: np.ndarray
    fallback: np.ndarray
    root: int


def build(strings: list[bytes], codes: np.ndarray, masks: np.ndarray, classes: np.ndarray) -> DoubleArray:
    """strings: distinct, all 256 bytes among them. codes: int64[n], -1 for none. masks: uint8[n]. classes: uint8[256].

    Raises EquinfoError for strings of more than 4,095 bytes, and for more nodes than an entry can address.
    """
    alphabetic = sorted(range(len(strings)), key=strings.__getitem__)
    ends = np.cumsum([len(strings[k]) for k in alphabetic], dtype=np.int64)
    blob = np.frombuffer(b"".join([strings[k] for k in alphabetic]), dtype=np.uint8)
    if max(map(len, strings)) > MAX_LENGTH:
        raise EquinfoError(f"a string of {max(map(len, strings))} bytes: a dictionary's have at most {MAX_LENGTH}")
    parent, byte, node = _nodes(blob, ends)
    if 2 * len(parent) > BASE_MASK:
        raise EquinfoError(f"a dictionary of {len(parent)} nodes: at most {BASE_MASK // 2} can be addressed")
    code = np.full(len(parent), -1, dtype=np.int64)
    mask = np.zeros(len(parent), dtype=np.int64)
    code[node], mask[node] = codes[alphabetic], masks[alphabetic]
    children = np.argsort(parent, kind="stable")[1:]
    first = np.searchsorted(parent[children], np.arange(len(parent) + 1))
    # Codes are about equally frequent, so a node is as hot as there are codes below it. Hot ones lie close together.
    branches, heat = np.diff(first), _codes_below(parent, code)
    order = np.lexsort((-heat, branches == 1))
    base = _place(byte, children, first, order[branches[order] > 0])
    table, fallback = _entries(parent, byte, base, code, mask, classes.astype(np.int64))
    return DoubleArray(table, fallback, FREE | int(base[0]) << BASE | ANY << MASK)


@kernel
def _nodes(blob, ends):
    """The prefixes of sorted strings, in that order: (parent, last byte: int64[nodes], node of each string)."""
    parent, byte = np.empty(len(blob) + 1, dtype=np.int64), np.empty(len(blob) + 1, dtype=np.int64)
    node, path = np.empty(len(ends), dtype=np.int64), np.zeros(MAX_LENGTH + 1, dtype=np.int64)
    parent[0], byte[0], size, before, length = -1, FREE, 1, 0, 0
    for k in range(len(ends)):
        begin = ends[k - 1] if k > 0 else 0
        shared = 0
        while shared < min(length, ends[k] - begin) and blob[before + shared] == blob[begin + shared]:
            shared += 1
        before, length = begin, ends[k] - begin
        for depth in range(shared, length):
            parent[size], byte[size] = path[depth], blob[begin + depth]
            path[depth + 1] = size
            size += 1
        node[k] = path[length]
    return parent[:size].copy(), byte[:size].copy(), node


@kernel
def _codes_below(parent, code):
    """How many codes the strings that begin with each node's have."""
    count = (code >= 0).astype(np.int64)
    for node in range(len(parent) - 1, 0, -1):  # children come after their parents
        count[parent[node]] += count[node]
    return count


@kernel
def _place(byte, children, first, order):
    """A base for each node: first fit, in `order`: those of one child last, since they fill the holes."""
    n = len(byte)
    is_base, base = np.zeros(3 * n + 2048, dtype=np.bool_), np.zeros(n, dtype=np.int64)
    free = np.arange(3 * n + 2048)  # the first free place from each on, or one on the way there
    is_base[0] = True
    start, single = 257, False  # before it, a base might be negative or 0
    for node in order:
        family = byte[children[first[node] : first[node + 1]]]
        if len(family) == 1 and not single:
            single, start = True, 257
        start = place = _first_free(free, start)
        tries = 0
        while not _fits(free, is_base, family, place - family[0]):
            place = _first_free(free, place + 1)
            tries += 1
        if tries > TRIES and not single:
            start = place
        base[node] = place - family[0]
        is_base[base[node]] = True
        for label in family:
            free[base[node] + label] += 1
    return base


@kernel
def _first_free(free, place):
    while free[place] != place:
        free[place] = free[free[place]]
        place = free[place]
    return place


@kernel
def _fits(free, is_base, family, base):
    fits = not is_base[base]
    for label in family:
        fits = fits and free[base + label] == base + label
    return fits


@kernel
def _entries(parent, byte, base, code, mask, classes):
    size = base.max() + 256
    table, fallback = np.full(size, FREE, dtype=np.int64), np.zeros(size, dtype=np.uint32)
    spare_code, spare_back = np.zeros(len(parent), dtype=np.int64), np.zeros(len(parent), dtype=np.int64)
    for node in range(1, len(parent)):
        up, at = parent[node], base[parent[node]] + byte[node]
        if up > 0:
            own = code[up] >= 0 and (mask[up] >> classes[byte[node]]) & 1
            spare_code[node] = code[up] if own else spare_code[up]
            spare_back[node] = 1 if own else spare_back[up] + 1
        fallback[at] = spare_code[node] | spare_back[node] << CODE_BITS
        entry = byte[node] | base[node] << BASE
        if code[node] >= 0:
            entry |= code[node] << CODE | mask[node] << MASK
        elif spare_back[node] <= MAX_BACK:
            entry |= spare_code[node] << CODE | np.int64(ANY) << MASK | spare_back[node] << BACK
        table[at] = entry
    return table, fallback
