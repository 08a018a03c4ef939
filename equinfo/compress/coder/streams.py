"""Whole documents through the arithmetic coder: each ends itself with EOD, in the fewest bits.

Encoding knows all of the text: contexts are cut out of it and looked up side by side, and a network
runs along whole ones. Decoding goes in steps.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from equinfo.compress.coder import coder
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel
from equinfo.compress.models.lanes import Collector, Lanes
from equinfo.errors import EquinfoError

Stream = tuple[np.ndarray, int]

SEGMENT = np.dtype([("at", np.int64), ("end", np.int64)])
READER = np.dtype([("doc", np.int64), ("at", np.int64)])  # of a lane; here doc is a segment
LANE = np.dtype([("doc", np.int64), ("coder", coder.DECODER)])
BATCH = 256  # symbols that a network runs along at once, where its contexts are not longer


def encode(model: ByteModel, documents: list[bytes]) -> list[Stream]:
    """(uint8 array, num_bits) of each document; zero bits may be added at the end, or dropped."""
    ends = np.cumsum([len(d) + 1 for d in documents], dtype=np.int64)
    symbols = np.empty(ends[-1] if len(ends) else 0, dtype=np.int64)
    for document, end in zip(documents, ends, strict=True):
        symbols[end - len(document) - 1 : end - 1] = np.frombuffer(document, dtype=np.uint8)
        symbols[end - 1] = EOD
    starts, freqs = intervals(model, symbols, ends)
    return [
        coder.encode(starts[begin:end], freqs[begin:end], model.precision)
        for begin, end in pairwise([0, *ends])
    ]


def intervals(
    model: ByteModel, symbols: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(cumulative frequency, frequency) of every symbol under the model: two uint32 arrays."""
    if model.row is not None:
        cumulative = np.concatenate([[0], np.cumsum(model.row)[:-1]]).astype(np.uint32)
        return cumulative[symbols], model.row[symbols]
    starts = np.empty(len(symbols), dtype=np.uint32)
    freqs = np.empty(len(symbols), dtype=np.uint32)
    segments = _segments(ends, model.max_context)
    if model.along:
        for batch in _batches(segments):
            places, batch_ends = _gather(batch)
            _look_up(model.along(symbols[places], batch_ends), symbols, places, starts, freqs)
    elif len(segments):
        lanes = Lanes(model, min(model.lanes, len(segments)), READER)
        given = lanes.records, segments, lanes.queue, symbols, starts, freqs
        lanes.drive(lambda rows: _encode_step(rows, *given, lanes.fed, lanes.restart))
    return starts, freqs


def _segments(ends: np.ndarray, max_context: int) -> np.ndarray:
    """SEGMENTs before which the model's context begins anew, the longest first."""
    cuts = [
        (at, min(at + max_context, end))
        for begin, end in pairwise([0, *ends])
        for at in range(begin, end, max_context)
    ]
    return np.array(sorted(cuts, key=lambda cut: cut[0] - cut[1]), dtype=SEGMENT)


def _batches(segments: np.ndarray) -> Iterator[np.ndarray]:
    """Segments in groups of about BATCH symbols."""
    totals = np.cumsum(segments["end"] - segments["at"])
    first = 0
    while first < len(segments):
        before = totals[first - 1] if first else 0
        last = max(int(np.searchsorted(totals, before + BATCH, side="right")), first + 1)
        yield segments[first:last]
        first = last


