"""M1 by counting: byte models of order 1 to 6, in integers throughout.

The contexts seen in a text form a trie: a node is a string of up to `order` bytes, its entries are
the symbols seen after it. A prediction interpolates the nodes of the last 0, 1, ..., order bytes,
from the shortest on, by absolute discounting (Ney, Essen & Kneser 1994): after a context seen n
times, before d distinct symbols,

    P(s) = (count(s) - D) / n + D * d / n * P'(s)        P': of the context one byte shorter

with D = n1 / (n1 + 2 * n2), n1 and n2 the entries of that length seen once and twice. P is held in
units of 2**-SCALE and D in units of 1/256; every quotient is rounded down, so that a row's sum
never exceeds 1, and the rest goes to the likeliest symbol. Bounds: counts < 2**28, so 2**8 * 2**28
* 2**SCALE = 2**62 holds in int64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.models.base import (
    EOD,
    PRECISION,
    SYMBOLS,
    ByteModel,
    check_precision,
    normalise,
    stored_precision,
)
from equinfo.errors import EquinfoError
from equinfo.stored import number, tensor

MAX_ORDER = 6
SCALE = 26
ONE = 1 << SCALE
MAX_TEXT = (1 << 28) - 1  # symbols
# so that a long document is many segments, coded side by side; the bytes lost cost < 0.01 bits each
MAX_CONTEXT = 4096
FILLER = 511  # after EOD, in the 9 bits of a symbol
NONE = -1


DTYPES = {
    "first": np.uint32,
    "symbols": np.uint16,
    "counts": np.uint32,
    "children": np.int32,
    "discounts": np.uint16,
}


@dataclass
class State:
    nodes: np.ndarray  # int32[lanes, order + 1]: at k, the trie's node of the last k bytes, or NONE
    seen: np.ndarray  # int64[lanes]: symbols since the start
    stale: np.ndarray  # bool[lanes]: its row is yet to be filled
    rows: np.ndarray  # u32[lanes, 257]


class CountModel(ByteModel):
    """Interpolated counts of a text's contexts; after a restart, of as many bytes as there are.

    tensors, nodes numbered by length, entries by node, then symbol: first: uint32[nodes + 1], each
    node's first entry. symbols: uint16[entries]. counts: uint32[entries]. children: int32[entries
    of nodes shorter than `order`], the node of the context and this symbol, or -1. discounts:
    uint16[order + 1], in units of 1/256.
    """

    kind = "counts"
    max_context = MAX_CONTEXT

    def __init__(
        self, order: int, tensors: dict[str, np.ndarray], precision: int = PRECISION
    ) -> None:
        self.order = check_order(order)
        self.precision = check_precision(precision)
        self.tensors = {
            name: np.ascontiguousarray(tensors[name], dtype=dtype) for name, dtype in DTYPES.items()
        }
        self._check_tensors()
        t = self.tensors
        root = np.zeros(SYMBOLS, dtype=np.int64)
        root[t["symbols"][: t["first"][1]]] = t["counts"][: t["first"][1]]
        self.root = normalise(root, SCALE).astype(np.int64)
        self.start_row = np.empty((1, SYMBOLS), dtype=np.uint32)
        nodes = np.array([[0] + [NONE] * order], dtype=np.int32)
        self._fill(nodes, np.ones(1, dtype=np.bool_), self.start_row)

    def _check_tensors(self) -> None:
        """The kernels index without looking."""
        t = self.tensors
        first = t["first"].astype(np.int64)
        symbols = t["symbols"]
        children = t["children"]
        sizes = np.diff(first)
        sound = (
            len(first) > 1
            and first[0] == 0
            and first[-1] == len(symbols) == len(t["counts"]) >= len(children)
            and (sizes > 0).all()
            and (symbols <= EOD).all()
            and (t["counts"] > 0).all()
            and (children < len(sizes)).all()
            and (children != 0).all()
            and t["discounts"].shape == (self.order + 1,)
            and ((t["discounts"] > 0) & (t["discounts"] < 256)).all()
        )
        if sound:
            follows = np.ones(len(symbols), dtype=np.bool_)  # an entry, another of its node
            follows[first[:-1]] = False
            ascending = (np.diff(symbols.astype(np.int64))[follows[1:]] > 0).all()
            totals = np.add.reduceat(t["counts"].astype(np.int64), first[:-1])
            sound = bool(ascending) and int(totals.max()) <= MAX_TEXT
        if not sound:
            raise EquinfoError("the tables of a count model do not fit together: rebuild it")

    @classmethod
    def train(
        cls,
        documents: Any,
        order: int,
        precision: int = PRECISION,
        min_count: int = 2,
        max_entries: int = 1 << 23,
    ) -> "CountModel":
        """Count the contexts of `documents` (an iterable of bytes), each followed by EOD.

        Kept are contexts seen `min_count` times; more often where the table would exceed
        `max_entries` entries (about 8 bytes each). Takes 16 bytes of memory a byte of text. Raises
        EquinfoError for no text and for more than 2**28.
        """
        check_order(order)
        grams = _sorted_grams(_symbols(documents), order)
        tensors = _trie(grams, order, max(min_count, 1))
        if len(tensors["symbols"]) > max_entries:
            tensors = _trie(grams, order, _threshold(tensors, max_entries))
        return cls(order, tensors, precision)

    def start(self, lanes: int) -> State:
        nodes = np.full((lanes, self.order + 1), NONE, dtype=np.int32)
        nodes[:, 0] = 0
        rows = np.repeat(self.start_row, lanes, axis=0)
        return State(nodes, np.zeros(lanes, dtype=np.int64), np.zeros(lanes, dtype=np.bool_), rows)

    def frequencies(self, state: State) -> np.ndarray:
        self._fill(state.nodes, state.stale, state.rows)
        return state.rows

    def _fill(self, nodes: np.ndarray, stale: np.ndarray, rows: np.ndarray) -> None:
        t = self.tensors
        tables = t["first"], t["symbols"], t["counts"], t["discounts"], self.root
        _fill_rows(nodes, stale, rows, *tables, self.precision)

    def advance(self, state: State, symbols: np.ndarray, restart: np.ndarray) -> None:
        t = self.tensors
        fed = np.asarray(symbols, dtype=np.int64)
        tables = t["first"], t["symbols"], t["children"]
        _advance(state.nodes, state.seen, state.stale, fed, restart, *tables, self.max_context)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"precision": self.precision, "order": self.order}, self.tensors

    @classmethod
    def from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> "CountModel":
        order = number(config, "order", 1, MAX_ORDER)
        tables = {name: tensor(tensors, name, dtype, (None,)) for name, dtype in DTYPES.items()}
        return cls(order, tables, stored_precision(config))


def check_order(order: int) -> int:
    if not 1 <= order <= MAX_ORDER:
        raise EquinfoError(
            f"a count model of order {order}: choose 1 to {MAX_ORDER} (StaticModel is order 0)"
        )
    return order


def _symbols(documents: Any) -> np.ndarray:
    """The documents' bytes, EOD after each: uint16[symbols]."""
    parts = []
    size = 0
    for document in documents:
        part = np.full(len(document) + 1, EOD, dtype=np.uint16)
        part[:-1] = np.frombuffer(document, dtype=np.uint8)
        parts.append(part)
        size += len(part)
        if size > MAX_TEXT:
            raise EquinfoError(f"more than {MAX_TEXT} bytes to count: pass less text (--max-bytes)")
    if not parts:
        raise EquinfoError("no documents to count bytes in: the corpus is empty")
    return np.concatenate(parts)


