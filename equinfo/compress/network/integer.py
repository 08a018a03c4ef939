"""M1 as a byte model: a trained byte LM, frozen to integers, the same on every machine."""

from functools import cached_property
from typing import Any, Self

import numpy as np

from equinfo import fixedpoint as fp
from equinfo.compress.models.base import (
    EOD,
    PRECISION,
    SYMBOLS,
    ByteModel,
    check_precision,
    stored_precision,
)
from equinfo.compress.network import network as net
from equinfo.compress.network.attention import Attention
from equinfo.compress.network.checks import check_kernels, check_network, lane_bytes
from equinfo.compress.network.matmul import COLUMN_STEP, DEPTH_STEP, ROW_STEP, pack, round_up
from equinfo.compress.network.memo import MemoisedModel, Stepped
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.stored import section

CACHE_BYTES = 64 << 20  # what a state's keys and values may take
LANES = 64  # enough to reuse the weights; more push them out of the processor's cache


class IntegerByteModel(Stepped):
    """A decoder LM over 257 symbols whose every context begins with EOD, of `max_context` symbols.

    config: d_model, n_layers, n_heads, head_dim, d_ff, position ("rope" | "relative"), activation
    ("silu" | "relu"), max_context, parameters, epsilon. tensors: integers, by the names in
    `checks.shapes`; lm/freeze.py makes both. Raises EquinfoError for tensors that would let a
    kernel read beyond an array or a sum leave its 32 bits, and where this machine's kernels get a
    known product wrong.
    """

    kind = "integer"

    def __init__(
        self, config: dict[str, Any], tensors: dict[str, np.ndarray], precision: int = PRECISION
    ) -> None:
        self.config = config
        self.precision = check_precision(precision)
        self.tensors = check_network(config, tensors)
        check_kernels()
        self.max_context = int(config["max_context"])
        self.parameters = int(config["parameters"])
        self.heads = int(config["n_heads"])
        self.size = int(config["head_dim"])
        empty = np.empty((0, 0), dtype=np.int32)
        cos, sin = (self.tensors.get(name, empty).astype(np.int32) for name in ("cos", "sin"))
        self.network = net.Network(
            self.tensors["embed"],
            tuple(self._layer(f"blocks.{i}.") for i in range(int(config["n_layers"]))),
            self.tensors["norm"],
            self._linear("head"),
            int(config["epsilon"]),
            self.precision,
            net.Tables(fp.powers(), self.tensors.get("sigmoid", empty.ravel()), cos, sin),
        )
        # EOD at position 0 is where every context begins: it is run once, and copied
        cache = self._cache(1, 1, 1)
        zero = np.zeros(1, dtype=np.int64)
        self.root_row = np.zeros((1, SYMBOLS), dtype=np.uint32)
        self._run(cache, zero + EOD, zero, zero, self.root_row)
        self.root = cache.columns(0, 0)

    def _layer(self, name: str) -> net.Layer:
        t = self.tensors
        qkv, o, gate_up, down = (
            self._linear(name + part) for part in ("qkv", "o", "gate_up", "down")
        )
        none = np.zeros((self.heads, 0, self.size), dtype=np.int8)
        terms = t.get(name + "relative", none)
        packed = [pack(head) for head in terms]
        relative, offsets = (np.stack(parts) for parts in zip(*packed, strict=True))
        scores, gains = t[name + "score"], t[name + "attended"]
        attention = Attention(scores, gains, relative, offsets, terms.shape[1] - 1)
        return net.Layer(
            t[name + "attn_norm"], qkv, attention, o, t[name + "mlp_norm"], gate_up, down
        )

    def _linear(self, name: str) -> net.Linear:
        return net.Linear(*pack(self.tensors[name + ".weight"]), self.tensors[name + ".scale"])

    @property
    def lanes(self) -> int:
        return self.lanes_up_to(LANES)

    def lanes_up_to(self, most: int) -> int:
        """`most`, or as many lanes as the cache's memory allows."""
        fitting = round_up(CACHE_BYTES // lane_bytes(self.config), ROW_STEP)
        return max(ROW_STEP, min(most, fitting))

    @cached_property
    def memoised(self) -> MemoisedModel:
        """The same model for contexts that often begin anew; all who use it share its memory."""
        return MemoisedModel(self)

    @property
    def restarting(self) -> ByteModel:
        return self.memoised

    def _cache(self, lanes: int, rows: int, context: int) -> net.Cache:
        """For `lanes` lanes of up to `context` positions, and batches of up to `rows` rows."""
        d, ff = int(self.config["d_model"]), int(self.config["d_ff"])
        inner = self.heads * self.size
        time = round_up(context, COLUMN_STEP)
        columns = round_up(self.size, COLUMN_STEP)
        rows = round_up(rows, net.BLOCK)
        wide = max(3 * inner, 2 * ff, d, SYMBOLS)
        near = self.network.layers[0].attention.relative_offset.shape[1]
        work = net.Work(
            x=np.zeros((rows, d), dtype=np.int32),
            q=np.zeros((rows, inner), dtype=np.uint8),
            narrow=np.zeros((net.BLOCK, round_up(d, DEPTH_STEP)), dtype=np.uint8),
            hidden=np.zeros((net.BLOCK, round_up(max(inner, ff), DEPTH_STEP)), dtype=np.uint8),
            wide=np.zeros((net.BLOCK, round_up(wide, COLUMN_STEP)), dtype=np.int32),
            scores=np.zeros((ROW_STEP, time), dtype=np.int32),
            near=np.zeros((ROW_STEP, near), dtype=np.int32),
            weights=np.zeros((2, ROW_STEP, time), dtype=np.uint8),
            totals=np.zeros(ROW_STEP, dtype=np.int64),
            sums=np.zeros((2, ROW_STEP, columns), dtype=np.int32),
            zeros=np.zeros(columns, dtype=np.int32),
        )
        shape = (len(self.network.layers), lanes, self.heads)
        tile = (COLUMN_STEP, DEPTH_STEP)
        keys = (*shape, time // COLUMN_STEP, self.size // DEPTH_STEP, *tile)
        values = (*shape, columns // COLUMN_STEP, time // DEPTH_STEP, *tile)
        return net.Cache(
            np.zeros(keys, dtype=np.int8),
            np.zeros(values, dtype=np.int8),
            np.zeros((*shape, time), dtype=np.int32),
            work,
        )

    def _run(self, cache: net.Cache, tokens: np.ndarray, *given: np.ndarray) -> None:
        net.forward(self.network, cache, tokens, *given)

    def start(self, lanes: int) -> net.State:
        cache = self._cache(lanes, max(lanes, LANES), self.max_context)
        for part, first in zip(cache.columns(slice(None), 0), self.root, strict=True):
            part[:] = first[:, None]
        return net.State(
            tokens=np.zeros(lanes, dtype=np.int64),
            positions=np.full(lanes, -1, dtype=np.int64),
            seen=np.zeros(lanes, dtype=np.int64),
            rows=np.repeat(self.root_row, lanes, axis=0),
            cache=cache,
        )

    def frequencies(self, state: net.State) -> np.ndarray:
        lanes = np.flatnonzero(state.positions >= 0)
        if len(lanes):
            out = np.empty((len(lanes), SYMBOLS), dtype=np.uint32)
            tokens, positions = state.tokens[lanes], state.positions[lanes]
            self._run(state.cache, tokens, lanes, positions, out)
            state.rows[lanes] = out
            state.positions[:] = -1
        return state.rows

    def advance(self, state: net.State, symbols: np.ndarray, restart: np.ndarray) -> None:
        state.seen[restart] = 0
        fed = symbols >= 0
        state.seen[fed] += 1
        begins = restart | (state.seen == self.max_context)
        state.seen[state.seen == self.max_context] = 0
        state.rows[begins & (state.seen == 0)] = self.root_row
        run = fed & (state.seen > 0)
        state.tokens[run] = symbols[run]
        state.positions[:] = np.where(run, state.seen, -1)

    def feed(
        self, state: net.State, symbols: np.ndarray, restart: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """As `advance`, with several symbols at once; how many each lane took: int64[lanes].

        symbols: int64[lanes, width], -1 after a lane's last; lanes * width at most what `start` was
        given, or LANES. out: uint32[lanes, width, 257], set to the row after each symbol taken: at
        least one where there is one, and none beyond the context's end.
        """
        seen = np.where(restart, 0, state.seen)
        wanted = np.count_nonzero(symbols >= 0, axis=1)
        room = self.max_context - 1 - seen
        taken = np.minimum(wanted, room)
        step = np.arange(symbols.shape[1])
        run = step < taken[:, None]
        rows = np.empty((int(taken.sum()), SYMBOLS), dtype=np.uint32)
        if len(rows):
            lanes = np.repeat(np.arange(len(seen)), taken)
            positions = (seen[:, None] + 1 + step)[run]
            self._run(state.cache, symbols[run], lanes, positions, rows)
        out[run] = rows
        full = (wanted > 0) & (room == 0)
        out[full, 0] = self.root_row
        taken[full] = 1
        state.seen[:] = np.where(full, 0, seen + taken)
        state.positions[:] = -1
        fed = taken > 0
        state.rows[restart] = self.root_row
        state.rows[fed] = out[fed, taken[fed] - 1]
        return taken

    def sequences(self, symbols: np.ndarray) -> np.ndarray:
        """What stepping gives, for whole contexts at once and on all cores: uint32[n, T, 257].

        symbols: integers[n, T] of 0 .. 256, T at most max_context. Row [i, t]: the frequencies of
        symbols[i, t] after symbols[i, :t]. Raises EquinfoError for other symbols, longer contexts.
        """
        n, time = symbols.shape
        out = np.empty((n, time, SYMBOLS), dtype=np.uint32)

        def run(group: list[range]) -> list[None]:
            for places in group:
                row = places.start // time
                out[row] = self.along(symbols[row], np.array([time]))
            return [None] * len(group)

        map_groups(run, [range(row * time, (row + 1) * time) for row in range(n)] if time else [])
        return out

    def along(self, symbols: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """What stepping gives, for contexts one after the other, in one batch: uint32[n, 257].

        symbols: integers[n] of 0 .. 256. ends: int64[contexts], where each ends, after 1 ..
        max_context symbols; the last is n. Row t is the frequencies of symbols[t] after those of
        its context before it. Memory: n rows, and keys and values for `contexts` times the longest.
        Raises EquinfoError for other symbols and longer contexts.
        """
        lengths = np.diff(ends, prepend=0)
        longest = int(lengths.max(initial=0))
        if longest > self.max_context or (
            len(symbols) and not 0 <= symbols.min() <= symbols.max() < SYMBOLS
        ):
            raise EquinfoError(
                f"M1 takes symbols 0 to {SYMBOLS - 1} in contexts of at most {self.max_context}"
            )
        begins = ends - lengths
        tokens = np.empty(len(symbols), dtype=np.int64)
        tokens[1:] = symbols[:-1]
        tokens[begins] = EOD
        lanes = np.repeat(np.arange(len(ends)), lengths)
        out = np.empty((len(symbols), SYMBOLS), dtype=np.uint32)
        cache = self._cache(len(ends), len(symbols), longest)
        self._run(cache, tokens, lanes, np.arange(len(symbols)) - begins[lanes], out)
        return out

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"precision": self.precision, "lm": self.config}, self.tensors

    @classmethod
    def from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        return cls(section(config, "lm"), tensors, stored_precision(config))
