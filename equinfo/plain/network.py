"""M1 in whole numbers: a decoder (a transformer) in which every step is integer arithmetic.

Sums of integers have no order, so whoever computes this, in whatever batches, gets the same
frequencies to the last bit; a coder needs that. Values are integers in units that were chosen when
the network was frozen (lm/freeze.py); fixedpoint.py has the formats and limits. Three things happen
to a value: a product with weights, `rescaled` to the unit of what comes next, and `saturated`.

>>> from equinfo.compress.models.base import load_model
>>> m1 = load_model("english-m1-windows")  # it ships with the package
>>> for row in frequencies(m1.config, m1.tensors, b"the "):
...     likeliest = max(range(257), key=row.__getitem__)
...     print(repr(chr(likeliest)), f"{row[likeliest] / 65536:.0%}")
' ' 17%
'h' 30%
'e' 58%
' ' 75%
"""

from collections.abc import Sequence
from math import isqrt
from operator import add, mul
from typing import Any

from equinfo import fixedpoint as fp

Vector = list[int]
EOD = 256  # "end of document": what a context begins with
POWERS: Vector = fp.powers().tolist()


def frequencies(
    config: dict[str, Any], tensors: dict[str, Any], symbols: Sequence[int], precision: int = 16
) -> list[Vector]:
    """Row t: the 257 frequencies of symbols[t] after EOD and symbols[:t], of sum 2**precision.

    config, tensors: an IntegerByteModel's (NumPy arrays of integers).
    """
    network = Network(config, tensors)
    return [to_frequencies(network.step(s), precision) for s in [EOD, *symbols[:-1]]]


class Network:
    """Takes a symbol at a time; what attention needs of the symbols before is kept in `past`."""

    def __init__(self, config: dict[str, Any], tensors: dict[str, Any]) -> None:
        self.config = config
        self.tensors = {name: tensor.tolist() for name, tensor in tensors.items()}
        self.past: list[list[tuple[list[Vector], list[Vector]]]] = [
            [] for _ in range(config["n_layers"])
        ]

    def step(self, symbol: int) -> Vector:
        """The logits of what follows `symbol` and all that was fed before it."""
        epsilon = self.config["epsilon"]
        x = self.tensors["embed"][symbol]
        for layer in range(self.config["n_layers"]):
            own = f"blocks.{layer}."
            h = normalised(x, self.tensors[f"{own}attn_norm"], epsilon)
            x = added(x, self.linear(self.attention(h, layer), f"{own}o"))
            h = normalised(x, self.tensors[f"{own}mlp_norm"], epsilon)
            x = added(x, self.linear(self.gated(h, layer), f"{own}down"))
        return self.linear(normalised(x, self.tensors["norm"], epsilon), "head")

    def linear(self, x: Vector, name: str) -> Vector:
        """A product of bytes, each output times its own multiplier."""
        weights = self.tensors[f"{name}.weight"]
        sums = [sum(map(mul, x, row)) for row in weights]
        return list(map(rescaled, sums, self.tensors[f"{name}.scale"]))

    def gated(self, h: Vector, layer: int) -> Vector:
        """act(gate) * up, as bytes."""
        both = [saturated(v, fp.GATE_MAX) for v in self.linear(h, f"blocks.{layer}.gate_up")]
        gate, up = halves(both)
        hidden = map(mul, map(self.activation, gate), up)
        return [to_byte(rounded(v, fp.HIDDEN)) for v in hidden]

    def activation(self, gate: int) -> int:
        if self.config["activation"] == "relu":
            return max(gate, 0)
        half = fp.SIGMOID_SIZE << (fp.SIGMOID_STEP - 1)  # SiLU: the sigmoid is a table
        place = (min(max(gate, -half), half - 1) + half) >> fp.SIGMOID_STEP
        return rounded(gate * self.tensors["sigmoid"][place], fp.SIGMOID)

    def attention(self, h: Vector, layer: int) -> Vector:
        """Bytes: the means of all values so far, weighted by how well their keys fit the query."""
        own = f"blocks.{layer}."
        heads = self.config["n_heads"]
        size = self.config["head_dim"]
        qkv = self.linear(h, f"{own}qkv")
        parts = [qkv[at : at + size] for at in range(0, len(qkv), size)]
        past = self.past[layer]
        position = len(past)
        queries = [self.turned(q, position) for q in parts[:heads]]
        keys = [self.turned(k, position) for k in parts[heads : 2 * heads]]
        values = [[to_byte(v) for v in part] for part in parts[2 * heads :]]
        past.append((keys, values))
        means: Vector = []
        for head, query in enumerate(queries):
            scores = [
                self.score(query, keys[head], f"{own}relative", head, position - at)
                for at, (keys, _) in enumerate(past)
            ]
            weights = attention_weights(scores, self.tensors[f"{own}score"][head])
            share = (1 << fp.SHARE) // sum(weights)
            columns = zip(*(values[head] for _, values in past), strict=True)
            means += [
                sum(map(mul, weights, column)) * share >> (fp.SHARE - fp.FRACTION)
                for column in columns
            ]
        return list(map(to_byte, map(rescaled, means, self.tensors[f"{own}attended"])))

    def score(self, query: Vector, key: Vector, name: str, head: int, distance: int) -> int:
        if self.config["position"] == "relative":  # each distance adds a vector to the key
            terms = self.tensors[name][head]
            key = list(map(add, key, terms[min(distance, len(terms) - 1)]))
        return sum(map(mul, query, key))

    def turned(self, x: Vector, position: int) -> Vector:
        """A query or key as bytes, rotated to its position where positions are rotary."""
        x = [saturated(v, fp.FINE_MAX) for v in x]
        if self.config["position"] == "relative":
            return [to_byte(rounded(v, fp.FINE)) for v in x]
        cos = self.tensors["cos"][position]
        sin = self.tensors["sin"][position]
        pairs = list(zip(*halves(x), cos, sin, strict=True))
        turned = [a * c - b * s for a, b, c, s in pairs] + [b * c + a * s for a, b, c, s in pairs]
        return [to_byte(rounded(v, fp.ANGLE + fp.FINE)) for v in turned]


