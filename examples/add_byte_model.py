"""A byte model of one's own: it counts what the document has had so far, and so adapts to it."""

import numpy as np

from equinfo.compress.models import KINDS, SYMBOLS, ByteModel


class AdaptiveModel(ByteModel):
    kind = "adaptive"
    precision = 16  # every row sums to 2**16
    max_context = 4096  # a lane forgets all after so many symbols
    lanes = 8  # documents that it likes to read side by side

    def start(self, lanes):
        return np.ones((lanes, SYMBOLS), dtype=np.int64)  # counts; their sum tells a lane's age

    def frequencies(self, counts):
        total = counts.sum(axis=1, keepdims=True)
        # integers alone: the same on every machine
        rows = 1 + counts * ((1 << self.precision) - SYMBOLS) // total
        left = (1 << self.precision) - rows.sum(axis=1)
        rows[np.arange(len(rows)), counts.argmax(axis=1)] += left
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
