"""A stream of ids as training sequences, in an order that the seed alone decides.

A sequence may have positions that are read but not scored: those hold ~id, the id's complement,
which is negative.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.lm.config import DecoderConfig


class TileSource(Protocol):
    """Arrays by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> np.ndarray: ...


class StoredIds(Protocol):
    """A stream of ids that stays on disk (shards.Shards)."""

    @property
    def num_ids(self) -> int: ...

    @property
    def vocab_size(self) -> int:
        """All ids are below it."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) that stands for all ids."""

    def tiles(self, context: int) -> TileSource:
        """The sequences, [context] each, at least one id in each that is scored (not negative)."""

    def firsts(self, context: int, period: int) -> np.ndarray:
        """int64[sequences]: the place of each one's first id in its unit of `period` ids."""


class Examples:
    """Sequences as they are trained on, not cut from a stream: i32[rows, context], ~id unscored."""

    def __init__(self, rows: np.ndarray, vocab_size: int) -> None:
        self.rows = np.ascontiguousarray(rows, dtype=np.int32)
        self.vocab_size = vocab_size

    @property
    def num_ids(self) -> int:
        return self.rows.size

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.rows).hexdigest()

    def tiles(self, context: int) -> np.ndarray:
        """The rows. Raises EquinfoError where they have another length."""
        if self.rows.shape[1] != context:
            raise EquinfoError(
                f"the examples have {self.rows.shape[1]} ids and the training's sequences {context}"
            )
        return self.rows

    def firsts(self, context: int, period: int) -> np.ndarray:
        return np.zeros(len(self.rows), dtype=np.int64)


def example(read: np.ndarray, written: np.ndarray, context: int) -> np.ndarray | None:
    """i32[context]: what is read, what is written and scored, its last id as padding, unscored.

    read, written: integers[n]. None where they do not fit.
    """
    if len(read) + len(written) > context:
        return None
    row = np.full(context, ~int(written[-1]), dtype=np.int32)
    row[: len(read)] = ~read.astype(np.int32)
    row[len(read) : len(read) + len(written)] = written
    return row


def places(ids: np.ndarray, at: np.ndarray, model: DecoderConfig) -> np.ndarray:
    """i64[len(at)]: the places in their units of ids number `at`, as `Decoder.places` counts them.

    ids: integers[n], a stream from its beginning. All 0 for an LM that is not told places.
    """
    if model.period == 1:
        return np.zeros(len(at), dtype=np.int64)
    return counted(at, np.append(0, np.flatnonzero(ids >= model.special) + 1), model.period)


def counted(at: np.ndarray, starts: np.ndarray, period: int) -> np.ndarray:
    """i64[len(at)]: ids from the last of `starts` (i64[n], ascending from 0) to `at` % `period`."""
    return (at - starts[np.searchsorted(starts, at, side="right") - 1]) % period


def largest(ids: np.ndarray | StoredIds) -> int:
    """An id that no id of the stream exceeds; -1 for an empty one."""
    if isinstance(ids, np.ndarray):
        return int(ids.max()) if len(ids) else -1
    return ids.vocab_size - 1


def data_hash(ids: np.ndarray | StoredIds) -> str:
    """SHA-256 (hex) that stands for the stream."""
    if isinstance(ids, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(ids)).hexdigest()
    return ids.fingerprint


class Sequences:
    """Tiles of `context` ids of a stream; the model sees bos_id and all but the last, predicts all.

    Every epoch takes each tile once, in an order of its own. ids: uint16 or uint32[n], or a stream
    on disk; what is left over after the last whole tile is not trained on. model: the LM, if it is
    told places in units. Raises EquinfoError where there is not one tile.
    """

    def __init__(
        self,
        ids: np.ndarray | StoredIds,
        context: int,
        bos_id: int,
        seed: int,
        model: DecoderConfig | None = None,
    ) -> None:
        self.tiles: TileSource
        if isinstance(ids, np.ndarray):
            num_ids = len(ids)
            self.tiles = ids[: num_ids // context * context].reshape(-1, context)
        else:
            num_ids = ids.num_ids
            self.tiles = ids.tiles(context)
        self.count = len(self.tiles)
        if self.count == 0:
            raise EquinfoError(
                f"{num_ids} ids are fewer than one sequence of {context}: use more text or less"
                " context"
            )
        if model is None or model.period == 1:
            self._firsts = np.broadcast_to(np.int64(0), self.count)  # of no size
        elif isinstance(ids, np.ndarray):
            self._firsts = places(ids, np.arange(self.count) * context, model)
        else:
            self._firsts = ids.firsts(context, model.period)
        self.bos_id = bos_id
        self.seed = seed
        self.vocab_size = np.inf if model is None else model.vocab_size
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)

    def batch(self, first: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(inputs, targets), i64[size, context]: the training's sequences number `first` and on."""
        targets = self.targets(range(first, first + size))
        return shifted(targets, self.bos_id), targets

    def targets(self, numbers: Sequence[int]) -> np.ndarray:
        """i64[n, context]: the sequences of these numbers; what is not scored is negative.

        Raises EquinfoError for an id that is none of the model's.
        """
        tiles = np.stack([self.tiles[self._tile(number)] for number in numbers]).astype(np.int64)
        if tiles.max() >= self.vocab_size:
            raise EquinfoError(
                f"id {tiles.max()} is beyond the model's vocabulary of {self.vocab_size}: the ids"
                " were altered; encode the text again"
            )
        return tiles

    def firsts(self, numbers: Sequence[int]) -> np.ndarray:
        """int64[n]: the place in its unit of each of those sequences' first id."""
        return self._firsts[[self._tile(number) for number in numbers]]

    def _tile(self, number: int) -> int:
        epoch, at = divmod(number, self.count)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
        return int(self._order[at])


def shifted(targets: np.ndarray, bos_id: int) -> np.ndarray:
    """What predicts `targets`, i64[rows, context]: bos_id, then all but the last, scored or not."""
    inputs = np.empty_like(targets)
    inputs[:, 0] = bos_id
    inputs[:, 1:] = np.maximum(targets, ~targets)[:, :-1]
    return inputs


def dealt(targets: np.ndarray, short_contexts: tuple[int, ...]) -> list[np.ndarray]:
    """`targets`, i64[rows, context]: the second half dealt to the lengths, cut into such rows."""
    if not short_contexts:
        return [targets]
    whole, rest = np.split(targets, 2)
    parts = zip(np.split(rest, len(short_contexts)), short_contexts, strict=True)
    return [whole, *(part.reshape(-1, length) for part, length in parts)]
