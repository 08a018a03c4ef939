"""What a network says after a start, kept for the likeliest strings: no network runs for them
again.

Where contexts begin anew all the time (windows), what the network computes for a context's first
bytes depends on them alone. So a tree of byte strings grows, the likeliest under the model itself
first. Each string keeps the row after it, and its last position's keys and values: one step of the
network makes it, since those of its beginnings are there. A lane walks the tree as far as it goes;
then it copies its string's keys and values, and the network goes on from there as if it had been
there from the start. So rows are the same with and without the tree, however far it has grown.
"""

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, SYMBOLS
from equinfo.compress.network.matmul import COLUMN_STEP, DEPTH_STEP
from equinfo.errors import EquinfoError

if TYPE_CHECKING:
    from equinfo.compress.network.integer import Cache, IntegerByteModel, State

MEMORY = 128 << 20  # bytes that a model's tree may take, if EQUINFO_MEMO_MIB does not say otherwise
FIRST_ROUND, GROWTH = 64, 8  # a round adds an eighth of the strings there are, or the first number
PRICE = 4  # steps of the network that users must have made for each one that growing makes
CERTAIN = 1 << 40  # a probability of 1; times a frequency it stays below 2**60


def memo_bytes() -> int:
    """EQUINFO_MEMO_MIB in bytes, or MEMORY."""
    wanted = os.environ.get("EQUINFO_MEMO_MIB", "")
    if wanted and not wanted.isdecimal():
        raise EquinfoError(
            f"EQUINFO_MEMO_MIB is {wanted!r}: it must be a number of MiB, or not set"
        )
    return int(wanted) << 20 if wanted else MEMORY


class Nodes(NamedTuple):
    """The strings of a tree, in the order in which they came; the empty one is 0. Its columns are
    never read.
    """

    parents: np.ndarray  # int64[n]
    depths: np.ndarray  # int64[n]: bytes, and the position in a context
    rows: np.ndarray  # uint16[n, 257], or uint32 where frequencies need it
    keys: np.ndarray  # int8[n, layers, heads, head_dim / 4, 4]: one position's, out of `Cache`
    values: np.ndarray  # int8[n, layers, heads, head_dim / 32, 32]
    offsets: np.ndarray  # int32[n, layers, heads]


