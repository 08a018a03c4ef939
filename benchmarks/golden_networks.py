"""Networks that a seed makes of integers alone, and their frequencies' hash on every machine.

No library decides a value here: weights come from a 64-bit congruential generator. The hash is over
both styles, for `SEQUENCES` contexts each; whatever computes frequencies (in steps or whole, on a
CPU or GPU) must come to it.
"""

import hashlib
from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np

from equinfo import fixedpoint as fp
from equinfo.compress.models.base import SYMBOLS

HASH = "f551254dd30c3e5f4ccc5da8a4b654315c6b6cb1f5aa2f8a0076d7bc17dd616f"
SEQUENCES, CONTEXT = 64, 40
TYPICAL = 40  # deviation of bytes between layers
Tensors = dict[str, np.ndarray]


def style(position: str, activation: str, *sizes: int) -> dict[str, Any]:
    """Parts of a config; sizes: d_model, n_heads, head_dim, d_ff."""
    names = ("position", "activation", "d_model", "n_heads", "head_dim", "d_ff")
    return dict(zip(names, (position, activation, *sizes), strict=False))


STYLES = style("rope", "silu", 64, 2, 32, 96), style("relative", "relu", 36, 3, 12, 50)


def golden_hash(run: Callable[[dict[str, Any], Tensors, np.ndarray], np.ndarray]) -> str:
    """SHA-256 (hex) of both networks' rows by `run`(config, tensors, symbols: int64[n, T])."""
    digest = hashlib.sha256()
    for seed, kind in enumerate(STYLES):
        config, tensors = random_network(seed, max_context=CONTEXT, **kind)
        symbols = _Numbers(99).below(SYMBOLS, SEQUENCES, CONTEXT)
        digest.update(np.asarray(run(config, tensors, symbols)).astype("<u4").tobytes())
    return digest.hexdigest()


class _Numbers:
    """Knuth's MMIX generator, its upper bits."""

    def __init__(self, seed: int) -> None:
        self.state = seed * 2654435761 + 1

    def below(self, limit: int, *shape: int) -> np.ndarray:
        """int64[shape], each in 0 .. limit - 1."""
        values = []
        for _ in range(int(np.prod(shape))):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            values.append((self.state >> 33) * limit >> 31)
        return np.array(values, dtype=np.int64).reshape(shape)

    def around_zero(self, limit: int, *shape: int) -> np.ndarray:
        return self.below(2 * limit + 1, *shape) - limit

    def near(self, typical: int, *shape: int) -> np.ndarray:
        """Half to one and a half times `typical`."""
        return typical // 2 + self.below(typical + 1, *shape)


def random_network(
    seed: int, logit: int = 3000, clip: int = 8, **changes: Any
) -> tuple[dict[str, Any], Tensors]:
    """(config, tensors) for IntegerByteModel, of random weights that make contexts matter.

    logit: deviation of the logits, in 2**-EXPONENT octaves. clip: of relative attention. changes:
    to the config.
    """
    config: dict[str, Any] = {
        "d_model": 16, "n_layers": 2, "n_heads": 2, "head_dim": 8, "d_ff": 32, "position": "rope",
        "activation": "silu", "max_context": 48, "parameters": 1, "epsilon": 16,
    } | changes  # fmt: skip
    numbers = _Numbers(seed)
    d, heads, size, ff = (config[name] for name in ("d_model", "n_heads", "head_dim", "d_ff"))
    inner = heads * size
    residual = 1 << 15
    tensors: Tensors = {}

    def put(name: str, values: np.ndarray, dtype: Any = np.int32) -> None:
        tensors[name] = values.astype(dtype)

    def linear(name: str, columns: int, *targets: tuple[int, int]) -> None:
        """targets: (rows, deviation of their outputs) each."""
        deviation = isqrt(columns) * 73 * TYPICAL
        rows = sum(count for count, _ in targets)
        put(f"{name}.weight", numbers.around_zero(fp.ACTIVATION_MAX, rows, columns), np.int8)
        scales = [numbers.near((target << fp.SHIFT) // deviation, n) for n, target in targets]
        put(f"{name}.scale", np.concatenate(scales))

    def gain(name: str, count: int, typical: int) -> None:
        put(name, numbers.near(typical << (fp.SHIFT - fp.FRACTION), count))

    put("embed", numbers.around_zero(residual, SYMBOLS, d))
    for i in range(config["n_layers"]):
        b = f"blocks.{i}."
        gain(b + "attn_norm", d, TYPICAL)
        gain(b + "mlp_norm", d, TYPICAL)
        gain(b + "attended", inner, 2)
        scores = isqrt(size) * TYPICAL**2
        put(b + "score", numbers.near((1500 << fp.SCORE_SHIFT) // scores, heads))
        linear(b + "qkv", d, (2 * inner, TYPICAL << fp.FINE), (inner, TYPICAL))
        linear(b + "o", inner, (d, residual // 2))
        linear(b + "gate_up", d, (ff, 3 << (fp.GATE - 1)), (ff, TYPICAL << (fp.HIDDEN - fp.GATE)))
        linear(b + "down", ff, (d, residual // 2))
        if config["position"] == "relative":
            put(b + "relative", numbers.around_zero(60, heads, clip + 1, size), np.int8)
    gain("norm", d, TYPICAL)
    linear("head", d, (SYMBOLS, logit))
    if config["position"] == "rope":
        for name in ("cos", "sin"):
            turns = numbers.around_zero(1 << fp.ANGLE, config["max_context"], size // 2)
            put(name, turns, np.int16)
    if config["activation"] == "silu":
        put("sigmoid", 8 * np.arange(fp.SIGMOID_SIZE) + 4)  # -8 to 8 becomes 0 to 1
    return config, tensors
