"""`as_hf()` encoding a batch, against the tokenizer's own encode_batch, and transformers' fast BPE
for scale.

    python benchmarks/hf_tokenizer.py [--rounds 9] [--out results/hf_tokenizer.jsonl]

The bundled corpus in texts of 2,000 characters. NumPy arrays out of encode_batch; lists of Python
ints with attention masks, and the same as one padded array each (return_tensors="np"), out of
as_hf(). The rounds alternate.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from common.rows import alternate, append
from transformers import PreTrainedTokenizerFast

import equinfo

NAMES = ("english-64k", "english-16k", "english-equalinfo16", "bpe")
SIZE = 2000


def pieces() -> list[str]:
    documents = [
        document.decode() for document in equinfo.load_corpus("bundled").documents("train")
    ]
    return [text[at : at + SIZE] for text in documents for at in range(0, len(text), SIZE)]


def measure(name: str, texts: list[str], rounds: int) -> dict[str, Any]:
    native: Any = (
        equinfo.train_tokenizer("bpe", size=16384) if name == "bpe" else equinfo.load(name)
    )
    tokenizer = native.as_hf()
    calls = {
        "native": partial(native.encode_batch, texts),
        "lists": partial(tokenizer, texts),
        "arrays": partial(tokenizer, texts, padding=True, return_tensors="np"),
    }
    if name == "bpe":
        calls["transformers' fast"] = partial(
            PreTrainedTokenizerFast(tokenizer_object=native._library), texts
        )
    ids = sum(map(len, native.encode_batch(texts)))
    taken = alternate(rounds, *calls.values())
    return {
        "tokenizer": native.name,
        "texts": len(texts),
        "ids": ids,
        "seconds": dict(zip(calls, taken, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, help="append a JSON line a tokenizer to this file")
    options = parser.parse_args()
    texts = pieces()
    size = sum(len(text.encode()) for text in texts)
    for name in NAMES:
        row = {"rounds": options.rounds, "bytes": size} | measure(name, texts, options.rounds)
        for form, seconds in row["seconds"].items():
            shown = f"{size / seconds / 1e6:8.1f} MB/s {seconds / row['ids'] * 1e9:8.1f} ns/id"
            print(f"{name:20} {form:18} {shown} {seconds / row['seconds']['native']:6.2f} x native")
        append(row, options.out)


if __name__ == "__main__":
    main()
