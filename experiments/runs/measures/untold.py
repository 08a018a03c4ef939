"""What the codes of equal-info windows leave untold: the entropy of the text given its codes, under
M1.

Honest bits/byte are an M2's and these: a decoder that has the codes must still be told which string
it was.
"""

from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.models.base import rows_after
from equinfo.compress.windows.intervals import INTERVAL, cell_number, middle_cell, narrow
from equinfo.compress.windows.steps import RULES
from equinfo.compress.windows.tree import BATCH, enumerate_tree
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from experiments.runs.measures import validation
from experiments.runs.measures.windows import coder_of, cut
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner

MOST = 1 << 18
"""Strings that are enumerated."""


class Endings(NamedTuple):
    """How a window can turn out where M1 begins anew: of each code and string, the probability of
    both, above 0.

    codes, strings: int64[n], a string by its number in `texts`; chances: float64[n], of sum 1.
    """

    codes: np.ndarray
    strings: np.ndarray
    chances: np.ndarray
    texts: list[bytes]

    def untold(self) -> np.ndarray:
        """-log2 of each string's share of its code: float64[n]."""
        return np.log2(np.bincount(self.codes, self.chances)[self.codes] / self.chances)


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "untold"; number: validation documents."""
    return values(coder_of(tokenizer), list(validation(runner, recipe)))


def values(coder: WindowCoder, documents: list[bytes]) -> dict[str, Any]:
    """What windows drawn from M1 leave untold, exact (all strings are enumerated), and what those
    of `documents` do.

    window_bits, byte_bits: the entropy of a window's string given its code, a window and a byte;
    likeliest: the probability that a code's likeliest string is the window's, which no decoder of
    single windows exceeds. text_bits: bits a byte of the documents, -log2 of the true string's
    share of its code under M1, `text_windows` windows, documents' last ones left out.
    """
    endings = enumerated(coder)
    untold = endings.untold()
    entropy = float(endings.chances @ untold)
    likeliest = np.zeros(int(endings.codes.max()) + 1)
    np.maximum.at(likeliest, endings.codes, endings.chances)
    keys = zip(
        endings.codes.tolist(), (endings.texts[string] for string in endings.strings), strict=True
    )
    bits = dict(zip(keys, untold.tolist(), strict=True))
    told = 0.0
    num_bytes = 0
    windows = 0
    for codes, texts in cut(coder, documents):
        for code, text in zip(codes[:-1, 0].tolist(), texts, strict=False):
            told += bits[code, text]
            num_bytes += len(text)
            windows += 1
    lengths = np.array([len(text) for text in endings.texts])
    return {
        "strings": len(endings.texts),
        "window_bits": entropy,
        "byte_bits": entropy / float(endings.chances @ lengths[endings.strings]),
        "likeliest": float(likeliest.sum()),
        "text_bits": told / num_bytes if num_bytes else 0.0,
        "text_windows": windows,
    }


def enumerated(coder: WindowCoder) -> Endings:
    """All endings under the rules "free", "paper" and "unflushed", M1 without its end of document,
    reset = 1.

    Raises EquinfoError for other rules and where there are more than MOST strings.
    """
    rule = RULES[coder.setup.rule]
    model = coder.restarting
    if rule not in ("free", "paper", "unflushed") or coder.setup.reset != 1:
        raise EquinfoError(
            f'windows by rule "{rule}": choose free, paper or unflushed, and reset=1'
        )
    # "unflushed" gives strings no code: "paper", which spares no cell either, has the same strings
    cells = (
        WindowCoder(coder.model, coder.setup.bits, coder.max_window, "paper")
        if coder.dropped
        else coder
    )
    tree = enumerate_tree(cells, MOST)
    own = np.arange(
        len(tree.strings)
    )  # the string that is written: itself, or its longest prefix with a code
    for string in np.flatnonzero(tree.codes < 0):
        own[string] = own[tree.parents[string]]
    reached = [coder.start_row[:256] / coder.start_row[:256].sum()]
    found = []
    first = 0
    for depth, level in groupby(tree.strings, len):
        strings = list(level)
        chances = reached.pop()
        for at in range(0, len(strings), BATCH):
            part = slice(first + at, first + min(at + BATCH, len(strings)))
            rows = np.ascontiguousarray(rows_after(model, tree.strings[part]))
            ends, codes = _ends(
                tree.intervals[part], rows, depth < coder.max_window, model.precision
            )
            shares = rows[:, :256] / rows[:, :256].sum(axis=1, keepdims=True)
            both = chances[at : at + BATCH, None] * shares
            reached.append(both[~ends])  # the next level's strings stand in this order
            ended = np.nonzero(ends)[0] + part.start
            written = codes[ends] >> coder.dropped if coder.dropped else tree.codes[own[ended]]
            found.append(_merged(written, own[ended], both[ends]))
        reached = [np.concatenate(reached)]
        first += len(strings)
    codes, strings_of, chances = _merged(
        *(np.concatenate(column) for column in zip(*found, strict=True))
    )
    return Endings(codes, strings_of, chances, tree.strings)


def _merged(
    codes: np.ndarray, strings: np.ndarray, chances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair of code and string once, its chances added."""
    pairs, places = np.unique(codes * MOST + strings, return_inverse=True)
    return pairs // MOST, pairs % MOST, np.bincount(places, chances)


@kernel
def _ends(
    intervals: np.ndarray, rows: np.ndarray, inside: bool, precision: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each string's window ends before each next byte, and the cell it then goes into."""
    ends = np.empty((len(rows), 256), dtype=np.bool_)
    codes = np.zeros((len(rows), 256), dtype=np.int64)
    child = np.zeros(1, dtype=INTERVAL)
    code = np.zeros(1, dtype=np.int64)
    for i in range(len(rows)):
        for byte in range(256):
            child[0] = intervals[i]
            ends[i, byte] = not inside or not narrow(child[0], rows[i], byte, precision)
            if not inside:
                cell_number(child[0].low, child[0].m // 2, child[0].e, precision, code)
            elif ends[i, byte]:
                middle_cell(child[0], rows[i], byte, precision, code)
            codes[i, byte] = code[0]
    return ends, codes
