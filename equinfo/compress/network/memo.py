"""What a network says after a start, kept for the likeliest strings: it runs for them only once.

Where contexts begin anew all the time (windows), what the network computes for a context's first
bytes depends on them alone. So a tree of byte strings grows, the likeliest under the model itself
first. Each string keeps the row after it, and its last position's keys and values: one step of the
network makes it, since those of its beginnings are there. A lane walks the tree as far as it goes;
then it copies its string's keys and values, and the network goes on from there as if it had been
there from the start. So rows are the same with and without the tree, however far it has grown.
"""

import os
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, SYMBOLS, ByteModel
from equinfo.compress.network.matmul import COLUMN_STEP, DEPTH_STEP
from equinfo.compress.network.network import State
from equinfo.errors import EquinfoError

MEMORY = 128 << 20  # bytes that a model's tree may take, if EQUINFO_MEMO_MIB does not say otherwise
LANES = 128  # a part of them is in the tree, where a lane costs next to nothing
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


class Stepped(ByteModel, Protocol):
    """What a memo asks of a network (integer.py) beyond a byte model; its states are `State`s."""

    def lanes_up_to(self, most: int) -> int: ...


class Nodes(NamedTuple):
    """The strings of a tree, in the order in which they came; the empty one is 0."""

    parents: np.ndarray  # int64[n]
    depths: np.ndarray  # int64[n]: bytes, and the position in a context
    rows: np.ndarray  # uint16[n, 257], or uint32 where frequencies need it
    keys: np.ndarray  # int8[n, layers, heads, head_dim / 4, 4]: one position's, out of `Cache`
    values: np.ndarray  # int8[n, layers, heads, head_dim / 32, 32]
    offsets: np.ndarray  # int32[n, layers, heads]


