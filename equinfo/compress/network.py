"""A decoder LM's forward pass, one symbol a lane, in float32 with every operation in a stated order.

The twin of `lm/decoder.py` for inference without torch. Each output is a sum taken in one fixed order (over the
input's index; see `multiply`), whatever the number of lanes, so a lane's numbers do not depend on the batch, and what
a machine encoded it decodes. Across machines this is not promised: that takes integers.
"""

import numpy as np

from equinfo.compress.jit import inline, kernel


@kernel
def multiply(x, w, y, rows):
    """y[r] = x[r] @ w for r < rows. x: f32[>= rows, K], w: f32[K, N], K a multiple of 4.

    y[r, j] = (((0 + x[r,0] w[0,j]) + x[r,1] w[1,j]) + ...: sums run over k in order; only j goes to the vector unit.
    """
    for r in range(rows):
        for j in range(w.shape[1]):
            y[r, j] = np.float32(0)
    for k in range(0, w.shape[0], 4):
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        for r in range(rows):
            x0, x1, x2, x3 = x[r, k], x[r, k + 1], x[r, k + 2], x[r, k + 3]
            out = y[r]
            for j in range(w.shape[1]):
                out[j] = (((out[j] + x0 * w0[j]) + x1 * w1[j]) + x2 * w2[j]) + x3 * w3[j]


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
def exponentials(x, count, top, powers):
    """x[i] = exp(x[i] - top) for i < count and x[i] <= top, as 2**n * 2**f, |f| <= 1/2.

    powers: f32[127], 2**-126 .. 2**0. The polynomial for 2**f is that of the Cephes library's exp2f.
    """
    for i in range(count):
        t = max((x[i] - top) * np.float32(1.4426950408889634), np.float32(-126))
        n = np.floor(t + np.float32(0.5))
        f = t - n
        p = np.float32(1.535336188e-4)
        p = p * f + np.float32(1.339887440e-3)
        p = p * f + np.float32(9.618437357e-3)
        p = p * f + np.float32(5.550332471e-2)
        p = p * f + np.float32(2.402264791e-1)
        p = p * f + np.float32(6.931472028e-1)
        p = p * f + np.float32(1)
        x[i] = p * powers[np.int64(n) + 126]


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


@inline
def largest(x, count):
    top = x[0]
    for i in range(1, count):
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
def attend(qkv, out, keys, values, position, heads, size, relative, scores, near, powers):
    """One lane's attention at `position`.

    qkv: f32[3 * heads * size]; keys: f32[heads, size, C]; values: f32[heads, C, size]; relative: f32[size, clip + 1]
    (empty without relative terms): score(t) = q . (k_t + relative[min(position - t, clip)]) / sqrt(size).
    """
    inner, count = heads * size, position + 1
    scale = np.float32(1) / np.sqrt(np.float32(size))
    clip = relative.shape[1] - 1
    for h in range(heads):
        q = qkv[h * size : (h + 1) * size]
        for i in range(size):
            keys[h, i, position] = qkv[inner + h * size + i]
            values[h, position, i] = qkv[2 * inner + h * size + i]
        scores[:count] = np.float32(0)
        for i in range(size):
            for t in range(count):
                scores[t] += q[i] * keys[h, i, t]
        if clip >= 0:
            _add_relative(q, relative, scores, near, position, clip)
        for t in range(count):
            scores[t] *= scale
        exponentials(scores, count, largest(scores, count), powers)
        share = np.float32(1) / total_of(scores, count)
        o = out[h * size : (h + 1) * size]
        o[:] = np.float32(0)
        for t in range(count):
            for i in range(size):
                o[i] += scores[t] * values[h, t, i]
        for i in range(size):
            o[i] *= share


@kernel
def _add_relative(q, relative, scores, near, position, clip):
    reach = min(position, clip) + 1
    near[:reach] = np.float32(0)
    for i in range(len(q)):
        for c in range(reach):
            near[c] += q[i] * relative[i, c]
    for t in range(position + 1):
        scores[t] += near[min(position - t, clip)]


@kernel
def gate(x, y, rows, width, silu, powers):
    """y[r, j] = act(x[r, j]) * x[r, width + j], act = ReLU or SiLU."""
    for r in range(rows):
        if silu:
            for j in range(width):
                y[r, j] = -abs(x[r, j])
            exponentials(y[r], width, np.float32(0), powers)
            for j in range(width):
                a, e = x[r, j], y[r, j]  # e = exp(-|a|); sigmoid(a) = (a < 0 ? e : 1) / (1 + e)
                y[r, j] = a * (e if a < 0 else np.float32(1)) / (np.float32(1) + e) * x[r, width + j]
        else:
            for j in range(width):
                y[r, j] = max(x[r, j], np.float32(0)) * x[r, width + j]


@kernel
def add_rows(x, y, rows):
    for r in range(rows):
        for j in range(x.shape[1]):
            x[r, j] += y[r, j]


@kernel
def to_frequencies(logits, row, precision, powers):
    """Integer frequencies of softmax(logits): 1 + floor(share * (2**precision - n)), the remainder to the largest."""
    n = len(row)
    best = 0
    for i in range(1, n):
        if logits[i] > logits[best]:
            best = i
    exponentials(logits, n, logits[best], powers)
    scale = np.float32((1 << precision) - n) / total_of(logits, n)
    left = np.int64(1 << precision)
    for i in range(n):
        freq = 1 + np.int64(logits[i] * scale)
        row[i] = freq
        left -= freq
    row[best] = np.int64(row[best]) + left


@kernel
def step(shape, layers, embed, head, norm, cos, sin, eps, tokens, positions, keys, values, work, rows, precision, powers):
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
    for l in range(len(layers)):
        attn_norm, qkv, o, relative, mlp_norm, gate_up, down = layers[l]
        normalise_rows(x, attn_norm, h, count, eps)
        multiply(h, qkv, wide, count)
        for r in range(count):
            lane = active[r]
            p = positions[lane]
            if len(cos):
                rotate(wide[r, : heads * size], cos[p], sin[p], heads, size)
                rotate(wide[r, heads * size : 2 * heads * size], cos[p], sin[p], heads, size)
            attend(wide[r], hidden[r], keys[l, lane], values[l, lane], p, heads, size, relative, scores, near, powers)
        multiply(hidden[:, : heads * size], o, h, count)
        add_rows(x, h, count)
        normalise_rows(x, mlp_norm, h, count, eps)
        multiply(h, gate_up, wide, count)
        gate(wide, hidden, count, ff, silu, powers)
        multiply(hidden[:, :ff], down, h, count)
        add_rows(x, h, count)
    normalise_rows(x, norm, h, count, eps)
    multiply(h, head, logits, count)
    for r in range(count):
        to_frequencies(logits[r], rows[active[r]], precision, powers)
