"""Tokenizing a corpus into shards with one and with two processes: python -m benchmarks.shards

Every process has one thread, the one that works alone too, so the ratio is that of processes. Runs
alternate, each reads the corpus anew and writes into an empty folder; the ratio is that of the
medians. At the end the folders must be the same to the byte.
"""

import os
import tempfile
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import tyro

from equinfo.engines import ONE_THREAD

os.environ.update(dict.fromkeys(ONE_THREAD, "1"))

import equinfo
from benchmarks.common import alternate


def main(
    corpus: str = "bundled",
    max_bytes: int = 1 << 30,
    shard_bytes: int = 1 << 18,
    runs: int = 3,
    tokenizers: tuple[str, ...] = ("gzip8", "bpe"),
) -> None:
    given: dict[str, Any] = {"shard_bytes": shard_bytes, "max_bytes": max_bytes}
    for name in tokenizers:
        fitted = name in ("bpe", "unigram")
        made = equinfo.train_tokenizer(name, max_bytes=1 << 20) if fitted else equinfo.load(name)
        with tempfile.TemporaryDirectory() as place:
            numbers = count()

            def run(workers: int) -> None:
                folder = Path(place, str(next(numbers)))  # noqa: B023
                options = {**given, "workers": workers}
                equinfo.tokenize_corpus(made, corpus, folder, **options)  # noqa: B023

            one, two = alternate(runs, partial(run, 1), partial(run, 2))
            folders = list(Path(place).iterdir())
            contents = [{path.name: path.read_bytes() for path in f.iterdir()} for f in folders]
            assert all(content == contents[0] for content in contents)
            size = equinfo.Shards(folders[0], verify=False).num_bytes / 1e6
        print(
            f"{made.name:14} {size:.0f} MB: one process {size / one:6.2f} MB/s, two"
            f" {size / two:6.2f} MB/s: {one / two:.2f}x",
            flush=True,
        )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
