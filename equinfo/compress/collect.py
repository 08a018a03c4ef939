"""What lanes yield side by side, put together again by document."""

import numpy as np

STEPS = 1024


class Collector:
    """Takes a symbol a lane, step by step. Keeps about a byte for each, however unequal the
    documents are.
    """

    def __init__(self, lanes: int, documents: int) -> None:
        self.symbols = np.empty((STEPS, lanes), dtype=np.int16)
        self.owners = np.empty((STEPS, lanes), dtype=np.int64)
        self.filled = 0
        self.parts = [bytearray() for _ in range(documents)]

    def add(self, symbols: np.ndarray, owners: np.ndarray) -> None:
        """symbols: int64[lanes], a byte or -1 (none). owners: the document that each belongs to."""
        self.symbols[self.filled], self.owners[self.filled] = symbols, owners
        self.filled += 1
        if self.filled == STEPS:
            self._flush()

    def documents(self) -> list[bytes]:
        self._flush()
        return [bytes(part) for part in self.parts]

    def _flush(self) -> None:
        symbols, owners = self.symbols[: self.filled], self.owners[: self.filled]
        kept = symbols >= 0
        data, owner = symbols[kept].astype(np.uint8), owners[kept]
        order = np.argsort(owner, kind="stable")
        documents, begins = np.unique(owner[order], return_index=True)
        for document, piece in zip(documents, np.split(data[order], begins[1:]), strict=False):
            self.parts[document] += piece.tobytes()
        self.filled = 0
