"""Codebooks side by side: python benchmarks/codebooks.py [--sizes 65536] [--modes free] [--m1 NAME]
[--out FILE]

Each is fitted to the training text of --corpus, or grown from an M1, and measured on the validation
text of imdb and books: bytes a token by longest match and in the fewest pieces, seconds to make it,
the process's peak memory so far.
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

from common.rows import append

from equinfo import api
from equinfo.compress.codebook.pretokens import MODES
from equinfo.corpora import load_corpus
from equinfo.tokenizers.codebook import CodebookTokenizer


def measure(size: int, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    start = time.perf_counter()
    made: Any = api.train_tokenizer(
        "codebook", None, options.corpus, size=size, m1=options.m1, mode=mode
    )
    row: dict[str, Any] = {
        "size": size, "mode": mode, "source": options.m1 or options.corpus,
        "seconds": time.perf_counter() - start,
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "fingerprint": made.fingerprint,
    }  # fmt: skip
    few = CodebookTokenizer(made.strings, mode, "fewest")
    for corpus in ("imdb", "books"):
        documents = list(load_corpus(corpus).documents("validation"))
        row[corpus] = {"bytes": sum(map(len, documents))}
        for tokenizer in (made, few):
            row[corpus][tokenizer.parse] = sum(map(len, tokenizer.encode_batch(documents)))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[1 << 12, 1 << 14, 1 << 15, 1 << 16]
    )
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--corpus", default="imdb+books")
    parser.add_argument("--m1", help="grow it from this byte model: its folder, or its name")
    parser.add_argument("--out", type=Path, help="append a JSON line a codebook to this file")
    options = parser.parse_args()
    for size in options.sizes:
        for mode in options.modes:
            row = measure(size, mode, options)
            ratios = [
                row[c]["bytes"] / row[c][parse]
                for c in ("imdb", "books")
                for parse in ("longest", "fewest")
            ]
            shown = "imdb {:.3f} / {:.3f}, books {:.3f} / {:.3f}".format(*ratios)
            print(f"{size:6} {mode:9} {shown}  {row['seconds']:.0f} s, {row['peak_kib'] >> 10} MiB")
            append(row, options.out)


if __name__ == "__main__":
    main()
