"""Equal-info windows: text cut into stretches of exactly b bits, each of which can be read alone.

The 2**b codes of a window are *cells*, side by side. Strings get intervals of the line of cells:
single bytes share out all of it, longer strings share out that of the string without its last byte,
each by the model's frequencies. A window can be a string whose interval wholly holds a cell. Which
cell is written, and what a cell means to a reader, is the rule. Here it is that of the free cell;
docs/free-cell.md has the argument that it is lossless, and rules.py the other rules.

>>> def row(prefix):  # a model: 257 frequencies, here of texts of little but "a" and "b"
...     return [{97: 32_768, 98: 32_513}.get(symbol, 1) for symbol in range(257)]
>>> windows = Windows(row, bits=16)
>>> list(windows.windows(b"abbaabababbbabaabbac"))  # each one's code, and of how many bytes
[(26072, 14), (12493, 5), (65222, 1)]
>>> windows.decode([26072, 12493, 65222])
b'abbaabababbbabaabbac'
>>> windows.decode([0, 65535, 12345])  # every code means something
b'\\x00\\xffaababbbb'
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

Row = Callable[[bytes], list[int]]
Interval = tuple[int, int]  # where it begins, its width; 2**F units are a cell


class Windows:
    """The free-cell rule: a cell means the longest string that holds it, and a string is written as
    its first cell that none of its children holds.

    row(prefix): 257 frequencies after the bytes since the context began, of sum 2**F; symbol 256,
    the end, is in no window. reset: after how many windows the context begins anew; 0 for never.
    """

    spare = 1  # cells at the end of each single byte that are kept from its children
    lossless = True

    def __init__(self, row: Row, bits: int, max_window: int = 64, reset: int = 1) -> None:
        self.row = row
        self.bits = bits
        self.max_window = max_window
        self.reset = reset
        self.precision = sum(row(b"")).bit_length() - 1  # F
        self.cell = 1 << self.precision
        self.start()

    def encode(self, text: bytes) -> list[int]:
        return [code for code, _ in self.windows(text)]

    def windows(self, text: bytes) -> Iterator[tuple[int, int]]:
        """(code, bytes) of each window."""
        self.start()
        while text:
            size, code = self.window(text)
            yield code, size
            self.end_window(text[:size])
            text = text[size:]

    def decode(self, codes: list[int]) -> bytes:
        if not self.lossless and self.reset != 1:
            raise ValueError("a reader would show the model other bytes than the writer did")
        text = b""
        self.start()
        for code in codes:
            string = self.read(code)
            self.end_window(string)
            text += string
        return text

    def start(self) -> None:
        self.context = b""
        self.ended = 0

    def end_window(self, string: bytes) -> None:
        self.ended += 1
        anew = self.reset and self.ended % self.reset == 0
        self.context = b"" if anew else self.context + string

    def window(self, text: bytes) -> tuple[int, int]:
        """(bytes, code) of the window that the text begins with."""
        intervals = self.path(text)
        for size in range(len(intervals), 0, -1):
            code = self.free_cell(text[:size], intervals[size - 1])
            if code is not None:
                return size, code
        return 1, self.edges()[text[0] + 1] - 1  # a single byte has its spare cell at least

    def free_cell(self, string: bytes, interval: Interval) -> int | None:
        """If there is one: the interval's first cell, one across a child's end, or just behind."""
        children = self.children(string, interval)
        candidates = {self.first_cell(interval)}
        for low, width in children:
            candidates |= {(low + width) // self.cell, -(-(low + width) // self.cell)}
        for code in sorted(candidates):
            if self.holds(interval, code) and not any(self.holds(c, code) for c in children):
                return code
        return None

    def read(self, code: int) -> bytes:
        return list(self.strings_with(code))[-1][0]

    def strings_with(self, code: int) -> Iterator[tuple[bytes, Interval]]:
        """Each string whose interval holds the cell, and the interval; the shortest first."""
        byte = bisect_right(self.edges(), code) - 1
        string, interval = bytes([byte]), self.root(byte)
        while True:
            yield string, interval
            children = self.children(string, interval)
            inside = [byte for byte, child in enumerate(children) if self.holds(child, code)]
            if not inside:
                return
            string, interval = string + bytes(inside), children[inside[0]]

    def path(self, text: bytes) -> list[Interval]:
        """The intervals of the text's first byte, first two, ..., as long as they hold a cell."""
        intervals = [self.root(text[0])]
        for size in range(1, min(len(text), self.max_window)):
            child = self.children(text[:size], intervals[-1])[text[size]]
            if not self.holds(child, self.first_cell(child)):
                break
            intervals.append(child)
        return intervals

    def edges(self) -> list[int]:
        """The cell at which each single byte begins, and the end: a block of cells each, the other
        blocks by frequency. (A block is a cell where b <= 32.)
        """
        freqs = self.row(self.context)[:256]
        blocks = 1 << min(self.bits, 32)
        size = (1 << self.bits) // blocks
        sums = accumulate(freqs, initial=0)
        return [(k + below * (blocks - 256) // sum(freqs)) * size for k, below in enumerate(sums)]

    def root(self, byte: int) -> Interval:
        first, stop = self.edges()[byte : byte + 2]
        return first * self.cell, self.cut((stop - first - self.spare) * self.cell)

    def children(self, string: bytes, interval: Interval) -> list[Interval]:
        """Of the string and each of the 256 bytes; none at the longest that a window may be."""
        if len(string) == self.max_window:
            return []
        return [(low, self.cut(width)) for low, width in self.shares(string, interval)]

    def shares(self, string: bytes, interval: Interval) -> list[Interval]:
        low, width = interval
        sums = accumulate(self.row(self.context + string)[:256], initial=0)
        return [
            (low + a, b - a) for a, b in pairwise(width * below >> self.precision for below in sums)
        ]

    def cut(self, width: int) -> int:
        """Its 62 - F leading bits, so that a product with a frequency has 62 bits at most."""
        return width >> self.excess(width) << self.excess(width)

    def excess(self, width: int) -> int:
        return max(width.bit_length() - (62 - self.precision), 0)

    def grain(self, width: int) -> int:
        """Where the children of so wide an interval begin and end: multiples of this."""
        return 1 << max(self.excess(width) - self.precision, 0)

    def holds(self, interval: Interval, code: int) -> bool:
        low, width = interval
        return low <= code * self.cell and (code + 1) * self.cell <= low + width

    def first_cell(self, interval: Interval) -> int:
        return -(-interval[0] // self.cell)

    def middle_cell(self, low: int, width: int, grain: int) -> int:
        return (low + width // grain // 2 * grain) // self.cell
