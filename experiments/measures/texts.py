"""What text stands behind an id at each place in a window (table 8, appendix C)."""

from collections import Counter
from typing import Any

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from experiments.measures import validation
from experiments.measures.windows import coder_of, cut
from experiments.recipes import Measure
from experiments.runner import Runner
from experiments.statistics import entropy_bits

IDS, TEXTS = 4, 6
"""How many of the most frequent ids at each place, and of each one's most frequent texts, are kept."""


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "window texts"; number: validation documents.

    windows; byte_bits: the entropy of a window's first byte, text_bits: of its text; positions, first to last: ids:
    [id, count, [[text, count], ...]] of the most frequent, byte_bits and text_bits: those entropies where the id at
    this place is known. All plug-in.
    """
    if not isinstance(tokenizer, EqualInfoTokenizer) or tokenizer.bits % tokenizer.width:
        raise EquinfoError(f"{tokenizer.name} has no windows of whole ids: choose equal-info windows, width dividing b")
    places = tokenizer.bits // tokenizer.width
    seen: list[Counter[tuple[int, bytes]]] = [Counter() for _ in range(places)]
    for codes, texts in cut(coder_of(tokenizer), list(validation(runner, recipe))):
        ids = tokenizer.to_ids(codes)
        for place, counter in enumerate(seen):
            counter.update(zip(ids[place::places].tolist(), texts, strict=True))
    every: Counter[tuple[int, bytes]] = Counter()
    for (_, text), count in seen[0].items():
        every[0, text] += count
    return {
        "windows": sum(every.values()),
        "byte_bits": known_bits(first_bytes(every)),
        "text_bits": known_bits(every),
        "positions": [place_values(counter) for counter in seen],
    }


def place_values(seen: Counter[tuple[int, bytes]]) -> dict[str, Any]:
    """One place's values, from how often each (id, text) was seen."""
    ids: Counter[int] = Counter()
    for (code, _), count in seen.items():
        ids[code] += count
    kept = []
    for code, total in ids.most_common(IDS):
        texts = Counter({text: count for (i, text), count in seen.items() if i == code}).most_common(TEXTS)
        kept.append([code, total, [[text.decode("utf-8", "backslashreplace"), count] for text, count in texts]])
    return {"ids": kept, "byte_bits": known_bits(first_bytes(seen)), "text_bits": known_bits(seen)}


def first_bytes(seen: Counter[tuple[int, bytes]]) -> Counter[tuple[int, bytes]]:
    """The same counts of (id, the text's first byte)."""
    found: Counter[tuple[int, bytes]] = Counter()
    for (code, text), count in seen.items():
        found[code, text[:1]] += count
    return found


def known_bits(seen: Counter[tuple[int, bytes]]) -> float:
    """H(text | id) in bits: the joint entropy less that of the ids."""
    ids: Counter[int] = Counter()
    for (code, _), count in seen.items():
        ids[code] += count
    return round(entropy_bits(list(seen.values())) - entropy_bits(list(ids.values())), 4)
