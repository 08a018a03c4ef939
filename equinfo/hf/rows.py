"""Rows of ids and what lies beside them, as arrays: special ids, masks, padding, lists."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np

from equinfo.tokenizers.base import id_dtype


@dataclass(frozen=True)
class Ragged:
    """Rows of any length. values: [sum of sizes], or pairs, [sum, 2]; sizes: int64[rows]."""

    values: np.ndarray
    sizes: np.ndarray

    def padded(self, length: int, fill: int, side: str) -> Self:
        """Those that are shorter than `length` filled up to it, on the "left" or "right" side."""
        lack = np.maximum(length - self.sizes, 0)
        shifts = np.cumsum(lack) - (lack if side == "right" else 0)
        values = np.full(
            (len(self.values) + int(lack.sum()), *self.values.shape[1:]), fill, dtype=np.int64
        )
        values[np.arange(len(self.values)) + np.repeat(shifts, self.sizes)] = self.values
        return type(self)(values, self.sizes + lack)

    @property
    def rectangular(self) -> bool:
        return bool((self.sizes == self.sizes[0]).all())

    def array(self) -> np.ndarray:
        """int64[rows, length], or [rows, length, 2]. All rows must be of one length."""
        return self.values.astype(np.int64, copy=False).reshape(
            len(self.sizes), int(self.sizes[0]), *self.values.shape[1:]
        )

    def lists(self, numbers: np.ndarray | None = None) -> list[list[Any]]:
        """numbers: object[n], the int at each place: to look ids up is faster than to make them."""
        if self.values.strides == (0,):  # one value everywhere
            return [self.values[:1].tolist() * size for size in self.sizes.tolist()]
        ends = [0, *np.cumsum(self.sizes).tolist()]
        rows = (self.values[begin:end] for begin, end in pairwise(ends))
        if self.values.ndim > 1:
            return [list(map(tuple, row.tolist())) for row in rows]
        return [(row if numbers is None else numbers.take(row)).tolist() for row in rows]


@dataclass(frozen=True)
class Batch:
    """Rows of one or two texts as ids, by column, and special ids before and after each text."""

    columns: list[list[np.ndarray]]
    before: list[int]
    after: list[int]

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64[rows, texts, 3]: the ids before, of and after each text."""
        lengths = np.empty((len(self.columns[0]), len(self.columns), 3), dtype=np.int64)
        lengths[..., 0] = len(self.before)
        lengths[..., 2] = len(self.after)
        lengths[..., 1] = np.array([list(map(len, column)) for column in self.columns]).T
        return lengths

    @cached_property
    def sizes(self) -> np.ndarray:
        """int64[rows]: all ids of each row."""
        sizes: np.ndarray = self.lengths.sum(axis=(1, 2))
        return sizes

    def input_ids(self) -> Ragged:
        ends = (self.before, self.after)
        before, after = ([np.array(e, dtype=id_dtype(max(e) + 1))] if e else [] for e in ends)
        texts = (text for row in zip(*self.columns, strict=True) for text in row)
        parts = [part for text in texts for part in (*before, text, *after)]
        return Ragged(np.concatenate(parts), self.sizes)

    def attention_mask(self) -> Ragged:
        return Ragged(np.broadcast_to(np.int8(1), self.sizes.sum()), self.sizes)

    def special_tokens_mask(self) -> Ragged:
        return self._labels([[1, 0, 1]] * len(self.columns))

    def token_type_ids(self) -> Ragged:
        """The number of the text, 0 or 1, that each id belongs to."""
        return self._labels([[n] * 3 for n in range(len(self.columns))])

    def _labels(self, labels: list[list[int]]) -> Ragged:
        """labels: of the ids before, of and after each text of a row."""
        each = np.broadcast_to(np.array(labels, dtype=np.int8), self.lengths.shape)
        return Ragged(np.repeat(each.reshape(-1), self.lengths.reshape(-1)), self.sizes)

    def beside(self, pairs: list[np.ndarray]) -> Ragged:
        """pairs: int64[n, 2] of each text, row by row; special ids have (0, 0)."""
        values = np.zeros((self.sizes.sum(), 2), dtype=np.int64)
        values[self.special_tokens_mask().values == 0] = np.concatenate(pairs)
        return Ragged(values, self.sizes)
