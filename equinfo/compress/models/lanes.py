"""Many documents side by side: lanes that a model drives, and what they yield, by document."""

from collections.abc import Callable

import numpy as np

from equinfo.compress.models.base import ByteModel

STEPS = 1024


class Lanes:
    """Lanes of a model, each with a record of a coder's own, and the queue of documents."""

    def __init__(self, model: ByteModel, lanes: int, record: np.dtype) -> None:
        self.model = model
        self.records = np.zeros(lanes, dtype=record)
        self.records["doc"] = -1  # none
        self.fed = np.empty(lanes, dtype=np.int64)  # what the model is fed next, -1: nothing
        self.restart = np.empty(lanes, dtype=np.bool_)  # whether its context begins anew before
        self.queue = np.zeros(1, dtype=np.int64)  # the next document that no lane has had
        self.state = model.start(max(lanes, 1))

    def drive(self, step: Callable[[np.ndarray], bool]) -> None:
        """Give `step` the frequencies and feed the model what it sets, until it returns False."""
        while step(self.model.frequencies(self.state)):
            self.advance()

    def advance(self) -> None:
        self.model.advance(self.state, self.fed, self.restart)


class Collector:
    """Takes a symbol a lane, step by step; keeps about a byte for each, however they are spread."""

    def __init__(self, lanes: int, documents: int) -> None:
        self.symbols = np.empty((STEPS, lanes), dtype=np.int16)
        self.owners = np.empty((STEPS, lanes), dtype=np.int64)
        self.filled = 0
        self.parts = [bytearray() for _ in range(documents)]

    def add(self, symbols: np.ndarray, owners: np.ndarray) -> None:
        """symbols: int64[lanes], a byte or -1 (none). owners: the document that each belongs to."""
        self.symbols[self.filled] = symbols
        self.owners[self.filled] = owners
        self.filled += 1
        if self.filled == STEPS:
            self._flush()

    def documents(self) -> list[bytes]:
        self._flush()
        return [bytes(part) for part in self.parts]

    def _flush(self) -> None:
        symbols = self.symbols[: self.filled]
        kept = symbols >= 0
        owner = self.owners[: self.filled][kept]
        order = np.argsort(owner, kind="stable")
        data = symbols[kept].astype(np.uint8)[order]
        documents, begins = np.unique(owner[order], return_index=True)
        for document, piece in zip(documents, np.split(data, begins[1:]), strict=False):
            self.parts[document] += piece.tobytes()
        self.filled = 0
