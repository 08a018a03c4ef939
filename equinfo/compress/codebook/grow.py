"""Codebooks grown from a byte model: the strings of the longest pieces of text as it expects it.

A piece starts where the model has seen nothing, so what may follow is a tree of probabilities.
They are integers in units of 2**-42, rounded down byte by byte: the same strings on every machine.
"""

import numpy as np

from equinfo.compress.codebook.candidates import Tree, expand, node_type
from equinfo.compress.codebook.choose import NUM_BYTES
from equinfo.compress.codebook.fit import CANDIDATES, PIECE_COST, Codebook, check_size, most_strings
from equinfo.compress.codebook.pretokens import MODES, check_mode
from equinfo.compress.dictionary.parse import costs_of
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, ByteModel, rows_after
from equinfo.errors import EquinfoError

UNIT_BITS = 42  # times frequencies of up to 20 bits: below 2**62
RARE = 1 << 10  # what is rarer than a 1,024th of the mean string's share is no candidate
BATCH = 4096
NODE = node_type(np.int64)


def grow(model: ByteModel, size: int, mode: str) -> Codebook:
    """The `size` strings (2**9 to 2**18) of the longest pieces where `model` is right.

    mode: one of pretokens.MODES. Wherever a document may end, so may every string that may end at
    END: the model's EOD is as a byte of that class. At most 6 * size strings are given to the
    model. `uses` are chances, in units of 2**-42. Raises EquinfoError where the model has too few
    likely strings, and for the mode strict: a model that begins anew cannot say what follows inside
    a word.
    """
    if check_mode(mode) == "strict":
        raise EquinfoError("a strict codebook is fitted to a text: it cannot be grown from an M1")
    left = CANDIDATES * check_size(size)
    number = MODES.index(mode)
    floor = (1 << UNIT_BITS) // size // RARE
    # a piece holds a byte, so that the document has not ended where it starts
    row = model.frequencies(model.start(1))[0].astype(np.int64)
    tree = Tree(NODE, (row[:NUM_BYTES] << UNIT_BITS) // (row.sum() - row[EOD]))

    def look(todo: np.ndarray) -> np.ndarray:
        nonlocal left
        likely = np.argsort(-tree.array["passes"][todo], kind="stable")
        todo = np.sort(todo[likely[:left]])
        left -= len(todo)
        found = [tree.array[:0]]
        depths = tree.array["depth"][todo]
        for depth in np.unique(depths):
            level = todo[depths == depth]
            for part in np.split(level, range(BATCH, len(level), BATCH)):
                rows = np.ascontiguousarray(rows_after(model, tree.strings(part)))
                found.append(_look(tree.array, part, rows, model.precision, number, floor))
        return np.concatenate(found)

    tree.grow(look, 1 << UNIT_BITS - 6, floor, left)
    candidates = tree.candidates()
    ranked = candidates.ranked(PIECE_COST[mode])[:size]
    if len(ranked) < size:
        raise EquinfoError(
            f"the byte model has too few likely strings for a codebook of {size}: it supports"
            f" {most_strings(len(ranked))}"
        )
    uses = candidates.own(ranked)
    return Codebook.ordered(candidates.strings(ranked), uses, costs_of(uses))


@kernel
def _look(nodes, todo, rows, precision, mode, floor):
    children, size = np.empty(1024, dtype=NODE), 0
    for i in range(len(todo)):
        weights = nodes[todo[i]].passes * rows[i].astype(np.int64) >> precision
        children, size = expand(nodes, todo[i], weights, mode, floor, children, size)
    return children[:size].copy()
