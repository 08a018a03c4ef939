"""A decoder LM's forward pass, one symbol a lane, in float32 with every operation in a stated order.

The twin of `lm/decoder.py` for inference without torch. Each output is a sum taken in one fixed order (`matmul.py`),
whatever the number of lanes, so a lane's numbers do not depend on the batch, and what a machine encoded it decodes.
Across machines this is not promised: that takes integers.
"""

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.matmul import multiply


@kernel
def normalise_rows(x, weight, y, rows, eps):
    """RMSNorm: y[r] = x[r] / sqrt(mean(x[r]**2) + eps) * weight."""
    for r in range(rows):
        total = np.float32(0)
        for j in range(len(weight)):
            total += x[r, j] * x[r, j]
        scale = np.float32(1) / np.sqrt(total / np.float32(len(weight)) + eps)
        for j in range(len(weight)):
            y[r, j] = x[r, j] * scale * weight[j]


@kernel
def exponentials(x, count, top):
    """x[i] = exp(x[i] - top) for i < count and x[i] <= top, as 2**n * 2**f, |f| <= 1/2; never below 2**-126.

    The polynomial for 2**f is that of the Cephes library's exp2f; 2**n is made of its bits. NaN gives 2**-126.
    """
    for i in range(count):
        t = (x[i] - top) * np.float32(1.4426950408889634)
        t = t if t > np.float32(-126) else np.float32(-126)
        n = np.int32(t - np.float32(0.5))
        f = t - np.float32(n)
        p = np.float32(1.535336188e-4)
        p = p * f + np.float32(1.339887440e-3)
        p = p * f + np.float32(9.618437357e-3)
        p = p * f + np.float32(5.550332471e-2)
        p = p * f + np.float32(2.402264791e-1)
        p = p * f + np.float32(6.931472028e-1)
        p = p * f + np.float32(1)
        x[i] = p * np.int32((n + 127) << 23).view(np.float32)


