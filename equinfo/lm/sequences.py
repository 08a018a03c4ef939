"""A stream of ids as training sequences, in an order that the seed alone decides."""

import numpy as np

from equinfo.errors import EquinfoError


class Sequences:
    """Tiles of `context` ids of a stream; the model sees bos_id and all but the last, and predicts all.

    Every epoch takes each tile once, in an order of its own. ids: uint16 or uint32[n]; what is left over after the
    last whole tile is not trained on. Raises EquinfoError where the stream is shorter than one tile.
    """

    def __init__(self, ids: np.ndarray, context: int, bos_id: int, seed: int) -> None:
        self.count = len(ids) // context
        if self.count == 0:
            raise EquinfoError(
                f"{len(ids)} ids are fewer than one sequence of {context}: use more text or less context"
            )
        self.tiles = ids[: self.count * context].reshape(self.count, context)
        self.bos_id, self.seed = bos_id, seed
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def batch(self, first: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(inputs, targets), int64[size, context]: the training's sequences number first .. first + size - 1."""
        tiles = np.stack([self.tiles[self._tile(number)] for number in range(first, first + size)]).astype(np.int64)
        return shifted(tiles, self.bos_id), tiles

    def _tile(self, number: int) -> int:
        epoch, at = divmod(number, self.count)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(self.count)
        return int(self._order[at])


def shifted(targets: np.ndarray, bos_id: int) -> np.ndarray:
    """The inputs that predict `targets` (int64[rows, context]): bos_id, then all but the last."""
    inputs = np.empty_like(targets)
    inputs[:, 0], inputs[:, 1:] = bos_id, targets[:, :-1]
    return inputs
