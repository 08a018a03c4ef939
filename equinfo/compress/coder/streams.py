"""Whole documents through the arithmetic coder: each ends itself with EOD, in the fewest bits that
decode.

Encoding knows all of the text, so a network runs along whole contexts of it; decoding goes in
steps.
"""

from collections.abc import Iterator

import numpy as np

from equinfo.compress.coder import coder
from equinfo.compress.collect import Collector
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.errors import EquinfoError

Stream = tuple[np.ndarray, int]

SEGMENT = np.dtype([("at", np.int64), ("end", np.int64)])
LANE = np.dtype([("doc", np.int64), ("coder", coder.DECODER)])
BATCH = 256  # symbols that a network runs along at once, where its contexts are not longer


def encode(model: ByteModel, documents: list[bytes]) -> list[Stream]:
    """(uint8 array, num_bits) of each document. Zero bits may be appended, or dropped from the
    end.
    """
    ends = np.cumsum([len(d) + 1 for d in documents], dtype=np.int64)
    symbols = np.empty(ends[-1] if len(ends) else 0, dtype=np.int64)
    for document, end in zip(documents, ends, strict=True):
        symbols[end - len(document) - 1 : end - 1] = np.frombuffer(document, dtype=np.uint8)
        symbols[end - 1] = EOD
    starts, freqs = _intervals(model, symbols, ends)
    parts = (
        zip(np.split(starts, ends[:-1]), np.split(freqs, ends[:-1]), strict=True)
        if documents
        else []
    )
    return [coder.encode(s, f, model.precision) for s, f in parts]


