"""The integer network in plain NumPy, int64 throughout: slow, and the definition of what the fast
kernels compute.

Every function is one step; fixedpoint.py has the formats. No value leaves 62 bits
(compress/checks.py).
"""

from math import isqrt
from typing import Any

import numpy as np

from equinfo import fixedpoint as fp
from equinfo.compress.models.base import EOD, PRECISION, SYMBOLS

Tensors = dict[str, np.ndarray]


def frequencies(
    config: dict[str, Any], tensors: Tensors, symbols: np.ndarray, precision: int = PRECISION
) -> np.ndarray:
    """uint32[T, 257], row t the frequencies of symbols[t] after EOD and symbols[:t] (int[T])."""
    t = {name: tensor.astype(np.int64) for name, tensor in tensors.items()}
    x = t["embed"][[EOD, *symbols[:-1]]]
    for i in range(config["n_layers"]):
        layer = {name.removeprefix(f"blocks.{i}."): tensor for name, tensor in t.items()} | {
            name: t[name] for name in ("cos", "sin", "sigmoid") if name in t
        }
        h = normalised(x, layer["attn_norm"], config["epsilon"])
        x = added(x, linear(attention(config, layer, linear(h, layer, "qkv")), layer, "o"))
        h = normalised(x, layer["mlp_norm"], config["epsilon"])
        gate, up = np.split(saturated(linear(h, layer, "gate_up"), fp.GATE_MAX), 2, axis=1)
        hidden = to_byte(rounded(activation(config, layer, gate) * up, fp.HIDDEN))
        x = added(x, linear(hidden, layer, "down"))
    return to_frequencies(linear(normalised(x, t["norm"], config["epsilon"]), t, "head"), precision)


def rounded(x: np.ndarray, shift: int) -> np.ndarray:
    return (x + (1 << (shift - 1))) >> shift


def rescaled(x: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    return rounded(x * multipliers, fp.SHIFT)


def saturated(x: np.ndarray, limit: int) -> np.ndarray:
    return np.clip(x, -limit, limit)


def to_byte(x: np.ndarray) -> np.ndarray:
    return saturated(x, fp.ACTIVATION_MAX)


def added(x: np.ndarray, step: np.ndarray) -> np.ndarray:
    return saturated(x + step, fp.RESIDUAL_MAX)


def linear(x: np.ndarray, tensors: Tensors, name: str) -> np.ndarray:
    """[T, K] bytes -> [T, N], in the unit that its multipliers lead to."""
    return rescaled(x @ tensors[f"{name}.weight"].T, tensors[f"{name}.scale"])


def normalised(x: np.ndarray, gain: np.ndarray, epsilon: int) -> np.ndarray:
    """RMSNorm, as bytes: x / root has FRACTION bits after the point, root those of 2**8 * sqrt(mean
    square).
    """
    means = (x * x).sum(axis=1) // x.shape[1] + epsilon
    roots = np.array([isqrt(int(mean) << 16) for mean in means])
    return to_byte(rescaled(x * ((1 << 40) // roots)[:, None] >> (32 - fp.FRACTION), gain))


def turned(config: dict[str, Any], tensors: Tensors, x: np.ndarray) -> np.ndarray:
    """Queries or keys [heads, T, head_dim] as bytes, rotated to their positions where these are
    rotary.
    """
    x = saturated(x, fp.FINE_MAX)
    if config["position"] == "relative":
        return to_byte(rounded(x, fp.FINE))
    cos, sin = tensors["cos"][: x.shape[1]], tensors["sin"][: x.shape[1]]
    a, b = np.split(x, 2, axis=2)
    return to_byte(
        rounded(np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=2), fp.ANGLE + fp.FINE)
    )


def attention(config: dict[str, Any], tensors: Tensors, qkv: np.ndarray) -> np.ndarray:
    """[T, 3 * inner] -> [T, inner] bytes."""
    time, heads, size = len(qkv), config["n_heads"], config["head_dim"]
    q, k, v = (
        part.reshape(time, heads, size).transpose(1, 0, 2) for part in np.split(qkv, 3, axis=1)
    )
    q, k, v = turned(config, tensors, q), turned(config, tensors, k), to_byte(v)
    out = np.zeros((time, heads, size), dtype=np.int64)
    for h in range(heads):
        for at in range(time):
            keys = k[h, : at + 1]
            if config["position"] == "relative":
                terms = tensors["relative"][h]
                keys = keys + terms[np.minimum(np.arange(at, -1, -1), len(terms) - 1)]
            scores, multiplier = keys @ q[h, at], int(tensors["score"][h])
            below = np.minimum(scores.max() - scores, ((1 << 31) - 1) // multiplier)
            weights = power(below * multiplier >> fp.SCORE_SHIFT) >> fp.WEIGHT_SHIFT
            out[at, h] = (weights @ v[h, : at + 1]) * ((1 << fp.SHARE) // weights.sum()) >> (
                fp.SHARE - fp.FRACTION
            )
    return to_byte(rescaled(out.reshape(time, heads * size), tensors["attended"]))


def power(below: np.ndarray) -> np.ndarray:
    """ONE * 2**-below, `below` having EXPONENT bits after the point."""
    return fp.powers().astype(np.int64)[below & ((1 << fp.EXPONENT) - 1)] >> (below >> fp.EXPONENT)


def activation(config: dict[str, Any], tensors: Tensors, gate: np.ndarray) -> np.ndarray:
    if config["activation"] == "relu":
        return np.maximum(gate, 0)
    half = fp.SIGMOID_SIZE << (fp.SIGMOID_STEP - 1)
    places = (np.clip(gate, -half, half - 1) + half) >> fp.SIGMOID_STEP
    return rounded(gate * tensors["sigmoid"][places], fp.SIGMOID)


def to_frequencies(logits: np.ndarray, precision: int) -> np.ndarray:
    """1 + floor(share * (2**precision - 257)) of each symbol, the remainder to the first
    largest.
    """
    logits = saturated(logits, fp.LOGIT_MAX)
    below = np.minimum(logits.max(axis=1, keepdims=True) - logits, (fp.OCTAVES << fp.EXPONENT) - 1)
    powers = power(below)
    inverse = (((1 << precision) - SYMBOLS) << 40) // powers.sum(axis=1, keepdims=True)
    rows = 1 + (powers * inverse >> 40)
    rows[np.arange(len(rows)), rows.argmax(axis=1)] += (1 << precision) - rows.sum(axis=1)
    return rows.astype(np.uint32)
