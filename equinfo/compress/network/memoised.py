"""A network and its memo as one byte model: the same frequencies, sooner where contexts often begin
anew.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from equinfo.compress.models.base import SYMBOLS, ByteModel
from equinfo.compress.network.memo import Memo, memo_bytes

if TYPE_CHECKING:
    from equinfo.compress.network.integer import IntegerByteModel, State

LANES = 128  # a part of them is in the memo's tree, where a lane costs next to nothing


@dataclass
class MemoState:
    """nodes: int64[lanes], each lane's string in the memo; -1 in the network, which also holds the
    rows of all.
    """

    nodes: np.ndarray
    network: "State"


class MemoisedModel(ByteModel):
    """A byte model beside `model`, with a memo of at most `memory` bytes that all its states share.

    The memo grows while the model is used; `memo.grow()` makes all of it at once.
    """

    width = 8  # of few lanes: with one byte each they would leave the network's products empty

    def __init__(self, model: "IntegerByteModel", memory: int | None = None) -> None:
        self.model, self.kind, self.parameters = model, model.kind, model.parameters
        self.precision, self.max_context = model.precision, model.max_context
        self.memo = Memo(model, memo_bytes() if memory is None else memory)

    @property
    def lanes(self) -> int:
        return self.model.lanes_up_to(LANES)

    def start(self, lanes: int) -> MemoState:
        return MemoState(np.zeros(lanes, dtype=np.int64), self.model.start(lanes))

    def frequencies(self, state: MemoState) -> np.ndarray:
        return self.model.frequencies(state.network)

    def advance(self, state: MemoState, symbols: np.ndarray, restart: np.ndarray) -> None:
        self.feed(
            state, symbols[:, None], restart, np.empty((len(symbols), 1, SYMBOLS), dtype=np.uint32)
        )

    def feed(
        self, state: MemoState, symbols: np.ndarray, restart: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """See `IntegerByteModel.feed`; a lane takes either what the tree knows, or symbols for the
        network.

        In the tree, lanes stay at the network's start, and only their rows change.
        """
        nodes, network, memo = state.nodes, state.network, self.memo
        nodes[restart] = 0
        taken = self._walk(nodes, symbols, out)
        inside, left = taken > 0, (taken == 0) & (nodes >= 0) & (symbols[:, 0] >= 0)
        memo.leave(network, np.flatnonzero(left), nodes[left])
        nodes[left] = -1
        more = self.model.feed(network, np.where(inside[:, None], -1, symbols), restart, out)
        network.rows[inside] = out[inside, taken[inside] - 1]
        nodes[(nodes < 0) & (network.seen == 0)] = 0  # restarted by themselves
        memo.note(int(more.sum()))
        return taken + more

    def _walk(self, nodes: np.ndarray, symbols: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Move the nodes as far as the tree goes: int64[lanes], symbols that each lane found
        there.
        """
        taken, walking = np.zeros(len(nodes), dtype=np.int64), np.flatnonzero(nodes >= 0)
        for step in range(symbols.shape[1]):
            walking = walking[symbols[walking, step] >= 0]
            children = self.memo.children(nodes[walking], symbols[walking, step])
            walking, children = walking[children >= 0], children[children >= 0]
            nodes[walking] = children
            out[walking, step] = self.memo.nodes.rows[children]
            taken[walking] += 1
        return taken

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return self.model.parts()