def normalised(x: Vector, gain: Vector, epsilon: int) -> Vector:
    """RMSNorm, as bytes. The root has 8 bits after the point, the quotients FRACTION bits."""
    root = isqrt((sum(map(mul, x, x)) // len(x) + epsilon) << 16)
    inverse = (1 << 40) // root
    quotients = [v * inverse >> (32 - fp.FRACTION) for v in x]
    return list(map(to_byte, map(rescaled, quotients, gain)))


def attention_weights(scores: Vector, multiplier: int) -> Vector:
    """Softmax before its division: 65535 for the largest score, powers of two for those below."""
    largest = max(scores)
    limit = ((1 << 31) - 1) // multiplier
    below = [min(largest - score, limit) * multiplier >> fp.SCORE_SHIFT for score in scores]
    return [power(b) >> fp.WEIGHT_SHIFT for b in below]


def to_frequencies(logits: Vector, precision: int) -> Vector:
    """1 + floor(share * (2**precision - 257)) of each symbol, the rest to the first largest."""
    logits = [saturated(logit, fp.LOGIT_MAX) for logit in logits]
    largest = max(logits)
    limit = (fp.OCTAVES << fp.EXPONENT) - 1
    powers = [power(min(largest - logit, limit)) for logit in logits]
    inverse = (((1 << precision) - len(logits)) << 40) // sum(powers)
    row = [1 + (p * inverse >> 40) for p in powers]
    row[row.index(max(row))] += (1 << precision) - sum(row)
    return row


def power(below: int) -> int:
    """ONE * 2**-below, `below` having EXPONENT bits after the point."""
    return POWERS[below & ((1 << fp.EXPONENT) - 1)] >> (below >> fp.EXPONENT)


def added(x: Vector, step: Vector) -> Vector:
    return [saturated(v, fp.RESIDUAL_MAX) for v in map(add, x, step)]


def halves(x: Vector) -> tuple[Vector, Vector]:
    return x[: len(x) // 2], x[len(x) // 2 :]


def rescaled(x: int, multiplier: int) -> int:
    return rounded(x * multiplier, fp.SHIFT)


def rounded(x: int, shift: int) -> int:
    """x / 2**shift to the nearest, halves up."""
    return (x + (1 << (shift - 1))) >> shift


def saturated(x: int, limit: int) -> int:
    return min(max(x, -limit), limit)


def to_byte(x: int) -> int:
    return saturated(x, fp.ACTIVATION_MAX)
