"""Windows byte by byte: a step of every lane, encoding or decoding, by any rule but "rank".

A lane stands in a window of a document. A step takes it a byte deeper into the window or into the
next one, as far as the frequencies at hand tell, and says which byte the model is to be fed.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import inline, kernel
from equinfo.compress.windows.intervals import (
    BLOCK_BITS,
    INTERVAL,
    LIMB,
    add_shifted,
    before,
    cell_number,
    cell_start,
    deal_byte,
    enter_child,
    free_cell,
    holds_cell,
    middle_cell,
    narrow,
    pass_first_cell,
    shortest_code,
    subtract_shifted,
    take_first_cell,
)

RULES = ("free", "delay", "reserve", "rank", "paper", "unflushed")
FREE, DELAY, RESERVE, RANK, PAPER, UNFLUSHED = range(6)
LOSSY = ("paper", "unflushed")  # for reproductions: not all that they encode comes back
LOOKING_ON = ("delay", "unflushed")  # a window's code depends on the byte after it


@inline
def spares(rule):
    """Whether a byte at a window's start keeps its last cell from its children."""
    return rule in (FREE, DELAY)


ENCODER = np.dtype(
    [
        ("doc", np.int64),
        ("at", np.int64),  # where the window begins in `data`
        ("window", np.int64),  # its number in the document
        ("depth", np.int64),  # bytes of it so far; 0: the lane wants a window, or a document
        ("known", np.int64),  # bytes from its beginning that the model has been fed, depth or more
        ("code_depth", np.int64),  # the longest prefix that has a code, which is `code`
        ("code", np.int64, (3,)),
        ("interval", INTERVAL),
    ]
)
DECODER = np.dtype(
    [
        ("doc", np.int64),
        ("at", np.int64),  # the window's place in `codes`
        ("window", np.int64),
        ("depth", np.int64),
        ("ended", np.bool_),  # "reserve": the code is that of the string so far
        ("match", np.int64),  # "paper": the longest prefix so far with this very code
        ("rest", np.int64, (3,)),
        ("interval", INTERVAL),
    ]
)


class Setup(NamedTuple):
    """What the kernels need to know of a WindowCoder."""

    rule: int
    reset: int
    max_window: int
    bits: int  # of the cells that decide what fits a window
    precision: int


class Encoding(NamedTuple):
    """What the steps of an encoding read and write; documents stand one after another."""

    lanes: np.ndarray  # ENCODER[lanes]
    fed: np.ndarray  # int64[lanes]: what the model is fed after the step, -1: nothing
    restart: np.ndarray  # bool[lanes]: whether its context begins anew before
    queue: np.ndarray  # int64[1]: the next document that no lane has had
    data: np.ndarray  # uint8[bytes]
    ends: np.ndarray  # int64[documents]
    open_end: bool  # the last document goes on after `data`
    codes: np.ndarray  # int64[bytes, limbs]: a document's windows stand where its bytes do
    lengths: np.ndarray  # int64[bytes]: of the windows, in bytes
    counts: np.ndarray  # int64[documents]: of its windows so far
    start_row: np.ndarray  # u32[257], after nothing
    # u32[lanes, max_window + 1, 257]: the rows after the bytes `known`; [lanes, 0, 257]: none kept
    kept: np.ndarray
    path: np.ndarray  # INTERVAL[lanes, max_window + 1], rule "delay": of the window's prefixes
    static: bool  # the row never changes: one step does it all
    setup: Setup


@kernel
def _next_document(lane, queue, ends):
    """Give the lane the next document that is not empty; False if there is none."""
    while queue[0] < len(ends):
        lane.doc = queue[0]
        lane.at = ends[lane.doc - 1] if lane.doc > 0 else 0
        lane.window = 0
        queue[0] += 1
        if lane.at < ends[lane.doc]:
            return True
    lane.doc = -1
    return False


@kernel
def encode_step(rows, e):
    """Feed the model a byte in every lane, deeper into its window or the next; False: none had any.

    A window may end before the bytes that the model has seen (`known`). Where the context runs on,
    the rows after these bytes are kept, and the next window walks them again without the model.
    """
    lanes, fed, restart, ends, kept, setup = e.lanes, e.fed, e.restart, e.ends, e.kept, e.setup
    keeps = kept.shape[1] > 0
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i] = -1
        restart[i] = False
        if keeps and lane.doc >= 0:
            kept[i, lane.known] = rows[i]
        # windows open, grow and close until a byte turns up that the model has not seen
        while True:
            row = kept[i, lane.depth] if keeps else rows[i]
            if lane.depth > 0:
                end = ends[lane.doc]
                if e.open_end and lane.at + lane.depth == end and lane.depth < setup.max_window:
                    break
                if not _deeper(lane, e.path[i], row, e.data, end, setup):
                    _close(lane, kept[i], e)
                    continue
            else:
                if lane.doc < 0 or lane.at == ends[lane.doc]:
                    if e.open_end and lane.doc >= 0:
                        break
                    if not _next_document(lane, e.queue, ends):
                        restart[i] = True
                        break
                if _is_start(lane.window, setup.reset):
                    restart[i] = True
                    lane.known = 0
                    row = e.start_row
                _open(lane, e.path[i], row, e.data[lane.at], setup)
            if lane.depth > lane.known:
                lane.known += 1
                if e.static:
                    continue
                fed[i] = e.data[lane.at + lane.depth - 1]
                active = True
                break
    return active


