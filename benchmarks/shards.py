"""Tokenizing a corpus into shards with one process, with two, and on Ray.

    python -m benchmarks.shards [--tokenizers gzip8 bpe] [--ray] [--out results/shards.jsonl]

Every process has one thread, the one that works alone too, so a ratio is that of processes. Runs
alternate, each reads the corpus anew and writes into an empty folder. Seconds are those of the
whole corpus less those of its first file: what starting processes takes is left out. At the end the
folders must be the same to the byte.
"""

import os
import statistics
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import tyro

from equinfo.engines import ONE_THREAD

os.environ.update(dict.fromkeys(ONE_THREAD, "1"))

import equinfo
from benchmarks.common import append

WAYS: dict[str, dict[str, Any]] = {
    "one": {"workers": 1},
    "two": {"workers": 2},
    "ray": {"workers": 2, "engine": "ray"},
}
FITTED = ("bpe", "unigram")


def main(
    corpus: str = "imdb",
    small: str = "bundled",
    runs: int = 3,
    tokenizers: tuple[str, ...] = (
        "bytes", "gzip8", "zstd8", "english-64k", "english-equalinfo16", *FITTED,
    ),
    ray: bool = False,
    out: Path | None = None,
) -> None:  # fmt: skip
    """small: a corpus that takes next to no time, to know what starting takes."""
    ways = {name: options for name, options in WAYS.items() if ray or name != "ray"}
    for name in tokenizers:
        fitted = name in FITTED
        made = equinfo.train_tokenizer(name, max_bytes=1 << 20) if fitted else equinfo.load(name)
        with tempfile.TemporaryDirectory() as place:
            numbers = count()

            def seconds(options: dict[str, Any]) -> float:
                taken = []
                for text in (corpus, small):
                    folder = Path(place, text, str(next(numbers)))  # noqa: B023
                    begin = time.perf_counter()
                    equinfo.tokenize_corpus(made, text, folder, **options)  # noqa: B023
                    taken.append(time.perf_counter() - begin)
                return taken[0] - taken[1]

            rounds = [{way: seconds(options) for way, options in ways.items()} for _ in range(runs)]
            folders = list(Path(place, corpus).iterdir())
            contents = [{p.name: p.read_bytes() for p in f.glob("*.*")} for f in folders]
            assert all(content == contents[0] for content in contents)
            size = equinfo.Shards(folders[0], verify=False).num_bytes / 1e6
        row: dict[str, Any] = {"tokenizer": made.name, "corpus": corpus, "mb": round(size)}
        for way in ways:
            row[f"{way}_mb_per_second"] = [round(size / one[way], 1) for one in rounds]
        row["two_to_one"] = round(statistics.median(r["one"] / r["two"] for r in rounds), 3)
        if ray:
            row["ray_to_two"] = round(statistics.median(r["two"] / r["ray"] for r in rounds), 3)
        append(row, out)
        print(row, flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
