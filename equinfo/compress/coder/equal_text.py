"""Equal-text windows (the paper's appendix B): `size` bytes each, in as few whole ids as decode.

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
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel
from equinfo.compress.models.lanes import Collector, Lanes
from equinfo.errors import EquinfoError

LANE = np.dtype(
    [("doc", np.int64), ("at", np.int64), ("depth", np.int64), ("coder", coder.DECODER)]
)


class EqualTextCoder:
    """Windows of `size` bytes in ids of `width` bits, over any byte model."""

    def __init__(self, model: ByteModel, size: int, width: int) -> None:
        self.model = model
        self.size = size
        self.width = width
        self.restarting = model.restarting
        # a symbol takes at most `precision` bits and a hair; the ending less than 3 bytes and an id
        self.window_bytes = (size * (model.precision + 1)) // 8 + coder.LOOK_AHEAD + 8
        self.longest = 8 * self.window_bytes // width + 1  # ids a window, at most

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The ids (int64) of each document."""
        windows = [
            self._symbols(d[at : at + self.size])
            for d in documents
            for at in range(0, len(d), self.size)
        ]
        none = np.empty(0, dtype=np.int64)
        ends = np.cumsum([len(w) for w in windows], dtype=np.int64)
        starts, freqs = streams.intervals(self.model, np.concatenate([none, *windows]), ends)
        ids: list[np.ndarray] = []
        for begin, end in pairwise([0, *ends]):
            data, count = _encode_window(
                starts[begin:end], freqs[begin:end], self.model.precision, self.width
            )
            ids.append(pack(data, count * self.width, self.width))
        cuts = np.cumsum([0, *(-(-len(d) // self.size) for d in documents)])
        return [np.concatenate([none, *ids[a:b]]) for a, b in pairwise(cuts)]

    def _symbols(self, window: bytes) -> np.ndarray:
        ending = [EOD] if len(window) < self.size else []
        return np.array([*window, *ending], dtype=np.int64)

    def decode(self, documents: list[np.ndarray]) -> list[bytes]:
        """The bytes of each id stream. Raises EquinfoError for one that ends inside a window, or
        goes on after one that is closed by EOD.
        """
        return [data for data, _ in self._decode(documents, last=True)]

    def decode_part(self, ids: np.ndarray) -> tuple[bytes, int]:
        """(bytes, ids used) of the windows that are certainly whole, where more ids follow."""
        return self._decode([ids], last=False)[0]

    def _decode(self, documents: list[np.ndarray], last: bool) -> list[tuple[bytes, int]]:
        ends = np.cumsum([len(ids) for ids in documents], dtype=np.int64)
        begins = ends - [len(ids) for ids in documents]
        data, _ = unpack(np.concatenate([np.empty(0, dtype=np.int64), *documents]), self.width)
        lanes = Lanes(self.restarting, max(min(self.restarting.lanes, len(documents)), 1), LANE)
        collector = Collector(len(lanes.records), len(documents))
        held = np.zeros((len(lanes.records), self.window_bytes), dtype=np.uint8)
        failed = np.zeros(1, dtype=np.bool_)
        used = begins.copy()
        # what opening a window takes: the next document, the ids, and how many must be there
        source = lanes.queue, data, ends, used, 1 if last else self.longest, self.width
        given = lanes.records, held, lanes.fed, lanes.restart, failed
        sizes = self.size, self.model.precision

        def step(rows: np.ndarray) -> bool:
            owners = lanes.records["doc"].copy()
            active = _decode_step(rows, *given, *source, *sizes)
            if failed[0]:
                raise EquinfoError(
                    f"ids that are no windows of {self.size} bytes: the stream was cut, altered or"
                    " made by another tokenizer"
                )
            collector.add(lanes.fed, owners)
            lanes.fed[lanes.restart] = -1  # a window's last byte is no context of the next
            return active

        lanes.drive(step)
        return list(zip(collector.documents(), (used - begins).tolist(), strict=True))


@kernel
def _encode_window(starts, freqs, precision, width):
    """(uint8 array, ids): the window's bits, in whole ids of `width` bits."""
    out = np.zeros(len(starts) * (precision + 1) // 8 + 32, dtype=np.uint8)
    size, low, span = coder.narrow(
        out, 0, np.int64(0), np.int64(coder.FULL), starts, freqs, precision
    )
    count, value = _fewest_ids(low, span, size, width)
    if value >= coder.FULL:
        coder.carry(out, size)
        value -= coder.FULL
    for _ in range(coder.LOOK_AHEAD):
        out[size] = value >> coder.SHIFT
        value = (value & (coder.BOTTOM - 1)) << 8
        size += 1
    return out, count


@kernel
def _fewest_ids(low, span, size, width):
    """(n, start): the fewest ids whose block lies inside the interval, which begins at `low` after
    `size` bytes. A block is 2**shift, the interval wider than 2**48: one fits for shift = 47.
    """
    count = (8 * size + width - 1) // width
    while True:
        shift = 8 * size + coder.STATE - count * width
        if count > 0 and shift <= coder.STATE:
            below = (np.int64(1) << shift) - 1
            value = (low + below) & ~below
            if value + below + 1 <= low + span:
                return count, value
        count += 1


@kernel
def _open_window(lane, held, queue, data, ends, used, need, width):
    """Begin the next window of the document, or of the next one, where `need` ids are there."""
    while lane.doc < 0 or ends[lane.doc] - used[lane.doc] < need:
        if queue[0] == len(ends):
            lane.doc = -1
            return
        lane.doc = queue[0]
        queue[0] += 1
    lane.at = used[lane.doc] * width
    lane.depth = 0
    held[:] = 0
    stop = ends[lane.doc] * width
    for k in range(len(held)):
        take = min(stop - lane.at - 8 * k, 8)
        if take <= 0:
            break
        held[k] = get_bits(data, lane.at + 8 * k, take) << (8 - take)
    coder.start_decoder(lane.coder, held, 0, len(held))
    lane.coder.end = len(held)  # what follows a window is no padding, even where it is zeros


@kernel
def _decode_step(
    rows, lanes, held, fed, restart, failed, queue, data, ends, used, need, width, size, precision
):
    """One symbol out of every lane; after its last, a window tells how many ids it has taken."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i] = -1
        restart[i] = lane.doc < 0
        if lane.doc < 0:
            _open_window(lane, held[i], queue, data, ends, used, need, width)
            active |= lane.doc >= 0
            continue
        symbol = coder.decode_symbol(lane.coder, held[i], rows[i], precision)
        if symbol < 0 or (symbol == EOD and lane.depth == 0):
            failed[0] = True
            return False
        lane.depth += 1
        if symbol != EOD:
            fed[i] = symbol
            if lane.depth < size:
                active = True
                continue
        taken = _ids_taken(lane.coder, held[i], width)
        used[lane.doc] += taken
        left = ends[lane.doc] - used[lane.doc]
        if taken < 0 or left < 0 or (symbol == EOD and left > 0):
            failed[0] = True
            return False
        restart[i] = True
        _open_window(lane, held[i], queue, data, ends, used, need, width)
        active |= lane.doc >= 0
    return active


@kernel
def _ids_taken(lane, held, width):
    """The ids of a window whose interval is known; -1 where they are not those that are written."""
    size = lane.at - coder.LOOK_AHEAD
    value = np.int64(0)
    for k in range(size, lane.at):
        value = value << 8 | np.int64(held[k])
    low = (value - lane.offset) & (coder.FULL - 1)
    count, start = _fewest_ids(low, lane.width, size, width)
    shift = 8 * size + coder.STATE - count * width
    apart = (start ^ value) >> shift
    return count if apart & ((coder.FULL - 1) >> shift) == 0 else -1
