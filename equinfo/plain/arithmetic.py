"""Arithmetic coding: a text becomes one number, in about as many bits as it surprises the model.

The text so far owns an interval of [0, 1). Each symbol takes its share of it, by frequency; any
number inside the last interval names the text. Integers keep encoder and decoder alike: positions
count in units of 2**-(STATE + 8 * size), and the unit is made 256 times finer (`size` grows by one)
whenever the interval gets narrower than 2**(STATE - 8) units. So widths fit a machine's integer;
`low`, here of any length, is in the fast coder the bytes written already and the next STATE bits.

>>> def row(prefix):  # three symbols and the end; "b" is likely after "a"
...     return [4, 10, 1, 1] if prefix[-1:] == [0] else [10, 4, 1, 1]
>>> data, bits = encode([0, 1, 0, 1, 3], row)
>>> data.hex(), bits
('5e', 7)
>>> decode(data, row, end=3)
[0, 1, 0, 1, 3]
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

Row = Callable[[Sequence[int]], Sequence[int]]
STATE = 56
TAIL = 2  # bytes


def encode(symbols: Sequence[int], row: Row) -> tuple[bytes, int]:
    """(bytes, number of bits in use) of symbols, whose last one is the end of the document."""
    low = size = 0
    width = 1 << STATE
    for at, symbol in enumerate(symbols):
        freqs = row(symbols[:at])
        unit = width // sum(freqs)
        low += unit * sum(freqs[:symbol])
        width = unit * freqs[symbol]
        while width <= 1 << (STATE - 8):
            low <<= 8
            width <<= 8
            size += 1
    low, width = without_zero_tail(low, width, size)
    for bits in range(STATE + 1):  # round up to ever finer steps, until that lies inside
        step = 1 << (STATE - bits)
        number = -(-low // step) * step
        if number < low + width:
            break
    num_bits = 8 * size + bits
    num_bytes = (num_bits + 7) // 8
    return (number >> (STATE + 8 * size - 8 * num_bytes)).to_bytes(num_bytes, "big"), num_bits


def without_zero_tail(low: int, width: int, size: int) -> tuple[int, int]:
    """The part of the interval to end in: all of it but in the rare case that the shortest ending
    leaves TAIL bytes of zeros. So a decoder may refuse a stream that asks for zeros without end.
    """
    point = -(-low >> STATE) << STATE
    if size <= TAIL or point >= low + width or point % (1 << (STATE + 8 * TAIL)):
        return low, width
    above = low + width - (point + 1)
    return (point + 1, above) if above > point - low else (low, point - low)


def decode(data: bytes, row: Row, end: int = 256) -> list[int]:
    """The symbols, `end` being the last. Zeros follow the data."""
    low = size = 0
    width = 1 << STATE
    symbols: list[int] = []
    while symbols[-1:] != [end]:
        freqs = row(symbols)
        unit = width // sum(freqs)
        number = (int.from_bytes(data, "big") << (STATE + 8 * size)) >> (8 * len(data))
        edges = list(accumulate(freqs, initial=0))
        symbol = bisect_right(edges, (number - low) // unit) - 1
        if symbol == len(freqs):
            raise ValueError("no encoder writes this")
        symbols.append(symbol)
        low += unit * edges[symbol]
        width = unit * freqs[symbol]
        while width <= 1 << (STATE - 8):
            low <<= 8
            width <<= 8
            size += 1
    return symbols
