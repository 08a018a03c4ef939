"""Whole documents through the arithmetic coder: each ends itself with EOD, in the fewest bits that decode."""

import numpy as np

from equinfo.compress import coder
from equinfo.compress.collect import Collector
from equinfo.compress.jit import kernel
from equinfo.compress.models import EOD, ByteModel
from equinfo.errors import EquinfoError

Stream = tuple[np.ndarray, int]

SEGMENT = np.dtype([("at", np.int64), ("end", np.int64)])
LANE = np.dtype([("doc", np.int64), ("coder", coder.DECODER)])


def encode(model: ByteModel, documents: list[bytes]) -> list[Stream]:
    """(uint8 array, num_bits) of each document. Zero bits may be appended, or dropped from the end."""
    ends = np.cumsum([len(d) + 1 for d in documents], dtype=np.int64)
    symbols = np.empty(ends[-1] if len(ends) else 0, dtype=np.int64)
    for document, end in zip(documents, ends, strict=True):
        symbols[end - len(document) - 1 : end - 1] = np.frombuffer(document, dtype=np.uint8)
        symbols[end - 1] = EOD
    starts, freqs = _intervals(model, symbols, ends)
    parts = zip(np.split(starts, ends[:-1]), np.split(freqs, ends[:-1]), strict=True) if documents else []
    return [coder.encode(s, f, model.precision) for s, f in parts]


def _intervals(model: ByteModel, symbols: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cumulative frequency, frequency) of every symbol under the model: two uint32 arrays."""
    if model.row is not None:
        cumulative = np.concatenate([[0], np.cumsum(model.row)[:-1]]).astype(np.uint32)
        return cumulative[symbols], model.row[symbols]
    starts, freqs = np.empty(len(symbols), dtype=np.uint32), np.empty(len(symbols), dtype=np.uint32)
    segments = _segments(ends, model.max_context)
    lanes = np.zeros(min(model.lanes, len(segments)), dtype=SEGMENT)
    if len(lanes):
        state, queue = model.start(len(lanes)), np.zeros(1, dtype=np.int64)
        fed, restart = np.empty(len(lanes), dtype=np.int64), np.empty(len(lanes), dtype=np.bool_)
        while _encode_step(lanes, segments, queue, model.frequencies(state), symbols, starts, freqs, fed, restart):
            model.advance(state, fed, restart)
    return starts, freqs


def _segments(ends: np.ndarray, max_context: int) -> np.ndarray:
    """Where the model's context begins anew, longest first: SEGMENT records. Known text makes them independent."""
    cuts = [
        (at, min(at + max_context, end))
        for begin, end in zip([0, *ends[:-1]], ends, strict=False)
        for at in range(begin, end, max_context)
    ]
    return np.array(sorted(cuts, key=lambda cut: cut[0] - cut[1]), dtype=SEGMENT)


@kernel
def _encode_step(lanes, segments, queue, rows, symbols, starts, freqs, fed, restart):
    """Look one symbol up in every lane. A lane at its segment's end takes the next; False when none has any."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i], restart[i] = -1, False
        if lane.at < lane.end:
            symbol = symbols[lane.at]
            start = np.int64(0)
            for k in range(symbol):
                start += np.int64(rows[i, k])
            starts[lane.at], freqs[lane.at] = start, rows[i, symbol]
            lane.at += 1
            fed[i] = symbol
        if lane.at == lane.end:
            fed[i], restart[i] = -1, True
            if queue[0] < len(segments):
                lane.at, lane.end = segments[queue[0]].at, segments[queue[0]].end
                queue[0] += 1
        active |= lane.at < lane.end
    return active


def decode(model: ByteModel, streams: list[Stream]) -> list[bytes]:
    """The documents. Raises EquinfoError for a stream that does not end, or goes on after its end."""
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
        raise EquinfoError(
            "a stream does not end where a document does: it was cut, altered or made by another tokenizer"
        )
    return out


def _decode_lanes(model: ByteModel, data: np.ndarray, ends: np.ndarray, failed: np.ndarray) -> list[bytes]:
    lanes = np.zeros(min(model.lanes, len(ends)), dtype=LANE)
    if not len(lanes):
        return []
    state, queue = model.start(len(lanes)), np.zeros(1, dtype=np.int64)
    fed, restart = np.empty(len(lanes), dtype=np.int64), np.empty(len(lanes), dtype=np.bool_)
    collector = Collector(len(lanes), len(ends))
    _fill_lanes(lanes, queue, data, ends)
    while (lanes["doc"] >= 0).any():
        owners = lanes["doc"].copy()
        _decode_step(lanes, queue, model.frequencies(state), data, ends, fed, restart, failed, model.precision)
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
        coder.start_decoder(lane.coder, data, ends[lane.doc - 1] if lane.doc > 0 else 0, ends[lane.doc])


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
            larger = np.empty(2 * size, dtype=np.uint8)
            larger[:size] = out
            out = larger
        out[size] = symbol
        size += 1
