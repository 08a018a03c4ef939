"""The canonical mask: what an encoder never writes after an id gets no probability there."""

from pathlib import Path

import torch
from torch import Tensor, nn

from equinfo.errors import EquinfoError
from equinfo.lm.config import DecoderConfig

NEVER = float("-inf")
ROWS = 1 << 8  # of logits that are held at once to see what is wrong


class Canonical(nn.Module):
    """Buffers offsets, i64[vocab_size + 1], and ranges, i32[n, 2]: `Tokenizer.canonical_mask`."""

    offsets: Tensor
    ranges: Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.size = config.vocab_size
        self.pad = config.special  # its row is a part of all
        offsets = torch.zeros(self.size + 1, dtype=torch.int64)
        self.register_buffer("offsets", offsets)
        self.register_buffer("ranges", torch.zeros(config.canonical, 2, dtype=torch.int32))

    def check(self, where: Path | str) -> None:
        """Raises EquinfoError for what is no mask: all that a look-up relies on."""
        low, high = self.ranges.long().unbind(1)
        counts = self.offsets.diff()
        good = bool(((self.offsets >= 0) & (self.offsets <= len(low))).all() & (counts >= 0).all())
        good = good and bool(self.offsets[0] == 0) and bool(self.offsets[-1] == len(low))
        # EOS, the last id, may always follow: something is left of every row
        good = good and bool(((low >= 0) & (low < high) & (high < self.size)).all())
        if good:
            row = torch.arange(self.size, device=low.device).repeat_interleave(counts)
            good = bool(((low[1:] > high[:-1]) | (row[1:] > row[:-1])).all())
        if not good:
            raise EquinfoError(f"the canonical mask in {where} is none: train the LM again")

    def forward(self, logits: Tensor, previous: Tensor) -> Tensor:
        """logits f32[..., vocab_size], in place: -inf for what never follows `previous`, i64[...].

        Only what is forbidden is touched, a few percent: to read a mask of all takes longer.
        """
        if logits.is_cpu and logits.dtype == torch.float32 and not logits.requires_grad:
            from equinfo.compress.dictionary.follow import fill

            arrays = (previous.numpy().ravel(), self.pad, self.offsets.numpy(), self.ranges.numpy())
            fill(logits.view(-1, self.size).numpy(), *arrays, NEVER)
            return logits
        for rows in (torch.full_like(previous, self.pad), previous):
            logits.view(-1).index_fill_(0, self._inside(rows.flatten()), NEVER)
        return logits

    def _inside(self, rows: Tensor) -> Tensor:
        """i64[m]: the ids in the ranges of rows, i64[n], in a flat bool[n, vocab_size]."""
        begins = self.offsets[rows]
        counts = self.offsets[rows + 1] - begins
        low, high = self.ranges[_counting(begins, counts)].long().unbind(1)
        row = torch.arange(0, len(rows) * self.size, self.size, device=rows.device)
        return _counting(low + row.repeat_interleave(counts), high - low)

    def check_pairs(self, previous: Tensor, targets: Tensor) -> None:
        """Raises EquinfoError where one of targets, i64[n], never follows its `previous`."""
        for a, b in zip(previous.split(ROWS), targets.split(ROWS), strict=True):
            logits = self(torch.zeros(len(a), self.size, device=a.device), a)
            wrong = logits.gather(1, b[:, None])[:, 0].nonzero()
            if len(wrong):
                at = int(wrong[0])
                raise EquinfoError(
                    f"id {int(b[at])} after {int(a[at])}: by its canonical mask the LM's tokenizer"
                    " never writes it; these are another one's ids, or of more text without a space"
                    " than it takes at once (tens of thousands of characters, of BPE)"
                )


def _counting(begins: Tensor, counts: Tensor) -> Tensor:
    """i64[sum of counts]: from each of begins on, as many numbers as i64[n] says."""
    found = (begins - counts.cumsum(0) + counts).repeat_interleave(counts)
    found += torch.arange(len(found), device=found.device)
    return found
