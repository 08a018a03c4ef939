"""What makes an integer network safe to run: shapes, ranges, sums that fit, kernels that work."""

from typing import Any

import numpy as np

from equinfo import fixedpoint as fp
from equinfo.compress.models.base import SYMBOLS
from equinfo.compress.network import matmul
from equinfo.compress.network.matmul import COLUMN_STEP, MIDDLE, ROW_STEP, pack, round_up
from equinfo.errors import EquinfoError
from equinfo.stored import number, tensor, word

INT32_MAX = (1 << 31) - 1
MAX_CONTEXT = 1 << 16  # beyond it sums of attention's weights leave 32 bits
LANE_BYTES = 64 << 20  # as a folder of few bytes may ask for long contexts of many heads
WIDTHS = ("d_model", "d_ff", "n_heads", "head_dim")
OTHERS = ("n_layers", "max_context", "epsilon", "parameters", "position", "activation")
Tensors = dict[str, np.ndarray]
Tensor = tuple[str, tuple[int, ...], int, int]


def check_network(config: dict[str, Any], tensors: Tensors) -> Tensors:
    """The tensors, contiguous. Raises EquinfoError where a kernel could read beyond or overflow, or
    where a lane would take more than LANE_BYTES.
    """
    _check_config(config, len(tensors))
    expected = shapes(config, tensors)
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise EquinfoError(
            f"M1 {'lacks' if name in expected else 'has a strange tensor,'} {name}: rebuild it"
        )
    found = {name: tensor(tensors, name, *expected[name]) for name in tensors}
    for name, bound in sum_bounds(config, tensors).items():
        if bound > INT32_MAX:
            raise EquinfoError(
                f"sums over M1's {name} may reach {bound}, beyond 32 bits: use a narrower network"
            )
    return found


def _check_config(config: dict[str, Any], num_tensors: int) -> None:
    for name in WIDTHS:
        number(config, name, 1, fp.MAX_WIDTH)
    heads, size = config["n_heads"], config["head_dim"]
    for name in config.keys() - {*WIDTHS, *OTHERS}:
        raise EquinfoError(f"M1 has a strange {name!r}")
    number(config, "n_layers", 1, num_tensors)
    number(config, "max_context", 1, MAX_CONTEXT)
    number(config, "epsilon", 1, fp.MAX_EPSILON)
    number(config, "parameters", 0, 1 << 62)
    word(config, "position", ("rope", "relative"))
    word(config, "activation", ("silu", "relu"))
    if size % 4:
        raise EquinfoError(f"M1's head_dim is {size}: it must be a multiple of 4")
    if heads * size > fp.MAX_WIDTH:
        raise EquinfoError(f"M1's heads are {heads * size} wide: at most {fp.MAX_WIDTH}")
    if lane_bytes(config) > LANE_BYTES:
        raise EquinfoError(
            f"M1 would keep {lane_bytes(config) >> 20} MiB of each text, more than"
            f" {LANE_BYTES >> 20}: use a shorter context or a narrower network"
        )


def lane_bytes(config: dict[str, Any]) -> int:
    """What keys and values of one text take: as `network.Cache` keeps them, padded."""
    c = config
    time, columns = (round_up(c[name], COLUMN_STEP) for name in ("max_context", "head_dim"))
    return c["n_layers"] * c["n_heads"] * time * (c["head_dim"] + columns + 4)


def shapes(config: dict[str, Any], tensors: Tensors) -> dict[str, Tensor]:
    """Every tensor of a network: (dtype, shape, lowest value, highest value).

    embed, in units of the residual stream. attn_norm, mlp_norm, norm: gains. qkv, o, gate_up, down,
    head: weights, and a multiplier a row. score: a multiplier a head. attended: gains of
    attention's outputs. relative: terms of keys. cos, sin: of each position and pair; sigmoid: see
    fixedpoint.py.
    """
    c = config
    d, heads, size, ff = (c[name] for name in ("d_model", "n_heads", "head_dim", "d_ff"))
    inner = heads * size
    residual = fp.RESIDUAL_MAX
    angle = 1 << fp.ANGLE
    gain = lambda n: ("int32", (n,), -INT32_MAX, INT32_MAX)  # noqa: E731

    def linear(name: str, rows: int, columns: int) -> dict[str, Any]:
        return {name + ".weight": ("int8", (rows, columns), -127, 127), name + ".scale": gain(rows)}

    found = {"embed": ("int32", (SYMBOLS, d), -residual, residual), "norm": gain(d)}
    found |= linear("head", SYMBOLS, d)
    for i in range(c["n_layers"]):
        b = f"blocks.{i}."
        found |= {b + "attn_norm": gain(d), b + "mlp_norm": gain(d), b + "attended": gain(inner)}
        found |= {b + "score": ("int32", (heads,), 1, INT32_MAX)}
        found |= linear(b + "qkv", 3 * inner, d) | linear(b + "o", d, inner)
        found |= linear(b + "gate_up", 2 * ff, d) | linear(b + "down", d, ff)
        if c["position"] == "relative":
            # the clip is the artefact's to choose
            first = tensors.get("blocks.0.relative", np.empty((0, 1)))
            terms = max(first.shape[1] if first.ndim > 1 else 1, 1)
            found[b + "relative"] = ("int8", (heads, terms, size), -127, 127)
    if c["position"] == "rope":
        turns = ("int16", (c["max_context"], size // 2), -angle, angle)
        found |= {"cos": turns, "sin": turns}
    if c["activation"] == "silu":
        found["sigmoid"] = ("int32", (fp.SIGMOID_SIZE,), 0, 1 << fp.SIGMOID)
    return found


def sum_bounds(config: dict[str, Any], tensors: Tensors) -> dict[str, int]:
    """The largest absolute value that any partial sum of each int32 product can take, by name.

    A product with weights begins at its offset and adds at most 255 |w| an input. Scores and
    relative terms together must leave their difference in 32 bits. Attention's weights are bytes,
    so its sums grow with the context.
    """
    bounds = {
        name: (255 + MIDDLE) * int(np.abs(tensor.astype(np.int64)).sum(axis=-1).max())
        for name, tensor in tensors.items()
        if name.endswith((".weight", ".relative"))
    }
    size = config["head_dim"] * (2 if config["position"] == "relative" else 1)
    bounds["scores"] = (255 + MIDDLE) * fp.ACTIVATION_MAX * size * 2
    bounds["values"] = 255 * MIDDLE * (config["max_context"] + 3)
    return bounds


def check_kernels() -> None:
    """Raises EquinfoError where this machine's kernels get products of extreme bytes wrong."""
    depth = 64
    columns = matmul.COLUMN_STEP + 1
    w = np.full((columns, depth), -128, dtype=np.int8)
    w[1::3], w[2::3], w[3::5, ::2] = 127, -127, 1
    x = np.zeros((ROW_STEP, depth), dtype=np.uint8)
    x[1], x[2], x[3, ::2], x[4, 1::2], x[5], x[6, ::3] = 255, 1, 255, 255, 128, 127
    packed, offset = pack(w)
    expected = (x.astype(np.int64) - MIDDLE) @ w.astype(np.int64).T
    for rows in (1, ROW_STEP):
        for at in range(ROW_STEP) if rows == 1 else (0,):
            y = np.zeros((ROW_STEP, len(offset)), dtype=np.int32)
            matmul.multiply(x[at : at + rows], packed, offset, y, rows, columns, packed.shape[1])
            if not np.array_equal(y[:rows, :columns], expected[at : at + rows]):
                raise EquinfoError(
                    "this machine's integer kernels give wrong products: report it with its"
                    " processor"
                )
