"""The integer decoder's forward pass in Numba: any batch of (lane, position, symbol), keys and
values kept.

Stepping gives it one position of each lane, a whole sequence all positions of one lane: it is the
same computation, and being of integers it has the same result. The arithmetic is that of
fixedpoint.py; plain/network.py says it more plainly. Signed bytes are kept as x + 128 (matmul.py
says why). Rows go through a layer in blocks that stay in the cache.
"""

from typing import NamedTuple

import numpy as np

from equinfo import fixedpoint as fp
from equinfo.compress.jit import kernel
from equinfo.compress.network.attention import Attention, attend, keep_keys_and_values
from equinfo.compress.network.matmul import multiply
from equinfo.compress.network.rounding import as_byte, rescaled, rounded, saturated

BLOCK = 32  # rows; a multiple of matmul.ROW_STEP

SHIFT, FRACTION, RESIDUAL_MAX = fp.SHIFT, fp.FRACTION, fp.RESIDUAL_MAX
EXPONENT, LOGIT_MAX, OCTAVES = fp.EXPONENT, fp.LOGIT_MAX, fp.OCTAVES
GATE_MAX, HIDDEN, SIGMOID, SIGMOID_STEP, SIGMOID_SIZE = (
    fp.GATE_MAX, fp.HIDDEN, fp.SIGMOID, fp.SIGMOID_STEP, fp.SIGMOID_SIZE,
)  # fmt: skip


class Linear(NamedTuple):
    """weight: int8[N / 32, K / 4, 32, 4] and offset: int32[N] as `pack` makes them; scale: int32[N]
    multipliers.
    """

    weight: np.ndarray
    offset: np.ndarray
    scale: np.ndarray


class Layer(NamedTuple):
    attn_norm: np.ndarray  # int32[d]
    qkv: Linear
    attention: Attention
    o: Linear
    mlp_norm: np.ndarray
    gate_up: Linear
    down: Linear


class Tables(NamedTuple):
    powers: np.ndarray  # int32[2**EXPONENT]
    sigmoid: np.ndarray  # int32[SIGMOID_SIZE], or empty: ReLU
    cos: np.ndarray  # int32[C, head_dim / 2], or empty: relative attention
    sin: np.ndarray


class Work(NamedTuple):
    """Scratch. x, q: for all rows of a batch; the others for a block."""

    x: np.ndarray  # int32[rows, d]
    q: np.ndarray  # uint8[rows, inner]
    narrow: np.ndarray  # uint8[BLOCK, d]
    hidden: np.ndarray  # uint8[BLOCK, max(inner, ff)]
    wide: np.ndarray  # int32[BLOCK, max(3 * inner, 2 * ff, d, 257)]
    scores: np.ndarray  # int32[ROW_STEP, C]
    near: np.ndarray  # int32[ROW_STEP, clip + 1]
    weights: np.ndarray  # uint8[2, ROW_STEP, C]: high and low bytes of attention's weights
    totals: np.ndarray  # int64[ROW_STEP]
    sums: np.ndarray  # int32[2, ROW_STEP, head_dim]
    zeros: np.ndarray  # int32[head_dim]


@kernel
def forward(
    embed,
    layers,
    norm,
    head,
    epsilon,
    tables,
    tokens,
    lanes,
    positions,
    keys,
    values,
    offsets,
    work,
    out,
    precision,
):
    """Run the tokens (int64[n]) at `positions` of `lanes`; out[r] (uint32[n, 257]): the frequencies
    after token r.

    A lane's tokens stand together and in order, each at the position after the one before; what
    lies before the first is in the cache, as `multiply` wants it: keys int8[layers, lanes, heads, C
    / 32, head_dim / 4, 32, 4], values int8[layers, lanes, heads, head_dim / 32, C / 4, 32, 4], and
    the keys' offsets int32[layers, lanes, heads, C].
    """
    x, q, narrow, hidden, wide = work.x, work.q, work.narrow, work.hidden, work.wide
    count = len(tokens)
    for r in range(count):
        x[r] = embed[tokens[r]]
    for number in range(len(layers)):
        layer = layers[number]
        cache = keys[number], values[number], offsets[number]
        for at in range(0, count, BLOCK):
            n = min(BLOCK, count - at)
            normalise(x[at : at + n], layer.attn_norm, epsilon, narrow)
            product(narrow, layer.qkv, wide, n)
            keep_keys_and_values(
                wide,
                layer.qkv.scale,
                lanes[at : at + n],
                positions[at : at + n],
                tables,
                q[at : at + n],
                cache,
            )
        for at in range(0, count, BLOCK):
            n = min(BLOCK, count - at)
            rows = x[at : at + n]
            attend(
                q[at : at + n],
                lanes[at : at + n],
                positions[at : at + n],
                layer.attention,
                cache,
                tables,
                work,
            )
            product(hidden, layer.o, wide, n)
            add_rescaled(rows, wide, layer.o.scale)
            normalise(rows, layer.mlp_norm, epsilon, narrow)
            product(narrow, layer.gate_up, wide, n)
            activate(wide, layer.gate_up.scale, tables.sigmoid, hidden, n)
            product(hidden, layer.down, wide, n)
            add_rescaled(rows, wide, layer.down.scale)
    for at in range(0, count, BLOCK):
        n = min(BLOCK, count - at)
        normalise(x[at : at + n], norm, epsilon, narrow)
        product(narrow, head, wide, n)
        for r in range(n):
            to_frequencies(wide[r], head.scale, tables.powers, out[at + r], precision)


