"""A byte model of one's own: it counts what the document has had so far, and so adapts to it."""

import numpy as np

from equinfo.compress.models.base import KINDS, SYMBOLS


class AdaptiveModel:
    kind = "adaptive"
    precision = 16  # every row sums to 2**16
    max_context = 4096  # a lane forgets all after so many symbols
    parameters = 0  # no network runs
    lanes = 8  # documents that it likes to read side by side
    row = None  # the frequencies are not the same everywhere

    def start(self, lanes):
        return np.ones(
            (lanes, SYMBOLS), dtype=np.int64
        )  # a count for each symbol; its sum tells a lane's age

    def frequencies(self, counts):
        total = counts.sum(axis=1, keepdims=True)
        rows = (
            1 + counts * ((1 << self.precision) - SYMBOLS) // total
        )  # integers alone: the same on every machine
        rows[np.arange(len(rows)), counts.argmax(axis=1)] += (1 << self.precision) - rows.sum(
            axis=1
        )
        return rows.astype(np.uint32)

    def advance(self, counts, symbols, restart):
        counts[restart] = 1
        lanes = np.flatnonzero(symbols >= 0)  # -1: this lane has no symbol
        counts[lanes, symbols[lanes]] += 1
        counts[counts.sum(axis=1) == SYMBOLS + self.max_context] = 1

    def parts(self):  # what a tokenizer over this model stores of it
        return {}, {}

    @classmethod
    def from_parts(cls, config, tensors):
        return cls()


KINDS["adaptive"] = f"{__name__}:AdaptiveModel"  # so that tokenizers over it load, in this process
