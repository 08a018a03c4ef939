"""Arithmetic coding with finite precision (Witten, Neal & Cleary 1987; as a range coder with
carries).

The message so far owns an interval of [0, 1). Write it as `out . low` and `range`: `out` are the
bytes already settled (but for a carry), `low` the next STATE bits, `range` the interval's width in
units of the last of them.

Invariants, before and after each symbol, in encoder and decoder alike:
    0 <= low < 2**STATE                        (a carry out of `low` goes into `out` at once)
    2**(STATE - 8) < range <= 2**STATE         (otherwise a byte moves from `low` to `out`)
A symbol with cumulative frequency `start` and frequency `freq`, of 2**precision, narrows it to
    unit = range >> precision;  low += unit * start;  range = unit * freq
The decoder holds `offset = value - low`, 0 <= offset < range, in place of `low`; its range is the
encoder's, symbol for symbol. Flooring `unit` wastes less than 2**(precision - STATE + 8) of the
interval: under 1e-8 bits a symbol.

A stream ends in the shortest bitstring inside the last interval, provided that one of the last TAIL
bytes settled is not zero (it practically always is not). So a decoder that has read TAIL bytes more
of padding than it looks ahead may refuse: whatever the stream, it reads a bounded number of bytes
beyond the end. Each symbol narrows the interval, to (1 - 256 / 2**precision) at most with 257
symbols, so hostile streams are decoded in time linear in their length.
"""

import numpy as np

from equinfo.compress.jit import inline, kernel
from equinfo.compress.models.base import MAX_PRECISION
from equinfo.errors import EquinfoError

STATE = 56
FULL = 1 << STATE
SHIFT = STATE - 8
BOTTOM = 1 << SHIFT
LOOK_AHEAD = STATE // 8
TAIL = 2
MAX_ENDING = 2  # bytes that an ending may add to the settled ones


def encode(starts: np.ndarray, freqs: np.ndarray, precision: int) -> tuple[np.ndarray, int]:
    """Code symbols given by their cumulative frequencies.

    starts, freqs: uint32[n]; symbol i owns [starts[i], starts[i] + freqs[i]) of 2**precision,
    freqs[i] >= 1. Returns (uint8 array, num_bits): the fewest bits that, followed by any number of
    zero bits, decode.
    """
    starts = np.ascontiguousarray(starts, dtype=np.uint32)
    freqs = np.ascontiguousarray(freqs, dtype=np.uint32)
    if not 1 <= precision <= MAX_PRECISION:
        raise EquinfoError(f"precision {precision}: frequencies may have 1 to {MAX_PRECISION} bits")
    if len(starts) != len(freqs):
        raise EquinfoError(f"{len(starts)} starts but {len(freqs)} frequencies")
    if len(freqs) and not _valid(starts, freqs, precision):
        raise EquinfoError(f"a frequency is 0 or reaches beyond 2**{precision}")
    return _encode(starts, freqs, precision)


@kernel
def _valid(starts, freqs, precision):
    for i in range(len(starts)):
        if freqs[i] < 1 or np.int64(starts[i]) + np.int64(freqs[i]) > (1 << precision):
            return False
    return True


