"""One small tokenizer of every kind and width, made on first use."""

from functools import cache

import numpy as np

from equinfo.compress.counts import CountModel
from equinfo.compress.models import ByteModel, StaticModel
from equinfo.compress.neural import NeuralByteModel
from equinfo.corpora import load_corpus, take
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

WIDTHS = (8, 12, 16)
WINDOWS = [(bits, width) for bits in (12, 16, 24, 32, 64, 128) for width in WIDTHS if width <= bits]

PLAIN = ["bytes", "bpe", "unigram"] + [f"{kind}{w}" for kind in ("gzip", "zstd", "xz") for w in WIDTHS]
OPAQUE_OPTIONS = {
    "gzip-raw": ("gzip", {"raw": True, "level": 9}),
    "gzip-block": ("gzip", {"bits": 12, "block": 100}),
    "zstd-block": ("zstd", {"bits": 16, "block": 64, "level": 1}),
}
PLAIN += OPAQUE_OPTIONS
RIVALS = [f"{kind}-static-{w}" for kind in ("range", "ans", "huffman") for w in WIDTHS]
RIVALS += ["range-counts-8", "ans-counts-12", "huffman-counts-16"]
COUNTS = ["ac-counts-8", "ac-counts-12", "equalinfo-counts-16-16", "equalinfo-counts-32-12"]
STATIC = [f"ac-static-{w}" for w in WIDTHS] + [f"equalinfo-static-{b}-{w}" for b, w in WINDOWS]
NEURAL = [name.replace("static", "neural") for name in STATIC] + ["equalinfo-relative-16-8"]
WINDOW_OPTIONS: dict[str, tuple[str, str, dict]] = {
    "windows-delay": ("equalinfo", "static", {"bits": 16, "width": 8, "rule": "delay"}),
    "windows-reserve": ("equalinfo", "neural", {"bits": 24, "width": 16, "rule": "reserve", "reset": 0}),
    "windows-rank": ("equalinfo", "static", {"bits": 16, "width": 16, "rule": "rank"}),
    "windows-reset": ("equalinfo", "counts", {"bits": 32, "width": 12, "reset": 2}),
    "equal-text": ("equaltext", "counts", {"size": 8, "width": 8}),
    "equal-text-long": ("equaltext", "static", {"size": 60, "width": 12}),
}
NAMES = PLAIN + STATIC + COUNTS + RIVALS + NEURAL + list(WINDOW_OPTIONS)

SUBWORDS = ("bpe", "unigram")


@cache
def training_text() -> list[bytes]:
    """The slice of the bundled corpus that everything here is fitted on."""
    return take(load_corpus("bundled").documents("train"), 200_000)


@cache
def make(name: str) -> Tokenizer:
    """The tokenizer `name`: one of PLAIN, ac-MODEL-WIDTH (or a rival of ac), equalinfo-MODEL-BITS-WIDTH."""
    if name in SUBWORDS:
        return tokenizer_class(name).train(training_text(), vocab_size=600)
    if name in OPAQUE_OPTIONS:
        kind, options = OPAQUE_OPTIONS[name]
        return tokenizer_class(kind)(**options)
    if name in PLAIN:
        return load(name)
    if name in WINDOW_OPTIONS:
        kind, model, window_options = WINDOW_OPTIONS[name]
        return tokenizer_class(kind)(byte_model(model), **window_options)
    kind, model, *numbers = name.split("-")
    return tokenizer_class(kind)(byte_model(model), *map(int, numbers))


@cache
def byte_model(name: str) -> ByteModel:
    """static: the training text's byte counts. counts: those of its contexts of up to 3 bytes.

    neural, relative: networks of random weights, and of both styles.
    """
    if name == "static":
        return StaticModel.unigram(training_text())
    if name == "counts":
        return CountModel.train(training_text(), order=3)
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