@kernel
def total_of(x, count):
    """The sum of x[:count], in eight interleaved partial sums."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
    whole = count // 8 * 8
    for i in range(0, whole, 8):
        s0, s1, s2, s3 = s0 + x[i], s1 + x[i + 1], s2 + x[i + 2], s3 + x[i + 3]
        s4, s5, s6, s7 = s4 + x[i + 4], s5 + x[i + 5], s6 + x[i + 6], s7 + x[i + 7]
    total = ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
    for i in range(whole, count):
        total += x[i]
    return total


@kernel
def largest(x, count):
    """The largest of x[:count], in four interleaved parts: one alone would wait for itself."""
    t0 = t1 = t2 = t3 = x[0]
    whole = count // 4 * 4
    for i in range(0, whole, 4):
        t0, t1 = (x[i] if x[i] > t0 else t0), (x[i + 1] if x[i + 1] > t1 else t1)
        t2, t3 = (x[i + 2] if x[i + 2] > t2 else t2), (x[i + 3] if x[i + 3] > t3 else t3)
    top = max(max(t0, t1), max(t2, t3))
    for i in range(whole, count):
        top = max(top, x[i])
    return top


@kernel
def rotate(x, cos, sin, heads, size):
    """Rotary position, half-split convention, in place on x[heads * size]; cos, sin: f32[size / 2]."""
    half = size // 2
    for h in range(heads):
        for i in range(half):
            a, b = x[h * size + i], x[h * size + half + i]
            x[h * size + i] = a * cos[i] - b * sin[i]
            x[h * size + half + i] = b * cos[i] + a * sin[i]


@kernel
def attend(qkv, out, keys, values, position, heads, size, relative, scores, near):
    """One lane's attention at `position`.

    qkv: f32[3 * heads * size]; keys: f32[heads, size, >= C]; values: f32[heads, C, size]; relative: f32[size, clip + 1]
    (empty without relative terms): score(t) = q . (k_t + relative[min(position - t, clip)]) / sqrt(size).
    """
    inner, count = heads * size, position + 1
    scale = np.float32(1) / np.sqrt(np.float32(size))
    for h in range(heads):
        q = qkv[h * size : (h + 1) * size]
        for i in range(size):
            keys[h, i, position] = qkv[inner + h * size + i]
            values[h, position, i] = qkv[2 * inner + h * size + i]
        scores[:count] = np.float32(0)
        _add_products(q, keys[h], scores, count)
        if relative.shape[1]:
            _add_relative(q, relative, scores, near, position)
        for t in range(count):
            scores[t] *= scale
        exponentials(scores, count, largest(scores, count))
        share = np.float32(1) / total_of(scores, count)
        o = out[h * size : (h + 1) * size]
        _weigh(scores, values[h], o, count)
        for i in range(size):
            o[i] *= share


@kernel
def _add_products(q, keys, scores, count):
    """scores[t] += q . keys[:, t] for t < count, i in order; len(q) a multiple of 4."""
    for i in range(0, len(q), 4):
        q0, q1, q2, q3 = q[i], q[i + 1], q[i + 2], q[i + 3]
        k0, k1, k2, k3 = keys[i], keys[i + 1], keys[i + 2], keys[i + 3]
        for t in range(count):
            scores[t] = (((scores[t] + q0 * k0[t]) + q1 * k1[t]) + q2 * k2[t]) + q3 * k3[t]


@kernel
def _weigh(scores, values, o, count):
    """o = scores[:count] @ values[:count], t in order."""
    o[:] = np.float32(0)
    whole = count // 4 * 4
    for t in range(0, whole, 4):
        s0, s1, s2, s3 = scores[t], scores[t + 1], scores[t + 2], scores[t + 3]
        v0, v1, v2, v3 = values[t], values[t + 1], values[t + 2], values[t + 3]
        for i in range(len(o)):
            o[i] = (((o[i] + s0 * v0[i]) + s1 * v1[i]) + s2 * v2[i]) + s3 * v3[i]
    for t in range(whole, count):
        for i in range(len(o)):
            o[i] += scores[t] * values[t, i]


@kernel
def _add_relative(q, relative, scores, near, position):
    clip = relative.shape[1] - 1
    reach = min(position, clip) + 1
    near[:reach] = np.float32(0)
    _add_products(q, relative, near, reach)
    for t in range(position - reach + 1):
        scores[t] += near[clip]
    for t in range(position - reach + 1, position + 1):
        scores[t] += near[position - t]


@kernel
def gate(x, y, rows, width, silu):
    """y[r, j] = act(x[r, j]) * x[r, width + j], act = ReLU or SiLU."""
    for r in range(rows):
        if silu:
            for j in range(width):
                y[r, j] = -abs(x[r, j])
            exponentials(y[r], width, np.float32(0))
            for j in range(width):
                a, e = x[r, j], y[r, j]  # e = exp(-|a|); sigmoid(a) = (a < 0 ? e : 1) / (1 + e)
                y[r, j] = a * (e if a < 0 else np.float32(1)) / (np.float32(1) + e) * x[r, width + j]
        else:
            for j in range(width):
                y[r, j] = max(x[r, j], np.float32(0)) * x[r, width + j]


@kernel
def add_rows(x, y, rows):
    """x += y, as wide as x is."""
    for r in range(rows):
        for j in range(x.shape[1]):
            x[r, j] += y[r, j]


@kernel
def to_frequencies(logits, row, precision):
    """Integer frequencies of softmax(logits): 1 + floor(share * (2**precision - n)), the remainder to the largest.

    Whatever the logits, NaN included, each is >= 1 and they sum to 2**precision.
    """
    n = len(row)
    exponentials(logits, n, largest(logits, n))
    total = max(total_of(logits, n), np.float32(1))  # it is less only where the logits are not numbers
    scale = np.float32((1 << precision) - n) / total
    left = np.int32(1 << precision)
    for i in range(n):
        freq = np.int32(np.int32(logits[i] * scale) + 1)
        row[i] = freq
        left = np.int32(left - freq)
    best = 0
    for i in range(1, n):
        if row[i] > row[best]:
            best = i
    row[best] = np.int64(row[best]) + left


@kernel
def step(shape, layers, embed, head, norm, cos, sin, eps, tokens, positions, keys, values, work, rows, precision):
    """Run the network on one token in each lane with positions[lane] >= 0, and write the next symbol's frequencies.

    shape: (d, heads, head size, ff, silu). layers: a list of (attn_norm, qkv, o, relative, mlp_norm, gate_up, down).
    keys, values: f32[layers, lanes, heads, ...]. work: scratch f32 arrays. rows: u32[lanes, 257].
    """
    _, heads, size, ff, silu = shape
    x, h, wide, hidden, logits, scores, near, active = work
    count = 0
    for lane in range(len(tokens)):
        if positions[lane] >= 0:
            active[count] = lane
            x[count] = embed[tokens[lane]]
            count += 1
    for layer in range(len(layers)):
        attn_norm, qkv, o, relative, mlp_norm, gate_up, down = layers[layer]
        normalise_rows(x, attn_norm, h, count, eps)
        multiply(h, qkv, wide, count)
        for r in range(count):
            lane = active[r]
            p = positions[lane]
            if len(cos):
                rotate(wide[r, : heads * size], cos[p], sin[p], heads, size)
                rotate(wide[r, heads * size : 2 * heads * size], cos[p], sin[p], heads, size)
            attend(wide[r], hidden[r], keys[layer, lane], values[layer, lane], p, heads, size, relative, scores, near)
        multiply(hidden, o, h, count)
        add_rows(x, h, count)
        normalise_rows(x, mlp_norm, h, count, eps)
        multiply(h, gate_up, wide, count)
        gate(wide, hidden, count, ff, silu)
        multiply(hidden, down, h, count)
        add_rows(x, h, count)
    normalise_rows(x, norm, h, count, eps)
    multiply(h, head, logits, count)
    for r in range(count):
        to_frequencies(logits[r], rows[active[r]], precision)
