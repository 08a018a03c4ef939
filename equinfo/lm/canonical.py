"""The canonical mask: what an encoder never writes after an id gets no probability there."""

from pathlib import Path

import torch
from torch import Tensor, nn

from equinfo.errors import EquinfoError
from equinfo.lm.config import DecoderConfig

TABLE = 1 << 13  # ids for which a byte for each pair is kept: 64 MB at most
ROWS = 1 << 8  # of what is computed at once


class Canonical(nn.Module):
    """Buffers offsets, i64[vocab_size + 1], and ranges, i32[n, 2]: `Tokenizer.canonical_mask`."""

    offsets: Tensor
    ranges: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.size = config.vocab_size
        self.nothing = config.special  # PAD, whose row is a part of all
        offsets = torch.zeros(self.size + 1, dtype=torch.int64)
        self.register_buffer("offsets", offsets)
        self.register_buffer("ranges", torch.zeros(config.canonical, 2, dtype=torch.int32))
        self._table = torch.empty(0)

    def check(self, where: Path | str) -> None:
        """Raises EquinfoError for what is no mask: all that `forbidden` relies on."""
        low, high = self.ranges.long().unbind(1)
        counts = self.offsets.diff()
        good = self.offsets[0] == 0 and self.offsets[-1] == len(low) and bool((counts >= 0).all())
        good = good and bool(((low >= 0) & (low < high) & (high <= self.size)).all())
        if good:
            row = torch.arange(self.size, device=low.device).repeat_interleave(counts)
            good = bool(((low[1:] > high[:-1]) | (row[1:] > row[:-1])).all())
        if not good:
            raise EquinfoError(f"the canonical mask in {where} is none: train the LM again")

    def forbidden(self, previous: Tensor) -> Tensor:
        """bool[..., vocab_size]: what never follows `previous`, i64[...]."""
        if self.size > TABLE:
            return self._computed(previous.flatten()).view(*previous.shape, self.size)
        if len(self._table) == 0 or self._table.device != previous.device:
            every = torch.arange(self.size, device=previous.device).split(ROWS)
            self._table = torch.cat([self._computed(part) for part in every])
        return self._table[previous]

    def _computed(self, previous: Tensor) -> Tensor:
        """bool[n, vocab_size], by the edges of the rows' ranges."""
        rows = torch.cat([previous, previous.new_tensor([self.nothing])])
        begins = self.offsets[rows]
        counts = self.offsets[rows + 1] - begins
        before = begins - counts.cumsum(0) + counts
        number = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)
        which = torch.arange(len(number), device=rows.device) + before[number]
        low, high = (number[:, None] * (self.size + 1) + self.ranges[which]).unbind(1)
        edges = torch.zeros(len(rows) * (self.size + 1), dtype=torch.int8, device=rows.device)
        edges[low] = 1
        edges[high] = -1  # no range touches the next
        inside = edges.view(len(rows), -1)[:, :-1].cumsum(1, dtype=torch.int8).bool()
        return inside[:-1] | inside[-1]

    def forward(self, logits: Tensor, previous: Tensor) -> Tensor:
        """logits f32[..., vocab_size], in place: -inf for what never follows `previous`."""
        return logits.masked_fill_(self.forbidden(previous), float("-inf"))

    def check_pairs(self, previous: Tensor, targets: Tensor) -> None:
        """Raises EquinfoError where one of targets, i64[n], never follows its `previous`."""
        for a, b in zip(previous.split(ROWS), targets.split(ROWS), strict=True):
            wrong = self.forbidden(a).gather(1, b[:, None])[:, 0].nonzero()
            if len(wrong):
                at = int(wrong[0])
                raise EquinfoError(
                    f"id {int(b[at])} after {int(a[at])}: by its canonical mask the LM's tokenizer"
                    " never writes it; are these another one's ids?"
                )
