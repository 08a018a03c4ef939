"""All strings that can stand at a window's start, where the model restarts: a tree, enumerated.

A string is in the tree if its interval holds a cell, and what a window's code is hangs on its
string alone (but for the rule "delay", where the next byte decides as well). So after this neither
encoding nor decoding asks the model.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.dictionary.double_array import MAX_LENGTH
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import rows_after
from equinfo.compress.windows.intervals import (
    INTERVAL,
    cell_number,
    free_cell,
    narrow_to,
    shortest_code,
    take_first_cell,
)
from equinfo.compress.windows.steps import FREE, PAPER, RESERVE, spares
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError

BATCH = 4096
MEAN_LENGTH = 64  # bytes of a string: the most that all may have on average


class Tree(NamedTuple):
    """Strings level by level, each level in order."""

    strings: list[bytes]
    parents: np.ndarray  # int64[n], -1 for single bytes
    codes: np.ndarray  # int64[n], -1 where no cell is the string's own
    cells: np.ndarray  # int64[n, 2]: its interval's first, and one past its last
    intervals: np.ndarray  # INTERVAL[n]


def enumerate_tree(windows: WindowCoder, limit: int) -> Tree:
    """The tree of a coder with reset = 1 and any rule but "delay"; codes and cells are right for b
    <= 20 only. Raises EquinfoError where there are more than `limit` strings.
    """
    model = windows.restarting  # beginnings recur
    setup = windows.setup
    level = [bytes([byte]) for byte in range(256)]
    intervals = np.zeros(256, dtype=INTERVAL)
    windows.root_intervals(intervals)
    cells = _cells_inside(intervals, model.precision)
    cells[:, 1] += spares(setup.rule)  # the spare cell: the code of a byte that has no other
    spare = cells[:, 1] - 1
    parents = np.full(256, -1, dtype=np.int64)
    strings: list[bytes] = []
    first = 0  # the number of the level's first string
    columns = []
    held = 0  # bytes of all strings
    for depth in range(1, windows.max_window + 1):
        held += depth * len(level)
        if depth > MAX_LENGTH or held > limit * MEAN_LENGTH:
            raise EquinfoError(
                f"windows of b={windows.bits} may have {windows.max_window} bytes: too long to be"
                " listed; choose a smaller max_window"
            )
        strings += level
        codes = np.empty(len(level), dtype=np.int64)
        found = []
        size = len(strings)
        for at in range(0, len(level), BATCH):
            part = slice(at, at + BATCH)
            rows = np.ascontiguousarray(rows_after(model, level[part]))
            codes[part], above, *children = _expand(
                intervals[part], rows, spare[part], setup.rule, depth < setup.max_window,
                model.precision,
            )  # fmt: skip
            found.append([above + at, *children])
            size += len(above)
            if size > limit:
                raise EquinfoError(
                    f"windows of b={windows.bits}: more than {limit} strings hold a cell; choose a"
                    " smaller b or max_window"
                )
        columns.append((parents, codes, cells, intervals))
        above, symbols, intervals = (np.concatenate(column) for column in zip(*found, strict=True))
        if not len(symbols):
            break
        level = [level[parent] + bytes([b]) for parent, b in zip(above, symbols, strict=True)]
        parents = above + first
        first = len(strings)
        cells = _cells_inside(intervals, model.precision)
        spare = np.full(len(level), -1, dtype=np.int64)
    return Tree(strings, *(np.concatenate(column) for column in zip(*columns, strict=True)))


def meanings(tree: Tree, bits: int, rule: int) -> np.ndarray:
    """What each code decodes to: int64[2**bits], the string's number.

    It is the deepest string that its cell lies in; under the rule "paper" the deepest of those on
    the way there that has this very code, if one has.
    """
    deepest = np.empty(1 << bits, dtype=np.int64)
    for node, (start, stop) in enumerate(tree.cells.tolist()):
        deepest[start:stop] = node
    if rule != PAPER:
        return deepest
    matched = np.full(1 << bits, -1, dtype=np.int64)
    here = deepest
    # from each code's deepest string up to its byte, all codes at once
    while (here >= 0).any():
        own = (here >= 0) & (matched < 0) & (tree.codes[here] == np.arange(1 << bits))
        matched[own] = here[own]
        here = np.where(here >= 0, tree.parents[here], -1)
    return np.where(matched >= 0, matched, deepest)


def _cells_inside(intervals: np.ndarray, precision: int) -> np.ndarray:
    low = intervals["low"][:, 0]
    end = low + (intervals["m"] << intervals["e"])
    return np.column_stack([-(-low >> precision), end >> precision])


@kernel
def _expand(intervals, rows, spare, rule, inside, precision):
    """(codes, and of each child that holds a cell: its parent's place, byte and interval).

    spare: the code of a string that has no cell otherwise. inside: there may be children.
    """
    space = 256 + 4 * len(intervals)
    size = 0
    parents = np.empty(space, dtype=np.int64)
    symbols = np.empty(space, dtype=np.int64)
    children = np.zeros(space, dtype=INTERVAL)
    codes = spare.copy()
    code = np.zeros(1, dtype=np.int64)
    for i in range(len(intervals)):
        interval = intervals[i]
        if rule == FREE:
            offset, shift = free_cell(interval, rows[i], 256 if inside else 0, precision)
            if offset >= 0:
                cell_number(interval.low, offset, shift, precision, code)
                codes[i] = code[0]
        elif rule == PAPER:
            shortest_code(interval, precision, code)
            codes[i] = code[0]
        elif rule == RESERVE:
            take_first_cell(interval, precision, code)
            codes[i] = code[0]
        if not inside:
            continue
        if size + 256 > space:
            space *= 2
            parents = _larger(parents, space)
            symbols = _larger(symbols, space)
            children = _larger(children, space)
        start = np.int64(0)
        for byte in range(256):
            freq = np.int64(rows[i, byte])
            children[size] = interval
            if narrow_to(children[size], start, freq, precision):
                parents[size] = i
                symbols[size] = byte
                size += 1
            start += freq
    return codes, parents[:size].copy(), symbols[:size].copy(), children[:size].copy()


@kernel
def _larger(array, size):
    larger = np.zeros(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger
