"""Windows byte by byte: a step of every lane, encoding or decoding, by any rule but "rank".

A lane stands in a window of a document. A step takes it a byte deeper into the window or into the
next one, as far as the frequencies at hand tell, and says which byte the model is to be fed.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.windows.intervals import (
    BLOCK_BITS,
    INTERVAL,
    LIMB,
    add_shifted,
    cell_number,
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
    """What the kernels need to know of a WindowCoder. bits: of the cells that decide what fits a
    window.
    """

    rule: int
    reset: int
    max_window: int
    bits: int
    precision: int


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
def encode_static(
    lanes,
    rows,
    symbols,
    restart,
    queue,
    data,
    ends,
    codes,
    lengths,
    counts,
    start_row,
    kept,
    path,
    setup,
    open_end,
):
    """All of it, for a model whose row never changes."""
    while encode_step(
        lanes,
        rows,
        symbols,
        restart,
        queue,
        data,
        ends,
        codes,
        lengths,
        counts,
        start_row,
        kept,
        path,
        setup,
        open_end,
    ):
        pass


@kernel
def encode_step(
    lanes,
    rows,
    symbols,
    restart,
    queue,
    data,
    ends,
    codes,
    lengths,
    counts,
    start_row,
    kept,
    path,
    setup,
    open_end,
):
    """Feed the model one byte in every lane, deeper into its window or into the next one. False if
    none had any.

    A window may end before the bytes that the model has seen (`known`). Where the context runs on,
    the rows after these bytes are kept, and the next window walks them again without the model.
    """
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, False
        if kept.shape[1] > 0 and lane.doc >= 0:
            kept[i, lane.known] = rows[i]
        while True:
            row = kept[i, lane.depth] if kept.shape[1] > 0 else rows[i]
            if lane.depth > 0:
                end = ends[lane.doc]
                if open_end and lane.at + lane.depth == end and lane.depth < setup.max_window:
                    break
                if not _deeper(lane, path[i], row, data, end, setup):
                    _close(lane, kept[i], ends, codes, lengths, counts, setup)
                    continue
            else:
                if lane.doc < 0 or lane.at == ends[lane.doc]:
                    if open_end and lane.doc >= 0:
                        break
                    if not _next_document(lane, queue, ends):
                        restart[i] = True
                        break
                if _is_start(lane.window, setup.reset):
                    restart[i], lane.known = True, 0
                    row = start_row
                _open(lane, path[i], row, data[lane.at], setup)
            if lane.depth > lane.known:
                lane.known += 1
                symbols[i] = data[lane.at + lane.depth - 1]
                active = True
                break
    return active


@kernel
def look_ahead(lanes, symbols, data, ends, ahead, setup):
    """Set ahead[i] to symbols[i], where that is a byte, and what follows it in the document; -1
    beyond its end.
    """
    for i in range(len(lanes)):
        lane = lanes[i]
        ahead[i, 0] = symbols[i]
        for k in range(1, ahead.shape[1]):
            known = lane.known + k  # with this byte
            inside = (
                symbols[i] >= 0 and known <= setup.max_window and lane.at + known <= ends[lane.doc]
            )
            ahead[i, k] = data[lane.at + known - 1] if inside else -1


@kernel
def keep_ahead(lanes, rows, taken, kept):
    """Keep the rows of the bytes that the model took; the first of them is the lane's last known
    one.
    """
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
    """The first block of `byte`: one block for each byte, the rest by frequency. At most 2**52 on
    the way.
    """
    return byte + cumulative * ((np.int64(1) << min(bits, BLOCK_BITS)) - 256) // total


@kernel
def deal_all(intervals, row, setup):
    total = np.int64(0)
    for k in range(256):
        total += np.int64(row[k])
    cumulative, first = np.int64(0), np.int64(0)
    for byte in range(256):
        cumulative += np.int64(row[byte])
        last = _edge(cumulative, total, byte + 1, setup.bits)
        deal_byte(
            intervals[byte],
            first,
            last,
            setup.bits,
            setup.precision,
            1 if setup.rule <= DELAY else 0,
        )
        first = last


@kernel
def _open(lane, path, row, byte, setup):
    """Begin a window with `byte`, where the model expects `row`."""
    total, before = np.int64(0), np.int64(0)
    for k in range(256):
        if k == byte:
            before = total
        total += np.int64(row[k])
    first = _edge(before, total, np.int64(byte), setup.bits)
    last = _edge(before + np.int64(row[byte]), total, np.int64(byte) + 1, setup.bits)
    spare = 1 if setup.rule <= DELAY else 0
    deal_byte(lane.interval, first, last, setup.bits, setup.precision, spare)
    lane.depth = lane.code_depth = 1
    if spare:
        lane.code[:] = 0
        add_shifted(lane.code, last, max(setup.bits - BLOCK_BITS, 0))
        subtract_shifted(lane.code, np.int64(1), 0)
    _entered(lane, path, setup)


@kernel
def _deeper(lane, path, row, data, end, setup):
    """Go on to the string with the next byte at its end; False if the window ends here."""
    inside, at = lane.depth < setup.max_window, lane.at + lane.depth
    if setup.rule <= DELAY:
        _note_free_cell(lane, row, 256 if inside else 0, setup)
    if not inside or at == end:
        return False
    if narrow(lane.interval, row, data[at], setup.precision):
        lane.depth += 1
        _entered(lane, path, setup)
        return True
    if setup.rule == DELAY:
        _delay_end(lane, path, row, data[at], setup)
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
def _note_free_cell(lane, row, children, setup):
    offset, shift = free_cell(lane.interval, row, children, setup.precision)
    if offset >= 0:
        cell_number(lane.interval.low, offset, shift, setup.precision, lane.code)
        lane.code_depth = lane.depth


@kernel
def _delay_end(lane, path, row, byte, setup):
    """The window's code is the cell in which the middle of the string with the next byte lies.

    What contains that cell and is not longer than the window so far is a prefix of it: the deepest
    has the code.
    """
    middle_cell(lane.interval, row, byte, setup.precision, lane.code)
    depth = lane.depth
    while depth > 1 and not holds_cell(path[depth], lane.code, setup.precision):
        depth -= 1
    lane.code_depth = depth


@kernel
def _close(lane, kept, ends, codes, lengths, counts, setup):
    """Write the window's code; the bytes beyond its string go into the next one."""
    if setup.rule == PAPER:
        shortest_code(lane.interval, setup.precision, lane.code)
        lane.code_depth = lane.depth
    place = (ends[lane.doc - 1] if lane.doc > 0 else 0) + counts[lane.doc]
    for limb in range(codes.shape[1]):
        codes[place, limb] = lane.code[limb]
    lengths[place] = lane.code_depth
    counts[lane.doc] += 1
    lane.window += 1
    lane.at += lane.code_depth
    if kept.shape[0] > 0:
        for depth in range(lane.code_depth, lane.known + 1):
            kept[depth - lane.code_depth] = kept[depth]
    lane.known -= lane.code_depth
    lane.depth = 0


