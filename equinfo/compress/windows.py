"""Equal-info windows that decode: every window is exactly b bits, ended by the free-cell rule.

Every string that can stand at a window's start owns an interval; the 2**b codes are equal cells of [0, 1). A cell
stands for the *deepest* string whose interval wholly contains it, so each code has one meaning; a string is written
as its first cell that lies in no child of it (its first *free* cell). The encoder takes the longest prefix of the
text that contains a whole cell and, if that has no free cell, the longest one before it that has. Coder and byte
model both restart at each window (§3.3). Why this decodes, and what the paper's rule misses: docs/windows.md.

What makes it total, for every model and every b from 8 to 128:
- the root's boundaries are cell boundaries and each byte owns at least one cell there (`Root`), so every code begins
  with some byte;
- the last cell of each single byte is kept from its children, so every byte can end a window;
- windows have at most `max_window` bytes; there, a string has no children, for encoder and decoder alike.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from equinfo.compress.bits import get_bits, put_bits
from equinfo.compress.collect import Collector
from equinfo.compress.intervals import (
    INTERVAL,
    LIMB,
    LIMB_MASK,
    PRODUCT,
    add_shifted,
    cell_number,
    enter_child,
    free_cell,
    narrow,
)
from equinfo.compress.jit import kernel
from equinfo.compress.models import ByteModel
from equinfo.errors import EquinfoError

MIN_BITS, MAX_BITS = 8, 128
BLOCK_BITS = 32  # the root is dealt out in 2**min(b, 32) blocks of cells

ENCODER = np.dtype(
    [
        ("doc", np.int64),
        ("at", np.int64),  # where the window begins in `data`
        ("depth", np.int64),  # bytes of it so far; 0: the lane wants a window, or a document
        ("free_depth", np.int64),  # the longest prefix with a free cell, which is free_code
        ("free_code", np.int64, (3,)),
        ("interval", INTERVAL),
    ]
)
DECODER = np.dtype(
    [("doc", np.int64), ("at", np.int64), ("depth", np.int64), ("rest", np.int64, (3,)), ("interval", INTERVAL)]
)


def num_limbs(bits: int) -> int:
    """int64 limbs of 60 bits in a code of `bits` bits."""
    return -(-bits // LIMB)


def to_limbs(value: int) -> list[int]:
    return [(value >> (LIMB * limb)) & LIMB_MASK for limb in range(3)]


@dataclass(frozen=True)
class Root:
    """The single bytes' intervals and reserved codes.

    first: int64[256], each byte's first block, of 2**min(b, 32). intervals: INTERVAL[256]. codes: int64[256, 3].
    """

    block_shift: int  # a block is 2**block_shift cells
    first: np.ndarray
    intervals: np.ndarray
    codes: np.ndarray


def deal_root(freqs: np.ndarray, bits: int, precision: int) -> Root:
    """Deal the 2**bits cells out to the 256 bytes: one block each, the rest by frequency. Python integers.

    freqs: u32[257], the model's row at a window's start. Floor of the cumulative share, so it is exact and ordered.
    """
    blocks = 1 << min(bits, BLOCK_BITS)
    block_shift = bits - min(bits, BLOCK_BITS)
    cumulative = [0]
    for freq in freqs[:256]:
        cumulative.append(cumulative[-1] + int(freq))
    edges = [k + c * (blocks - 256) // cumulative[-1] for k, c in enumerate(cumulative)]
    intervals, codes = np.zeros(256, dtype=INTERVAL), np.zeros((256, 3), dtype=np.int64)
    for byte, (first, last) in enumerate(pairwise(edges)):
        cells = (last - first) << block_shift
        width = (cells - 1) << precision  # the last cell is the byte's own
        cut = max(width.bit_length() - (PRODUCT - precision), 0)
        intervals[byte] = (width >> cut, cut, to_limbs(first << (block_shift + precision)))
        codes[byte] = to_limbs((last << block_shift) - 1)
    return Root(block_shift, np.array(edges[:-1], dtype=np.int64), intervals, codes)


class WindowCoder:
    """Equal-info windows of `bits` bits over a byte model.

    Raises EquinfoError for bits outside 8 .. 128, or max_window outside 1 .. the model's max_context.
    """

    def __init__(self, model: ByteModel, bits: int, max_window: int | None = None) -> None:
        if not MIN_BITS <= bits <= MAX_BITS:
            raise EquinfoError(f"windows of {bits} bits: b must be {MIN_BITS} to {MAX_BITS}")
        self.model, self.bits = model, bits
        self.max_window = min(4 * bits, model.max_context) if max_window is None else max_window
        if not 1 <= self.max_window <= model.max_context:
            raise EquinfoError(f"max_window {self.max_window}: must be 1 to the model's context, {model.max_context}")
        self.limbs = num_limbs(bits)
        self.root = deal_root(model.frequencies(model.start(1))[0], bits, model.precision)

    def encode(self, documents: list[bytes]) -> list[np.ndarray]:
        """The codes of each document: int64[windows, limbs], 60 bits a limb, little end first."""
        ends = np.cumsum([len(d) for d in documents], dtype=np.int64)
        data = np.frombuffer(b"".join(documents), dtype=np.uint8)
        codes, counts = np.empty((len(data), self.limbs), dtype=np.int64), np.zeros(len(documents), dtype=np.int64)
        lanes = np.zeros(min(self.model.lanes, len(documents)), dtype=ENCODER)
        queue = np.zeros(1, dtype=np.int64)
        lanes["doc"] = -1

        def step(rows, symbols, restart):
            return _encode_step(
                lanes, rows, symbols, restart, queue, data, ends, self.root.intervals, self.root.codes,
                codes, counts, self.max_window, self.model.precision,
            )  # fmt: skip

        self._drive(len(lanes), step)
        begins = ends - [len(d) for d in documents]
        return [codes[begin : begin + count].copy() for begin, count in zip(begins, counts, strict=True)]

    def decode(self, streams: list[np.ndarray]) -> list[bytes]:
        """The bytes of each stream of codes (as `encode` gives them). Total: every code means some bytes."""
        ends = np.cumsum([len(s) for s in streams], dtype=np.int64)
        codes = np.concatenate([np.empty((0, self.limbs), dtype=np.int64), *streams])
        lanes = np.zeros(min(self.model.lanes, len(streams)), dtype=DECODER)
        queue = np.zeros(1, dtype=np.int64)
        lanes["doc"] = -1
        collector = Collector(len(lanes), len(streams))

        def step(rows, symbols, restart):
            active = _decode_step(
                lanes, rows, symbols, restart, queue, codes, ends, self.root.first, self.root.block_shift,
                self.root.intervals, self.max_window, self.model.precision,
            )  # fmt: skip
            collector.add(symbols, lanes["doc"])
            return active

        self._drive(len(lanes), step)
        return collector.documents()

    def _drive(self, lanes: int, step) -> None:
        """Alternate model and windows until no lane has anything left."""
        if lanes == 0:
            return
        state = self.model.start(lanes)
        symbols, restart = np.empty(lanes, dtype=np.int64), np.empty(lanes, dtype=np.bool_)
        while step(self.model.frequencies(state), symbols, restart):
            self.model.advance(state, symbols, restart)


@kernel
def _next_document(lane, queue, ends):
    """Give the lane the next document that is not empty; False if there is none."""
    while queue[0] < len(ends):
        lane.doc = queue[0]
        lane.at = ends[lane.doc - 1] if lane.doc > 0 else 0
        queue[0] += 1
        if lane.at < ends[lane.doc]:
            return True
    lane.doc = -1
    return False


@kernel
def _encode_step(
    lanes, rows, symbols, restart, queue, data, ends, root_intervals, root_codes, codes, counts, max_window, precision
):
    """One byte in every lane: deeper into its window, or into the next one. Returns whether any lane had one."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, False
        if lane.doc >= 0 and lane.depth > 0:
            _note_free_cell(lane, rows[i], max_window, precision)
            at = lane.at + lane.depth
            if lane.depth < max_window and at < ends[lane.doc] and narrow(lane.interval, rows[i], data[at], precision):
                lane.depth += 1
                symbols[i] = data[at]
                active = True
                continue
            begin = ends[lane.doc - 1] if lane.doc > 0 else 0
            for limb in range(codes.shape[1]):
                codes[begin + counts[lane.doc], limb] = lane.free_code[limb]
            counts[lane.doc] += 1
            lane.at += lane.free_depth
        restart[i] = True
        lane.depth = 0
        if (lane.doc >= 0 and lane.at < ends[lane.doc]) or _next_document(lane, queue, ends):
            byte = data[lane.at]
            lane.interval = root_intervals[byte]
            lane.depth, lane.free_depth = 1, 1
            lane.free_code[:] = root_codes[byte]
            symbols[i] = byte
            active = True
    return active


