"""The range coder against constriction's, and a byte model's speed: python -m benchmarks.coder

Both coders are called once from Python for one message of 257 symbols under a row each, and make
equally long codes. Ours takes integers: for encoding each symbol's start and frequency, for
decoding the rows of frequencies. constriction takes the matrix of float probabilities through its
Categorical model family, and quantises each row inside the call. Turning a model's output into what
each side takes is in neither time. Runs alternate; the ratio is that of the medians.
"""

import constriction
import numpy as np
import tyro

from benchmarks.common import alternate
from benchmarks.golden_networks import random_network
from equinfo.compress.coder import coder
from equinfo.compress.models.base import SYMBOLS, normalise
from equinfo.compress.network.integer import IntegerByteModel

PRECISION = 16


def message(n: int, distinct: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """(rows u32[n, 257], symbols i64[n]): rows of `distinct` peaked ones, symbols drawn by row."""
    rng = np.random.default_rng(0)
    weights = np.exp(3 * rng.standard_normal((distinct, SYMBOLS)))
    table = np.stack([normalise((w / w.max() * 1e6).astype(np.int64), PRECISION) for w in weights])
    chosen = rng.integers(0, distinct, n)
    targets = rng.integers(0, 1 << PRECISION, n)
    symbols = (np.cumsum(table, axis=1)[chosen] <= targets[:, None]).sum(axis=1)
    return table[chosen], symbols


def compare_coders(n: int, runs: int) -> None:
    rows, symbols = message(n)
    at = np.arange(n)
    starts = (np.cumsum(rows, axis=1) - rows)[at, symbols].astype(np.uint32)
    freqs = rows[at, symbols]
    probabilities = (rows / (1 << PRECISION)).astype(np.float32)
    family = constriction.stream.model.Categorical(perfect=False)
    symbols32 = symbols.astype(np.int32)

    def peer_encode() -> np.ndarray:
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(symbols32, family, probabilities)
        return encoder.get_compressed()

    def peer_decode() -> np.ndarray:
        return constriction.stream.queue.RangeDecoder(peer_code).decode(family, probabilities)

    code = coder.encode(starts, freqs, PRECISION)[0]
    peer_code = peer_encode()
    assert (coder.decode(code, rows, PRECISION) == symbols).all()
    assert (peer_decode() == symbols).all()
    print(f"{n} symbols: {len(code)} bytes by ours, {4 * len(peer_code)} by constriction")
    pairs = {
        "encode": (lambda: coder.encode(starts, freqs, PRECISION), peer_encode),
        "decode": (lambda: coder.decode(code, rows, PRECISION), peer_decode),
    }
    for name, pair in pairs.items():
        ours, theirs = alternate(runs, *pair)
        print(
            f"{name}: {n / ours / 1e6:8.2f} M symbols/s, constriction {n / theirs / 1e6:6.2f}:"
            f" {theirs / ours:.1f}x"
        )


SIZES = {
    "0.1m": {"d_model": 64, "n_layers": 2, "n_heads": 2, "head_dim": 32, "d_ff": 256},
    "3m": {"d_model": 256, "n_layers": 3, "n_heads": 4, "head_dim": 64, "d_ff": 1024},
}


def time_model(size: str, context: int, lanes: int, runs: int) -> None:
    """One thread, `lanes` streams side by side, through a whole context of random weights."""
    model = IntegerByteModel(*random_network(0, max_context=context, **SIZES[size]))
    symbols = np.random.default_rng(0).integers(97, 123, size=(context - 1, lanes))
    restart = np.zeros(lanes, dtype=np.bool_)

    def run() -> None:
        state = model.start(lanes)
        for fed in symbols:
            model.advance(state, fed, restart)
            model.frequencies(state)

    (seconds,) = alternate(runs, run)
    print(
        f"neural model {size:>4}, context {context:4}, {lanes} lanes:"
        f" {symbols.size / seconds / 1e3:8.1f} kB/s a thread"
    )


def main(symbols: int = 100_000, runs: int = 5) -> None:
    compare_coders(symbols, runs)
    for size, context in [("0.1m", 128), ("0.1m", 1024), ("3m", 128)]:
        time_model(size, context, 64, runs)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