@kernel
def look_ahead(e, ahead):
    """Set ahead[i] to what lane i is fed and what follows it in the document, -1 beyond its end."""
    for i in range(len(e.lanes)):
        lane = e.lanes[i]
        ahead[i, 0] = e.fed[i]
        for k in range(1, ahead.shape[1]):
            known = lane.known + k  # with this byte
            inside = known <= e.setup.max_window and lane.at + known <= e.ends[lane.doc]
            ahead[i, k] = e.data[lane.at + known - 1] if e.fed[i] >= 0 and inside else -1


@kernel
def keep_ahead(lanes, rows, taken, kept):
    """Keep the rows of the bytes that the model took: the last one known, and those after it."""
    for i in range(len(lanes)):
        for k in range(taken[i]):
            kept[i, lanes[i].known + k] = rows[i, k]
        lanes[i].known += max(taken[i] - 1, 0)


@kernel
def _is_start(window, reset):
    """Whether the model's context begins anew with this window of a document."""
    return window == 0 or (reset > 0 and window % reset == 0)


@kernel
def _edge(cumulative, total, byte, bits):
    """The first block of `byte`: one each, the rest by frequency. At most 2**52 on the way."""
    return byte + cumulative * ((np.int64(1) << min(bits, BLOCK_BITS)) - 256) // total


@kernel
def deal_all(intervals, row, setup):
    """Set intervals (INTERVAL[256]) to the single bytes' at a window's start."""
    total = before(row, 256)
    cumulative = np.int64(0)
    first = np.int64(0)
    for byte in range(256):
        cumulative += np.int64(row[byte])
        last = _edge(cumulative, total, byte + 1, setup.bits)
        _deal(intervals[byte], first, last, setup)
        first = last


@kernel
def _deal(interval, first, last, setup):
    """Deal a byte blocks first .. last - 1."""
    spare = 1 if spares(setup.rule) else 0
    deal_byte(interval, first, last, setup.bits, setup.precision, spare)


@kernel
def _open(lane, path, row, byte, setup):
    """Begin a window with `byte`, where the model expects `row`."""
    total = before(row, 256)
    start = before(row, byte)
    first = _edge(start, total, np.int64(byte), setup.bits)
    last = _edge(start + np.int64(row[byte]), total, np.int64(byte) + 1, setup.bits)
    _deal(lane.interval, first, last, setup)
    lane.depth = 1
    lane.code_depth = 1
    if spares(setup.rule):  # the spare cell, the one before the next byte's blocks
        lane.code[:] = 0
        add_shifted(lane.code, last, max(setup.bits - BLOCK_BITS, 0))
        subtract_shifted(lane.code, np.int64(1), 0)
    _entered(lane, path, setup)


@kernel
def _deeper(lane, path, row, data, end, setup):
    """Go on to the string with the next byte at its end; False if the window ends here."""
    inside = lane.depth < setup.max_window
    at = lane.at + lane.depth
    if spares(setup.rule):
        offset, shift = free_cell(lane.interval, row, 256 if inside else 0, setup.precision)
        if offset >= 0:
            cell_number(lane.interval.low, offset, shift, setup.precision, lane.code)
            lane.code_depth = lane.depth
    if not inside or at == end:
        return False
    if narrow(lane.interval, row, data[at], setup.precision):
        lane.depth += 1
        _entered(lane, path, setup)
        return True
    if setup.rule == DELAY:
        # the cell in which the middle of the string with the next byte lies: of the prefixes that
        # contain it, the deepest has the code
        middle_cell(lane.interval, row, data[at], setup.precision, lane.code)
        lane.code_depth = lane.depth
        while lane.code_depth > 1 and not holds_cell(
            path[lane.code_depth], lane.code, setup.precision
        ):
            lane.code_depth -= 1
    elif setup.rule == UNFLUSHED:
        middle_cell(lane.interval, row, data[at], setup.precision, lane.code)
    return False


@kernel
def _entered(lane, path, setup):
    if setup.rule == DELAY:
        path[lane.depth] = lane.interval
    elif setup.rule == RESERVE:
        take_first_cell(lane.interval, setup.precision, lane.code)
        lane.code_depth = lane.depth
    elif setup.rule == UNFLUSHED:  # the code if no byte follows
        cell_number(
            lane.interval.low, lane.interval.m // 2, lane.interval.e, setup.precision, lane.code
        )
        lane.code_depth = lane.depth


