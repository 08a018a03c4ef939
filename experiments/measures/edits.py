"""How much of a tokenisation changes with the word in front of the text (fig 8)."""

import re
from itertools import combinations
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from experiments.recipes import Measure
from experiments.runner import Runner
from experiments.statistics import edit_distance
from experiments.words import frequent_words

WORD = re.compile(rb"[A-Za-z]+")
WORD_BYTES = 1 << 22
"""Of training text in which words are counted."""
LEAST, MOST = 100, 200
"""Bytes of the text behind the word."""
SENTENCE = re.compile(rb"(?s).{%d,%d}?[.!?](?=\s)" % (LEAST - 1, MOST - 1))
QUANTILES = (5, 25, 50, 75, 95)


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "edit distances"; number: words, of which all pairs are compared.

    words, pairs; text: what stands behind the word; ids: of a sentence, on average; mean and quantiles
    (5, 25, 50, 75, 95 %) of the edit distance over ids, in shares of the longer sequence.
    """
    corpus = recipe.stream.corpus
    words = frequent_words(runner, corpus, WORD_BYTES, WORD)[: recipe.number]
    text = sentence(runner, corpus)
    ids = [i.tolist() for i in tokenizer.encode_batch([word + b" " + text for word in words])]
    shares = []
    for a, b in combinations(ids, 2):
        runner.check_time()
        shares.append(edit_distance(a, b) / max(len(a), len(b)))
    return {
        "words": len(words),
        "pairs": len(shares),
        "text": text.decode(),
        "ids": float(np.mean([len(i) for i in ids])),
        "mean": float(np.mean(shares)),
        "quantiles": np.percentile(shares, QUANTILES).tolist(),
    }


def sentence(runner: Runner, corpus: str) -> bytes:
    """What validation text begins with: a sentence of LEAST to MOST bytes, or else whole words of at most MOST."""
    text = b""
    for document in runner.documents(corpus, "validation", 1 << 24):
        text = (text + b" " + document).strip()  # documents may be short
        if len(text) > MOST:
            break
    if not text:
        raise EquinfoError(f"corpus {corpus!r} has no validation text: take another corpus")
    end = SENTENCE.match(text)
    return end[0] if end else (text + b" ")[: MOST + 1].rpartition(b" ")[0]
