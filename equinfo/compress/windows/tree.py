"""All strings that can stand at a window's start, for a model that restarts there: a finite tree,
enumerated.

A string is in the tree if its interval holds a cell, and what a window's code is hangs on its
string alone (but for the rule "delay", where the next byte decides as well). So after this neither
encoding nor decoding asks the model.
"""

from typing import NamedTuple

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.compress.models.base import ByteModel
from equinfo.compress.windows.intervals import (
    INTERVAL,
    cell_number,
    free_cell,
    narrow_to,
    shortest_code,
    take_first_cell,
)
from equinfo.compress.windows.steps import FREE, PAPER, RESERVE
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError

BATCH = 4096


class Tree(NamedTuple):
    """Strings level by level, each level in order.

    parents: int64[n], -1 for single bytes. codes: int64[n], -1 where no cell is the string's own.
    cells: int64[n, 2], first and one past the last of those inside the string's interval, its
    children's among them. intervals: INTERVAL[n].
    """

    strings: list[bytes]
    parents: np.ndarray
    codes: np.ndarray
    cells: np.ndarray
    intervals: np.ndarray


def enumerate_tree(windows: WindowCoder, limit: int) -> Tree:
    """The tree of a coder with reset = 1 and any rule but "delay"; codes and cells are right for b
    <= 20 only.

    Raises EquinfoError where there are more than `limit` strings.
    """
    model, rule = (
        windows.stepped,
        windows.setup.rule,
    )  # beginnings come again and again: the memo has them
    strings = [bytes([byte]) for byte in range(256)]
    intervals = np.zeros(256, dtype=INTERVAL)
    windows.root_intervals(intervals)
    parents, codes = [np.full(256, -1, dtype=np.int64)], []
    cells = [_cells_inside(intervals, model.precision)]
    cells[0][:, 1] += rule == FREE  # the spare cell
    level, first, all_intervals = strings, 0, [intervals]
    for depth in range(1, windows.max_window + 1):
        inner, spare = (
            [],
            cells[0][:, 1] - 1 if depth == 1 else np.full(len(level), -1, dtype=np.int64),
        )
        level_codes = np.empty(len(level), dtype=np.int64)
        for at in range(0, len(level), BATCH):
            part = slice(at, at + BATCH)
            rows = np.ascontiguousarray(rows_after(model, level[part]))
            level_codes[part], *found = _expand(
                intervals[part],
                rows,
                spare[part],
                rule,
                depth < windows.max_window,
                model.precision,
            )
            inner.append([found[0] + first + at, *found[1:]])
            if len(strings) + sum(len(found[0]) for found in inner) > limit:
                raise EquinfoError(
                    f"windows of b={windows.bits}: more than {limit} strings hold a cell; choose a"
                    " smaller b or max_window"
                )
        above, symbols, intervals = (np.concatenate(column) for column in zip(*inner, strict=True))
        codes.append(level_codes)
        if not len(symbols):
            break
        first += len(level)
        level = [
            level[parent - first + len(level)] + bytes([b])
            for parent, b in zip(above, symbols, strict=True)
        ]
        strings = strings + level
        parents.append(above)
        cells.append(_cells_inside(intervals, model.precision))
        all_intervals.append(intervals)
    return Tree(strings, *map(np.concatenate, (parents, codes, cells, all_intervals)))


def rows_after(model: ByteModel, strings: list[bytes]) -> np.ndarray:
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
    matched, here = np.full(1 << bits, -1, dtype=np.int64), deepest
    while (here >= 0).any():
        own = (here >= 0) & (matched < 0) & (tree.codes[here] == np.arange(1 << bits))
        matched[own] = here[own]
        here = np.where(here >= 0, tree.parents[here], -1)
    return np.where(matched >= 0, matched, deepest)


def _cells_inside(intervals: np.ndarray, precision: int) -> np.ndarray:
    low, end = intervals["low"][:, 0], intervals["low"][:, 0] + (intervals["m"] << intervals["e"])
    return np.column_stack([-(-low >> precision), end >> precision])


@kernel
def _expand(intervals, rows, spare, rule, inside, precision):
    """Each string's code, and its children that hold a cell: (codes, parent's place, byte,
    interval).

    spare: the code of a string that has no cell otherwise. inside: there may be children.
    """
    space = 256 + 4 * len(intervals)
    codes, code = spare.copy(), np.zeros(1, dtype=np.int64)
    parents, symbols = np.empty(space, dtype=np.int64), np.empty(space, dtype=np.int64)
    children, size = np.zeros(space, dtype=INTERVAL), 0
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
            parents, symbols, children = (
                _larger(parents, space),
                _larger(symbols, space),
                _larger(children, space),
            )
        start = np.int64(0)
        for byte in range(256):
            freq = np.int64(rows[i, byte])
            children[size] = interval
            if narrow_to(children[size], start, freq, precision):
                parents[size], symbols[size] = i, byte
                size += 1
            start += freq
    return codes, parents[:size].copy(), symbols[:size].copy(), children[:size].copy()


@kernel
def _larger(array, size):
    larger = np.zeros(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger
