"""Intervals of strings inside a window of b bits, exactly, for any b up to 128.

A window's codes are 2**b equal cells of [0, 1). The unit of length is 2**-F of a cell (F = the
frequencies' bits), so positions are integers below 2**(b + F): a string that still holds a whole
cell is at least 2**F units wide, and none of its children can get zero width. An interval is kept
as

    low      three limbs of 60 bits, little end first, int64 each: exact
    m, e     the width is m * 2**e; 0 <= m < 2**(62 - F); e > 0 only if m has all of its 62 - F bits

A child is found in the grain 2**(e - s), s = min(e, F): it starts at  off = (m * cum) >> (F - s)
grains after its parent and is as wide as the difference to the next, cut down to 62 - F leading
bits. So children are disjoint and inside their parent; the slivers that the cut leaves over belong
to the parent. All products stay below 2**62, low is always a multiple of the grain, and where the
grain is a cell or more, all boundaries are cell boundaries.
"""

import numpy as np

from equinfo.compress.jit import inline, kernel

LIMB = 60
LIMB_MASK = (1 << LIMB) - 1
BLOCK_BITS = 32  # a window's root is dealt out in 2**min(b, 32) blocks of cells
PRODUCT = 62  # m has PRODUCT - F bits: m * 2**F fits an int64

INTERVAL = np.dtype([("m", np.int64), ("e", np.int64), ("low", np.int64, (3,))])


@kernel
def before(freqs, symbol):
    """The cumulative frequency of `symbol`."""
    start = np.int64(0)
    for k in range(symbol):
        start += np.int64(freqs[k])
    return start


@inline
def mantissa_cut(width, mantissa_bits):
    """How many low bits of `width` do not fit the mantissa."""
    cut = 0
    while (width >> cut) >= (1 << mantissa_bits):
        cut += 1
    return cut


@kernel
def add_shifted(low, offset, shift):
    """low += offset << shift, for 0 <= offset < 2**62 and the sum below 2**180."""
    at, bit = shift // LIMB, shift % LIMB
    keep = LIMB - bit
    low[at] += (offset & ((1 << keep) - 1)) << bit
    if at < 2:
        low[at + 1] += offset >> keep
    for limb in range(at, 2):
        low[limb + 1] += low[limb] >> LIMB
        low[limb] &= LIMB_MASK


@kernel
def subtract_shifted(low, offset, shift):
    """low -= offset << shift, for a result that is not negative."""
    at, bit = shift // LIMB, shift % LIMB
    keep = LIMB - bit
    low[at] -= (offset & ((1 << keep) - 1)) << bit
    if at < 2:
        low[at + 1] -= offset >> keep
    for limb in range(at, 2):
        if low[limb] < 0:
            borrow = -(low[limb] >> LIMB)
            low[limb] += borrow << LIMB
            low[limb + 1] -= borrow


@inline
def shifted_down(low, shift):
    """low >> shift, where the result is below 2**62."""
    at, bit = shift // LIMB, shift % LIMB
    value = low[at] >> bit
    if at < 2:
        value |= low[at + 1] << (LIMB - bit)
    if at < 1 and bit > LIMB - 2:
        value |= low[at + 2] << (2 * LIMB - bit)
    return value


@inline
def first_cell(low, grain_shift, precision):
    """(the first whole cell's start after `low`, a cell's size) in grains, at least one grain."""
    if grain_shift >= precision:
        return np.int64(0), np.int64(1)
    cell = np.int64(1) << (precision - grain_shift)
    return -(low[0] >> grain_shift) & (cell - 1), cell


@kernel
def narrow(interval, freqs, symbol, precision):
    """Narrow `interval` to its child `symbol`. False, and as it was, if that holds no cell."""
    return narrow_to(interval, before(freqs, symbol), np.int64(freqs[symbol]), precision)


@kernel
def narrow_to(interval, start, freq, precision):
    """As `narrow`, for the child with cumulative frequency `start` and frequency `freq`."""
    offset, width, shift = _child(interval, start, freq, precision)
    if width >> max(precision - shift, 0) == 0:  # narrower than a cell
        return False
    cut = mantissa_cut(width, PRODUCT - precision)
    low = interval.low[0], interval.low[1], interval.low[2]
    add_shifted(interval.low, offset, shift)
    first, cell = first_cell(interval.low, shift, precision)
    if first + cell > (width >> cut) << cut:
        interval.low[0], interval.low[1], interval.low[2] = low
        return False
    interval.m = width >> cut
    interval.e = shift + cut
    return True


@inline
def _child(interval, start, freq, precision):
    """(start after low, width, grain shift) of a child, in grains, before its width is cut."""
    s = min(interval.e, precision)
    grain = precision - s
    offset = (interval.m * start) >> grain
    return offset, ((interval.m * (start + freq)) >> grain) - offset, interval.e - s


@kernel
def free_cell(interval, freqs, num_children, precision):
    """The first whole cell of `interval` that lies in none of its first `num_children` children.

    Returns (start in grains after low, grain shift), or (-1, 0) where every cell is taken. With no
    children it is simply the first whole cell.
    """
    s = min(interval.e, precision)
    shift = interval.e - s
    grain = precision - s
    cell_at, cell = first_cell(interval.low, shift, precision)
    cumulative = np.int64(0)
    stop = np.int64(0)
    # the cell moves on past each child that reaches into it, until one begins only after it
    for k in range(num_children):
        cumulative += np.int64(freqs[k])
        start = stop
        stop = (interval.m * cumulative) >> grain
        cut = mantissa_cut(stop - start, PRODUCT - precision)
        end = start + (((stop - start) >> cut) << cut)
        if start > cell_at:
            # the cell begins before this child and did not fit the last one: it lies in no child
            break
        if end > cell_at:
            cell_at += (end - cell_at) // cell * cell
    if cell_at + cell > interval.m << s:
        return np.int64(-1), np.int64(0)
    return cell_at, shift


@kernel
def take_first_cell(interval, precision, code):
    """Give the first whole cell of `interval` to its string, as code[:]; what follows is left.

    Where a grain is larger than a cell, the whole grain goes. A width of 0 leaves no children.
    """
    s = min(interval.e, precision)
    shift = interval.e - s
    first, cell = first_cell(interval.low, shift, precision)
    cell_number(interval.low, first, shift, precision, code)
    add_shifted(interval.low, first + cell, shift)
    _keep_width(interval, (interval.m << s) - first - cell, shift, precision)


@kernel
def pass_first_cell(interval, rest, precision):
    """The decoder's `take_first_cell`; False, and all as it was, if the target is that cell."""
    s = min(interval.e, precision)
    shift = interval.e - s
    first = np.int64(0)
    cell = np.int64(1)
    if shift < precision:  # rest + low is a whole cell's start
        cell <<= precision - shift
        first = (rest[0] >> shift) & (cell - 1)
    if shifted_down(rest, shift) < first + cell:
        return False
    subtract_shifted(rest, first + cell, shift)
    _keep_width(interval, (interval.m << s) - first - cell, shift, precision)
    return True


@kernel
def _keep_width(interval, width, shift, precision):
    cut = mantissa_cut(width, PRODUCT - precision)
    interval.m = width >> cut
    interval.e = shift + cut


