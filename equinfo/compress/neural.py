"""M1 as a byte model: a trained byte LM, frozen; inference in Numba, no torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from equinfo.compress import network
from equinfo.compress.matmul import COLUMN_STEP, ROW_STEP, pad_columns, round_up
from equinfo.compress.models import EOD, PRECISION, SYMBOLS, check_precision
from equinfo.errors import EquinfoError

CACHE_BYTES = 64 << 20  # what a state's keys and values may take
KEY_PADDING = 16  # so that a column of keys does not fall into one set of the processor's cache


@dataclass
class State:
    """positions: tokens seen by each lane since its start (-1: none waits to be run). rows: u32[lanes, 257]."""

    tokens: np.ndarray
    positions: np.ndarray
    seen: np.ndarray
    rows: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    work: tuple[np.ndarray, ...]


class NeuralByteModel:
    """A decoder LM over 257 symbols whose every context begins with EOD, at most `max_context` symbols long.

    config: d_model, n_layers, n_heads, head_dim, d_ff, position ("rope" | "relative"), activation ("silu" | "relu"),
    rope_base, norm_eps, max_context, parameters. tensors: the LM's weights under their names in lm/decoder.py, f32.
    """

    kind = "neural"
    row = None

    def __init__(self, config: dict[str, Any], tensors: dict[str, np.ndarray], precision: int = PRECISION) -> None:
        self.config, self.precision = config, check_precision(precision)
        self.tensors = {name: np.ascontiguousarray(t, dtype=np.float32) for name, t in tensors.items()}
        self.max_context = int(config["max_context"])
        self.parameters = int(config["parameters"])
        try:
            self._arrange()
        except KeyError as error:
            raise EquinfoError(f"M1 lacks {error}: it was not exported by equinfo") from error
        self._root()

    def _arrange(self) -> None:
        c, t = self.config, self.tensors
        self.heads, self.size = int(c["n_heads"]), int(c["head_dim"])
        self.shape = (int(c["d_model"]), self.heads, self.size, int(c["d_ff"]), c["activation"] == "silu")
        if self.size < 4 or self.size % 4:
            raise EquinfoError(f"M1's head_dim is {self.size}: it must be a multiple of 4")
        self._check_tensors()
        self.layers = tuple(self._layer(f"blocks.{i}.") for i in range(int(c["n_layers"])))
        self.embed = t["embed.weight"]
        self.head = pad_columns(t.get("head.weight", self.embed).T)
        half = self.size // 2 if c["position"] == "rope" else 0
        angles = np.arange(self.max_context)[:, None] * float(c["rope_base"]) ** (-np.arange(half) / max(half, 1))
        self.cos, self.sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        if not half:
            self.cos = self.sin = np.empty((0, 0), dtype=np.float32)

    def _check_tensors(self) -> None:
        """The kernels index without looking: every tensor must have the shape that the config says."""
        (d, _, _, ff, _), inner = self.shape, self.heads * self.size
        shapes = {
            "attn_norm": (d,), "q": (inner, d), "k": (inner, d), "v": (inner, d), "o": (d, inner),
            "mlp_norm": (d,), "gate": (ff, d), "up": (ff, d), "down": (d, ff), "embed": (SYMBOLS, d),
            "head": (SYMBOLS, d), "norm": (d,),
        }  # fmt: skip
        for name, tensor in self.tensors.items():
            part = name.split(".")[-2]
            expected = shapes.get(part, (max(len(tensor), 1), self.size))  # rel: [clip + 1, head_dim]
            if tensor.shape != expected or not np.isfinite(tensor).all():
                raise EquinfoError(f"M1's {name} is {tensor.shape}, not {expected} finite numbers: rebuild it")

    def _layer(self, name: str) -> tuple[np.ndarray, ...]:
        t = self.tensors
        relative = t[name + "rel.weight"].T if self.config["position"] == "relative" else np.empty((self.size, 0))
        parts = (
            t[name + "attn_norm.weight"],
            pad_columns(np.concatenate([t[f"{name}{part}.weight"].T for part in "qkv"], axis=1)),
            pad_columns(t[name + "o.weight"].T),
            relative,
            t[name + "mlp_norm.weight"],
            pad_columns(np.concatenate([t[f"{name}{part}.weight"].T for part in ("gate", "up")], axis=1)),
            pad_columns(t[name + "down.weight"].T),
        )
        return tuple(np.ascontiguousarray(part, dtype=np.float32) for part in parts)

    @property
    def lanes(self) -> int:
        """How many streams to run side by side: enough to reuse the weights, few enough for the cache's memory."""
        lane = 8 * len(self.layers) * self.heads * self.size * self.max_context
        return max(ROW_STEP, min(64, round_up(CACHE_BYTES // lane, ROW_STEP)))

    def _root(self) -> None:
        """EOD at position 0 is where every context begins: run it once, and copy its row, keys and values."""
        state = self._empty(1)
        state.tokens[0], state.positions[0] = EOD, 0
        self._run(state)
        self.root_row = state.rows[0].copy()
        self.root_keys, self.root_values = state.keys[:, 0, :, :, 0].copy(), state.values[:, 0, :, 0].copy()

    def _empty(self, lanes: int) -> State:
        d, heads, size, ff, _ = self.shape
        f32 = lambda *shape: np.zeros(shape, dtype=np.float32)  # noqa: E731
        rows, d_padded = round_up(lanes, ROW_STEP), round_up(d, COLUMN_STEP)
        wide = round_up(max(3 * heads * size, 2 * ff), COLUMN_STEP)
        clip = self.layers[0][3].shape[1]
        work = (
            f32(rows, d), f32(rows, d_padded), f32(rows, wide), f32(rows, max(heads * size, ff)),
            f32(rows, round_up(SYMBOLS, COLUMN_STEP)), f32(self.max_context), f32(max(clip, 1)),
            np.zeros(lanes, dtype=np.int64),
        )  # fmt: skip
        return State(
            tokens=np.zeros(lanes, dtype=np.int64),
            positions=np.full(lanes, -1, dtype=np.int64),
            seen=np.zeros(lanes, dtype=np.int64),
            rows=np.zeros((lanes, SYMBOLS), dtype=np.uint32),
            keys=f32(len(self.layers), lanes, heads, size, self.max_context + KEY_PADDING),
            values=f32(len(self.layers), lanes, heads, self.max_context, size),
            work=work,
        )

    def _run(self, state: State) -> None:
        network.step(
            self.shape, self.layers, self.embed, self.head, self.tensors["norm.weight"], self.cos, self.sin,
            np.float32(self.config["norm_eps"]), state.tokens, state.positions, state.keys, state.values, state.work,
            state.rows, self.precision,
        )  # fmt: skip

    def start(self, lanes: int) -> State:
        state = self._empty(lanes)
        state.keys[..., 0], state.values[:, :, :, 0] = self.root_keys[:, None], self.root_values[:, None]
        state.rows[:] = self.root_row
        return state

    def frequencies(self, state: State) -> np.ndarray:
        if (state.positions >= 0).any():
            self._run(state)
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

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"precision": self.precision, "lm": self.config}, self.tensors

    @classmethod
    def from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> "NeuralByteModel":
        return cls(config["lm"], tensors, int(config["precision"]))
