"""Windows by rank: the strings that hold a cell, numbered. A window is the longest of them, its code the number.

The strings are those of one window start, so the model restarts at each window; after they have been enumerated,
neither encoding nor decoding runs it. They are numbered as in a dictionary, a string just before its extensions.
"""

import numpy as np

from equinfo.compress.intervals import INTERVAL, narrow_to
from equinfo.compress.jit import kernel
from equinfo.compress.models import ByteModel
from equinfo.compress.windows import WindowCoder, check_window, num_limbs
from equinfo.errors import EquinfoError

MAX_STRINGS = 1 << 18  # what is enumerated at most, whatever b
BATCH = 4096


class RankedCoder:
    """Windows of `bits` bits by rank. Raises EquinfoError where there are more strings than codes, or MAX_STRINGS."""

    def __init__(self, model: ByteModel, bits: int, max_window: int | None = None) -> None:
        self.model, self.bits = model, bits
        self.max_window = check_window(model, bits, max_window)
        self.limbs = num_limbs(bits)
        found = _enumerate(WindowCoder(model, bits, self.max_window, "paper"))
        order = sorted(range(len(found)), key=found.__getitem__)
        self.strings = [found[node] for node in order]
        self.ranks = np.empty(len(found), dtype=np.int64)
        self.ranks[order] = np.arange(len(found))
        node_of = {string: node for node, string in enumerate(found)}
        # (parent + 1) * 256 + byte for each string; found level by level in order, so it ascends
        self.edges = np.array([(node_of.get(s[:-1], -1) + 1) * 256 + s[-1] for s in found], dtype=np.int64)
        self.longest = max(map(len, found))

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], as WindowCoder's."""
        return [self._encode(document, last=True)[0] for document in documents]

    def _encode(self, data: bytes, last: bool) -> tuple[np.ndarray, int]:
        """(codes, bytes used); without `last`, of the windows that no further byte can make longer."""
        array = np.frombuffer(data, dtype=np.uint8)
        ranks, used = _longest_matches(array, self.edges, self.ranks, len(array) if last else len(array) - self.longest)
        codes = np.zeros((len(ranks), self.limbs), dtype=np.int64)
        codes[:, 0] = ranks
        return codes, used

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream. Raises EquinfoError for a code beyond the last string."""
        return [self._decode(stream) for stream in streams]

    def _decode(self, codes: np.ndarray) -> bytes:
        beyond = (codes[:, 0] >= len(self.strings)) | (codes[:, 1:] != 0).any(axis=1)
        if beyond.any():
            raise EquinfoError(
                f"window {int(beyond.argmax())} has a code beyond the last of the {len(self.strings)} strings: "
                "the stream was altered or made by another tokenizer"
            )
        return b"".join([self.strings[rank] for rank in codes[:, 0]])

    def encoder(self) -> "RankedEncoder":
        return RankedEncoder(self)

    def decoder(self) -> "RankedDecoder":
        return RankedDecoder(self)


class RankedEncoder:
    """One document in pieces; holds less than a window of it."""

    def __init__(self, coder: RankedCoder) -> None:
        self.coder, self.held = coder, bytearray()

    def feed(self, data: bytes, last: bool = False) -> np.ndarray:
        """The codes of the windows that `data` closes: int64[n, limbs]. After `last`, of all that are left."""
        self.held += data
        codes, used = self.coder._encode(bytes(self.held), last)
        del self.held[:used]
        return codes


class RankedDecoder:
    """One document's codes in pieces."""

    def __init__(self, coder: RankedCoder) -> None:
        self.coder = coder

    def feed(self, codes: np.ndarray) -> bytes:
        return self.coder.decode([codes])[0]


def _enumerate(windows: WindowCoder) -> list[bytes]:
    """All strings whose intervals hold a cell, level by level, each level in order."""
    found = [bytes([byte]) for byte in range(256)]
    level = list(found)
    intervals = np.zeros(256, dtype=INTERVAL)
    windows.root_intervals(intervals)
    limit = min(1 << windows.bits, MAX_STRINGS)
    for _ in range(windows.max_window - 1):
        inner, first = [], len(found)
        for at in range(0, len(level), BATCH):
            strings = level[at : at + BATCH]
            rows = np.ascontiguousarray(_rows_after(windows.model, strings))
            parents, symbols, children = _children(intervals[at : at + BATCH], rows, windows.model.precision)
            found += [strings[parent] + bytes([byte]) for parent, byte in zip(parents, symbols, strict=True)]
            inner.append(children)
            if len(found) > limit:
                raise EquinfoError(
                    f'rule "rank" at b={windows.bits}: more than {limit} strings hold a cell; choose another rule, a '
                    "smaller b or max_window"
                )
        level, intervals = found[first:], np.concatenate(inner)
        if not level:
            break
    return found


def _rows_after(model: ByteModel, strings: list[bytes]) -> np.ndarray:
    """The model's rows after strings of one length: u32[n, 257]."""
    if model.row is not None:
        return np.broadcast_to(model.row, (len(strings), len(model.row)))
    rows = []
    for at in range(0, len(strings), model.lanes):
        batch = np.array([list(s) for s in strings[at : at + model.lanes]], dtype=np.int64)
        state, restart = model.start(len(batch)), np.zeros(len(batch), dtype=np.bool_)
        for symbols in batch.T:
            model.frequencies(state)
            model.advance(state, np.ascontiguousarray(symbols), restart)
        rows.append(model.frequencies(state).copy())
    return np.concatenate(rows)


@kernel
def _children(intervals, rows, precision):
    """The children that hold a cell, of each interval in turn: (parent's place, byte, interval)."""
    space = 256 + 4 * len(intervals)
    parents, symbols = np.empty(space, dtype=np.int64), np.empty(space, dtype=np.int64)
    children, size = np.zeros(space, dtype=INTERVAL), 0
    for i in range(len(intervals)):
        if size + 256 > space:
            space *= 2
            parents, symbols, children = _larger(parents, space), _larger(symbols, space), _larger(children, space)
        start = np.int64(0)
        for byte in range(256):
            freq = np.int64(rows[i, byte])
            children[size] = intervals[i]
            if narrow_to(children[size], start, freq, precision):
                parents[size], symbols[size] = i, byte
                size += 1
            start += freq
    return parents[:size].copy(), symbols[:size].copy(), children[:size].copy()


@kernel
def _larger(array, size):
    larger = np.zeros(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@kernel
def _longest_matches(data, edges, ranks, stop):
    """(ranks of the windows that begin before `stop`, where the next one begins)."""
    out, size, at = np.empty(len(data), dtype=np.int64), 0, 0
    while at < stop:
        node, depth = -1, 0
        while at + depth < len(data):
            edge = (node + 1) * 256 + np.int64(data[at + depth])
            place = int(np.searchsorted(edges, edge))
            if place == len(edges) or edges[place] != edge:
                break
            node = place
            depth += 1
        out[size] = ranks[node]
        size += 1
        at += depth
    return out[:size].copy(), at