@kernel
def _note_free_cell(lane, row, max_window, precision):
    children = 256 if lane.depth < max_window else 0
    offset, shift = free_cell(lane.interval, row, children, precision)
    if offset >= 0:
        cell_number(lane.interval.low, offset, shift, precision, lane.free_code)
        lane.free_depth = lane.depth


@kernel
def _decode_step(
    lanes, rows, symbols, restart, queue, codes, ends, root_first, block_shift, root_intervals, max_window, precision
):
    """One byte out of every lane: the mirror of `_encode_step`."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, False
        if lane.doc >= 0 and lane.depth > 0:
            if lane.depth < max_window:
                symbols[i] = enter_child(lane.interval, lane.rest, rows[i], 256, precision)
            if symbols[i] >= 0:
                lane.depth += 1
                active = True
                continue
            lane.at += 1
        restart[i] = True
        lane.depth = 0
        if (lane.doc >= 0 and lane.at < ends[lane.doc]) or _next_document(lane, queue, ends):
            symbols[i] = _enter_root(lane, codes[lane.at], root_first, block_shift, root_intervals, precision)
            lane.depth = 1
            active = True
    return active


@kernel
def _enter_root(lane, code, root_first, block_shift, root_intervals, precision):
    """Find the byte whose cells hold `code`; set the lane's interval and the rest inside it."""
    block = code[block_shift // LIMB] >> (block_shift % LIMB)
    if block_shift // LIMB + 1 < len(code):
        block |= code[block_shift // LIMB + 1] << (LIMB - block_shift % LIMB)
    byte = np.searchsorted(root_first, block, side="right") - 1
    lane.interval = root_intervals[byte]
    lane.rest[:] = 0
    for limb in range(len(code)):
        add_shifted(lane.rest, code[limb], LIMB * limb + precision)
    for limb in range(3):
        lane.rest[limb] -= lane.interval.low[limb]
    for limb in range(2):
        if lane.rest[limb] < 0:
            lane.rest[limb] += 1 << LIMB
            lane.rest[limb + 1] -= 1
    return byte


@kernel
def codes_to_bits(codes, bits):
    """Codes (int64[windows, limbs]) as a bitstream, `bits` bits each, big-endian: uint8[ceil(windows * bits / 8)]."""
    data = np.zeros((len(codes) * bits + 7) // 8, dtype=np.uint8)
    for i in range(len(codes)):
        for limb in range(codes.shape[1]):
            below = min(bits, LIMB * (limb + 1))
            put_bits(data, (i + 1) * bits - below, codes[i, limb], below - LIMB * limb)
    return data


@kernel
def codes_from_bits(data, count, bits):
    """The inverse of `codes_to_bits` for `count` windows."""
    codes = np.empty((count, (bits + LIMB - 1) // LIMB), dtype=np.int64)
    for i in range(count):
        for limb in range(codes.shape[1]):
            below = min(bits, LIMB * (limb + 1))
            codes[i, limb] = get_bits(data, (i + 1) * bits - below, below - LIMB * limb)
    return codes
