"""How much of a text equal-info windows bring back (appendix D.5)."""

from typing import Any

import numpy as np

from equinfo.compress.windows.windows import WindowCoder
from equinfo.tokenizers.base import Tokenizer
from experiments.runs.measures import validation
from experiments.runs.measures.windows import coder_of, cut
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner

SEQUENCE = 512
"""Windows of an M2's sequence, where an id is a window (§3.3)."""


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "decoding"; number: validation documents.

    windows, documents, sequences (a document's windows, cut every 512): how many there are;
    wrong_*: how many do not decode to the text they were made of; wrong_last: wrong windows that
    are a document's last.
    """
    coder = coder_of(tokenizer)
    wrong = []
    for codes, texts in cut(coder, list(validation(runner, recipe))):
        runner.check_time()
        wrong.append(wrong_windows(coder, codes, texts))
    return tally(wrong)


def tally(wrong: list[np.ndarray]) -> dict[str, int]:
    """The values, from which windows of each document are wrong (bool[windows])."""
    sequences = [
        part for one in wrong for part in np.split(one, range(SEQUENCE, len(one), SEQUENCE))
    ]
    return {
        "windows": sum(map(len, wrong)),
        "wrong_windows": int(sum(one.sum() for one in wrong)),
        "wrong_last": sum(bool(one[-1]) for one in wrong if len(one)),
        "documents": len(wrong),
        "wrong_documents": sum(bool(one.any()) for one in wrong),
        "sequences": len(sequences),
        "wrong_sequences": sum(bool(one.any()) for one in sequences),
    }


def wrong_windows(coder: WindowCoder, codes: np.ndarray, texts: list[bytes]) -> np.ndarray:
    """Which windows, each by itself, decode to other bytes than their text: bool[windows]."""
    read = coder.decode(list(codes[:, None]))
    return np.array([a != b for a, b in zip(texts, read, strict=True)], dtype=np.bool_)
