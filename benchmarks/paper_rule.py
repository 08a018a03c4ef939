"""The window rules side by side, and what the paper's own loses: python -m benchmarks.paper_rule

For each corpus's validation text, rule and b: bytes a window, and how many windows, decoded by
themselves, are not the bytes they were made of, and how many documents come back different (§3.3).
Lossless rules count 0; they are decoded all the same. M1 is fitted on the corpus's training text:
byte contexts of up to --order bytes, or is a byte model's folder.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.common import append, validation_pieces
from equinfo.compress.models.base import ByteModel, load_model
from equinfo.compress.models.counts import CountModel
from equinfo.compress.windows.compiled import make_windows
from equinfo.compress.windows.steps import RULES
from equinfo.compress.windows.windows import WindowCoder, Windows
from equinfo.corpora import load_corpus, take
from equinfo.errors import EquinfoError
from experiments.runs.measures.decoding import tally, wrong_windows
from experiments.runs.measures.windows import cut

COUNTS = ("windows", "wrong_windows", "documents", "wrong_documents")


def measure(model: ByteModel, documents: list[bytes], bits: int, rule: str) -> dict[str, Any]:
    """Of one row. Raises EquinfoError where the rule cannot be used."""
    coder = make_windows(model, bits, None, rule)
    counts = tally(list(failures(coder, documents)))
    size = sum(map(len, documents))
    row = {"rule": rule, "bits": bits, **{name: counts[name] for name in COUNTS}}
    return {**row, "bytes": size, "ratio": size / counts["windows"]}


def failures(coder: Windows, documents: list[bytes]) -> Iterator[np.ndarray]:
    """Which windows of each document are wrong; of compiled ones all of one that differs."""
    if isinstance(coder, WindowCoder):
        for codes, texts in cut(coder, documents):
            yield wrong_windows(coder, codes, texts)
    else:
        for document, codes in zip(documents, coder.encode(documents), strict=True):
            yield np.full(len(codes), coder.decode([codes]) != [document])


def main(
    corpora: tuple[str, ...] = ("imdb", "books"),
    bits: tuple[int, ...] = (12, 16),
    rules: tuple[str, ...] = tuple(RULES),
    order: int = 4,
    m1: Path | None = None,
    train_bytes: int = 4_000_000,
    bytes: int = 300_000,
    piece: int = 4096,
    out: Path | None = None,
) -> None:
    """order: longest context of the counted M1. m1: in its place. piece: bytes a document."""
    for corpus in corpora:
        documents = validation_pieces(corpus, bytes, piece)
        if m1:
            label = m1.name
            model = load_model(m1)
        else:
            label = f"counts, order {order}, {train_bytes} bytes"
            text = take(load_corpus(corpus).documents("train"), train_bytes)
            model = CountModel.train(text, order=order)
        for size in bits:
            for rule in rules:
                try:
                    row = measure(model, documents, size, rule)
                except EquinfoError as error:
                    print(f"b={size} {rule}: {error}", file=sys.stderr)
                    continue
                print(
                    f"{corpus:6} b={size:<3} {rule:8} {row['ratio']:6.3f} bytes/window, wrong:"
                    f" {row['wrong_windows']} of {row['windows']} windows,"
                    f" {row['wrong_documents']} of {row['documents']} documents",
                    flush=True,
                )
                source = {"corpus": corpus, "split": "validation", "m1": label, "piece": piece}
                append({**source, **row}, out)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
