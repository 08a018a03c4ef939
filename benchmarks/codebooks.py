"""Codebooks side by side: python -m benchmarks.codebooks [--sizes 65536] [--modes free] [--m1 NAME]

Each is fitted to the training text of --corpus, or grown from an M1, and measured on the validation
text of imdb and books: bytes a token by longest match and in the fewest pieces, seconds to make it,
the process's peak memory so far.
"""

import resource
import time
from pathlib import Path
from typing import Any

import tyro

from benchmarks.common import append
from equinfo import api
from equinfo.compress.codebook.pretokens import MODES
from equinfo.corpora import load_corpus
from equinfo.tokenizers.codebook import CodebookTokenizer


def measure(size: int, mode: str, corpus: str, m1: str | None) -> dict[str, Any]:
    start = time.perf_counter()
    made: Any = api.train_tokenizer("codebook", None, corpus, size=size, m1=m1, mode=mode)
    row: dict[str, Any] = {"size": size, "mode": mode, "source": m1 or corpus}
    row["seconds"] = time.perf_counter() - start
    row["peak_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row["fingerprint"] = made.fingerprint
    few = CodebookTokenizer(made.strings, mode, "fewest")
    for name in ("imdb", "books"):
        documents = list(load_corpus(name).documents("validation"))
        row[name] = {"bytes": sum(map(len, documents))}
        for tokenizer in (made, few):
            row[name][tokenizer.parse] = sum(map(len, tokenizer.encode_batch(documents)))
    return row


def main(
    sizes: tuple[int, ...] = (1 << 12, 1 << 14, 1 << 15, 1 << 16),
    modes: tuple[str, ...] = MODES,
    corpus: str = "imdb+books",
    m1: str | None = None,
    out: Path | None = None,
) -> None:
    """m1: grow it from this byte model. out: append a JSON line a codebook to this file."""
    for size in sizes:
        for mode in [mode for mode in modes if not (m1 and mode == "strict")]:
            row = measure(size, mode, corpus, m1)
            parts = [row[name] for name in ("imdb", "books")]
            ratios = [one["bytes"] / one[parse] for one in parts for parse in ("longest", "fewest")]
            shown = "imdb {:.3f} / {:.3f}, books {:.3f} / {:.3f}".format(*ratios)
            print(f"{size:6} {mode:9} {shown}  {row['seconds']:.0f} s, {row['peak_kib'] >> 10} MiB")
            append(row, out)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
