"""A stream's ids under other numbers: bytes for an M1, for an M2 the ids that its text holds."""

import math

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.shards import Shards


class Renumbered:
    """A training stream whose ids are looked up. numbers: int64[ids of the stream], new ones."""

    def __init__(
        self, shards: Shards, numbers: np.ndarray, vocab_size: int, fingerprint: str
    ) -> None:
        self.shards = shards
        self.numbers = numbers
        self.vocab_size = vocab_size
        self.num_ids = shards.num_ids
        self.fingerprint = fingerprint

    def tiles(self, context: int) -> "Tiles":
        return Tiles(self, context)

    def firsts(self, context: int, period: int) -> np.ndarray:
        return self.shards.firsts(context, period)


class Tiles:
    """tiles[i]: the i-th tile's ids, renumbered."""

    def __init__(self, renumbered: Renumbered, context: int) -> None:
        self.numbers = renumbered.numbers
        self.tiles = renumbered.shards.tiles(context)

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.numbers[self.tiles[number]]


class UsedIds(Renumbered):
    """The ids that a stream holds and bos_id, by their rank: others would only cost in the softmax.

    Lossless all the same: one more id stands for all others, and what it leaves open, which of
    them, is counted as if all were equally probable. No training shows how probable it is: it is
    given the share of ids that occur once (Good 1953), and all others what is left.
    """

    def __init__(self, shards: Shards, vocab_size: int, bos_id: int) -> None:
        counts = np.zeros(vocab_size, dtype=np.int64)
        for ids in shards.parts():
            counts += np.bincount(ids, minlength=vocab_size)
        seen = counts > 0
        seen[bos_id] = True
        self.new = max(int((counts == 1).sum()), 1) / max(int(counts.sum()), 2)
        self.other = int(seen.sum())
        self.unseen = vocab_size - self.other
        ranks = np.where(seen, np.cumsum(seen) - 1, self.other).astype(np.int64)
        self.bos_id = int(ranks[bos_id])
        super().__init__(shards, ranks, self.other + 1, f"used-{shards.fingerprint}")

    def firsts(self, context: int, period: int) -> np.ndarray:
        raise EquinfoError(
            "an LM over used ids is not told places: its special ids are not the last ones"
        )

    def whole(self, nats: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """Nats, f32[n], of ids that an M2 gives these: of what it never saw, by its share."""
        if not self.unseen:
            return nats
        others = math.log(self.unseen / self.new)
        found = np.where(ranks == self.other, others, nats - math.log1p(-self.new))
        return found.astype(np.float32)