class Memo:
    """The tree of one model, and its growth. Reading needs no lock: what a reader sees of it does
    not change.
    """

    def __init__(self, model: "IntegerByteModel", memory: int) -> None:
        self.model = model
        cache = model._cache(1, 1, 1)
        shape = len(model.layers), model.heads
        parts = [
            ((), np.int64),
            ((), np.int64),
            ((SYMBOLS,), np.uint16 if model.precision <= 16 else np.uint32),
            ((*shape, model.size // DEPTH_STEP, DEPTH_STEP), np.int8),
            ((*shape, cache.values.shape[3], COLUMN_STEP), np.int8),
            (shape, np.int32),
        ]
        self.node_bytes = sum(
            int(np.prod(shape)) * np.dtype(kind).itemsize for shape, kind in parts
        )
        self.capacity = max(memory // self.node_bytes, 1)
        self.nodes = Nodes(
            *[np.empty((self.capacity, *shape), dtype=kind) for shape, kind in parts]
        )
        self.nodes.parents[0], self.nodes.depths[0], self.nodes.rows[0] = 0, 0, model.root_row[0]
        self.size = 1
        # the edges that readers see: places (parent * SYMBOLS + byte, ascending) and the children
        # there
        self.edges = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        # what may come next: probability, parent and byte of each string, likeliest first
        self.candidates = np.empty((3, 0), dtype=np.int64)
        self._add_candidates(np.array([CERTAIN]), np.array([0]))
        self.lock, self.steps = threading.Lock(), 0
        self.state: State | None = None  # what growing runs the network in

    @property
    def complete(self) -> bool:
        return self.size == self.capacity or not self.candidates.shape[1]

    @property
    def round(self) -> int:
        """Strings that the next round adds, at most."""
        return min(max(FIRST_ROUND, self.size // GROWTH), self.capacity - self.size)

    def grow(self) -> None:
        """Until the memory is full."""
        with self.lock:
            while not self.complete:
                self._grow_once()

    def note(self, steps: int) -> None:
        """Tell how many steps a user has run in the network: so many may pay for a round of growth.

        The count is no exact one where threads tell at once; what it decides changes no row.
        """
        self.steps += steps
        if (
            self.steps < PRICE * self.round
            or self.complete
            or not self.lock.acquire(blocking=False)
        ):
            return
        try:
            if not self.complete:
                self._grow_once()
            self.steps = 0
        finally:
            self.lock.release()

    def _grow_once(self) -> None:
        count = self.round
        chosen, self.candidates = self.candidates[:, :count], self.candidates[:, count:]
        first, lanes = self.size, self.model.lanes
        self.state = self.state or self.model.start(lanes)
        for at in range(0, chosen.shape[1], lanes):
            self._add(chosen[1, at : at + lanes], chosen[2, at : at + lanes], self.state)
        new = np.arange(first, self.size)
        self._add_candidates(chosen[0], new)
        places = np.concatenate([self.edges[0], chosen[1] * SYMBOLS + chosen[2]])
        order = np.argsort(places)
        self.edges = places[order], np.concatenate([self.edges[1], new])[order]
        if self.complete:
            self.candidates, self.state = np.empty((3, 0), dtype=np.int64), None

    def _add(self, parents: np.ndarray, symbols: np.ndarray, state: "State") -> None:
        """Run the network for strings of `parents` and a byte each, and keep what comes of it."""
        count, first = len(parents), self.size
        fed = np.full(len(state.seen), -1, dtype=np.int64)
        fed[:count] = symbols
        self.leave(state, np.arange(count), parents)
        self.model.advance(state, fed, fed < 0)
        rows, new = self.model.frequencies(state), slice(first, first + count)
        self.nodes.parents[new], self.nodes.depths[new] = parents, self.nodes.depths[parents] + 1
        self.nodes.rows[new] = rows[:count]
        cache, lanes, at = state.cache, np.arange(count), self.nodes.depths[new]
        self.nodes.keys[new] = cache.keys[:, lanes, :, at // COLUMN_STEP, :, at % COLUMN_STEP]
        self.nodes.values[new] = cache.values[:, lanes, :, :, at // DEPTH_STEP, :, at % DEPTH_STEP]
        self.nodes.offsets[new] = cache.offsets[:, lanes, :, at]
        self.size += count

    def _add_candidates(self, probabilities: np.ndarray, nodes: np.ndarray) -> None:
        """The children of new nodes. Best first, and no more than there is room for: others could
        never come.
        """
        room = self.capacity - self.size
        inner = self.nodes.depths[nodes] < self.model.max_context - 1
        parts, floor = (
            [self.candidates],
            self.candidates[0, room - 1] if self.candidates.shape[1] >= room > 0 else 0,
        )
        for at in range(0, len(nodes), FIRST_ROUND):
            part = nodes[at : at + FIRST_ROUND][inner[at : at + FIRST_ROUND]]
            above = probabilities[at : at + FIRST_ROUND][inner[at : at + FIRST_ROUND]]
            chances = (
                above[:, None] * self.nodes.rows[part, :EOD].astype(np.int64)
            ) >> self.model.precision
            node, byte = np.nonzero(chances > floor)
            parts.append(np.stack([chances[node, byte], part[node], byte]))
        candidates = np.concatenate(parts, axis=1)
        self.candidates = candidates[:, np.argsort(-candidates[0], kind="stable")[:room]]

    def children(self, nodes: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """int64[n]: the strings one byte further, -1 where they are not in the tree."""
        places, children = self.edges
        if not len(places):
            return np.full(len(nodes), -1, dtype=np.int64)
        wanted = nodes * SYMBOLS + symbols
        at = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
        return np.where(places[at] == wanted, children[at], -1)

    def leave(self, state: "State", lanes: np.ndarray, nodes: np.ndarray) -> None:
        """Bring `lanes` (int64[n]) of the network's state to where it is after the strings `nodes`
        (int64[n]).
        """
        cache: Cache = state.cache
        state.seen[lanes] = self.nodes.depths[nodes]
        _restore_columns(self.nodes, nodes, lanes, cache.keys, cache.values, cache.offsets)


@kernel
def _restore_columns(nodes, lasts, lanes, keys, values, offsets):
    """Into the cache, at each lane, the columns of its string lasts[i] and of all its beginnings
    but the empty one.
    """
    for i in range(len(lanes)):
        node = lasts[i]
        while node > 0:
            _restore_column(nodes, node, lanes[i], keys, values, offsets)
            node = nodes.parents[node]


@kernel
def _restore_column(nodes, node, lane, keys, values, offsets):
    position = nodes.depths[node]
    column, group, place = position % COLUMN_STEP, position // DEPTH_STEP, position % DEPTH_STEP
    for layer in range(keys.shape[0]):
        for h in range(keys.shape[2]):
            offsets[layer, lane, h, position] = nodes.offsets[node, layer, h]
            panel, k = keys[layer, lane, h, position // COLUMN_STEP], nodes.keys[node, layer, h]
            for g in range(len(k)):
                for i in range(DEPTH_STEP):
                    panel[g, column, i] = k[g, i]
            v = nodes.values[node, layer, h]
            for part in range(len(v)):
                tile = values[layer, lane, h, part, group]
                for i in range(COLUMN_STEP):
                    tile[i, place] = v[part, i]
