"""An M2 over the ids that its training text holds: a large vocabulary's other ids would only cost
in its softmax.

Lossless all the same: one more id stands for all others, and what it leaves open, which of them, is
counted as if all were equally probable.
"""

import math
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.shards import Shards


class UsedIds:
    """A training stream's ids by their rank among those that it holds; bos_id is held too."""

    def __init__(self, shards: Shards, vocab_size: int, bos_id: int) -> None:
        seen = np.zeros(vocab_size, dtype=bool)
        seen[bos_id] = True
        for ids in shards.parts():
            seen[ids] = True
        self.shards = shards
        self.other = int(seen.sum())
        self.unseen = vocab_size - self.other
        self.ranks = np.where(seen, np.cumsum(seen) - 1, self.other).astype(np.int64)
        self.bos_id = int(self.ranks[bos_id])
        self.vocab_size = self.other + 1
        self.num_ids, self.fingerprint = shards.num_ids, f"used-{shards.fingerprint}"

    def tiles(self, context: int) -> "UsedTiles":
        return UsedTiles(self, self.shards.tiles(context))

    def firsts(self, context: int, period: int) -> np.ndarray:
        raise EquinfoError(
            "an LM over used ids is not told places: its special ids are not the last ones"
        )

    def which_other(self, ranks: np.ndarray) -> np.ndarray:
        """Nats, f32[n], that say which of the others: 0 for an id of the training text."""
        return np.where(ranks == self.other, math.log(max(self.unseen, 1)), 0.0).astype(np.float32)


class UsedTiles:
    """tiles[i]: the i-th tile's ids, renumbered."""

    def __init__(self, used: UsedIds, tiles: Any) -> None:
        self.used, self.tiles = used, tiles

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.used.ranks[self.tiles[number]]