def _intervals(
    model: ByteModel, symbols: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(cumulative frequency, frequency) of every symbol under the model: two uint32 arrays."""
    if model.row is not None:
        cumulative = np.concatenate([[0], np.cumsum(model.row)[:-1]]).astype(np.uint32)
        return cumulative[symbols], model.row[symbols]
    starts, freqs = np.empty(len(symbols), dtype=np.uint32), np.empty(len(symbols), dtype=np.uint32)
    segments = _segments(ends, model.max_context)
    if isinstance(model, IntegerByteModel):
        for batch in _batches(segments):
            places, batch_ends = _gather(batch)
            _look_up(model.along(symbols[places], batch_ends), symbols, places, starts, freqs)
        return starts, freqs
    lanes = np.zeros(min(model.lanes, len(segments)), dtype=SEGMENT)
    if len(lanes):
        state, queue = model.start(len(lanes)), np.zeros(1, dtype=np.int64)
        fed, restart = np.empty(len(lanes), dtype=np.int64), np.empty(len(lanes), dtype=np.bool_)
        while _encode_step(
            lanes, segments, queue, model.frequencies(state), symbols, starts, freqs, fed, restart
        ):
            model.advance(state, fed, restart)
    return starts, freqs


def _segments(ends: np.ndarray, max_context: int) -> np.ndarray:
    """Where the model's context begins anew, longest first: SEGMENT records. Known text makes them
    independent.
    """
    cuts = [
        (at, min(at + max_context, end))
        for begin, end in zip([0, *ends[:-1]], ends, strict=False)
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
    starts[at], freqs[at] = start, row[symbols[at]]


@kernel
def _encode_step(lanes, segments, queue, rows, symbols, starts, freqs, fed, restart):
    """Look one symbol up in every lane. A lane at its segment's end takes the next; False when none
    has any.
    """
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i], restart[i] = -1, False
        if lane.at < lane.end:
            _look_up_one(rows[i], symbols, lane.at, starts, freqs)
            fed[i] = symbols[lane.at]
            lane.at += 1
        if lane.at == lane.end:
            fed[i], restart[i] = -1, True
            if queue[0] < len(segments):
                lane.at, lane.end = segments[queue[0]].at, segments[queue[0]].end
                queue[0] += 1
        active |= lane.at < lane.end
    return active


def decode(model: ByteModel, streams: list[Stream]) -> list[bytes]:
    """The documents. Raises EquinfoError for a stream that does not end, or goes on after its
    end.
    """
    ends = np.cumsum([len(data) for data, _ in streams], dtype=np.int64)
    data = np.concatenate([np.empty(0, dtype=np.uint8), *[data for data, _ in streams]])
    failed = np.zeros(1, dtype=np.bool_)
    if model.row is not None:
        lanes = np.zeros(1, dtype=coder.DECODER)
        begins = ends - [len(data) for data, _ in streams]
        out = [
            _decode_static(lanes, model.row, data, begin, end, model.precision, failed).tobytes()
            for begin, end in zip(begins, ends, strict=True)
        ]
    else:
        out = _decode_lanes(model, data, ends, failed)
    if failed[0]:
        raise _refused()
    return out


def _decode_lanes(
    model: ByteModel, data: np.ndarray, ends: np.ndarray, failed: np.ndarray
) -> list[bytes]:
    lanes = np.zeros(min(model.lanes, len(ends)), dtype=LANE)
    if not len(lanes):
        return []
    state, queue = model.start(len(lanes)), np.zeros(1, dtype=np.int64)
    fed, restart = np.empty(len(lanes), dtype=np.int64), np.empty(len(lanes), dtype=np.bool_)
    collector = Collector(len(lanes), len(ends))
    _fill_lanes(lanes, queue, data, ends)
    while (lanes["doc"] >= 0).any():
        owners = lanes["doc"].copy()
        _decode_step(
            lanes,
            queue,
            model.frequencies(state),
            data,
            ends,
            fed,
            restart,
            failed,
            model.precision,
        )
        if failed[0]:
            return []
        collector.add(fed, owners)
        model.advance(state, fed, restart)
    return collector.documents()


@kernel
def _fill_lanes(lanes, queue, data, ends):
    for i in range(len(lanes)):
        _next_stream(lanes[i], queue, data, ends)


@kernel
def _next_stream(lane, queue, data, ends):
    lane.doc = -1
    if queue[0] < len(ends):
        lane.doc = queue[0]
        queue[0] += 1
        coder.start_decoder(
            lane.coder, data, ends[lane.doc - 1] if lane.doc > 0 else 0, ends[lane.doc]
        )


@kernel
def _decode_step(lanes, queue, rows, data, ends, fed, restart, failed, precision):
    """One symbol out of every lane; a lane that meets EOD takes the next stream."""
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i], restart[i] = -1, lane.doc < 0
        if lane.doc < 0:
            continue
        symbol = coder.decode_symbol(lane.coder, data, rows[i], precision)
        if symbol < 0 or (symbol == EOD and not coder.at_end(lane.coder)):
            failed[0] = True
            return
        if symbol == EOD:
            restart[i] = True
            _next_stream(lane, queue, data, ends)
        else:
            fed[i] = symbol


@kernel
def _decode_static(lanes, row, data, begin, end, precision, failed):
    lane = lanes[0]
    coder.start_decoder(lane, data, begin, end)
    out, size = np.empty(4 * (end - begin) + 16, dtype=np.uint8), 0
    while True:
        symbol = coder.decode_symbol(lane, data, row, precision)
        if symbol == EOD and coder.at_end(lane):
            return out[:size].copy()
        if symbol < 0 or symbol == EOD:
            failed[0] = True
            return out[:0].copy()
        if size == len(out):
            out = np.concatenate((out, np.empty_like(out)))
        out[size] = symbol
        size += 1


CHUNK = 1 << 16  # symbols coded at once: bounds the working arrays
MOST_READ = (
    4  # bytes that one symbol can shift in: of 20 bits it leaves a width above 2**(SHIFT - 20)
)


class StreamEncoder:
    """One document in pieces; the bytes add up to what `encode` gives.

    Holds a part of one context of the model (`max_context` bytes), and a counter where a carry may
    still come.
    """

    def __init__(self, model: ByteModel) -> None:
        self.model, self.state, self.held = model, coder.start_encoder(), bytearray()
        self.step = (
            1 if model.row is not None else model.max_context
        )  # a context is coded whole: side by side

    def feed(self, data: bytes) -> np.ndarray:
        """The bytes (uint8) of the stream that are certain now."""
        self.held += data
        whole = len(self.held) - len(self.held) % self.step
        symbols = np.frombuffer(bytes(self.held[:whole]), dtype=np.uint8)
        del self.held[:whole]
        chunk = max(
            CHUNK - CHUNK % self.step, self.step * self.model.lanes
        )  # as many contexts as run side by side
        parts = [
            self._code(symbols[at : at + chunk].astype(np.int64)) for at in range(0, whole, chunk)
        ]
        return np.concatenate([np.empty(0, dtype=np.uint8), *parts])

    def _code(self, symbols: np.ndarray) -> np.ndarray:
        starts, freqs = _intervals(self.model, symbols, np.array([len(symbols)]))
        return coder.encode_piece(self.state, starts, freqs, self.model.precision)

    def finish(self) -> Stream:
        """(uint8 array, num_bits) of what is left, as `encode` ends."""
        data = self._code(np.array([*self.held, EOD], dtype=np.int64))
        rest, num_bits = coder.finish_encoder(self.state)
        return np.concatenate([data, rest]), 8 * len(data) + num_bits


class StreamDecoder:
    """One stream in pieces; gives the document that `decode` gives, or refuses what it refuses, at
    `finish` at last.

    Holds a few bytes of the stream: a symbol is decoded once all that it can shift in is there.
    """

    def __init__(self, model: ByteModel) -> None:
        self.model, self.lane = model, np.zeros(1, dtype=coder.DECODER)
        self.data = np.empty(0, dtype=np.uint8)
        # of self.data, less zeros at its end; negative where it ends in zeros dropped already
        self.end = 0
        self.started = self.ended = False
        self.limit = 0  # where the stream must have ended, once EOD has come
        self.state = None if model.row is not None else model.start(1)
        self.fed, self.restart = np.empty(1, dtype=np.int64), np.zeros(1, dtype=np.bool_)

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
        out = self._decode(np.iinfo(np.int64).max, self.end)
        if not self.ended or self.end > self.limit or int(self.lane["at"][0]) > self.end + _PADDING:
            raise _refused()
        return out

    def _decode(self, until: int, end: int) -> bytes:
        """Symbols while fewer than `until` bytes are read; `end` is where zeros may be read as
        padding.
        """
        if not self.started:
            _start_lane(self.lane, self.data)
            self.started = True
        out = b""
        if not self.ended:
            self.lane["end"] = end
            out = self._static(until) if self.model.row is not None else self._stepwise(until)
        if self.ended and self.end > self.limit:
            raise _refused()
        used = len(self.data) if self.ended else min(int(self.lane["at"][0]), len(self.data))
        self.data = self.data[used:].copy()
        self.lane["at"] -= used
        self.end -= used
        self.limit -= used
        return out

    def _note(self, symbol: int) -> None:
        """Take in what a symbol other than a byte means: EOD, -1 for none that an encoder wrote."""
        if symbol == EOD:
            self.ended, self.limit = (
                True,
                int(self.lane["at"][0]) - coder.LOOK_AHEAD + coder.MAX_ENDING,
            )
        elif symbol < 0:
            raise _refused()

    def _static(self, until: int) -> bytes:
        out, symbol = _decode_until(
            self.lane, self.model.row, self.data, until, self.model.precision
        )
        if symbol != 0:
            self._note(symbol)
        return out.tobytes()

    def _stepwise(self, until: int) -> bytes:
        out = bytearray()
        while not self.ended and int(self.lane["at"][0]) <= until:
            rows = self.model.frequencies(self.state)
            symbol = _decode_one(self.lane, self.data, rows, self.model.precision)
            if 0 <= symbol < EOD:
                out.append(symbol)
                self.fed[0] = symbol
                self.model.advance(self.state, self.fed, self.restart)
            else:
                self._note(symbol)
        return bytes(out)


_PADDING = coder.LOOK_AHEAD + coder.TAIL


def _refused() -> EquinfoError:
    return EquinfoError(
        "a stream does not end where a document does: it was cut, altered or made by another"
        " tokenizer"
    )


@kernel
def _start_lane(lanes, data):
    coder.start_decoder(lanes[0], data, 0, len(data))


@kernel
def _decode_one(lanes, data, rows, precision):
    return coder.decode_symbol(lanes[0], data, rows[0], precision)


@kernel
def _decode_until(lanes, row, data, until, precision):
    """(bytes, last symbol): the last is EOD, or -1 where no encoder has been, or 0 where `until`
    was reached.
    """
    lane = lanes[0]
    out, size = np.empty(4 * len(data) + 16, dtype=np.uint8), 0
    while lane.at <= until:
        symbol = coder.decode_symbol(lane, data, row, precision)
        if symbol < 0 or symbol == EOD:
            return out[:size].copy(), symbol
        if size == len(out):
            out = np.concatenate((out, np.empty_like(out)))
        out[size] = symbol
        size += 1
    return out[:size].copy(), 0
