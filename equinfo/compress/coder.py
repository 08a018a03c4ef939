"""Arithmetic coding with finite precision (Witten, Neal & Cleary 1987; as a range coder with carries).

The message so far owns an interval of [0, 1). Write it as `out . low` and `range`: `out` are the bytes already
settled (but for a carry), `low` the next STATE bits, `range` the interval's width in units of the last of them.

Invariants, before and after each symbol, in encoder and decoder alike:
    0 <= low < 2**STATE                        (a carry out of `low` goes into `out` at once)
    2**(STATE - 8) < range <= 2**STATE         (otherwise a byte moves from `low` to `out`)
A symbol with cumulative frequency `start` and frequency `freq`, of 2**precision, narrows the interval to
    unit = range >> precision;  low += unit * start;  range = unit * freq
The decoder holds `offset = value - low`, 0 <= offset < range, in place of `low`; its range is the encoder's, symbol
for symbol. Flooring `unit` wastes less than 2**(precision - STATE + 8) of the interval: under 1e-8 bits a symbol.
"""

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

STATE = 56
FULL = 1 << STATE
SHIFT = STATE - 8
BOTTOM = 1 << SHIFT
MAX_PRECISION = 20


def encode(starts: np.ndarray, freqs: np.ndarray, precision: int) -> tuple[np.ndarray, int]:
    """Code symbols given by their cumulative frequencies.

    starts, freqs: uint32[n]; symbol i owns [starts[i], starts[i] + freqs[i]) of 2**precision, freqs[i] >= 1.
    Returns (uint8 array, num_bits): the fewest bits that, followed by any number of zero bits, decode.
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
    size, low, width = 0, np.int64(0), np.int64(FULL)
    for i in range(len(starts)):
        unit = width >> precision
        low += unit * np.int64(starts[i])
        width = unit * np.int64(freqs[i])
        if low >= FULL:
            _carry(out, size)
            low -= FULL
        while width <= BOTTOM:
            out[size] = low >> SHIFT
            size += 1
            low = (low & (BOTTOM - 1)) << 8
            width <<= 8
    return _finish(out, size, low, width)


@kernel
def _carry(out, size):
    at = size - 1
    while out[at] == 255:
        out[at] = 0
        at -= 1
    out[at] += 1


@kernel
def _finish(out, size, low, width):
    """The shortest bitstring in the interval: round `low` up to ever more bits until it lies inside."""
    for bits in range(STATE + 1):
        below = np.int64((1 << (STATE - bits)) - 1)
        value = (low + below) & ~below
        if value < low + width:
            break
    if value >= FULL:
        _carry(out, size)
        value -= FULL
    num_bits = 8 * size + bits
    while 8 * size < num_bits:
        out[size] = value >> SHIFT
        value = (value & (BOTTOM - 1)) << 8
        size += 1
    return out[:size].copy(), num_bits


# What a decoder keeps of each stream.
DECODER = np.dtype([("offset", np.int64), ("width", np.int64), ("at", np.int64), ("end", np.int64)])


@kernel
def start_decoder(lane, data, begin, end):
    """Set `lane` (a DECODER record) to the start of the stream data[begin:end]; zeros follow the end."""
    lane.at, lane.end = begin, end
    lane.offset, lane.width = np.int64(0), np.int64(FULL)
    for _ in range(STATE // 8):
        _read_byte(lane, data)


@kernel
def _read_byte(lane, data):
    lane.offset <<= 8
    if lane.at < lane.end:
        lane.offset |= np.int64(data[lane.at])
    lane.at += 1


@kernel
def decode_symbol(lane, data, freqs, precision):
    """The next symbol under the row `freqs` (u32, sums to 2**precision), or -1 where no encoder stops so.

    An encoder never ends on value == low with nothing but padding left: the end symbol is not the first one.
    There the symbols would go on for ever, so the stream is refused.
    """
    if lane.offset == 0 and lane.at >= lane.end:
        return -1
    unit = lane.width >> precision
    target = lane.offset // unit
    symbol, start = 0, np.int64(0)
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
    return symbol
