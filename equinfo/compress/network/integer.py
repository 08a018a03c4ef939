"""M1 as a byte model: a trained byte LM, frozen to integers; inference in Numba, the same on every
machine.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from equinfo import fixedpoint as fp
from equinfo.compress.models.base import EOD, PRECISION, SYMBOLS, ByteModel, check_precision
from equinfo.compress.network.attention import Attention
from equinfo.compress.network.checks import check_kernels, check_network
from equinfo.compress.network.matmul import COLUMN_STEP, DEPTH_STEP, ROW_STEP, pack, round_up
from equinfo.compress.network.memoised import MemoisedModel
from equinfo.compress.network.network import BLOCK, Layer, Linear, Tables, Work, forward
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError

CACHE_BYTES = 64 << 20  # what a state's keys and values may take
LANES = 64  # enough to reuse the weights; more push them out of the processor's cache


@dataclass
class Cache:
    """What `forward` keeps of the past (see there), and its scratch."""

    keys: np.ndarray
    values: np.ndarray
    offsets: np.ndarray
    work: Work


@dataclass
class State:
    """positions: where each lane's waiting token goes (-1: none waits). seen: symbols since its
    start.
    """

    tokens: np.ndarray
    positions: np.ndarray
    seen: np.ndarray
    rows: np.ndarray  # uint32[lanes, 257]
    cache: Cache


class IntegerByteModel(ByteModel):
    """A decoder LM over 257 symbols whose every context begins with EOD, at most `max_context`
    symbols long.

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
        self.config, self.precision = config, check_precision(precision)
        self.tensors = check_network(config, tensors)
        check_kernels()
        self.max_context, self.parameters = int(config["max_context"]), int(config["parameters"])
        self.heads, self.size = int(config["n_heads"]), int(config["head_dim"])
        self.layers = tuple(self._layer(f"blocks.{i}.") for i in range(int(config["n_layers"])))
        self.head = self._linear("head")
        empty = np.empty((0, 0), dtype=np.int32)
        cos, sin = (
            self.tensors[name].astype(np.int32) if name in tensors else empty
            for name in ("cos", "sin")
        )
        self.tables = Tables(fp.powers(), self.tensors.get("sigmoid", empty.ravel()), cos, sin)
        self._root()

    def _layer(self, name: str) -> Layer:
        t = self.tensors
        attn_norm, mlp_norm = t[name + "attn_norm"], t[name + "mlp_norm"]
        qkv, o, gate_up, down = (
            self._linear(name + part) for part in ("qkv", "o", "gate_up", "down")
        )
        return Layer(attn_norm, qkv, self._attention(name), o, mlp_norm, gate_up, down)

    def _linear(self, name: str) -> Linear:
        return Linear(*pack(self.tensors[name + ".weight"]), self.tensors[name + ".scale"])

    def _attention(self, name: str) -> Attention:
        terms = self.tensors.get(
            name + "relative", np.zeros((self.heads, 0, self.size), dtype=np.int8)
        )
        packed = [pack(head) for head in terms]
        relative, offsets = (np.stack(parts) for parts in zip(*packed, strict=True))
        return Attention(
            self.tensors[name + "score"],
            self.tensors[name + "attended"],
            relative,
            offsets,
            terms.shape[1] - 1,
        )

    @property
    def lanes(self) -> int:
        return self.lanes_up_to(LANES)

    def lanes_up_to(self, most: int) -> int:
        """`most`, or as many lanes as the cache's memory allows."""
        lane = 2 * len(self.layers) * self.heads * self.size * self.max_context
        return max(ROW_STEP, min(most, round_up(CACHE_BYTES // lane, ROW_STEP)))

    @cached_property
    def memoised(self) -> MemoisedModel:
        """The same model for contexts that often begin anew; all who use it share its memory."""
        return MemoisedModel(self)

    @property
    def restarting(self) -> ByteModel:
        return self.memoised

    def _root(self) -> None:
        """EOD at position 0 is where every context begins: run it once, and copy its row, keys and
        values.
        """
        cache, zero = self._cache(1, 1, 1), np.zeros(1, dtype=np.int64)
        self.root_row = np.zeros((1, SYMBOLS), dtype=np.uint32)
        self._run(cache, zero + EOD, zero, zero, self.root_row)
        self.root = (
            cache.keys[:, :, :, 0, :, 0].copy(),
            cache.values[:, :, :, :, 0, :, 0].copy(),
            cache.offsets[:, :, :, 0].copy(),
        )

    def _cache(self, lanes: int, rows: int, context: int) -> Cache:
        """For `lanes` lanes of up to `context` positions, and batches of up to `rows` rows."""
        c, layers, heads, size = self.config, len(self.layers), self.heads, self.size
        d, ff, inner = int(c["d_model"]), int(c["d_ff"]), heads * size
        time, columns, rows = (
            round_up(context, COLUMN_STEP),
            round_up(size, COLUMN_STEP),
            round_up(rows, BLOCK),
        )
        wide, near = (
            max(3 * inner, 2 * ff, d, SYMBOLS),
            self.layers[0].attention.relative_offset.shape[1],
        )
        work = Work(
            x=np.zeros((rows, d), dtype=np.int32),
            q=np.zeros((rows, inner), dtype=np.uint8),
            narrow=np.zeros((BLOCK, round_up(d, DEPTH_STEP)), dtype=np.uint8),
            hidden=np.zeros((BLOCK, round_up(max(inner, ff), DEPTH_STEP)), dtype=np.uint8),
            wide=np.zeros((BLOCK, round_up(wide, COLUMN_STEP)), dtype=np.int32),
            scores=np.zeros((ROW_STEP, time), dtype=np.int32),
            near=np.zeros((ROW_STEP, near), dtype=np.int32),
            weights=np.zeros((2, ROW_STEP, time), dtype=np.uint8),
            totals=np.zeros(ROW_STEP, dtype=np.int64),
            sums=np.zeros((2, ROW_STEP, columns), dtype=np.int32),
            zeros=np.zeros(columns, dtype=np.int32),
        )
        shape, tile = (layers, lanes, heads), (COLUMN_STEP, DEPTH_STEP)
        return Cache(
            keys=np.zeros((*shape, time // COLUMN_STEP, size // DEPTH_STEP, *tile), dtype=np.int8),
            values=np.zeros(
                (*shape, columns // COLUMN_STEP, time // DEPTH_STEP, *tile), dtype=np.int8
            ),
            offsets=np.zeros((*shape, time), dtype=np.int32),
            work=work,
        )

    def _run(
        self,
        cache: Cache,
        tokens: np.ndarray,
        lanes: np.ndarray,
        positions: np.ndarray,
        out: np.ndarray,
    ) -> None:
        forward(
            self.tensors["embed"], self.layers, self.tensors["norm"], self.head,
            int(self.config["epsilon"]),
            self.tables, tokens, lanes, positions, cache.keys, cache.values, cache.offsets,
            cache.work, out,
            self.precision,
        )  # fmt: skip

    def start(self, lanes: int) -> State:
        cache = self._cache(lanes, max(lanes, LANES), self.max_context)
        keys, values, offsets = self.root
        cache.keys[:, :, :, 0, :, 0], cache.values[:, :, :, :, 0, :, 0] = keys, values
        cache.offsets[:, :, :, 0] = offsets
        return State(
            tokens=np.zeros(lanes, dtype=np.int64),
            positions=np.full(lanes, -1, dtype=np.int64),
            seen=np.zeros(lanes, dtype=np.int64),
            rows=np.repeat(self.root_row, lanes, axis=0),
            cache=cache,
        )

    def frequencies(self, state: State) -> np.ndarray:
        lanes = np.flatnonzero(state.positions >= 0)
        if len(lanes):
            out = np.empty((len(lanes), SYMBOLS), dtype=np.uint32)
            self._run(state.cache, state.tokens[lanes], lanes, state.positions[lanes], out)
            state.rows[lanes] = out
            state.positions[:] = -1
        return state.rows

    def advance(self, state: State, symbols: np.ndarray, restart: np.ndarray) -> None:
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
        self, state: State, symbols: np.ndarray, restart: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """As `advance`, up to the context's end with several symbols at once: int64[lanes], how
        many each lane took.

        symbols: int64[lanes, width], -1 after a lane's last; lanes * width at most what `start` was
        given, or LANES. out: uint32[lanes, width, 257], set to the row after each symbol taken: at
        least one, where there is one.
        """
        seen = np.where(restart, 0, state.seen)
        wanted, room = np.count_nonzero(symbols >= 0, axis=1), self.max_context - 1 - seen
        taken = np.minimum(wanted, room)
        step = np.arange(symbols.shape[1])
        run = step < taken[:, None]
        rows = np.empty((int(taken.sum()), SYMBOLS), dtype=np.uint32)
        if len(rows):
            lanes = np.repeat(np.arange(len(seen)), taken)
            self._run(state.cache, symbols[run], lanes, (seen[:, None] + 1 + step)[run], rows)
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

        symbols: integers[n, T] of 0 .. 256, T at most max_context. Row [i, t] is the frequencies of
        symbols[i, t] after symbols[i, :t]. Raises EquinfoError for other symbols and longer
        contexts.
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
        """What stepping gives, for contexts that stand one after the other: uint32[n, 257], in one
        batch.

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
    def from_parts(
        cls, config: dict[str, Any], tensors: dict[str, np.ndarray]
    ) -> "IntegerByteModel":
        return cls(config["lm"], tensors, int(config["precision"]))