@kernel
def _encode(starts, freqs, precision):
    out = np.empty(len(starts) * precision // 8 + 16, dtype=np.uint8)
    size, low, width = narrow(out, 0, np.int64(0), np.int64(FULL), starts, freqs, precision)
    return _finish(out, size, low, width)


@kernel
def narrow(out, size, low, width, starts, freqs, precision):
    """Narrow the interval `out[:size] . low`, `width` symbol by symbol: (size, low, width)."""
    for i in range(len(starts)):
        unit = width >> precision
        low += unit * np.int64(starts[i])
        width = unit * np.int64(freqs[i])
        if low >= FULL:
            carry(out, size)
            low -= FULL
        while width <= BOTTOM:
            out[size] = low >> SHIFT
            size += 1
            low = (low & (BOTTOM - 1)) << 8
            width <<= 8
    return size, low, width


@kernel
def carry(out, size):
    at = size - 1
    while out[at] == 255:
        out[at] = 0
        at -= 1
    out[at] += 1


@kernel
def _finish(out, size, low, width):
    """The shortest bitstring in the interval: `low`, rounded up to ever more bits until inside."""
    low, width = _keep_tail(out, size, low, width)
    for bits in range(STATE + 1):
        below = np.int64((1 << (STATE - bits)) - 1)
        value = (low + below) & ~below
        if value < low + width:
            break
    if value >= FULL:
        carry(out, size)
        value -= FULL
    num_bits = 8 * size + bits
    while 8 * size < num_bits:
        out[size] = value >> SHIFT
        value = (value & (BOTTOM - 1)) << 8
        size += 1
    return out[:size].copy(), num_bits


@kernel
def _keep_tail(out, size, low, width):
    """The part of the interval to end in: all of it, unless the shortest ending leaves TAIL zero
    bytes behind it.

    That ending is 0 or a carry, FULL; then it is that point's larger side: at most 10 bits more.
    """
    point = np.int64(0) if low == 0 else np.int64(FULL)
    if size <= TAIL or point >= low + width:
        return low, width
    for at in range(size - TAIL, size):
        if out[at] != (0 if point == 0 else 255):
            return low, width
    above = low + width - (point + 1)
    return (point + 1, above) if above > point - low else (low, point - low)


def decode(data: np.ndarray, rows: np.ndarray, precision: int) -> np.ndarray:
    """The inverse of `encode`: symbols (int64[n]) from each one's row of frequencies.

    data: uint8 array. rows: uint32[n, symbols], each row sums to 2**precision. Raises EquinfoError
    for a stream that no encoder writes, as far as it shows.
    """
    data = np.ascontiguousarray(data, dtype=np.uint8)
    rows = np.asarray(rows, dtype=np.uint32)
    symbols = _decode(np.zeros(1, dtype=DECODER), data, rows, precision)
    if len(symbols) and symbols[-1] < 0:
        raise EquinfoError(
            "the stream does not decode: it was cut, altered or coded with other frequencies"
        )
    return symbols


@kernel
def _decode(lanes, data, rows, precision):
    lane = lanes[0]
    symbols = np.full(len(rows), -1, dtype=np.int64)
    start_decoder(lane, data, 0, len(data))
    for i in range(len(rows)):
        symbols[i] = decode_symbol(lane, data, rows[i], precision)
        if symbols[i] < 0:
            break
    return symbols


# What a decoder keeps of each stream.
DECODER = np.dtype([("offset", np.int64), ("width", np.int64), ("at", np.int64), ("end", np.int64)])


@kernel
def start_decoder(lane, data, begin, end):
    """Set `lane` (a DECODER) to the start of the stream data[begin:end]; zeros follow the end."""
    while end > begin and data[end - 1] == 0:
        end -= 1
    lane.at = begin
    lane.end = end
    lane.offset = np.int64(0)
    lane.width = np.int64(FULL)
    for _ in range(LOOK_AHEAD):
        _read_byte(lane, data)


@kernel
def _read_byte(lane, data):
    lane.offset <<= 8
    if lane.at < lane.end:
        lane.offset |= np.int64(data[lane.at])
    lane.at += 1


@kernel
def decode_symbol(lane, data, freqs, precision):
    """The next symbol under `freqs` (u32, sum 2**precision), or -1 where no encoder has been."""
    unit = lane.width >> precision
    target = lane.offset // unit
    symbol = 0
    start = np.int64(0)
    while symbol < len(freqs) and start + np.int64(freqs[symbol]) <= target:
        start += np.int64(freqs[symbol])
        symbol += 1
    if symbol == len(freqs):
        return -1
    lane.offset -= unit * start
    lane.width = unit * np.int64(freqs[symbol])
    while lane.width <= BOTTOM:
        _read_byte(lane, data)
        lane.width <<= 8
    if lane.at > lane.end + LOOK_AHEAD + TAIL:
        return -1
    return symbol


@inline
def at_end(lane):
    """Whether the stream can end with the symbol just decoded, rather than go on."""
    return lane.at - LOOK_AHEAD + MAX_ENDING >= lane.end


# What an encoder keeps between pieces: `pending` is the last settled byte that is not 255 (-1: none
# yet), and `run` bytes of 255 follow it: only these can still change, by a carry. `before` are the
# last TAIL bytes sent out, the newest in its low bits, and `sent` is how many were.
ENCODER = np.dtype(
    [(name, np.int64) for name in ("low", "width", "pending", "run", "before", "sent")]
)
BEFORE = (1 << (8 * TAIL)) - 1


def start_encoder() -> np.ndarray:
    """ENCODER[1], nothing coded yet."""
    state = np.zeros(1, dtype=ENCODER)
    state["width"] = FULL
    state["pending"] = -1
    return state


@kernel
def encode_piece(states, starts, freqs, precision):
    """Code more symbols, valid as in `encode`: uint8[n], the bytes that no later symbol changes."""
    state = states[0]
    out = np.empty(len(starts) * precision // 8 + 16 + 1 + state.run, dtype=np.uint8)
    size = _put_held(state, out, 0)
    size, state.low, state.width = narrow(
        out, size, state.low, state.width, starts, freqs, precision
    )
    # a carry stops at the last byte that is not 255: what comes before it is certain
    settled = size
    while settled > 0 and out[settled - 1] == 255:
        settled -= 1
    settled = max(settled - 1, 0)
    state.pending = np.int64(out[settled]) if size else np.int64(-1)
    state.run = max(size - settled - 1, 0)
    for at in range(max(settled - TAIL, 0), settled):
        state.before = ((state.before << 8) | np.int64(out[at])) & BEFORE
    state.sent += settled
    return out[:settled]


@kernel
def _put_held(state, out, size):
    """Write the bytes held back to out[size:]; returns where they end."""
    if state.pending >= 0:
        out[size] = state.pending
        size += 1
    out[size : size + state.run] = 255
    return size + state.run


@kernel
def finish_encoder(states):
    """What follows the bytes sent out: (uint8[n], num_bits), the ending that `encode` gives."""
    state = states[0]
    again = min(state.sent, TAIL)
    out = np.empty(again + 1 + state.run + 16, dtype=np.uint8)
    for at in range(again):
        out[at] = (state.before >> (8 * (again - 1 - at))) & 255
    size = _put_held(state, out, again)
    data, num_bits = _finish(out, size, state.low, state.width)
    return data[again:], num_bits - 8 * again
