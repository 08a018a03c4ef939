"""Equal-text windows (the paper's appendix B): `size` bytes each, coded by themselves in as few
whole ids as decode.

Each window is arithmetic-coded from a fresh coder and model (coder.py's arithmetic). It is written
as the first aligned block of 2**-(n * width) that lies wholly inside its final interval, for the
least n with one: n ids. Whatever follows, these bits decode to the window; and the decoder, which
then knows the interval, finds n as the encoder did. So no lengths are stored. A document whose
length is no multiple of `size` ends with a shorter window, closed by EOD; an empty one has no
windows.
"""

from itertools import pairwise

import numpy as np

from equinfo.compress.bits import get_bits, pack, unpack
from equinfo.compress.coder import coder, streams
from equinfo.compress.collect import Collector
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.errors import EquinfoError

LANE = np.dtype(
    [("doc", np.int64), ("at", np.int64), ("depth", np.int64), ("coder", coder.DECODER)]
)


class EqualTextCoder:
    """Windows of `size` bytes in ids of `width` bits, over any byte model."""

    def __init__(self, model: ByteModel, size: int, width: int) -> None:
        self.model, self.size, self.width = model, size, width
        self.stepped: ByteModel = model.memoised if isinstance(model, IntegerByteModel) else model
        # A symbol takes at most `precision` bits and a hair; the ending less than 3 bytes and an
        # id.
        self.window_bytes = (size * (model.precision + 1)) // 8 + coder.LOOK_AHEAD + 8
        self.longest = 8 * self.window_bytes // width + 1  # ids a window, at most

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The ids (int64) of each document."""
        windows = [
            self._symbols(d[at : at + self.size])
            for d in documents
            for at in range(0, len(d), self.size)
        ]
        counts = [-(-len(d) // self.size) for d in documents]
        ends = np.cumsum([len(w) for w in windows], dtype=np.int64)
        symbols = np.concatenate([np.empty(0, dtype=np.int64), *windows])
        starts, freqs = streams._intervals(self.model, symbols, ends)
        ids: list[np.ndarray] = []
        for begin, end in zip([0, *ends[:-1]], ends, strict=False):
            data, count = _encode_window(
                starts[begin:end], freqs[begin:end], self.model.precision, self.width
            )
            ids.append(pack(data, count * self.width, self.width))
        cuts = np.cumsum([0, *counts])
        none = np.empty(0, dtype=np.int64)
        return [np.concatenate([none, *ids[a:b]]) for a, b in pairwise(cuts)]

    def _symbols(self, window: bytes) -> np.ndarray:
        ending = [EOD] if len(window) < self.size else []
        return np.concatenate(
            [np.frombuffer(window, dtype=np.uint8), np.array(ending, dtype=np.int64)]
        )

    def decode(self, documents: list[np.ndarray]) -> list[bytes]:
        """The bytes of each id stream. Raises EquinfoError for one that ends inside a window, or
        goes on after one that is closed by EOD.
        """
        return [data for data, _ in self._decode(documents, last=True)]

    def decode_part(self, ids: np.ndarray) -> tuple[bytes, int]:
        """(bytes, ids used) of the windows that are certainly complete, of a stream that goes on
        after `ids`.
        """
        return self._decode([ids], last=False)[0]

    def _decode(self, documents: list[np.ndarray], last: bool) -> list[tuple[bytes, int]]:
        ends = np.cumsum([len(ids) for ids in documents], dtype=np.int64)
        ids = np.concatenate([np.empty(0, dtype=np.int64), *documents])
        data, _ = unpack(ids, self.width)
        lanes = np.zeros(max(min(self.stepped.lanes, len(documents)), 1), dtype=LANE)
        lanes["doc"] = -1
        held = np.zeros((len(lanes), self.window_bytes), dtype=np.uint8)
        symbols, restart = (
            np.empty(len(lanes), dtype=np.int64),
            np.empty(len(lanes), dtype=np.bool_),
        )
        queue, failed = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.bool_)
        used = ends - [len(ids) for ids in documents]
        state, collector = self.stepped.start(len(lanes)), Collector(len(lanes), len(documents))
        need = 1 if last else self.longest
        _open_all(lanes, held, queue, data, ends, used, need, self.width)
        while (lanes["doc"] >= 0).any():
            owners = lanes["doc"].copy()
            _decode_step(
                lanes, held, self.stepped.frequencies(state), symbols, restart, queue, data, ends,
                used, failed, need,
                self.size, self.width, self.model.precision,
            )  # fmt: skip
            if failed[0]:
                raise EquinfoError(
                    f"ids that are no windows of {self.size} bytes: the stream was cut, altered or"
                    " made by another tokenizer"
                )
            collector.add(symbols, owners)
            symbols[restart] = -1  # the last byte of a window is no context of the next
            self.stepped.advance(state, symbols, restart)
        begins = ends - [len(ids) for ids in documents]
        return [
            (text, int(end - begin))
            for text, begin, end in zip(collector.documents(), begins, used, strict=True)
        ]


@kernel
def _encode_window(starts, freqs, precision, width):
    """(uint8 array, ids): the window's bits, in whole ids of `width` bits."""
    out = np.zeros(len(starts) * (precision + 1) // 8 + 32, dtype=np.uint8)
    size, low, span = 0, np.int64(0), np.int64(coder.FULL)
    for i in range(len(starts)):
        unit = span >> precision
        low += unit * np.int64(starts[i])
        span = unit * np.int64(freqs[i])
        if low >= coder.FULL:
            coder.carry(out, size)
            low -= coder.FULL
        while span <= coder.BOTTOM:
            out[size] = low >> coder.SHIFT
            size += 1
            low = (low & (coder.BOTTOM - 1)) << 8
            span <<= 8
    count = _count_ids(low, span, size, width)
    below = (np.int64(1) << (8 * size + coder.STATE - count * width)) - 1
    value = (low + below) & ~below
    if value >= coder.FULL:
        coder.carry(out, size)
        value -= coder.FULL
    for _ in range(coder.LOOK_AHEAD):
        out[size] = value >> coder.SHIFT
        value = (value & (coder.BOTTOM - 1)) << 8
        size += 1
    return out, count


@kernel
def _count_ids(low, span, size, width):
    """The fewest ids whose block lies inside the interval that starts at `low` after `size` bytes.

    Its block is 2**shift, the interval wider than 2**48: at the latest for shift = 47 one fits.
    """
    count = (8 * size + width - 1) // width
    while True:
        shift = 8 * size + coder.STATE - count * width
        if count > 0 and shift <= coder.STATE:
            below = (np.int64(1) << shift) - 1
            value = (low + below) & ~below
            if value + below + 1 <= low + span:
                return count
        count += 1


@kernel
def _open_all(lanes, held, queue, data, ends, used, need, width):
    for i in range(len(lanes)):
        _open_window(lanes[i], held[i], queue, data, ends, used, need, width)


@kernel
def _open_window(lane, held, queue, data, ends, used, need, width):
    """Begin the document's next window, or the next document's first; at least `need` ids must be
    there.
    """
    while lane.doc < 0 or ends[lane.doc] - used[lane.doc] < need:
        if queue[0] == len(ends):
            lane.doc = -1
            return
        lane.doc = queue[0]
        queue[0] += 1
    lane.at, lane.depth = used[lane.doc] * width, 0
    held[:] = 0
    stop = ends[lane.doc] * width
    for k in range(len(held)):
        take = min(stop - lane.at - 8 * k, 8)
        if take <= 0:
            break
        held[k] = get_bits(data, lane.at + 8 * k, take) << (8 - take)
    lane.coder.at, lane.coder.end = 0, len(held)
    lane.coder.offset, lane.coder.width = np.int64(0), np.int64(coder.FULL)
    for _ in range(coder.LOOK_AHEAD):
        lane.coder.offset = lane.coder.offset << 8 | np.int64(held[lane.coder.at])
        lane.coder.at += 1


@kernel
def _decode_step(
    lanes,
    held,
    rows,
    symbols,
    restart,
    queue,
    data,
    ends,
    used,
    failed,
    need,
    size,
    width,
    precision,
):
    """One symbol out of every lane; after its last one, a window tells how many ids it has
    taken.
    """
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, lane.doc < 0
        if lane.doc < 0:
            continue
        symbol = coder.decode_symbol(lane.coder, held[i], rows[i], precision)
        if symbol < 0 or (symbol == EOD and lane.depth == 0):
            failed[0] = True
            return
        lane.depth += 1
        if symbol != EOD:
            symbols[i] = symbol
            if lane.depth < size:
                continue
        taken = _ids_taken(lane.coder, held[i], width)
        used[lane.doc] += taken
        if (
            taken < 0
            or used[lane.doc] > ends[lane.doc]
            or (symbol == EOD and used[lane.doc] < ends[lane.doc])
        ):
            failed[0] = True
            return
        restart[i] = True
        _open_window(lane, held[i], queue, data, ends, used, need, width)


@kernel
def _ids_taken(lane, held, width):
    """The window's ids, now that its interval is known; -1 where they are not those that the
    encoder writes.
    """
    size = lane.at - coder.LOOK_AHEAD
    value = np.int64(0)
    for k in range(size, lane.at):
        value = value << 8 | np.int64(held[k])
    low = (value - lane.offset) & (coder.FULL - 1)
    count = _count_ids(low, lane.width, size, width)
    shift = 8 * size + coder.STATE - count * width
    below = (np.int64(1) << shift) - 1
    apart = ((low + below) >> shift) ^ (value >> shift)
    return count if apart & ((coder.FULL - 1) >> shift) == 0 else -1
