"""What the benchmarks share: runs in turns, pieces of text, rows that say where they come from."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from equinfo.corpora import load_corpus
from experiments.runs.rows import provenance


def alternate(runs: int, *actions: Callable[[], object]) -> list[float]:
    """Median seconds of each action, run in turns."""
    seconds: list[list[float]] = [[] for _ in actions]
    for turn in range(runs + 1):
        for action, taken in zip(actions, seconds, strict=True):
            start = time.perf_counter()
            action()
            if turn:  # the first turn warms up: compiling, page faults
                taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def append(row: dict[str, Any], out: Path | None) -> None:
    """Add a row, with commit, device, command and versions, to the file `out`, if there is one."""
    if out is None:
        return
    named = {"benchmark": Path(sys.argv[0]).stem, **row, **provenance()}
    with out.open("a") as file:
        file.write(json.dumps(named) + "\n")


def validation_pieces(corpus: str, num_bytes: int, piece: int) -> list[bytes]:
    """Documents of a corpus's validation text, cut to `piece` bytes, of `num_bytes` in all."""
    documents: list[bytes] = []
    held = 0
    for text in load_corpus(corpus).documents("validation"):
        for at in range(0, len(text), piece):
            if held >= num_bytes:
                return documents
            documents.append(text[at : at + piece])
            held += len(documents[-1])
    return documents
