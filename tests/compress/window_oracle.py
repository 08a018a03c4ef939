"""The window rule in Python integers, written from docs/windows.md and not from the kernels.

Positions are integers in units of 2**-F of a cell; a node is (low, width); the edge after cumulative frequency c is
width * c >> F; a child's width keeps its 62 - F leading bits.
"""

from itertools import pairwise


class Oracle:
    """Windows of `bits` bits; row(prefix) gives the 257 frequencies after `prefix`."""

    def __init__(self, row, bits, precision, max_window):
        self.row, self.bits, self.precision, self.max_window = row, bits, precision, max_window
        self.cell = 1 << precision
        self.fallbacks = 0  # windows that `encode` ended before the longest prefix that holds a cell
        blocks, size = 1 << min(bits, 32), 1 << (bits - min(bits, 32))
        freqs = [int(f) for f in row(b"")[:256]]
        edges = [k + sum(freqs[:k]) * (blocks - 256) // sum(freqs) for k in range(257)]
        self.edges = [edge * size for edge in edges]

    def cut(self, width):
        excess = max(width.bit_length() - (62 - self.precision), 0)
        return width >> excess << excess

    def root(self, byte):
        first, last = self.edges[byte], self.edges[byte + 1]
        return first * self.cell, self.cut((last - first - 1) * self.cell)

    def children(self, prefix, node):
        if len(prefix) == self.max_window:
            return []
        low, width = node
        edges, total = [0], 0
        for freq in self.row(prefix)[:256]:
            total += int(freq)
            edges.append(width * total >> self.precision)
        return [(low + a, self.cut(b - a)) for a, b in pairwise(edges)]

    def holds(self, node, cell):
        return node[0] <= cell * self.cell and (cell + 1) * self.cell <= node[0] + node[1]

    def first_cell(self, node):
        return -(-node[0] // self.cell)

    def code_of(self, prefix, node, children):
        """The first free cell, or the reserved one, or None. It is the node's first, or one just after a child's."""
        candidates = [self.first_cell(node)]
        for low, width in children:
            candidates += [(low + width) // self.cell, -(-(low + width) // self.cell)]
        for cell in sorted(set(candidates)):
            if self.holds(node, cell) and not any(self.holds(child, cell) for child in children):
                return cell
        return self.edges[prefix[0] + 1] - 1 if len(prefix) == 1 else None

    def encode(self, text):
        codes, at = [], 0
        while at < len(text):
            depth, node, best = 1, self.root(text[at]), None
            while True:
                prefix = text[at : at + depth]
                children = self.children(prefix, node)
                code = self.code_of(prefix, node, children)
                if code is not None:
                    best = depth, code
                if not children or at + depth == len(text):
                    break
                child = children[text[at + depth]]
                if not self.holds(child, self.first_cell(child)):
                    break
                depth, node = depth + 1, child
            self.fallbacks += best[0] < depth
            at += best[0]
            codes.append(best[1])
        return codes

    def decode(self, codes):
        text = b""
        for code in codes:
            byte = next(k for k in range(256) if code < self.edges[k + 1])
            prefix, node = bytes([byte]), self.root(byte)
            while True:
                children = self.children(prefix, node)
                inside = [k for k, child in enumerate(children) if self.holds(child, code)]
                if not inside:
                    break
                prefix, node = prefix + bytes(inside), children[inside[0]]
            text += prefix
        return text
