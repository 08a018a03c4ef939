"""Tokenizing a corpus into shards with one and with two processes: python benchmarks/shards.py

Every process has one thread, the one that works alone too, so the ratio is that of processes. Runs
alternate, each reads the corpus anew and writes into an empty folder; the ratio is that of the
medians. At the end the folders must be the same to the byte.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from equinfo.sharding import ONE_THREAD

os.environ.update(dict.fromkeys(ONE_THREAD, "1"))

import equinfo
from equinfo.tokenizers.base import Tokenizer


def run(tokenizer: Tokenizer, options: argparse.Namespace, workers: int, folder: Path) -> float:
    """Seconds."""
    start = time.perf_counter()
    equinfo.tokenize_corpus(
        tokenizer,
        options.corpus,
        folder,
        workers=workers,
        shard_bytes=options.shard_bytes,
        max_bytes=options.max_bytes,
    )
    return time.perf_counter() - start


def compare(tokenizer: Tokenizer, options: argparse.Namespace) -> None:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as place:
        for turn in range(options.runs):
            for workers, taken in seconds.items():
                taken.append(run(tokenizer, options, workers, Path(place, f"{workers}-{turn}")))
        folders = list(Path(place).iterdir())
        contents = [
            {path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders
        ]
        assert all(content == contents[0] for content in contents)
        num_bytes = equinfo.Shards(folders[0], verify=False).num_bytes
    one, two = (statistics.median(taken) for taken in seconds.values())
    print(
        f"{tokenizer.name:14} {num_bytes / 1e6:.0f} MB: one process {num_bytes / one / 1e6:6.2f}"
        f" MB/s, two {num_bytes / two / 1e6:6.2f} MB/s: {one / two:.2f}x",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="bundled")
    parser.add_argument("--max-bytes", type=int, default=1 << 30)
    parser.add_argument("--shard-bytes", type=int, default=1 << 18)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tokenizers", nargs="+", default=["gzip8", "bpe"])
    options = parser.parse_args()
    for name in options.tokenizers:
        fitted = name in ("bpe", "unigram")
        compare(
            equinfo.train_tokenizer(name, max_bytes=1 << 20) if fitted else equinfo.load(name),
            options,
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