def _gather(segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(places of the segments' symbols, where each segment ends among them): int64 both."""
    ends = np.cumsum(segments["end"] - segments["at"])
    return np.arange(ends[-1]) + np.repeat(segments["end"] - ends, np.diff(ends, prepend=0)), ends


@kernel
def _look_up(rows, symbols, places, starts, freqs):
    """Row r is the frequencies of symbols[places[r]]."""
    for r in range(len(places)):
        _look_up_one(rows[r], symbols, places[r], starts, freqs)


@kernel
def _look_up_one(row, symbols, at, starts, freqs):
    start = np.int64(0)
    for k in range(symbols[at]):
        start += np.int64(row[k])
    starts[at] = start
    freqs[at] = row[symbols[at]]


@kernel
def _encode_step(rows, lanes, segments, queue, symbols, starts, freqs, fed, restart):
    """Look one symbol up in every lane, which takes the next segment at its end; False: no more."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        if lane.doc >= 0:
            _look_up_one(rows[i], symbols, lane.at, starts, freqs)
            lane.at += 1
        restart[i] = lane.doc < 0 or lane.at == segments[lane.doc].end
        fed[i] = -1 if restart[i] else symbols[lane.at - 1]
        if restart[i]:
            lane.doc = -1
            if queue[0] < len(segments):
                lane.doc = queue[0]
                lane.at = segments[lane.doc].at
                queue[0] += 1
        active |= lane.doc >= 0
    return active


def decode(model: ByteModel, streams: list[Stream]) -> list[bytes]:
    """The documents. Raises EquinfoError for a stream that does not end, or goes on after it."""
    if not streams:
        return []
    failed = np.zeros(1, dtype=np.bool_)
    lanes = Lanes(model, min(model.lanes if model.row is None else 1, len(streams)), LANE)
    if model.row is not None:
        given = lanes.records, model.row, model.precision, failed
        documents = [_decode_static(data.copy(), *given).tobytes() for data, _ in streams]
    else:
        documents = _decode_lanes(lanes, [data for data, _ in streams], failed)
    if failed[0]:
        raise _refused()
    return documents


def _decode_lanes(lanes: Lanes, streams: list[np.ndarray], failed: np.ndarray) -> list[bytes]:
    ends = np.cumsum([len(data) for data in streams], dtype=np.int64)
    data = np.concatenate(streams)
    collector = Collector(len(lanes.records), len(ends))
    given = lanes.records, lanes.queue, data, ends, lanes.fed, lanes.restart, failed

    def step(rows: np.ndarray) -> bool:
        active = _decode_step(rows, *given, lanes.model.precision)
        collector.add(lanes.fed, lanes.records["doc"])
        return active

    lanes.drive(step)
    return collector.documents()


@kernel
def _next_stream(lane, queue, data, ends):
    lane.doc = -1
    if queue[0] < len(ends):
        lane.doc = queue[0]
        queue[0] += 1
        begin = ends[lane.doc - 1] if lane.doc > 0 else 0
        coder.start_decoder(lane.coder, data, begin, ends[lane.doc])


@kernel
def _decode_step(rows, lanes, queue, data, ends, fed, restart, failed, precision):
    """One symbol out of every lane, which takes the next stream after EOD; False: no more."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i] = -1
        restart[i] = lane.doc < 0
        if lane.doc < 0:
            _next_stream(lane, queue, data, ends)
            active |= lane.doc >= 0
            continue
        symbol = coder.decode_symbol(lane.coder, data, rows[i], precision)
        if symbol < 0 or (symbol == EOD and not coder.at_end(lane.coder)):
            failed[0] = True
            return False
        if symbol == EOD:
            restart[i] = True
            _next_stream(lane, queue, data, ends)
        else:
            fed[i] = symbol
        active |= lane.doc >= 0
    return active


@kernel
def _decode_static(data, lanes, row, precision, failed):
    """The document whose stream is `data`; sets failed[0] where it is none's."""
    _start_lane(lanes, data)
    out, symbol = _decode_until(lanes, row, data, NEVER, precision)
    failed[0] |= symbol < 0 or not coder.at_end(lanes[0].coder)
    return out


CHUNK = 1 << 16  # symbols coded at once: bounds the working arrays
MOST_READ = 4  # bytes that a symbol can shift in: of 20 bits, it leaves a width > 2**(SHIFT - 20)
NEVER = np.iinfo(np.int64).max


class StreamEncoder:
    """One document in pieces; the bytes add up to what `encode` gives.

    Holds part of one context of the model (`max_context` bytes), a counter while a carry may come.
    """

    def __init__(self, model: ByteModel) -> None:
        self.model = model
        self.state = coder.start_encoder()
        self.held = bytearray()
        # a context is coded whole, as many side by side as run so
        self.step = 1 if model.row is not None else model.max_context
        self.chunk = max(CHUNK - CHUNK % self.step, self.step * model.lanes)

    def feed(self, data: bytes) -> np.ndarray:
        """The bytes (uint8) of the stream that are certain now."""
        self.held += data
        whole = len(self.held) - len(self.held) % self.step
        symbols = np.frombuffer(bytes(self.held[:whole]), dtype=np.uint8)
        del self.held[:whole]
        parts = [
            self._code(symbols[at : at + self.chunk].astype(np.int64))
            for at in range(0, whole, self.chunk)
        ]
        return np.concatenate([np.empty(0, dtype=np.uint8), *parts])

    def _code(self, symbols: np.ndarray) -> np.ndarray:
        starts, freqs = intervals(self.model, symbols, np.array([len(symbols)]))
        return coder.encode_piece(self.state, starts, freqs, self.model.precision)

    def finish(self) -> Stream:
        """(uint8 array, num_bits) of what is left, as `encode` ends."""
        data = self._code(np.array([*self.held, EOD], dtype=np.int64))
        rest, num_bits = coder.finish_encoder(self.state)
        return np.concatenate([data, rest]), 8 * len(data) + num_bits


class StreamDecoder:
    """One stream in pieces: gives what `decode` gives, or refuses what it refuses, by `finish`.

    Holds a few bytes of the stream: a symbol is decoded once all that it can shift in is there.
    """

    def __init__(self, model: ByteModel) -> None:
        self.model = model
        self.lanes = Lanes(model, 1, LANE)
        self.lanes.restart[:] = False
        self.coder = self.lanes.records["coder"]
        self.data = np.empty(0, dtype=np.uint8)
        # of self.data, less zeros at its end; negative where it ends in zeros dropped already
        self.end = 0
        self.limit = 0  # where the stream must have ended, once EOD has come
        self.started = False
        self.ended = False

    def feed(self, data: np.ndarray) -> bytes:
        """The bytes of the document that `data` (uint8 array) settles."""
        nonzero = np.flatnonzero(data[::-1])
        if len(nonzero):
            self.end = len(self.data) + len(data) - int(nonzero[0])
        self.data = np.concatenate([self.data, data])
        if not self.started and len(self.data) < coder.LOOK_AHEAD:
            return b""
        return self._decode(len(self.data) - MOST_READ, len(self.data))

    def finish(self) -> bytes:
        """The rest of the document. Raises EquinfoError where the stream has not ended with it."""
        out = self._decode(NEVER, self.end)
        padding = self._at - self.end
        if not self.ended or self.end > self.limit or padding > coder.LOOK_AHEAD + coder.TAIL:
            raise _refused()
        return out

    @property
    def _at(self) -> int:
        """Bytes of self.data that are read."""
        return int(self.coder["at"][0])

    def _decode(self, until: int, end: int) -> bytes:
        """Symbols while no more than `until` bytes are read; zeros after `end` may be padding."""
        if not self.started:
            _start_lane(self.lanes.records, self.data)
            self.started = True
        out = b""
        if not self.ended:
            self.coder["end"] = end
            if self.model.row is None:
                out, symbol = self._stepwise(until)
            else:
                out, symbol = self._along_row(until)
            if symbol < 0:  # which no encoder wrote
                raise _refused()
            if symbol == EOD:
                self.ended = True
                self.limit = self._at - coder.LOOK_AHEAD + coder.MAX_ENDING
        if self.ended and self.end > self.limit:
            raise _refused()
        used = len(self.data) if self.ended else min(self._at, len(self.data))
        self.data = self.data[used:].copy()
        self.coder["at"] -= used
        self.end -= used
        self.limit -= used
        return out

    def _along_row(self, until: int) -> tuple[bytes, int]:
        """(bytes, last symbol), which may be EOD, or -1 for none that an encoder wrote."""
        given = self.lanes.records, self.model.row, self.data, until, self.model.precision
        out, symbol = _decode_until(*given)
        return out.tobytes(), symbol

    def _stepwise(self, until: int) -> tuple[bytes, int]:
        out = bytearray()
        symbol = 0

        def step(rows: np.ndarray) -> bool:
            nonlocal symbol
            if self._at > until:
                return False
            symbol = _decode_one(self.lanes.records, self.data, rows, self.model.precision)
            if not 0 <= symbol < EOD:
                return False
            out.append(symbol)
            self.lanes.fed[0] = symbol
            return True

        self.lanes.drive(step)
        return bytes(out), symbol


def _refused() -> EquinfoError:
    return EquinfoError(
        "a stream does not end where a document does: it was cut, altered or made by another"
        " tokenizer"
    )


@kernel
def _start_lane(lanes, data):
    coder.start_decoder(lanes[0].coder, data, 0, len(data))


@kernel
def _decode_one(lanes, data, rows, precision):
    return coder.decode_symbol(lanes[0].coder, data, rows[0], precision)


@kernel
def _decode_until(lanes, row, data, until, precision):
    """(bytes, last symbol): EOD, -1 where no encoder has been, a byte where `until` is passed."""
    lane = lanes[0].coder
    out = np.empty(4 * len(data) + 16, dtype=np.uint8)
    size = 0
    symbol = 0
    while lane.at <= until:
        symbol = coder.decode_symbol(lane, data, row, precision)
        if symbol < 0 or symbol == EOD:
            break
        if size == len(out):
            out = np.concatenate((out, np.empty_like(out)))
        out[size] = symbol
        size += 1
    return out[:size].copy(), symbol
