"""Codebooks: 2**k strings, or 3 less, all bytes among them, fitted to the pieces they make of text.

A round cuts the text by the codebook so far, counts what follows the pieces' starts
(candidates.py), and chooses the strings that make the longest pieces there (choose.py). Other
starts come of it, so the rounds go on until the ratio settles: the first on a sample of the
documents and from the starts of the pretokens, the last ones on all of them. Where pieces are the
likeliest, those of a cut are by the counts of the cut before.
"""

from itertools import chain, islice
from typing import NamedTuple, Self

import numpy as np

from equinfo.compress.codebook.candidates import count_strings
from equinfo.compress.codebook.choose import NUM_BYTES
from equinfo.compress.codebook.pretokens import check_mode
from equinfo.compress.codebook.segments import Text, cut, dictionary_of, pretoken_starts
from equinfo.compress.dictionary.parse import check_parse, costs_of
from equinfo.errors import EquinfoError

MIN_BITS, MAX_BITS = 9, 18
NUM_SPECIAL = 3  # PAD, BOS and EOS: with them 2**k - 3 strings are 2**k ids
SIZES = [(1 << k) - less for k in range(MIN_BITS, MAX_BITS + 1) for less in (NUM_SPECIAL, 0)]
MAX_TEXT = (1 << 32) - 1  # places are uint32
SAMPLE = 24 << 20  # bytes of text for the first rounds
ROUNDS = 8
SETTLED = 1e-3  # a ratio that changes by less, relatively
# bytes for each piece, see choose.py; chosen on held-out text
PIECE_COST = {"free": 0, "aligned": 0, "superword": 8, "strict": 4}
RECOUNTS = 3  # cuts of the likeliest pieces before others are chosen
BATCH = 4096  # spare strings spelt at a time
CANDIDATES = 6  # for each string wanted
RARE = 64  # what passes fewer starts than a 64th of the mean string's share is no candidate


class Codebook(NamedTuple):
    strings: list[bytes]  # in the order of their bytes, so each just before its extensions
    uses: np.ndarray  # int64[n]: how often each is a piece of the text; all but bytes at least once
    costs: np.ndarray | None = None  # uint16[n], see dictionary/parse.py: of the likeliest pieces

    @classmethod
    def ordered(
        cls, strings: list[bytes], uses: np.ndarray, costs: np.ndarray | None = None
    ) -> Self:
        order = sorted(range(len(strings)), key=strings.__getitem__)
        sorted_costs = None if costs is None else costs[order]
        return cls([strings[i] for i in order], uses[order], sorted_costs)


def check_size(size: int) -> int:
    if size not in SIZES:
        raise EquinfoError(
            f"a codebook of {size} strings: choose a power of two from {1 << MIN_BITS} to"
            f" {1 << MAX_BITS}, or {NUM_SPECIAL} less"
        )
    return size


def most_strings(count: int) -> str:
    """How to say what size of codebook `count` strings are enough for."""
    return f"at most {max(known)}" if (known := [s for s in SIZES if s <= count]) else "none"


def fit(
    documents: list[bytes],
    size: int,
    mode: str,
    how: str = "longest",
    rounds: int = ROUNDS,
    weights: list[np.ndarray] | None = None,
) -> Codebook:
    """The codebook of `size` strings (of SIZES) that makes long pieces of these documents.

    mode: one of pretokens.MODES. how: one of parse.PARSES. rounds: at most so many on the sample,
    and on the whole text. weights: how often a piece counts that begins at each byte of each
    document, uint8[bytes], small numbers: memory and time follow their mean. Every string but the
    bytes is a piece of the text's own parse at least once. Deterministic, whatever the number of
    threads. Memory: the text once more, and about 12 bytes for each of its pieces. Raises
    EquinfoError where the text has too few strings.
    """
    check_size(size)
    check_mode(mode)
    check_parse(how)
    if weights is not None:
        weights = [weight for weight, one in zip(weights, documents, strict=True) if one]
    documents = [document for document in documents if document]
    total = sum(map(len, documents)) + len(documents)
    if not 0 < total <= MAX_TEXT:
        raise EquinfoError(f"a codebook is fitted on 1 to {MAX_TEXT} bytes of text, not on {total}")
    fitting = _Fitting(size, mode, how)
    step = total // SAMPLE
    if step > 1:
        sample = Text(documents[::step])
        fitting.weights = _joined(weights, step)
        fitting.settle(sample, pretoken_starts(sample), rounds)
    text = Text(documents)
    fitting.weights = _joined(weights)
    fitting.settle(text, fitting.cut(text) if step > 1 else pretoken_starts(text), rounds)
    fitting.replace_unused(text)
    return Codebook.ordered(fitting.strings, fitting.uses, fitting.costs)


def _joined(weights: list[np.ndarray] | None, step: int = 1) -> np.ndarray | None:
    """Of the places of the Text of every `step`-th document."""
    if weights is None:
        return None
    end = np.zeros(1, dtype=np.uint8)
    return np.concatenate([part for weight in weights[::step] for part in (weight, end)])


class _Fitting:
    """A codebook on its way.

    strings: bytes first. uses: in the last cut, by `costs`. spare: what is next. weights: of the
    places of the text at hand, None where all are alike.
    """

    weights: np.ndarray | None = None

    def __init__(self, size: int, mode: str, how: str) -> None:
        self.size = size
        self.mode = mode
        self.how = how

    def settle(self, text: Text, starts: np.ndarray, rounds: int) -> None:
        """Choose strings and cut the text by them, until it makes no difference."""
        before = 0.0
        for _ in range(rounds):
            self.choose(text, starts)
            starts = self.cut(text)
            ratio = text.num_bytes / len(starts)
            if abs(ratio - before) < SETTLED * ratio:
                return
            before = ratio

    def choose(self, text: Text, starts: np.ndarray) -> None:
        if self.weights is not None:
            starts = np.repeat(starts, self.weights[starts])
        floor = max(len(starts) // (self.size * RARE), 2)
        candidates = count_strings(text, starts, self.mode, CANDIDATES * self.size, floor)
        ranked = candidates.ranked(PIECE_COST[self.mode])
        self.strings = candidates.strings(ranked[: self.size])
        self.uses = candidates.own(ranked[: self.size])
        self.spare = (candidates, ranked[self.size :])

    def cut(self, text: Text) -> np.ndarray:
        """The starts of the text's pieces: uint32[n]."""
        dictionary = dictionary_of(self.strings, self.mode)
        for _ in range(RECOUNTS if self.how == "likeliest" else 1):
            self.costs = costs_of(self.uses) if self.how == "likeliest" else None
            starts, self.uses = cut(text, dictionary, self.how, self.costs)
        return starts

    def replace_unused(self, text: Text) -> None:
        """Put next candidates in the place of strings that are no piece of the text."""
        candidates, rest = self.spare
        batches = (rest[at : at + BATCH] for at in range(0, len(rest), BATCH))
        spare = chain.from_iterable(
            zip(candidates.strings(batch), candidates.ends[batch], strict=True) for batch in batches
        )
        while len(self.strings) < self.size or not self.uses[NUM_BYTES:].all():
            used = zip(self.strings, self.uses, strict=True)
            kept = [(string, uses) for string, uses in used if uses or len(string) == 1]
            both = [*kept, *islice(spare, self.size - len(kept))]
            self.strings = [string for string, _ in both]
            self.uses = np.array([uses for _, uses in both])
            if len(self.strings) < self.size:
                raise EquinfoError(
                    f"the text has too few strings for a codebook of {self.size}: it supports"
                    f" {most_strings(len(kept))}; take more text or a smaller size"
                )
            self.cut(text)
