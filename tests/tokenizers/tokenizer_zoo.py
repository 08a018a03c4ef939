"""One small tokenizer of every kind and width, made on first use."""

from functools import cache

import numpy as np

from equinfo.compress.models import ByteModel, StaticModel
from equinfo.compress.neural import NeuralByteModel
from equinfo.corpora import load_corpus, take
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

WIDTHS = (8, 12, 16)
WINDOWS = [(bits, width) for bits in (12, 16, 24, 32, 64, 128) for width in WIDTHS if width <= bits]

PLAIN = ["bytes", "bpe", "unigram", "gzip8", "gzip12", "gzip16"]
STATIC = [f"ac-static-{w}" for w in WIDTHS] + [f"equalinfo-static-{b}-{w}" for b, w in WINDOWS]
NEURAL = [name.replace("static", "neural") for name in STATIC] + ["equalinfo-relative-16-8"]
NAMES = PLAIN + STATIC + NEURAL

SUBWORDS = ("bpe", "unigram")


@cache
def training_text() -> list[bytes]:
    """The slice of the bundled corpus that everything here is fitted on."""
    return take(load_corpus("bundled").documents("train"), 200_000)


@cache
def make(name: str) -> Tokenizer:
    """The tokenizer `name`: one of PLAIN, ac-MODEL-WIDTH, equalinfo-MODEL-BITS-WIDTH."""
    if name in SUBWORDS:
        return tokenizer_class(name).train(training_text(), vocab_size=600)
    if name in PLAIN:
        return load(name)
    kind, model, *numbers = name.split("-")
    return tokenizer_class(kind)(byte_model(model), *map(int, numbers))


@cache
def byte_model(name: str) -> ByteModel:
    """static: the training text's byte counts. neural, relative: networks of random weights, and of both styles."""
    if name == "static":
        return StaticModel.unigram(training_text())
    return random_network("rope" if name == "neural" else "relative")


def random_network(position: str, context: int = 48) -> NeuralByteModel:
    """Two layers of random weights: sure of itself (so that windows hold several bytes), and as often wrong."""
    rng = np.random.default_rng(7)
    d, ff, layers = 16, 16, 2

    def weights(*shape: int, scale: float = 0.4) -> np.ndarray:
        return rng.normal(scale=scale, size=shape).astype(np.float32)

    tensors = {"embed.weight": weights(257, d, scale=1), "head.weight": weights(257, d, scale=1)}
    tensors["norm.weight"] = np.ones(d, dtype=np.float32)
    for n in range(layers):
        block = {"attn_norm": np.ones(d, dtype=np.float32), "mlp_norm": np.ones(d, dtype=np.float32)}
        block |= {part: weights(d, d) for part in "qkvo"}
        block |= {"gate": weights(ff, d), "up": weights(ff, d), "down": weights(d, ff)}
        if position == "relative":
            block["rel"] = weights(9, d // 2)
        tensors |= {f"blocks.{n}.{part}.weight": value for part, value in block.items()}
    config = {
        "d_model": d,
        "n_layers": layers,
        "n_heads": 2,
        "head_dim": d // 2,
        "d_ff": ff,
        "position": position,
        "activation": "silu" if position == "rope" else "relu",
        "rope_base": 10_000.0,
        "norm_eps": 1e-6,
        "max_context": context,
        "parameters": layers * (4 * d * d + 3 * d * ff),
    }
    return NeuralByteModel(config, tensors)
