"""The integer decoder's forward pass in Numba: any batch of (lane, position, symbol).

Stepping gives it one position of each lane, a whole sequence all positions of one lane: it is the
same computation, and being of integers it has the same result. The arithmetic is that of
fixedpoint.py; plain/network.py says it more plainly. Signed bytes are kept as x + 128 (matmul.py
says why). Rows go through a layer in blocks that stay in the processor's cache.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.network.attention import Attention, attend, keep_keys_and_values
from equinfo.compress.network.matmul import COLUMN_STEP, DEPTH_STEP, multiply
from equinfo.compress.network.rounding import as_byte, rescaled, rounded, saturated
from equinfo.fixedpoint import (
    EXPONENT,
    FRACTION,
    GATE_MAX,
    HIDDEN,
    LOGIT_MAX,
    OCTAVES,
    RESIDUAL_MAX,
    SHIFT,
    SIGMOID,
    SIGMOID_SIZE,
    SIGMOID_STEP,
)

BLOCK = 32  # rows; a multiple of matmul.ROW_STEP


class Linear(NamedTuple):
    weight: np.ndarray  # int8[N / 32, K / 4, 32, 4], as `pack` makes it
    offset: np.ndarray  # int32[N], likewise
    scale: np.ndarray  # int32[N]: multipliers


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


class Network(NamedTuple):
    embed: np.ndarray  # int32[257, d]
    layers: tuple[Layer, ...]
    norm: np.ndarray  # int32[d]
    head: Linear
    epsilon: int
    precision: int
    tables: Tables


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


class Cache(NamedTuple):
    """What lanes have seen, as `multiply` wants it, and scratch."""

    keys: np.ndarray  # int8[layers, lanes, heads, C / 32, head_dim / 4, 32, 4]
    values: np.ndarray  # int8[layers, lanes, heads, head_dim / 32, C / 4, 32, 4]
    offsets: np.ndarray  # int32[layers, lanes, heads, C]: of the keys
    work: Work

    def columns(self, lanes, positions):
        """(keys, values, offsets) of a lane and position, or int64[n] of them: [n, layers, ...]."""
        group, place = divmod(positions, DEPTH_STEP)
        panel, column = divmod(positions, COLUMN_STEP)
        return (
            self.keys[:, lanes, :, panel, :, column],
            self.values[:, lanes, :, :, group, :, place],
            self.offsets[:, lanes, :, positions],
        )


@dataclass
class State:
    """Lanes of a byte model. What a lane was fed waits until frequencies are asked for."""

    tokens: np.ndarray  # int64[lanes]: what waits
    positions: np.ndarray  # int64[lanes]: where it goes; -1 where none waits
    seen: np.ndarray  # int64[lanes]: symbols since the lane's start
    rows: np.ndarray  # uint32[lanes, 257]
    cache: Cache


@kernel
def forward(net, cache, tokens, lanes, positions, out):
    """Run the tokens (int64[n]) at `positions` of `lanes`; out[r]: the frequencies after token r.

    out: uint32[n, 257]. A lane's tokens stand together and in order, each at the position after the
    one before; what lies before the first is in the cache.
    """
    work = cache.work
    count = len(tokens)
    for r in range(count):
        work.x[r] = net.embed[tokens[r]]
    for number in range(len(net.layers)):
        layer = net.layers[number]
        past = cache.keys[number], cache.values[number], cache.offsets[number]
        # all keys and values before any attention: a row looks at its lane's rows in earlier blocks
        for at in range(0, count, BLOCK):
            n = min(BLOCK, count - at)
            part = slice(at, at + n)
            normalise(work.x[part], layer.attn_norm, net.epsilon, work.narrow)
            product(work.narrow, layer.qkv, work.wide, n)
            rows = lanes[part], positions[part]
            keep_keys_and_values(work.wide, layer.qkv.scale, rows, net.tables, work.q[part], past)
        for at in range(0, count, BLOCK):
            n = min(BLOCK, count - at)
            part = slice(at, at + n)
            x = work.x[part]
            rows = lanes[part], positions[part]
            attend(work.q[part], rows, layer.attention, past, net.tables.powers, work)
            product(work.hidden, layer.o, work.wide, n)
            add_rescaled(x, work.wide, layer.o.scale)
            normalise(x, layer.mlp_norm, net.epsilon, work.narrow)
            product(work.narrow, layer.gate_up, work.wide, n)
            activate(work.wide, layer.gate_up.scale, net.tables.sigmoid, work.hidden, n)
            product(work.hidden, layer.down, work.wide, n)
            add_rescaled(x, work.wide, layer.down.scale)
    for at in range(0, count, BLOCK):
        n = min(BLOCK, count - at)
        normalise(work.x[at : at + n], net.norm, net.epsilon, work.narrow)
        product(work.narrow, net.head, work.wide, n)
        for r in range(n):
            powers = net.tables.powers
            to_frequencies(work.wide[r], net.head.scale, powers, out[at + r], net.precision)


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
    """y[r, j] = act(gate) * up as bytes, of wide int32[rows, 2 * ff]; act: SiLU (table) or ReLU."""
    ff = len(scale) // 2
    half = np.int32(SIGMOID_SIZE << (SIGMOID_STEP - 1))
    for r in range(rows):
        row = wide[r]
        for j in range(2 * ff):
            row[j] = rescaled(row[j], scale[j], GATE_MAX)
        if len(sigmoid):
            for j in range(ff):
                inside = min(max(row[j], np.int32(-half)), np.int32(half - 1))
                place = np.int32(inside + half) >> SIGMOID_STEP
                row[j] = rounded(np.int32(row[j] * sigmoid[place]), SIGMOID)
        else:
            for j in range(ff):
                row[j] = max(row[j], np.int32(0))
        for j in range(ff):
            y[r, j] = as_byte(rounded(np.int32(row[j] * row[ff + j]), HIDDEN))


@kernel
def to_frequencies(logits, scale, powers, row, precision):
    """1 + floor(share of the powers * (2**precision - n)), the remainder to the first largest.

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
    left = np.int64(1) << precision
    for i in range(n):
        freq = np.uint32(1 + ((np.int64(logits[i]) * inverse) >> 40))
        row[i] = freq
        left -= np.int64(freq)
    largest = np.uint32(0)
    for i in range(n):
        largest = max(largest, row[i])
    best = 0
    while row[best] < largest:
        best += 1
    row[best] += np.uint32(left)
