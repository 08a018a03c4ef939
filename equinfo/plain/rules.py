"""The other rules for windows: which cell is written, and what it means to a reader.

Delay, Reserve and Rank give back every text; Paper and Unflushed, the paper's, do not.

>>> def row(prefix):  # a model: 257 frequencies, here of texts of little but "a" and "b"
...     return [{97: 32_768, 98: 32_513}.get(symbol, 1) for symbol in range(257)]
>>> text = b"abbaabababbbabaabbac"
>>> for name, rule in RULES.items():
...     if name != "rank":  # its table of all strings takes a minute
...         windows = rule(row, bits=16)
...         sizes = [size for _, size in windows.windows(text)]
...         print(name, sizes, windows.decode(windows.encode(text)) == text)
free [14, 5, 1] True
delay [13, 6, 1] True
reserve [14, 5, 1] True
paper [15, 4, 1] False
unflushed [17, 2, 1] False
"""

from functools import cached_property

from equinfo.plain.windows import Interval, Row, Windows


class Delay(Windows):
    """The cell into which the text itself goes on, for the longest string that holds it."""

    def window(self, text: bytes) -> tuple[int, int]:
        intervals = self.path(text)
        size = len(intervals)
        if size == min(len(text), self.max_window):
            return super().window(text)
        low, width = self.shares(text[:size], intervals[-1])[text[size]]
        code = self.middle_cell(low, width, self.grain(intervals[-1][1]))
        while size > 1 and not self.holds(intervals[size - 1], code):
            size -= 1
        return size, code


class Reserve(Windows):
    """Every string keeps its first cell from its children and is written as that."""

    spare = 0

    def window(self, text: bytes) -> tuple[int, int]:
        intervals = self.path(text)
        return len(intervals), self.first_cell(intervals[-1])

    def children(self, string: bytes, interval: Interval) -> list[Interval]:
        low, width = interval
        after = self.first_cell(interval) * self.cell + max(self.cell, self.grain(width))
        return super().children(string, (after, self.cut(low + width - after)))


class Rank(Windows):
    """The string's number among all that hold a cell, in a dictionary's order."""

    spare = 0

    @cached_property
    def numbers(self) -> dict[bytes, int]:
        strings: list[bytes] = []
        level = [(bytes([byte]), self.root(byte)) for byte in range(256)]
        while level:
            strings += [string for string, _ in level]
            level = [
                (string + bytes([byte]), child)
                for string, interval in level
                for byte, child in enumerate(self.children(string, interval))
                if self.holds(child, self.first_cell(child))
            ]
        return {string: number for number, string in enumerate(sorted(strings))}

    def window(self, text: bytes) -> tuple[int, int]:
        size = max(n for n in range(1, self.max_window + 1) if text[:n] in self.numbers)
        return len(text[:size]), self.numbers[text[:size]]

    def read(self, code: int) -> bytes:
        return list(self.numbers)[code]


class Paper(Windows):
    """The shortest bitstring inside the interval, filled up with zeros (the paper's section 3.3 as
    we read it). A reader takes the longest string with that code, often longer than what was meant.
    """

    spare = 0
    lossless = False

    def window(self, text: bytes) -> tuple[int, int]:
        intervals = self.path(text)
        return len(intervals), self.shortest_code(intervals[-1])

    def read(self, code: int) -> bytes:
        strings = list(self.strings_with(code))
        same = [string for string, interval in strings if self.shortest_code(interval) == code]
        return [strings[-1][0], *same][-1]

    def shortest_code(self, interval: Interval) -> int:
        """The first cell of the largest aligned block of cells inside."""
        first, stop = self.first_cell(interval), sum(interval) // self.cell
        size = 1 << self.bits
        while -(-first // size) * size + size > stop:
            size //= 2
        return -(-first // size) * size


class Unflushed(Windows):
    """The first b bits of the text's own code: windows of b + 2 bits of which two are not written.

    A reader puts 10 for them.
    """

    spare = 0
    lossless = False

    def __init__(self, row: Row, bits: int, max_window: int = 64, reset: int = 1) -> None:
        super().__init__(row, bits + 2, max_window, reset)

    def window(self, text: bytes) -> tuple[int, int]:
        intervals = self.path(text)
        size = len(intervals)
        low, width = intervals[-1]
        grain = 1 << self.excess(width)
        if size < min(len(text), self.max_window):  # into the interval of the byte that did not fit
            grain = self.grain(width)
            low, width = self.shares(text[:size], intervals[-1])[text[size]]
        return size, self.middle_cell(low, width, grain) >> 2

    def read(self, code: int) -> bytes:
        return super().read(code << 2 | 2)


RULES = {
    "free": Windows,
    "delay": Delay,
    "reserve": Reserve,
    "rank": Rank,
    "paper": Paper,
    "unflushed": Unflushed,
}
