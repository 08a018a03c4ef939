"""Codebooks grown from a byte model: the strings that make the longest windows of a text as the
model expects it.

A window starts where the model has seen nothing, so what may follow is a tree of probabilities.
They are integers in units of 2**-42, rounded down byte by byte: the same strings on every machine.
"""

import numpy as np

from equinfo.compress.codebook.candidates import MAX_LENGTH
from equinfo.compress.codebook.choose import NUM_BYTES, Candidates
from equinfo.compress.codebook.codebook import AGAIN, CANDIDATES, Codebook, check_size, most_strings
from equinfo.compress.codebook.pretokens import (
    ALIGNED,
    ANYWHERE,
    CLASS,
    CUT,
    CUT_BITS,
    END,
    MODES,
    SUPERWORD,
    check_mode,
)
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel, rows_after
from equinfo.errors import EquinfoError

UNIT_BITS = 42  # times frequencies of up to 20 bits: below 2**62
RARE = 1 << 10  # what is rarer than a 1,024th of the mean string's share is no candidate
BATCH = 4096

BRANCH = np.dtype(
    [
        ("parent", np.int64),  # as in choose.Candidates
        ("fallback", np.int64),
        ("passes", np.int64),  # the chance that a window goes on with the string
        ("ends", np.int64),  # the chance that it may end with it; 0 until it is `seen`
        ("byte", np.uint8),
        ("depth", np.uint8),
        ("cut", np.bool_),  # whether a pretoken boundary lies inside
        ("seen", np.bool_),
    ],
    align=True,
)


def grow(model: ByteModel, size: int, mode: str) -> Codebook:
    """The codebook of `size` strings (2**9 to 2**18) that makes the longest windows where `model`
    is right.

    mode: one of pretokens.MODES. Wherever a document may end, so may every string that may end at
    END: the model's EOD is as a byte of that class. At most 6 * size strings are given to the
    model. `uses` are chances, in units of 2**-42. Raises EquinfoError where the model has too few
    likely strings.
    """
    check_size(size)
    candidates = _likely_strings(
        model, MODES.index(check_mode(mode)), CANDIDATES * size, (1 << UNIT_BITS) // size // RARE
    )
    ranked = candidates.ranked(AGAIN[mode])[:size]
    if len(ranked) < size:
        raise EquinfoError(
            f"the byte model has too few likely strings for a codebook of {size}: it supports"
            f" {most_strings(len(ranked))}"
        )
    strings = candidates.strings(ranked)
    order = sorted(range(size), key=strings.__getitem__)
    return Codebook([strings[i] for i in order], candidates.own(ranked)[order])


def _likely_strings(model: ByteModel, mode: int, wanted: int, floor: int) -> Candidates:
    """`wanted` of the likeliest strings or more, or all whose chance is `floor` or more. The model
    sees `wanted`.
    """
    branches, left, threshold = _roots(model), wanted, 1 << UNIT_BITS - 6
    while True:
        todo = np.flatnonzero(~branches["seen"] & (branches["passes"] >= threshold))
        todo = np.sort(todo[np.argsort(-branches["passes"][todo], kind="stable")][:left])
        left -= len(todo)
        for depth in np.unique(branches["depth"][todo]):
            level = todo[branches["depth"][todo] == depth]
            found = [
                _look(model, branches, level[at : at + BATCH], mode, floor)
                for at in range(0, len(level), BATCH)
            ]
            branches = np.concatenate([branches, *found])
        if left and len(todo):
            continue
        if (
            not left
            or threshold == floor
            or np.count_nonzero(branches["ends"] >= threshold) >= wanted
        ):
            return Candidates(
                branches["parent"], branches["fallback"], branches["byte"].copy(),
                branches["depth"].astype(np.int64),
                branches["ends"],
            )  # fmt: skip
        threshold = max(threshold * 2 // 3, floor)


def _roots(model: ByteModel) -> np.ndarray:
    """The bytes, where a window starts: it holds one, so that the document has not ended there."""
    row = model.frequencies(model.start(1))[0].astype(np.int64)
    roots = np.zeros(NUM_BYTES, dtype=BRANCH)
    roots["parent"] = roots["fallback"] = -1
    roots["passes"] = (row[:NUM_BYTES] << UNIT_BITS) // (row.sum() - row[EOD])
    roots["ends"] = roots["passes"]
    roots["byte"] = np.arange(NUM_BYTES)
    roots["depth"] = 1
    return roots


def _look(
    model: ByteModel, branches: np.ndarray, todo: np.ndarray, mode: int, floor: int
) -> np.ndarray:
    """Where the strings `todo`, all of one length, may end; their children of `floor` and more."""
    tree = Candidates(
        branches["parent"],
        branches["fallback"],
        branches["byte"],
        branches["depth"].astype(np.int64),
        todo,
    )
    rows = np.ascontiguousarray(rows_after(model, tree.strings(todo)))
    return _branch(branches, todo, rows, model.precision, mode, floor)


@kernel
def _branch(branches, todo, rows, precision, mode, floor):
    children, size = np.empty(1024, dtype=BRANCH), 0
    for i in range(len(todo)):
        branch = branches[todo[i]]
        mask = CUT_BITS[CLASS[branch.byte]] if mode == SUPERWORD and branch.cut else ANYWHERE
        ends = (
            branch.passes * np.int64(rows[i, EOD]) >> precision if mask >> END & 1 else np.int64(0)
        )
        for byte in range(NUM_BYTES):
            passes = branch.passes * np.int64(rows[i, byte]) >> precision
            may_end = mask >> CLASS[byte] & 1
            if may_end:
                ends += passes
            cut = branch.cut or CUT[CLASS[branch.byte], CLASS[byte]]
            if passes < floor or branch.depth == MAX_LENGTH or (cut and mode == ALIGNED):
                continue
            if size == len(children):
                children = np.concatenate((children, np.empty(size, dtype=BRANCH)))
            child = children[size]
            child.parent, child.fallback = todo[i], todo[i] if may_end else branch.fallback
            child.passes, child.ends = passes, 0
            child.byte, child.depth, child.cut, child.seen = byte, branch.depth + 1, cut, False
            size += 1
        branch.ends, branch.seen = ends, True
    return children[:size].copy()
