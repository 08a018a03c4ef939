"""What text stands behind an id at each place in a window (table 8, appendix C)."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from experiments.analysis.statistics import entropy_bits
from experiments.runs.measures import validation
from experiments.runs.measures.windows import coder_of, cut
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner

IDS = 4
TEXTS = 6
"""How many of the most frequent ids at each place, and of each one's most frequent texts, are kept.
"""
PARTS = 20
"""Of the documents: each is left out once, for the entropies' standard errors (jackknife)."""
WORD = re.compile(rb"(?<![A-Za-z]) [A-Za-z]+(?![A-Za-z])")
LEAST = 10
WORDS = 200
"""How often a word must begin a window, and lie further on in one; how many such words are kept."""


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "window texts"; number: validation documents.

    windows; byte_bits: the entropy of a window's first byte, text_bits: of its text; positions,
    first to last: ids: [id, count, [[text, count], ...]] of the most frequent, byte_bits and
    text_bits: those entropies where the id at this place is known, without: byte_bits without each
    part of the documents. All plug-in. Of appendix C: split, the windows that begin inside a
    character; words, of each frequent word, how often two windows agree in their first id that
    [begin with it, hold its beginning further on].
    """
    if not isinstance(tokenizer, EqualInfoTokenizer) or tokenizer.bits % tokenizer.width:
        raise EquinfoError(
            f"{tokenizer.name} has no windows of whole ids: choose equal-info windows, width"
            " dividing b"
        )
    places = tokenizer.bits // tokenizer.width
    documents = list(validation(runner, recipe))
    parts: list[list[Counter[tuple[int, bytes]]]]
    parts = [[Counter() for _ in range(places)] for _ in range(min(PARTS, len(documents)))]
    words: dict[tuple[bytes, bool], Counter[int]] = defaultdict(Counter)
    split = 0
    for number, (codes, texts) in enumerate(cut(coder_of(tokenizer), documents)):
        ids = tokenizer.to_ids(codes)
        for place, counter in enumerate(parts[number % PARTS]):
            counter.update(zip(ids[place::places].tolist(), texts, strict=True))
        split += sum(0x80 <= text[0] < 0xC0 for text in texts)
        starts = np.cumsum([0, *map(len, texts)])
        for word in WORD.finditer(documents[number]):
            window = int(np.searchsorted(starts, word.start(), "right")) - 1
            words[word[0], starts[window] == word.start()][int(ids[window * places])] += 1
    seen = [sum((part[place] for part in parts), start=Counter()) for place in range(places)]
    every = totals(seen[0], lambda _, text: (0, text))
    return {
        "windows": sum(every.values()),
        "byte_bits": known_bits(first_bytes(every)),
        "text_bits": known_bits(every),
        "positions": [
            place_values(whole)
            | {"without": [known_bits(first_bytes(whole - part[place])) for part in parts]}
            for place, whole in enumerate(seen)
        ],
        "split": split,
        "words": agreements(words),
    }


def agreements(words: dict[tuple[bytes, bool], Counter[int]]) -> list[list[float]]:
    """[where the word begins the window, where it does not] of each word that is frequent enough in
    both, the most frequent first: the share of pairs of occurrences whose windows have the same
    first id.
    """
    both = [(words[word, True], words[word, False]) for word, begins in list(words) if begins]
    kept = [pair for pair in both if min(one.total() for one in pair) >= LEAST]
    kept.sort(key=lambda pair: -min(one.total() for one in pair))
    return [[pairs_alike(one) for one in pair] for pair in kept[:WORDS]]


def pairs_alike(counts: Counter[int]) -> float:
    total = counts.total()
    return round(sum(n * (n - 1) for n in counts.values()) / (total * (total - 1)), 4)


def place_values(seen: Counter[tuple[int, bytes]]) -> dict[str, Any]:
    """One place's values, from how often each (id, text) was seen."""
    kept = []
    for code, total in totals(seen, lambda code, _: code).most_common(IDS):
        of_code = Counter({text: count for (one, text), count in seen.items() if one == code})
        texts = of_code.most_common(TEXTS)
        listed = [[text.decode("utf-8", "backslashreplace"), count] for text, count in texts]
        kept.append([code, total, listed])
    return {"ids": kept, "byte_bits": known_bits(first_bytes(seen)), "text_bits": known_bits(seen)}


def first_bytes(seen: Counter[tuple[int, bytes]]) -> Counter[tuple[int, bytes]]:
    """The same counts of (id, the text's first byte)."""
    return totals(seen, lambda code, text: (code, text[:1]))


def totals(seen: Counter[tuple[int, bytes]], key: Callable[[int, bytes], Any]) -> Counter[Any]:
    """Counts of (id, text) added up by what `key` makes of each."""
    found: Counter[Any] = Counter()
    for pair, count in seen.items():
        found[key(*pair)] += count
    return found


def known_bits(seen: Counter[tuple[int, bytes]]) -> float:
    """H(text | id) in bits: the joint entropy less that of the ids."""
    ids = totals(seen, lambda code, _: code)
    return round(entropy_bits(list(seen.values())) - entropy_bits(list(ids.values())), 4)
