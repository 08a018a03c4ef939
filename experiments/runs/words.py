"""The words of a corpus, for what is asked of words (figs 8 and 13)."""

import re
from collections import Counter

from experiments.runs.runner import Runner


def frequent_words(
    runner: Runner, corpus: str, max_bytes: int, word: re.Pattern[bytes]
) -> list[bytes]:
    """Matches of `word` in the first bytes of training text, most frequent first, then by bytes."""
    counts: Counter[bytes] = Counter()
    for document in runner.documents(corpus, "train", max_bytes):
        counts.update(word.findall(document))
    return sorted(counts, key=lambda found: (-counts[found], found))
