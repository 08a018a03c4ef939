"""Causal attention over cached int8 keys and values, for rows of any lanes and positions.

A score is a product of bytes; a weight is a power of two by table, 16 bits, multiplied with the
values byte by byte. Rows of one lane at consecutive positions go through as one tile.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.network.matmul import COLUMN_STEP, DEPTH_STEP, MIDDLE, ROW_STEP, multiply
from equinfo.compress.network.rounding import as_byte, rescaled, rounded, saturated
from equinfo.fixedpoint import (
    ACTIVATION_MAX,
    ANGLE,
    EXPONENT,
    FINE,
    FINE_MAX,
    FRACTION,
    SCORE_SHIFT,
    SHARE,
    SHIFT,
    WEIGHT_SHIFT,
)

HALF = 1 << (ANGLE + FINE - 1)
MASK = np.int32((1 << EXPONENT) - 1)


class Attention(NamedTuple):
    score: np.ndarray  # int32[heads]: multipliers of scores
    gain: np.ndarray  # int32[inner]: of what comes out
    relative: np.ndarray  # int8[heads, (clip + 1) / 32, head_dim / 4, 32, 4], as `pack` makes it
    relative_offset: np.ndarray  # int32[heads, clip + 1], likewise
    clip: int  # -1 without relative terms


@kernel
def keep_keys_and_values(wide, scale, rows, tables, q, past):
    """Write each row's keys and values into the cache at its lane and position, its queries to q.

    wide: int32[rows, 3 * inner] sums of products, changed in place; scale: int32[3 * inner]. rows:
    (lanes, positions). past: a layer's (keys, values, offsets) of `network.Cache`.
    """
    lanes, positions = rows
    keys, values, offsets = past
    _, heads, _, groups, _, _ = keys.shape
    size = groups * DEPTH_STEP
    inner = heads * size
    for r in range(len(lanes)):
        lane = lanes[r]
        position = positions[r]
        row = wide[r]
        for j in range(2 * inner):
            row[j] = rescaled(row[j], scale[j], FINE_MAX)
        for j in range(2 * inner, 3 * inner):
            row[j] = rescaled(row[j], scale[j], ACTIVATION_MAX)
        for h in range(2 * heads):
            turn(row[h * size : (h + 1) * size], tables.cos, tables.sin, position)
        for j in range(inner):
            q[r, j] = np.uint8(row[j] + MIDDLE)
        panel, column = divmod(position, COLUMN_STEP)
        group, place = divmod(position, DEPTH_STEP)
        for h in range(heads):
            k = row[inner + h * size : inner + (h + 1) * size]
            v = row[2 * inner + h * size :]
            offsets[lane, h, position] = -MIDDLE * k.sum()
            for g in range(groups):
                for i in range(DEPTH_STEP):
                    keys[lane, h, panel, g, column, i] = k[g * DEPTH_STEP + i]
            for i in range(size):
                values[lane, h, i // COLUMN_STEP, group, i % COLUMN_STEP, place] = v[i]


@kernel
def turn(x, cos, sin, position):
    """A head's queries or keys as bytes, in place, rotated to their position if there are tables.

    Half-split convention. |x| <= 2**15 and |cos|, |sin| <= 2**14: the sums stay below 2**31.
    """
    half = len(x) // 2
    if not len(cos):
        for i in range(len(x)):
            x[i] = saturated(rounded(x[i], FINE), ACTIVATION_MAX)
        return
    c, s = cos[position], sin[position]
    for i in range(half):
        a, b = x[i], x[half + i]
        first = np.int32(a * c[i] - b * s[i] + HALF)
        second = np.int32(b * c[i] + a * s[i] + HALF)
        x[i] = saturated(first >> (ANGLE + FINE), ACTIVATION_MAX)
        x[half + i] = saturated(second >> (ANGLE + FINE), ACTIVATION_MAX)


@kernel
def attend(q, rows, attention, past, powers, work):
    """work.hidden[r] = row r's attention, as bytes. rows, past: as for `keep_keys_and_values`."""
    lanes, positions = rows
    count = len(lanes)
    r = 0
    while r < count:
        n = ROW_STEP if r + ROW_STEP <= count and lanes[r + ROW_STEP - 1] == lanes[r] else 1
        out = work.hidden[r : r + n]
        _attend_rows(q[r : r + n], lanes[r], positions[r], attention, past, powers, work, out)
        r += n


