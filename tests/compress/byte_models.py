"""Byte models for the tests: small random networks, and a context-dependent table that nothing else
here computes.
"""

import numpy as np

from benchmarks.golden_networks import random_network, style
from equinfo.compress.models import SYMBOLS, ByteModel, normalise
from equinfo.compress.network.integer import IntegerByteModel

KINDS = [
    style("rope", "silu"),
    style("relative", "relu"),
    style("rope", "relu", 20, 3, 12, 36),
    style("relative", "silu", 9, 1, 36, 7),
]


def neural_model(seed=0, scale=1.0, precision=16, **changes):
    """A network of random integers; scale: how sure of itself it is."""
    return IntegerByteModel(*random_network(seed, logit=int(3000 * scale), **changes), precision)


class TableModel(ByteModel):
    """The next row depends on a hash of all bytes since the restart: rows u32[contexts, 257]."""

    kind = "table"
    lanes = 7

    def __init__(self, rows, precision=16, max_context=1000):
        self.rows = rows
        self.precision = precision
        self.max_context = max_context

    @classmethod
    def random(cls, seed=0, contexts=32, sharpness=3.0, precision=16, **options):
        """Rows exp(sharpness * normal), so that some bytes are likely and most are not."""
        weights = np.exp(
            sharpness * np.random.default_rng(seed).standard_normal((contexts, SYMBOLS))
        )
        counts = [(w / w.max() * 1e6).astype(np.int64) for w in weights]
        return cls(np.stack([normalise(c, precision) for c in counts]), precision, **options)

    def next_context(self, context, byte):
        return (context * 31 + byte + 1) % len(self.rows)

    def start(self, lanes):
        return {"context": np.zeros(lanes, dtype=np.int64), "seen": np.zeros(lanes, dtype=np.int64)}

    def frequencies(self, state):
        return self.rows[state["context"]]

    def advance(self, state, symbols, restart):
        context, seen = state["context"], state["seen"]
        for i, symbol in enumerate(symbols):
            if restart[i]:
                context[i] = seen[i] = 0
            if symbol >= 0:
                context[i], seen[i] = self.next_context(context[i], symbol), seen[i] + 1
                if seen[i] == self.max_context:
                    context[i] = seen[i] = 0

    def parts(self):
        return {"precision": self.precision}, {"rows": self.rows}


def peaky_row(byte, precision=16):
    """`byte` almost certain: it takes all but one unit for each other symbol."""
    row = np.ones(SYMBOLS, dtype=np.uint32)
    row[byte] = (1 << precision) - (SYMBOLS - 1)
    return row