def _sorted_grams(symbols: np.ndarray, order: int) -> np.ndarray:
    """Every run of order + 1 symbols, 9 bits each, sorted: int64[symbols]; FILLER beyond EOD."""
    grams = np.zeros(len(symbols), dtype=np.int64)
    ended = np.zeros(len(symbols), dtype=np.bool_)
    padded = np.concatenate([symbols, np.full(order, FILLER, dtype=np.uint16)])
    for k in range(order + 1):
        symbol = padded[k : k + len(symbols)]
        grams <<= 9
        grams |= np.where(ended, FILLER, symbol)
        ended |= symbol >= EOD
    grams.sort()
    return grams


def _trie(grams: np.ndarray, order: int, min_count: int) -> dict[str, np.ndarray]:
    """The tensors of CountModel: contexts of up to `order` bytes seen `min_count` times or more."""
    begins = np.array([0])  # each node's part of `grams`, [begin, end)
    ends = np.array([len(grams)])
    sizes, symbols, counts, children, discounts = [], [], [], [], []
    nodes = 1
    for length in range(order + 1):
        at, end, symbol, node = _entries(grams, begins, ends, 9 * (order - length))
        count = end - at
        sizes.append(np.bincount(node, minlength=len(begins)))
        symbols.append(symbol)
        counts.append(count)
        once = int((count == 1).sum())
        twice = int((count == 2).sum())
        discounts.append(min(max(256 * once // max(once + 2 * twice, 1), 1), 255))
        if length < order:
            inner = (count >= min_count) & (symbol < EOD)
            begins = at[inner]
            ends = end[inner]
            children.append(np.where(inner, nodes - 1 + np.cumsum(inner), NONE))
            nodes += len(begins)
    return {
        "first": np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.uint32),
        "symbols": np.concatenate(symbols).astype(np.uint16),
        "counts": np.concatenate(counts).astype(np.uint32),
        "children": np.concatenate(children).astype(np.int32),
        "discounts": np.array(discounts, dtype=np.uint16),
    }


def _entries(
    grams: np.ndarray, begins: np.ndarray, ends: np.ndarray, shift: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(begin, end, last symbol, node) of each run of equal `grams >> shift` in [begins, ends)."""
    prefix = grams >> shift
    at = np.concatenate([[0], np.flatnonzero(prefix[1:] != prefix[:-1]) + 1])
    end = np.concatenate([at[1:], [len(grams)]])
    symbol = prefix[at] & FILLER
    node = np.searchsorted(begins, at, side="right") - 1
    kept = (symbol != FILLER) & (node >= 0)
    kept &= at < ends[np.maximum(node, 0)] if len(begins) else False
    return at[kept], end[kept], symbol[kept], node[kept]


def _threshold(tensors: dict[str, np.ndarray], max_entries: int) -> int:
    """The least count of a context that leaves at most `max_entries` entries; the root stays."""
    sizes = np.diff(tensors["first"].astype(np.int64))
    entries = tensors["children"] > 0
    # how often nodes 1, 2, ... were seen: entries stand in their order
    seen = tensors["counts"][: len(entries)][entries].astype(np.int64)
    order = np.argsort(-seen, kind="stable")
    held = np.cumsum(sizes[1:][order]) + sizes[0]
    fitting = int(np.searchsorted(held, max_entries, side="right"))
    return int(seen[order[fitting]]) + 1 if fitting < len(order) else 1


@kernel
def _fill_rows(nodes, stale, rows, first, symbols, counts, discounts, root, precision):
    """Predict anew in the lanes that are stale."""
    units = np.empty(SYMBOLS, dtype=np.int64)
    room = (np.int64(1) << precision) - SYMBOLS
    for i in range(len(nodes)):
        if not stale[i]:
            continue
        stale[i] = False
        weight = _add_contexts(units, nodes[i], first, symbols, counts, discounts)
        left = np.int64(1) << precision
        for s in range(SYMBOLS):
            unit = units[s] + ((weight * root[s]) >> SCALE)
            units[s] = unit
            freq = 1 + ((unit * room) >> SCALE)
            rows[i, s] = freq
            left -= freq
        best = 0
        for s in range(1, SYMBOLS):
            if units[s] > units[best]:
                best = s
        rows[i, best] += left


@kernel
def _add_contexts(units, nodes, first, symbols, counts, discounts):
    """Set `units` to what contexts of a byte or more predict; returns what weight that leaves."""
    units[:] = 0
    weight = np.int64(ONE)
    for k in range(len(nodes) - 1, 0, -1):
        node = nodes[k]
        if node < 0:
            continue
        begin = np.int64(first[node])
        end = np.int64(first[node + 1])
        discount = np.int64(discounts[k])
        total = np.int64(0)
        for e in range(begin, end):
            total += np.int64(counts[e])
        for e in range(begin, end):
            share = (((np.int64(counts[e]) << 8) - discount) << SCALE) // (total << 8)
            units[symbols[e]] += (weight * share) >> SCALE
        lower = ((discount * (end - begin)) << SCALE) // (total << 8)
        weight = (weight * lower) >> SCALE
    return weight


@kernel
def _advance(nodes, seen, stale, fed, restart, first, symbols, children, max_context):
    for i in range(len(nodes)):
        if restart[i]:
            nodes[i, 1:] = NONE
            seen[i] = 0
            stale[i] = True
        if fed[i] >= 0:
            for k in range(nodes.shape[1] - 1, 0, -1):
                nodes[i, k] = _child(nodes[i, k - 1], fed[i], first, symbols, children)
            seen[i] += 1
            stale[i] = True
        if seen[i] == max_context:
            nodes[i, 1:] = NONE
            seen[i] = 0


@kernel
def _child(node, symbol, first, symbols, children):
    """The node of a context and one more symbol, or NONE: a binary search in its entries."""
    if node < 0:
        return NONE
    low = np.int64(first[node])
    high = end = np.int64(first[node + 1])
    while low < high:
        middle = (low + high) // 2
        if np.int64(symbols[middle]) < symbol:
            low = middle + 1
        else:
            high = middle
    if low < end and np.int64(symbols[low]) == symbol and low < len(children):
        return np.int64(children[low])
    return NONE
