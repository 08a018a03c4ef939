"""Byte models for the tests: small random networks, and a context-dependent table that nothing else here computes."""

import numpy as np

from equinfo.compress.models import SYMBOLS, normalise
from equinfo.compress.neural import NeuralByteModel


def neural_config(**changes):
    config = {
        "d_model": 16, "n_layers": 2, "n_heads": 2, "head_dim": 8, "d_ff": 32, "position": "rope",
        "activation": "silu", "rope_base": 10000.0, "norm_eps": 1e-6, "max_context": 48, "parameters": 1,
    }  # fmt: skip
    return config | changes


def neural_tensors(config, seed=0, scale=1.0, clip=8):
    """Random weights under the names of lm/decoder.py; large enough that contexts matter."""
    rng = np.random.default_rng(seed)
    d, inner, ff = config["d_model"], config["n_heads"] * config["head_dim"], config["d_ff"]

    def weight(rows, columns):
        return (rng.standard_normal((rows, columns)) * scale / np.sqrt(columns)).astype(np.float32)

    tensors = {"embed.weight": weight(SYMBOLS, d) * np.float32(np.sqrt(d)), "head.weight": 2 * weight(SYMBOLS, d)}
    tensors["norm.weight"] = (1 + 0.1 * rng.standard_normal(d)).astype(np.float32)
    for layer in range(config["n_layers"]):
        name = f"blocks.{layer}."
        for norm in ("attn_norm", "mlp_norm"):
            tensors[f"{name}{norm}.weight"] = (1 + 0.1 * rng.standard_normal(d)).astype(np.float32)
        for part in "qkv":
            tensors[f"{name}{part}.weight"] = weight(inner, d)
        tensors[f"{name}o.weight"] = weight(d, inner)
        for part in ("gate", "up"):
            tensors[f"{name}{part}.weight"] = weight(ff, d)
        tensors[f"{name}down.weight"] = weight(d, ff)
        if config["position"] == "relative":
            tensors[f"{name}rel.weight"] = weight(clip + 1, config["head_dim"])
    return tensors


def neural_model(seed=0, scale=1.0, precision=16, **changes):
    config = neural_config(**changes)
    return NeuralByteModel(config, neural_tensors(config, seed, scale), precision)


class TableModel:
    """The next row depends on a running hash of all bytes since the restart: rows u32[contexts, 257]."""

    kind = "table"
    parameters = 0
    row = None

    def __init__(self, rows, precision=16, max_context=1000, lanes=7):
        self.rows, self.precision, self.max_context, self.lanes = rows, precision, max_context, lanes

    @classmethod
    def random(cls, seed=0, contexts=32, sharpness=3.0, precision=16, **options):
        """Rows exp(sharpness * normal), so that some bytes are likely and most are not."""
        weights = np.exp(sharpness * np.random.default_rng(seed).standard_normal((contexts, SYMBOLS)))
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
