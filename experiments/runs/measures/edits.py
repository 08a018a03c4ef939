"""How much of a tokenisation changes with the word in front of the text (fig 8)."""

import re
from itertools import combinations
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from experiments.analysis.statistics import edit_distance
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner
from experiments.runs.words import frequent_words

WORD = re.compile(rb"[A-Za-z]+")
WORD_BYTES = 1 << 22
"""Of training text in which words are counted."""
LEAST = 100
MOST = 200
"""Bytes of the text behind the word."""
SENTENCE = re.compile(rb"(?s).{%d,%d}?[.!?](?=\s)" % (LEAST - 1, MOST - 1))
SENTENCES = 150
QUANTILES = (5, 25, 50, 75, 95)


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "edit distances"; number: words, of which all pairs are compared in front
    of each sentence.

    words, pairs; ids: of a sentence, on average; means: of each sentence's edit distances over ids,
    in shares of the longer sequence; mean and quantiles (5, 25, 50, 75, 95 %) of them all.
    """
    corpus = recipe.stream.corpus
    words = frequent_words(runner, corpus, WORD_BYTES, WORD)[: recipe.number]
    shares: list[list[float]] = []
    lengths: list[int] = []
    for text in sentences(runner, corpus):
        ids = [i.tolist() for i in tokenizer.encode_batch([word + b" " + text for word in words])]
        runner.check_time()
        shares.append([edit_distance(a, b) / max(len(a), len(b)) for a, b in combinations(ids, 2)])
        lengths += map(len, ids)
    return {
        "words": len(words),
        "pairs": len(shares[0]),
        "ids": float(np.mean(lengths)),
        "means": [round(float(np.mean(found)), 6) for found in shares],
        "mean": float(np.mean(shares)),
        "quantiles": np.percentile(shares, QUANTILES).tolist(),
    }


def sentences(runner: Runner, corpus: str) -> list[bytes]:
    """What validation documents begin with, short ones joined: up to SENTENCES sentences of LEAST
    to MOST bytes.

    Where there is none, the text's first whole words, at most MOST bytes of them.
    """
    found: list[bytes] = []
    first = text = b""
    for document in runner.documents(corpus, "validation", 1 << 24):
        text = (text + b" " + document).strip()
        first = first if len(first) > MOST else text
        if len(text) > MOST:
            found += [end[0]] if (end := SENTENCE.match(text)) else []
            text = b""
        if len(found) == SENTENCES:
            break
    if not first:
        raise EquinfoError(f"corpus {corpus!r} has no validation text: take another corpus")
    return found or [(first + b" ")[: MOST + 1].rpartition(b" ")[0]]