@kernel
def middle_cell(interval, freqs, symbol, precision, code):
    """Write into code[:] the number of the cell in which the middle of the child `symbol` lies."""
    start = before(freqs, symbol)
    offset, width, shift = _child(interval, start, np.int64(freqs[symbol]), precision)
    cell_number(interval.low, offset + width // 2, shift, precision, code)


@kernel
def shortest_code(interval, precision, code):
    """Write into code[:] the first cell of the largest aligned block of 2**k cells in `interval`
    (which holds one): the shortest bitstring whose dyadic interval lies inside, padded with zeros.
    """
    end = interval.low.copy()
    add_shifted(end, interval.m, interval.e)
    size = interval.e
    while size < interval.e + PRODUCT and interval.m >> (size - interval.e):
        size += 1
    start = np.empty(3, dtype=np.int64)
    stop = np.empty(3, dtype=np.int64)
    for shift in range(size, precision - 1, -1):
        start[:] = interval.low
        round_up(start, shift)
        stop[:] = start
        add_shifted(stop, np.int64(1), shift)
        if at_most(stop, end):
            break
    cell_number(start, np.int64(0), 0, precision, code)


@kernel
def holds_cell(interval, code, precision):
    """Whether the cell with number `code` (limbs) lies wholly inside `interval`."""
    start = np.empty(3, dtype=np.int64)
    cell_start(start, code, precision)
    if not at_most(interval.low, start):
        return False
    add_shifted(start, np.int64(1), precision)
    end = interval.low.copy()
    add_shifted(end, interval.m, interval.e)
    return at_most(start, end)


@kernel
def round_up(position, shift):
    """position = the next multiple of 2**shift, itself where it is one."""
    over = np.int64(0)
    for limb in range(3):
        below = min(max(shift - LIMB * limb, 0), LIMB)
        over |= position[limb] & ((1 << below) - 1)
        position[limb] = position[limb] >> below << below
    if over:
        add_shifted(position, np.int64(1), shift)


@kernel
def at_most(position, other):
    """position <= other."""
    for limb in range(2, -1, -1):
        if position[limb] != other[limb]:
            return position[limb] < other[limb]
    return True


@kernel
def deal_byte(interval, first, last, bits, precision, spare):
    """Set `interval` to the root's blocks first .. last - 1 (of at most 2**32), less the last
    `spare` (0 or 1) cells. A block is 2**max(bits - 32, 0) cells.
    """
    block_shift = max(bits - BLOCK_BITS, 0)
    interval.low[:] = 0
    add_shifted(interval.low, first, block_shift + precision)
    # cells = value << (block_shift - taken), or with all bits below `value` set (one cell spared);
    # value has 61 bits where taken < block_shift
    value = last - first - spare
    taken = 0
    while taken < block_shift and value < (1 << (PRODUCT - 2)):
        value = value << 1 | spare
        taken += 1
    size = 0
    while value >> size:
        size += 1
    over = size - (PRODUCT - precision)
    interval.e = max(over + block_shift - taken + precision, 0)
    shift = interval.e - (block_shift - taken) - precision  # over, or less for e = 0
    interval.m = value >> shift if shift >= 0 else value << -shift


@kernel
def cell_number(low, offset, shift, precision, code):
    """Write into code[:] (limbs) the number of the cell that starts at low + (offset << shift)."""
    position = low.copy()
    add_shifted(position, offset, shift)
    keep = LIMB - precision
    for limb in range(len(code)):
        code[limb] = position[limb] >> precision
        if limb < 2:
            code[limb] |= (position[limb + 1] & ((1 << precision) - 1)) << keep


@kernel
def cell_start(position, code, precision):
    """position = where the cell with number `code` (limbs) starts."""
    position[:] = 0
    for limb in range(len(code)):
        add_shifted(position, code[limb], LIMB * limb + precision)


@kernel
def enter_child(interval, rest, freqs, num_children, precision):
    """The decoder's step: narrow to the child that wholly contains the target cell.

    interval.m, interval.e as above (its `low` is not used); rest (three limbs): target cell's start
    minus low. Returns the child, or -1 where the cell lies in none: then the string so far is what
    the cell stands for.
    """
    s = min(interval.e, precision)
    shift = interval.e - s
    grain = precision - s
    target = shifted_down(rest, shift)
    cell = np.int64(1) << max(precision - shift, 0)
    cumulative = np.int64(0)
    stop = np.int64(0)
    for k in range(num_children):
        cumulative += np.int64(freqs[k])
        start = stop
        stop = (interval.m * cumulative) >> grain
        if target < stop:
            # the child in which the cell begins; its end may lie beyond, or in what the cut took
            cut = mantissa_cut(stop - start, PRODUCT - precision)
            width = (stop - start) >> cut
            if target + cell > start + (width << cut):
                return -1
            subtract_shifted(rest, start, shift)
            interval.m = width
            interval.e = shift + cut
            return k
    return -1
