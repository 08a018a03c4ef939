"""The window rules in Python integers, written from docs/windows.md and not from the kernels.

Positions are integers in units of 2**-F of a cell; a node is (low, width); the edge after
cumulative frequency c is width * c >> F; a child's width keeps its 62 - F leading bits.
"""

import functools
from itertools import pairwise


class Oracle:
    """Windows of `bits` bits; row(context) gives the 257 frequencies after all bytes since the
    context's start.
    """

    def __init__(self, row, bits, precision, max_window, rule="free", reset=1):
        self.dropped = 2 if rule == "unflushed" else 0  # bits of a code that are not written
        self.row, self.bits, self.precision, self.max_window = (
            row,
            bits + self.dropped,
            precision,
            max_window,
        )
        self.rule, self.reset = rule, reset
        self.cell = 1 << precision
        self.fallbacks = (
            0  # windows that `encode` ended before the longest prefix that holds a cell
        )
        self.context, self.window = b"", 0

    def edges(self):
        return self._edges(self.context)

    @functools.cache  # noqa: B019 - an oracle lives as long as its test
    def _edges(self, context):
        blocks, size = 1 << min(self.bits, 32), 1 << (self.bits - min(self.bits, 32))
        freqs = [int(f) for f in self.row(context)[:256]]
        edges = [k + sum(freqs[:k]) * (blocks - 256) // sum(freqs) for k in range(257)]
        return [edge * size for edge in edges]

    def excess(self, width):
        return max(width.bit_length() - (62 - self.precision), 0)

    def cut(self, width):
        return width >> self.excess(width) << self.excess(width)

    def grain(self, width):
        return 1 << max(self.excess(width) - self.precision, 0)

    def root(self, byte):
        first, last = self.edges()[byte], self.edges()[byte + 1]
        spared = self.rule in ("free", "delay")
        return self.given_away((first * self.cell, self.cut((last - first - spared) * self.cell)))

    def given_away(self, node):
        """What is left of a node's interval for its children."""
        if self.rule != "reserve":
            return node
        low, width = node
        after = self.first_cell(node) * self.cell + max(self.cell, self.grain(width))
        return after, self.cut(low + width - after)

    def raw_children(self, prefix, node):
        low, width = node
        edges, total = [0], 0
        for freq in self.row(self.context + prefix)[:256]:
            total += int(freq)
            edges.append(width * total >> self.precision)
        return [(low + a, b - a) for a, b in pairwise(edges)]

    def children(self, prefix, node):
        if len(prefix) == self.max_window:
            return []
        return [(low, self.cut(width)) for low, width in self.raw_children(prefix, node)]

    def holds(self, node, cell):
        return node[0] <= cell * self.cell and (cell + 1) * self.cell <= node[0] + node[1]

    def first_cell(self, node):
        return -(-node[0] // self.cell)

    def is_string(self, node):
        return self.holds(node, self.first_cell(node))

    def free_code(self, prefix, node, children):
        """The first free cell, or the reserved one, or None. It is the node's first, or one just
        after a child's.
        """
        candidates = [self.first_cell(node)]
        for low, width in children:
            candidates += [(low + width) // self.cell, -(-(low + width) // self.cell)]
        for cell in sorted(set(candidates)):
            if self.holds(node, cell) and not any(self.holds(child, cell) for child in children):
                return cell
        return self.edges()[prefix[0] + 1] - 1 if len(prefix) == 1 else None

    def shortest_code(self, node):
        """The first cell of the largest aligned block of cells inside."""
        first, stop = self.first_cell(node), (node[0] + node[1]) // self.cell
        for k in range(self.bits, -1, -1):
            start = -(-first >> k) << k
            if start + (1 << k) <= stop:
                return start
        raise AssertionError("no cell inside")

    def delayed(self, text, path, node):
        """(depth, code) where the next byte of text does not fit below `node`, the last of
        `path`.
        """
        low, width = self.raw_children(text[: len(path)], node)[text[len(path)]]
        cell = self.middle_cell(low, width, self.grain(node[1]))
        return max(
            [depth for depth in range(2, len(path) + 1) if self.holds(path[depth - 1], cell)],
            default=1,
        ), cell

    def middle_cell(self, low, width, grain):
        """The cell in which the middle of an interval lies; half its width is whole grains."""
        return (low + width // grain // 2 * grain) // self.cell

    def end_window(self, text):
        """(depth, code) of the window that `text` begins with."""
        node = self.root(text[0])
        path, best, reserved = [node], None, self.edges()[text[0]]
        while True:
            prefix = text[: len(path)]
            children = self.children(prefix, node)
            if self.rule == "reserve":
                best = len(path), reserved
            elif self.rule == "paper":
                best = len(path), self.shortest_code(node)
            elif self.rule == "unflushed":
                best = len(path), self.middle_cell(*node, 1 << self.excess(node[1]))
            else:
                code = self.free_code(prefix, node, children)
                best = best if code is None else (len(path), code)
            if not children or len(prefix) == len(text):
                break
            child = children[text[len(path)]]
            if not self.is_string(child):
                if self.rule == "delay":
                    best = self.delayed(text, path, node)
                elif self.rule == "unflushed":
                    low, width = self.raw_children(prefix, node)[text[len(path)]]
                    best = len(path), self.middle_cell(low, width, self.grain(node[1]))
                break
            reserved, node = self.first_cell(child), self.given_away(child)
            path.append(node)
        self.fallbacks += best[0] < len(path)
        return best

    def restart(self):
        self.context, self.window = b"", 0

    def next_window(self, text):
        self.window += 1
        self.context = b"" if self.reset and self.window % self.reset == 0 else self.context + text

    def encode(self, text):
        return [code for code, _ in self.windows(text)]

    def windows(self, text):
        """(code, bytes) of each window."""
        found, at = [], 0
        self.restart()
        while at < len(text):
            depth, code = (
                self.longest_match(text[at:]) if self.rule == "rank" else self.end_window(text[at:])
            )
            self.next_window(text[at : at + depth])
            at += depth
            found.append((code >> self.dropped, depth))
        return found

    def decode(self, codes):
        assert self.rule not in ("paper", "unflushed") or self.reset == 1, (
            "the model would see other bytes"
        )
        text = b""
        self.restart()
        for code in codes:
            code = code << self.dropped | self.dropped  # two bits that are not written count as 10
            read = self.strings()[code] if self.rule == "rank" else self.read_window(code)
            self.next_window(read)
            text += read
        return text

    def read_window(self, code):
        byte = next(k for k in range(256) if code < self.edges()[k + 1])
        prefix, node, match = bytes([byte]), self.root(byte), None
        while True:
            if self.rule == "paper" and self.shortest_code(node) == code:
                match = prefix
            inside = [
                k for k, child in enumerate(self.children(prefix, node)) if self.holds(child, code)
            ]
            if not inside:
                return match or prefix
            node = self.given_away(self.children(prefix, node)[inside[0]])
            prefix += bytes(inside)

    @functools.cache  # noqa: B019
    def strings(self):
        """All strings that hold a cell, in a dictionary's order (rule "rank")."""
        found, level = [], [(bytes([byte]), self.root(byte)) for byte in range(256)]
        while level:
            found += [prefix for prefix, _ in level]
            level = [
                (prefix + bytes([byte]), child)
                for prefix, node in level
                for byte, child in enumerate(self.children(prefix, node))
                if self.is_string(child)
            ]
        return sorted(found)

    def longest_match(self, text):
        known = set(self.strings())
        depth = max(d for d in range(1, min(len(text), self.max_window) + 1) if text[:d] in known)
        return depth, self.strings().index(text[:depth])