@kernel
def _attend_rows(q, lane, position, attention, past, powers, work, out):
    """One lane's rows at `position` and those that follow it."""
    keys, values, offsets = past
    _, heads, _, groups, _, _ = keys.shape
    size = groups * DEPTH_STEP
    rows = len(q)
    count = position + rows
    groups_seen = (count + DEPTH_STEP - 1) // DEPTH_STEP
    scores, near = work.scores, work.near
    high, low = work.weights
    high_sums, low_sums = work.sums
    for h in range(heads):
        # scores of all positions up to the last row's; `weigh` reads those up to a row's own
        part = slice(h * size, (h + 1) * size)
        multiply(q[:, part], keys[lane, h], offsets[lane, h], scores, rows, count, groups)
        if attention.clip >= 0:
            terms, offset = attention.relative[h], attention.relative_offset[h]
            multiply(q[:, part], terms, offset, near, rows, attention.clip + 1, groups)
            for r in range(rows):
                add_near(scores[r], near[r], position + r, attention.clip)
        # `multiply` sums over whole groups: zero weights hide what lies behind a row's position, be
        # it of the tile's later rows or left by an earlier context
        for r in range(rows):
            seen = position + r + 1
            work.totals[r] = weigh(scores[r], seen, attention.score[h], powers, high[r], low[r])
            for t in range(seen, groups_seen * DEPTH_STEP):
                high[r, t] = low[r, t] = 0
        multiply(high, values[lane, h], work.zeros, high_sums, rows, size, groups_seen)
        multiply(low, values[lane, h], work.zeros, low_sums, rows, size, groups_seen)
        for r in range(rows):
            inverse = (np.int64(1) << SHARE) // work.totals[r]
            for i in range(size):
                total = (np.int64(high_sums[r, i]) << 8) + np.int64(low_sums[r, i])
                mean = (total * inverse) >> (SHARE - FRACTION)
                j = h * size + i
                out[r, j] = as_byte(rounded(mean * np.int64(attention.gain[j]), SHIFT))


@kernel
def add_near(scores, near, position, clip):
    """scores[t] += near[min(position - t, clip)] for t <= position."""
    far = max(position - clip, 0)
    for t in range(far):
        scores[t] += near[clip]
    for t in range(far, position + 1):
        scores[t] += near[position - t]


@kernel
def weigh(scores, count, multiplier, powers, high, low):
    """Bytes of the weights of scores[:count], the largest's being 65535; their sum. Changes scores.

    (top - score) is cut where its product with the multiplier would leave 31 bits: that is at least
    16 octaves down, where a weight is 0 already.
    """
    top = scores[0]
    for t in range(count):
        top = max(top, scores[t])
    limit = np.int32(((1 << 31) - 1) // multiplier)
    factor = np.int32(multiplier)
    for t in range(count):  # one loop for each step, or the compiler makes vectors of none
        scores[t] = np.int32(min(np.int32(top - scores[t]), limit) * factor) >> SCORE_SHIFT
    total = np.int64(0)
    for t in range(count):
        below = scores[t]
        # 2**24 >> 31 is 0 already
        octaves = min(np.int32(below >> EXPONENT), np.int32(31 - WEIGHT_SHIFT))
        scores[t] = np.int32(powers[below & MASK] >> np.int32(octaves + WEIGHT_SHIFT))
        total += scores[t]
    for t in range(count):
        high[t] = np.uint8(scores[t] >> 8)
        low[t] = np.uint8(scores[t] & 255)
    return total
