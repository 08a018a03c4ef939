"""`as_hf()` encoding a batch, against the tokenizer's own encode_batch; transformers' fast BPE too.

    python -m benchmarks.hf_tokenizer [--rounds 9] [--out results/hf_tokenizer.jsonl]

The bundled corpus in texts of 2,000 characters. NumPy arrays out of encode_batch; lists of Python
ints with attention masks, and the same as one padded array each (return_tensors="np"), out of
as_hf(). The rounds alternate.
"""

from functools import partial
from pathlib import Path
from typing import Any

import tyro
from transformers import PreTrainedTokenizerFast

import equinfo
from benchmarks.common import alternate, append

NAMES = ("english-64k", "english-16k", "english-equalinfo16", "bpe")
SIZE = 2000


def main(rounds: int = 9, out: Path | None = None) -> None:
    """out: append a JSON line a tokenizer to this file."""
    whole = [one.decode() for one in equinfo.load_corpus("bundled").documents("train")]
    texts = [text[at : at + SIZE] for text in whole for at in range(0, len(text), SIZE)]
    size = sum(len(text.encode()) for text in texts)
    for name in NAMES:
        bpe = name == "bpe"
        native: Any = equinfo.train_tokenizer("bpe", size=16384) if bpe else equinfo.load(name)
        tokenizer = native.as_hf()
        calls = {
            "native": partial(native.encode_batch, texts),
            "lists": partial(tokenizer, texts),
            "arrays": partial(tokenizer, texts, padding=True, return_tensors="np"),
        }
        if bpe:
            fast = PreTrainedTokenizerFast(tokenizer_object=native._library)
            calls["transformers' fast"] = partial(fast, texts)
        ids = sum(map(len, native.encode_batch(texts)))
        taken = dict(zip(calls, alternate(rounds, *calls.values()), strict=True))
        for form, seconds in taken.items():
            shown = f"{size / seconds / 1e6:8.1f} MB/s {seconds / ids * 1e9:8.1f} ns/id"
            print(f"{name:20} {form:18} {shown} {seconds / taken['native']:6.2f} x native")
        row = {"rounds": rounds, "bytes": size, "tokenizer": native.name, "texts": len(texts)}
        append({**row, "ids": ids, "seconds": taken}, out)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
