"""Documents fed in pieces, beside whole ones: speed and memory: python -m benchmarks.incremental

Text: the bundled corpus, repeated. Speed: encoder().feed in pieces of 64 KiB against encode of one
document, both in one process, in turns, medians; both with one thread (EQUINFO_THREADS). Memory:
the highest resident size of a process of its own that feeds a document of so many megabytes, made
on the fly, and drops the ids; it includes Python, the libraries and the fitted tokenizer. Flat
means that a document of any length takes no more.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import tyro

from benchmarks.common import alternate
from equinfo.compress.models.base import StaticModel
from equinfo.compress.models.counts import CountModel
from equinfo.corpora import load_corpus, take
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

PIECE = 1 << 16
FAST = ("bytes", "bpe", "unigram", "gzip8", "gzip12", "zstd8", "static-ac", "static-ac12")
SLOW = ("xz8", "counts-ac", "static-range", "static-ans", "static-huffman", "static-windows",
        "counts-windows")  # fmt: skip


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
    family = tokenizer_class(kind.removesuffix(digits))
    return family(fitted, int(digits or 8))  # type: ignore[call-arg]


def text(size: int) -> bytes:
    whole = b"".join(take(load_corpus("bundled").documents("train"), size))
    return (whole * (size // len(whole) + 1))[:size]


def feed(tokenizer: Tokenizer, pieces: list[bytes]) -> list[np.ndarray]:
    encoder = tokenizer.encoder()
    return [*(encoder.feed(piece) for piece in pieces), encoder.finish()]


def peak(name: str, megabytes: int) -> int:
    """Megabytes resident, at most, in a process that encodes as many."""
    command = [sys.executable, "-m", "benchmarks.incremental", "--feed-only", name]
    command += ["--megabytes", str(megabytes)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def feed_and_print_peak(name: str, megabytes: int) -> None:
    encoder = make(name).encoder()
    million = text(1_000_000)
    for _ in range(megabytes):
        encoder.feed(million)
    encoder.finish()
    # Not ru_maxrss: Linux hands a process that of the one it was started from.
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)


def main(
    names: tuple[str, ...] = (*FAST, *SLOW),
    size: int = 4_000_000,
    runs: int = 3,
    megabytes: tuple[int, ...] = (60, 500),
    slow_megabytes: tuple[int, ...] = (6, 60),
    feed_only: str | None = None,
) -> None:
    """size: bytes, for speed. megabytes: for memory, and of slow kinds. feed_only: of one's own."""
    os.environ.setdefault("EQUINFO_THREADS", "1")
    if feed_only:
        feed_and_print_peak(feed_only, megabytes[0])
        return
    print(f"{'':16} whole MB/s  fed MB/s  ratio   peak memory, MB resident (document, MB)")
    for name in names:
        slow = name in SLOW
        tokenizer = make(name)
        document = text(size // 8 if slow else size)
        pieces = [document[at : at + PIECE] for at in range(0, len(document), PIECE)]
        assert np.array_equal(np.concatenate(feed(tokenizer, pieces)), tokenizer.encode(document))
        actions = (partial(tokenizer.encode, document), partial(feed, tokenizer, pieces))
        whole, fed = (len(document) / 1e6 / seconds for seconds in alternate(runs, *actions))
        sizes = slow_megabytes if slow else megabytes
        peaks = ", ".join(f"{peak(name, one)} ({one})" for one in sizes)
        print(f"{name:16}{whole:11.2f}{fed:10.2f}{fed / whole:7.2f}   {peaks}", flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