@kernel
def _close(lane, kept, e):
    """Write the window's code; the bytes beyond its string go into the next one."""
    if e.setup.rule == PAPER:
        shortest_code(lane.interval, e.setup.precision, lane.code)
        lane.code_depth = lane.depth
    place = (e.ends[lane.doc - 1] if lane.doc > 0 else 0) + e.counts[lane.doc]
    for limb in range(e.codes.shape[1]):
        e.codes[place, limb] = lane.code[limb]
    e.lengths[place] = lane.code_depth
    e.counts[lane.doc] += 1
    lane.window += 1
    lane.at += lane.code_depth
    if kept.shape[0] > 0:
        for depth in range(lane.code_depth, lane.known + 1):
            kept[depth - lane.code_depth] = kept[depth]
    lane.known -= lane.code_depth
    lane.depth = 0


@kernel
def decode_static(rows, lanes, fed, restart, queue, codes, ends, open_end, spans, start_row, setup):
    """All bytes of one lane, for a model whose row never changes."""
    out = np.empty(4 * len(codes) + 16, dtype=np.uint8)
    size = 0
    while decode_step(
        rows, lanes, fed, restart, queue, codes, ends, open_end, spans, start_row, setup
    ):
        if size == len(out):
            out = np.concatenate((out, np.empty_like(out)))
        out[size] = fed[0]
        size += 1
    return out[:size].copy()


@inline
def decode_step(rows, lanes, fed, restart, queue, codes, ends, open_end, spans, start_row, setup):
    """One byte out of every lane: the mirror of `encode_step`.

    lanes: DECODER[n]. codes: int64[windows, limbs], documents one after another, up to `ends`.
    spans: int64[windows, 2], rule "paper" alone: bytes read, bytes that are kept. The others are as
    in Encoding.
    """
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        fed[i] = -1
        restart[i] = False
        if lane.doc >= 0 and lane.depth > 0:
            if lane.depth < setup.max_window and not lane.ended:
                fed[i] = enter_child(lane.interval, lane.rest, rows[i], 256, setup.precision)
            if fed[i] >= 0:
                lane.depth += 1
                _read(lane, codes[lane.at], setup)
                active = True
                continue
            if setup.rule == PAPER:
                spans[lane.at, 0] = lane.depth
                spans[lane.at, 1] = lane.match if lane.match > 0 else lane.depth
            lane.at += 1
            lane.window += 1
        lane.depth = 0
        if lane.doc < 0 or lane.at == ends[lane.doc]:
            if open_end and lane.doc >= 0:
                continue
            if not _next_document(lane, queue, ends):
                restart[i] = True
                continue
        restart[i] = _is_start(lane.window, setup.reset)
        row = start_row if restart[i] else rows[i]
        fed[i] = _enter_root(lane, codes[lane.at], row, setup)
        lane.depth = 1
        lane.match = 0
        lane.ended = False
        _read(lane, codes[lane.at], setup)
        active = True
    return active


@kernel
def _read(lane, code, setup):
    """What a rule asks of a string whose interval has just been entered."""
    if setup.rule == RESERVE:
        lane.ended = not pass_first_cell(lane.interval, lane.rest, setup.precision)
    elif setup.rule == PAPER:
        # `rest` is the code's start less `low`, which decoding does not keep
        cell_start(lane.interval.low, code, setup.precision)
        _subtract(lane.interval.low, lane.rest)
        own = np.empty(len(code), dtype=np.int64)
        shortest_code(lane.interval, setup.precision, own)
        if (own == code).all():
            lane.match = lane.depth


@kernel
def _enter_root(lane, code, row, setup):
    """Find the byte whose cells hold `code`; set the lane's interval and the rest inside it."""
    block_shift = max(setup.bits - BLOCK_BITS, 0)
    block = code[block_shift // LIMB] >> (block_shift % LIMB)
    if block_shift // LIMB + 1 < len(code):
        block |= code[block_shift // LIMB + 1] << (LIMB - block_shift % LIMB)
    total = before(row, 256)
    byte = 0
    first = np.int64(0)
    cumulative = np.int64(row[0])
    last = _edge(cumulative, total, 1, setup.bits)
    while block >= last:
        byte += 1
        cumulative += np.int64(row[byte])
        first = last
        last = _edge(cumulative, total, byte + 1, setup.bits)
    _deal(lane.interval, first, last, setup)
    cell_start(lane.rest, code, setup.precision)
    _subtract(lane.rest, lane.interval.low)
    return byte


@kernel
def _subtract(position, other):
    """position -= other, for a result that is not negative."""
    for limb in range(3):
        position[limb] -= other[limb]
    for limb in range(2):
        if position[limb] < 0:
            position[limb] += 1 << LIMB
            position[limb + 1] -= 1
