"""One small tokenizer of every kind and width, made on first use."""

from functools import cache

from benchmarks.golden_networks import random_network
from equinfo.compress.models.base import ByteModel, StaticModel
from equinfo.compress.models.counts import CountModel
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.corpora import load_corpus, take
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

# b and width: ids that fill windows, cross from one to the next, and are windows; 1 to 3 limbs
WINDOWS = ("12-8", "12-12", "16-8", "16-16", "24-12", "24-16", "32-12", "64-12", "64-16", "128-8")

PLAIN = ["bytes", "bpe", "unigram", "gzip8", "gzip12", "gzip16", "zstd8", "zstd16", "xz12"]
OPAQUE_OPTIONS = {
    "gzip-raw": ("gzip", {"raw": True, "level": 9}),
    "gzip-block": ("gzip", {"bits": 12, "block": 100}),
    "zstd-block": ("zstd", {"bits": 16, "block": 64, "level": 1}),
}
OPAQUE_OPTIONS |= {
    "gzip-narrow": ("gzip", {"bits": 6}),
    "xz-narrow": ("xz", {"bits": 1, "block": 64}),
}
PLAIN += OPAQUE_OPTIONS
RIVALS = ["range-static-12", "ans-static-16", "huffman-static-8", "range-counts-8"]
RIVALS += ["ans-counts-12", "huffman-counts-16", "ans-static-7"]
COUNTS = ["ac-counts-8", "ac-counts-12", "equalinfo-counts-16-16", "equalinfo-counts-32-12"]
NARROW = [
    "ac-static-1",
    "ac-static-6",
    "ac-counts-7",
    "equalinfo-static-12-6",
    "equalinfo-counts-18-12",
]
NARROW += ["equalinfo-static-9-7", "equalinfo-static-13-1"]
STATIC = ["ac-static-8", "ac-static-12", "ac-static-16"]
STATIC += [f"equalinfo-static-{numbers}" for numbers in WINDOWS]
NEURAL = ["ac-neural-8", "ac-neural-12"]
NEURAL += [f"equalinfo-neural-{numbers}" for numbers in ("12-12", "16-8", "24-16", "128-8")]
NEURAL += ["equalinfo-relative-16-8"]
WINDOW_OPTIONS: dict[str, tuple[str, str, dict]] = {
    "windows-delay": ("equalinfo", "static", {"bits": 16, "width": 8, "rule": "delay"}),
    "windows-reserve": (
        "equalinfo",
        "neural",
        {"bits": 24, "width": 16, "rule": "reserve", "reset": 0},
    ),
    "windows-rank": ("equalinfo", "static", {"bits": 16, "width": 16, "rule": "rank"}),
    "windows-reset": ("equalinfo", "counts", {"bits": 32, "width": 12, "reset": 2}),
    "equal-text": ("equaltext", "counts", {"size": 8, "width": 8}),
    "equal-text-long": ("equaltext", "static", {"size": 60, "width": 12}),
    "equal-text-narrow": ("equaltext", "counts", {"size": 5, "width": 6}),
}
CODEBOOK_OPTIONS: dict[str, dict] = {
    "codebook-free": {"size": 512, "mode": "free"},
    "codebook-aligned": {"size": 512, "mode": "aligned"},
    "codebook-superword": {"size": 2048},
    "codebook-fewest": {"size": 1024, "parse": "fewest"},
}
CODEBOOKS = [*CODEBOOK_OPTIONS, "codebook-grown"]
COMPILED = {
    "compiled-free": ("neural", {"bits": 12, "width": 12}),
    "compiled-halves": ("counts", {"bits": 16, "width": 8}),
    "compiled-across": ("static", {"bits": 12, "width": 8}),
    "compiled-whole": ("counts", {"bits": 16, "width": 16}),
    "compiled-rank": ("static", {"bits": 14, "width": 12, "rule": "rank"}),
    "compiled-reserve": ("counts", {"bits": 12, "width": 12, "rule": "reserve"}),
    "compiled-narrow": ("static", {"bits": 12, "width": 5, "rule": "rank"}),
}
SUBWORDS = ("bpe", "unigram")
CROSSING = ("bpe-superwords", "bpe-free", "unigram-superwords")
NAMES = (
    PLAIN
    + list(CROSSING)
    + CODEBOOKS
    + list(COMPILED)
    + STATIC
    + COUNTS
    + NARROW
    + RIVALS
    + NEURAL
    + list(WINDOW_OPTIONS)
)


@cache
def training_text() -> list[bytes]:
    """The slice of the bundled corpus that everything here is fitted on."""
    return take(load_corpus("bundled").documents("train"), 200_000)


@cache
def make(name: str) -> Tokenizer:
    """The tokenizer `name`: of PLAIN, ac-MODEL-WIDTH (or a rival), equalinfo-MODEL-BITS-WIDTH."""
    if name in SUBWORDS:
        return tokenizer_class(name).train(training_text(), vocab_size=600)
    if name in CROSSING:
        kind, pretokens = name.split("-")
        return tokenizer_class(kind).train(training_text()[:12], 600, pretokens=pretokens)
    if name in OPAQUE_OPTIONS:
        kind, options = OPAQUE_OPTIONS[name]
        return tokenizer_class(kind)(**options)
    if name in PLAIN:
        return load(name)
    if name in CODEBOOK_OPTIONS:
        return tokenizer_class("codebook").train(training_text(), **CODEBOOK_OPTIONS[name])
    if name == "codebook-grown":
        return tokenizer_class("codebook").grow(byte_model("counts"), size=512)
    if name in COMPILED:
        model, compiled_options = COMPILED[name]
        return tokenizer_class("equalinfo")(byte_model(model), **compiled_options).compile()
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
    return network("rope" if name == "neural" else "relative")


def network(position: str, context: int = 48) -> IntegerByteModel:
    """Two layers of random weights: sure of itself (for windows of several bytes), often wrong."""
    activation = "silu" if position == "rope" else "relu"
    width = {"d_model": 16, "n_heads": 2, "head_dim": 8, "d_ff": 16, "parameters": 2 * 7 * 16 * 16}
    return IntegerByteModel(
        *random_network(7, position=position, activation=activation, max_context=context, **width)
    )