@kernel
def product(x, linear, y, rows):
    multiply(x, linear.weight, linear.offset, y, rows, len(linear.offset), linear.weight.shape[1])


@kernel
def integer_root(n):
    """floor(sqrt(n)) for 0 <= n < 2**62, by Newton's method from above."""
    root = np.int64(1)
    while root * root < n:
        root <<= 1
    while root * root > n:
        root = (root + n // root) >> 1
    return root


@kernel
def normalise(x, gain, epsilon, y):
    """RMSNorm: y[r] = x[r] / sqrt(mean(x[r]**2) + epsilon) * gain, as bytes.

    |x| / root <= sqrt(d) / 2**8 * (1 + 2**-8), so the first factor is below 2**25 and the product
    with a gain 2**57.
    """
    d = len(gain)
    for r in range(len(x)):
        total = np.int64(0)
        for j in range(d):
            total += np.int64(x[r, j]) * np.int64(x[r, j])
        inverse = (np.int64(1) << 40) // integer_root((total // d + epsilon) << 16)
        for j in range(d):
            unit = (np.int64(x[r, j]) * inverse) >> (32 - FRACTION)
            y[r, j] = as_byte(rounded(unit * np.int64(gain[j]), SHIFT))


@kernel
def add_rescaled(x, y, scale):
    for r in range(len(x)):
        for j in range(x.shape[1]):
            step = rounded(np.int64(y[r, j]) * np.int64(scale[j]), SHIFT)
            x[r, j] = saturated(x[r, j] + step, RESIDUAL_MAX)


@kernel
def activate(wide, scale, sigmoid, y, rows):
    """y[r, j] = act(gate) * up as bytes, from wide int32[rows, >= 2 * ff]; act is SiLU by table, or
    ReLU.
    """
    ff = len(scale) // 2
    half = np.int32(SIGMOID_SIZE << (SIGMOID_STEP - 1))
    for r in range(rows):
        row = wide[r]
        for j in range(2 * ff):
            row[j] = rescaled(row[j], scale[j], GATE_MAX)
        if len(sigmoid):
            for j in range(ff):
                place = (
                    np.int32(min(max(row[j], np.int32(-half)), np.int32(half - 1)) + half)
                    >> SIGMOID_STEP
                )
                row[j] = rounded(np.int32(row[j] * sigmoid[place]), SIGMOID)
        else:
            for j in range(ff):
                row[j] = max(row[j], np.int32(0))
        for j in range(ff):
            y[r, j] = as_byte(rounded(np.int32(row[j] * row[ff + j]), HIDDEN))


@kernel
def to_frequencies(logits, scale, powers, row, precision):
    """1 + floor(share * (2**precision - n)) of each symbol's share of the powers, the remainder to
    the first largest.

    powers <= ONE <= their sum, so that power * inverse <= room << 40 < 2**61.
    """
    n = len(row)
    top = np.int32(-LOGIT_MAX)
    for i in range(n):
        logits[i] = rescaled(logits[i], scale[i], LOGIT_MAX)
        top = max(top, logits[i])
    for i in range(n):  # one loop for each step, or the compiler makes vectors of none
        row[i] = np.uint32(min(np.int32(top - logits[i]), np.int32((OCTAVES << EXPONENT) - 1)))
    for i in range(n):
        logits[i] = powers[row[i] & np.uint32((1 << EXPONENT) - 1)]
    total = np.int64(0)
    for i in range(n):
        logits[i] = np.int32(logits[i] >> np.int32(row[i] >> np.uint32(EXPONENT)))
        total += logits[i]
    inverse = (((np.int64(1) << precision) - n) << 40) // total
    left, largest, best = np.int64(1) << precision, np.uint32(0), 0
    for i in range(n):
        freq = np.uint32(1 + ((np.int64(logits[i]) * inverse) >> 40))
        row[i] = freq
        left -= np.int64(freq)
    for i in range(n):
        largest = max(largest, row[i])
    while row[best] < largest:
        best += 1
    row[best] += np.uint32(left)