@kernel
def decode_static(
    lanes, rows, symbols, restart, queue, codes, ends, start_row, spans, setup, open_end
):
    """All bytes of one lane, for a model whose row never changes."""
    out, size = np.empty(4 * len(codes) + 16, dtype=np.uint8), 0
    while decode_step(
        lanes, rows, symbols, restart, queue, codes, ends, start_row, spans, setup, open_end
    ):
        if size == len(out):
            larger = np.empty(2 * size, dtype=np.uint8)
            larger[:size] = out
            out = larger
        out[size] = symbols[0]
        size += 1
    return out[:size].copy()


@kernel
def decode_step(
    lanes, rows, symbols, restart, queue, codes, ends, start_row, spans, setup, open_end
):
    """One byte out of every lane: the mirror of `encode_step`."""
    active = False
    for i in range(len(lanes)):
        lane = lanes[i]
        symbols[i], restart[i] = -1, False
        if lane.doc >= 0 and lane.depth > 0:
            if lane.depth < setup.max_window and not lane.ended:
                symbols[i] = enter_child(lane.interval, lane.rest, rows[i], 256, setup.precision)
            if symbols[i] >= 0:
                lane.depth += 1
                _read(lane, codes[lane.at], setup)
                active = True
                continue
            if setup.rule == PAPER:
                spans[lane.at, 0], spans[lane.at, 1] = (
                    lane.depth,
                    lane.match if lane.match > 0 else lane.depth,
                )
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
        symbols[i] = _enter_root(lane, codes[lane.at], start_row if restart[i] else rows[i], setup)
        lane.depth, lane.match, lane.ended = 1, 0, False
        _read(lane, codes[lane.at], setup)
        active = True
    return active


@kernel
def _read(lane, code, setup):
    """What a rule asks of a string whose interval has just been entered."""
    if setup.rule == RESERVE:
        lane.ended = not pass_first_cell(lane.interval, lane.rest, setup.precision)
    elif setup.rule == PAPER:
        lane.interval.low[:] = 0
        for limb in range(len(code)):
            add_shifted(lane.interval.low, code[limb], LIMB * limb + setup.precision)
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
    total = np.int64(0)
    for k in range(256):
        total += np.int64(row[k])
    byte, first, cumulative = 0, np.int64(0), np.int64(row[0])
    last = _edge(cumulative, total, 1, setup.bits)
    while block >= last:
        byte += 1
        cumulative += np.int64(row[byte])
        first, last = last, _edge(cumulative, total, byte + 1, setup.bits)
    deal_byte(
        lane.interval, first, last, setup.bits, setup.precision, 1 if setup.rule <= DELAY else 0
    )
    lane.rest[:] = 0
    for limb in range(len(code)):
        add_shifted(lane.rest, code[limb], LIMB * limb + setup.precision)
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