class Memo:
    """The tree of one model, and its growth. What a reader sees of it does not change: no lock."""

    def __init__(self, model: Stepped, memory: int) -> None:
        self.model = model
        first = model.start(1)
        parts = [
            np.int64(0),
            np.int64(0),
            first.rows[0].astype(np.uint16 if model.precision <= 16 else np.uint32),
            *first.cache.columns(0, 0),
        ]
        self.node_bytes = sum(part.nbytes for part in parts)
        self.capacity = max(memory // self.node_bytes, 1)
        self.nodes = Nodes(*[np.empty((self.capacity, *p.shape), dtype=p.dtype) for p in parts])
        for column, part in zip(self.nodes[:3], parts, strict=False):
            column[0] = part  # the empty string's keys and values are never read
        self.size = 1
        # the edges that readers see: places (parent * SYMBOLS + byte, ascending), children there
        self.edges = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        # what may come next: probability, parent and byte of each string, likeliest first
        self.candidates = np.empty((3, 0), dtype=np.int64)
        self._add_candidates(np.array([CERTAIN]), np.array([0]))
        self.lock = threading.Lock()
        self.steps = 0
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
        """Tell how many steps a user has run in the network: they may pay for a round of growth.

        The count is no exact one where threads tell at once; what it decides changes no row.
        """
        self.steps += steps
        if self.steps < PRICE * self.round or self.complete:
            return
        if not self.lock.acquire(blocking=False):  # another thread is growing it
            return
        try:
            if not self.complete:
                self._grow_once()
            self.steps = 0
        finally:
            self.lock.release()

    def _grow_once(self) -> None:
        count = self.round
        chosen = self.candidates[:, :count]
        self.candidates = self.candidates[:, count:]
        first = self.size
        lanes = self.model.lanes
        self.state = self.state or self.model.start(lanes)
        for at in range(0, chosen.shape[1], lanes):
            self._add(chosen[1, at : at + lanes], chosen[2, at : at + lanes], self.state)
        new = np.arange(first, self.size)
        self._add_candidates(chosen[0], new)
        places = np.concatenate([self.edges[0], chosen[1] * SYMBOLS + chosen[2]])
        order = np.argsort(places)
        self.edges = places[order], np.concatenate([self.edges[1], new])[order]
        if self.complete:
            self.candidates = np.empty((3, 0), dtype=np.int64)
            self.state = None

    def _add(self, parents: np.ndarray, symbols: np.ndarray, state: State) -> None:
        """Run the network for strings of `parents` and a byte each, and keep what comes of it."""
        count = len(parents)
        lanes = np.arange(count)
        fed = np.full(len(state.seen), -1, dtype=np.int64)
        fed[:count] = symbols
        self.restore(state, lanes, parents)
        self.model.advance(state, fed, fed < 0)
        rows = self.model.frequencies(state)[:count]
        depths = self.nodes.depths[parents] + 1
        parts = parents, depths, rows, *state.cache.columns(lanes, depths)
        for column, part in zip(self.nodes, parts, strict=True):
            column[self.size : self.size + count] = part
        self.size += count

    def _add_candidates(self, probabilities: np.ndarray, nodes: np.ndarray) -> None:
        """The children of new nodes, best first; no more than there is room for, ever."""
        room = self.capacity - self.size
        inner = self.nodes.depths[nodes] < self.model.max_context - 1
        parts = [self.candidates]
        floor = self.candidates[0, room - 1] if self.candidates.shape[1] >= room > 0 else 0
        for at in range(0, len(nodes), FIRST_ROUND):
            part = nodes[at : at + FIRST_ROUND][inner[at : at + FIRST_ROUND]]
            above = probabilities[at : at + FIRST_ROUND][inner[at : at + FIRST_ROUND]]
            rows = self.nodes.rows[part, :EOD].astype(np.int64)
            chances = (above[:, None] * rows) >> self.model.precision
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

    def restore(self, state: State, lanes: np.ndarray, nodes: np.ndarray) -> None:
        """Bring lanes (int64[n]) of a network's state to where it is after strings (int64[n])."""
        cache = state.cache
        state.seen[lanes] = self.nodes.depths[nodes]
        _restore_columns(self.nodes, nodes, lanes, cache.keys, cache.values, cache.offsets)


@kernel
def _restore_columns(nodes, lasts, lanes, keys, values, offsets):
    """Into the cache at lanes[i], the columns of string lasts[i] and its non-empty beginnings."""
    for i in range(len(lanes)):
        node = lasts[i]
        while node > 0:
            _restore_column(nodes, node, lanes[i], keys, values, offsets)
            node = nodes.parents[node]


@kernel
def _restore_column(nodes, node, lane, keys, values, offsets):
    position = nodes.depths[node]
    panel, column = divmod(position, COLUMN_STEP)
    group, place = divmod(position, DEPTH_STEP)
    for layer in range(keys.shape[0]):
        for h in range(keys.shape[2]):
            offsets[layer, lane, h, position] = nodes.offsets[node, layer, h]
            k = nodes.keys[node, layer, h]
            for g in range(len(k)):
                for i in range(DEPTH_STEP):
                    keys[layer, lane, h, panel, g, column, i] = k[g, i]
            v = nodes.values[node, layer, h]
            for part in range(len(v)):
                for i in range(COLUMN_STEP):
                    values[layer, lane, h, part, group, i, place] = v[part, i]


@dataclass
class MemoState:
    nodes: np.ndarray  # int64[lanes]: each lane's string in the tree; -1 in the network
    network: State  # which also holds the rows of all lanes


class MemoisedModel(ByteModel):
    """A byte model beside `model`, with a memo of at most `memory` bytes that all its states share.

    The memo grows while the model is used; `memo.grow()` makes all of it at once.
    """

    width = 8  # of few lanes: with one byte each they would leave the network's products empty

    def __init__(self, model: Stepped, memory: int | None = None) -> None:
        self.model = model
        self.kind = model.kind
        self.parameters = model.parameters
        self.precision = model.precision
        self.max_context = model.max_context
        self.memo = Memo(model, memo_bytes() if memory is None else memory)

    @property
    def lanes(self) -> int:
        return self.model.lanes_up_to(LANES)

    def start(self, lanes: int) -> MemoState:
        return MemoState(np.zeros(lanes, dtype=np.int64), self.model.start(lanes))

    def frequencies(self, state: MemoState) -> np.ndarray:
        return self.model.frequencies(state.network)

    def advance(self, state: MemoState, symbols: np.ndarray, restart: np.ndarray) -> None:
        rows = np.empty((len(symbols), 1, SYMBOLS), dtype=np.uint32)
        self.feed(state, symbols[:, None], restart, rows)

    def feed(
        self, state: MemoState, symbols: np.ndarray, restart: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """See `IntegerByteModel.feed`; a lane takes what the tree knows, or else the network.

        In the tree, lanes stay at the network's start, and only their rows change.
        """
        nodes = state.nodes
        network = state.network
        nodes[restart] = 0
        taken = self._walk(nodes, symbols, out)
        inside = taken > 0
        left = ~inside & (nodes >= 0) & (symbols[:, 0] >= 0)
        self.memo.restore(network, np.flatnonzero(left), nodes[left])
        nodes[left] = -1
        more = self.model.feed(network, np.where(inside[:, None], -1, symbols), restart, out)
        network.rows[inside] = out[inside, taken[inside] - 1]
        nodes[(nodes < 0) & (network.seen == 0)] = 0  # restarted by themselves
        self.memo.note(int(more.sum()))
        return taken + more

    def _walk(self, nodes: np.ndarray, symbols: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Move the nodes as far as the tree goes: int64[lanes], symbols each lane found there."""
        taken = np.zeros(len(nodes), dtype=np.int64)
        walking = np.flatnonzero(nodes >= 0)
        for step in range(symbols.shape[1]):
            walking = walking[symbols[walking, step] >= 0]
            children = self.memo.children(nodes[walking], symbols[walking, step])
            walking = walking[children >= 0]
            children = children[children >= 0]
            nodes[walking] = children
            out[walking, step] = self.memo.nodes.rows[children]
            taken[walking] += 1
        return taken

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return self.model.parts()
