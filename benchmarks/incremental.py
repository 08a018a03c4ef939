"""Documents fed in pieces: speed beside the whole document's, and memory: python
benchmarks/incremental.py

Text: the bundled corpus, repeated. Speed: encoder().feed in pieces of 64 KiB against encode of one
document, both in one process, in turns, medians; both with one thread (EQUINFO_THREADS). Memory:
the highest resident size of a process of its own that feeds a document of so many megabytes, made
on the fly, and drops the ids; it includes Python, the libraries and the fitted tokenizer. Flat
means that a document of any length takes no more.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from equinfo.compress.models.base import StaticModel
from equinfo.compress.models.counts import CountModel
from equinfo.corpora import load_corpus, take
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

PIECE = 1 << 16
NAMES = [
    "bytes", "bpe", "unigram", "gzip8", "gzip12", "zstd8", "xz8", "static-ac", "static-ac12",
    "counts-ac", "static-range", "static-ans", "static-huffman", "static-windows", "counts-windows",
]  # fmt: skip
SLOW = {
    "xz8",
    "counts-ac",
    "static-range",
    "static-ans",
    "static-huffman",
    "static-windows",
    "counts-windows",
}


def make(name: str) -> Tokenizer:
    documents = take(load_corpus("bundled").documents("train"), 1_000_000)
    if name in ("bpe", "unigram"):
        return tokenizer_class(name).train(documents, vocab_size=4096)  # type: ignore[attr-defined]
    model, _, kind = name.partition("-")
    if not kind:
        return load(name)
    fitted = StaticModel.unigram(documents) if model == "static" else CountModel.train(documents, 4)
    if kind == "windows":
        return tokenizer_class("equalinfo")(fitted, bits=16, width=16)  # type: ignore[call-arg]
    digits = kind.lstrip("abcdefghijklmnopqrstuvwxyz")
    return tokenizer_class(kind.removesuffix(digits))(fitted, int(digits or 8))  # type: ignore[call-arg]


def text(size: int) -> bytes:
    whole = b"".join(take(load_corpus("bundled").documents("train"), size))
    return (whole * (size // len(whole) + 1))[:size]


def feed(tokenizer: Tokenizer, pieces: list[bytes]) -> list[np.ndarray]:
    encoder = tokenizer.encoder()
    return [*(encoder.feed(piece) for piece in pieces), encoder.finish()]


def speeds(name: str, size: int, runs: int) -> tuple[float, float]:
    """Bytes a second of the whole document and of its pieces."""
    tokenizer, document = make(name), text(size)
    pieces = [document[at : at + PIECE] for at in range(0, size, PIECE)]
    whole, fed = tokenizer.encode(document), feed(tokenizer, pieces)  # also warms up
    assert np.array_equal(np.concatenate(fed), whole)
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for action, seconds in (
            (lambda: tokenizer.encode(document), taken[0]),
            (lambda: feed(tokenizer, pieces), taken[1]),
        ):
            start = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - start)
    return size / statistics.median(taken[0]), size / statistics.median(taken[1])


def peak(name: str, megabytes: int) -> int:
    """Megabytes resident, at most, in a process that encodes as many."""
    command = [sys.executable, __file__, "--feed", name, "--megabytes", str(megabytes)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def feed_and_print_peak(name: str, megabytes: int) -> None:
    tokenizer, million = make(name), text(1_000_000)
    encoder = tokenizer.encoder()
    for _ in range(megabytes):
        encoder.feed(million)
    encoder.finish()
    # Not ru_maxrss: Linux hands a process that of the one it was started from.
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", nargs="*", default=NAMES)
    parser.add_argument("--size", type=int, default=4_000_000, help="bytes, for speed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--megabytes", type=int, nargs="*", default=[60, 500], help="for memory")
    parser.add_argument(
        "--slow-megabytes", type=int, nargs="*", default=[6, 60], help="the same, for slow kinds"
    )
    parser.add_argument("--feed", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("EQUINFO_THREADS", "1")
    if options.feed:
        feed_and_print_peak(options.feed, options.megabytes[0])
        return
    print(
        f"{'':16}{'whole MB/s':>11}{'fed MB/s':>10}{'ratio':>7}   peak memory, MB resident"
        " (document, MB)"
    )
    for name in options.names:
        whole, fed = speeds(
            name, options.size if name not in SLOW else options.size // 8, options.runs
        )
        sizes = options.slow_megabytes if name in SLOW else options.megabytes
        peaks = ", ".join(f"{peak(name, size)} ({size})" for size in sizes)
        print(
            f"{name:16}{whole / 1e6:11.2f}{fed / 1e6:10.2f}{fed / whole:7.2f}   {peaks}", flush=True
        )


if __name__ == "__main__":
    main()
