"""Token shards as an iterable dataset of torch, for trainers that are not ours.

The order is that of our own training (lm/sequences.py): item n of it is sequence number n, whatever
the ranks and workers. A step takes `batch_size` sequences a rank, the first rank's first; so where
batch_size * world stays, so does each step's set, on any number of ranks.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError, naming, needing
from equinfo.lm.sequences import Sequences
from equinfo.shards import Shards
from equinfo.stored import number

with needing("lm", "a loader for torch"):
    import torch
    from torch.utils.data import IterableDataset, get_worker_info


class ShardDataset(IterableDataset):
    """Training sequences of `shards`, for torch's DataLoader and torchdata's StatefulDataLoader.

    An item is {"input_ids", "labels"}, int64[batch_size, context]: BOS and all but the last id, and
    the ids that those predict. (Nothing is left to shift: transformers' models, which shift labels
    themselves, want rows of `formats.rows.to_dataset`.) With torchtitan=True it is what that
    trainer takes, ({"input": ids}, labels).

    Batches are made here: DataLoader(dataset, batch_size=None, num_workers=any). Without a
    batch_size items are single sequences, int64[context], rank r's the r-th of every `world`, for
    loaders that make batches themselves; the order then holds in this process or one worker, and
    more workers are refused.
    """

    def __init__(
        self,
        shards: Shards | Path | str,
        context: int,
        *,
        batch_size: int | None = None,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
        epochs: int | None = None,
        torchtitan: bool = False,
    ) -> None:
        """shards: an opened folder, or its path, whose hashes are then all checked (on many ranks,
        open it by Shards(folder, verify=False)). context: ids a sequence. batch_size: sequences a
        rank and step. rank, world: of the ranks that take different data; by default those of
        torch.distributed, where it runs, else RANK and WORLD_SIZE, else 0 of 1. epochs: None for no
        end; the sequences left over at the end, fewer than a step, are dropped.

        Raises EquinfoError for what is out of range and for shards without a sequence or a step.
        """
        self.shards = shards if isinstance(shards, Shards) else Shards(shards)
        if (rank is None) != (world is None):
            raise EquinfoError("rank and world go together: give both or neither")
        self.rank, self.world = _place() if rank is None or world is None else (rank, world)
        for name, value, least in (
            ("context", context, 1),
            ("batch_size", 1 if batch_size is None else batch_size, 1),
            ("seed", seed, 0),
            ("epochs", 1 if epochs is None else epochs, 1),
            ("rank", self.rank, 0),
            ("world", self.world, self.rank + 1),
        ):
            if type(value) is not int or value < least:
                raise EquinfoError(f"{name} is {value!r}: it must be an integer from {least}")
        self.context = context
        self.batch_size = batch_size
        self.seed = seed
        self.torchtitan = torchtitan
        self.size = batch_size or 1
        self.step = self.size * self.world
        self.sequences = Sequences(self.shards, context, self.shards.bos_id, seed)
        self.end = None if epochs is None else epochs * self.sequences.count
        if self.end is not None and self.end < self.step:
            raise EquinfoError(
                f"{self.end} sequences are fewer than the {self.step} of a step: use more text,"
                " less context or smaller batches"
            )
        self._loaded: dict[str, int] | None = None
        self._next = {"sequences": 0, "workers": 1, "step": self.step}

    def __iter__(self) -> Iterator[Any]:
        """From the beginning, or once from what was loaded. Raises EquinfoError for single
        sequences in several workers, and for a worker's state among other workers."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        if workers > 1 and self.batch_size is None:
            raise EquinfoError(
                f"single sequences from {workers} workers come in no fixed order: give the dataset"
                " its batch_size, and the DataLoader batch_size=None"
            )
        begin = self._loaded or {"sequences": 0, "workers": 1}
        first = begin["sequences"]
        if begin["workers"] == 1:
            first += worker * self.step
        elif (begin["workers"], begin["step"]) != (workers, self.step):
            raise EquinfoError(
                f"the state is of one of {begin['workers']} workers at {begin['step']} sequences a"
                f" step, and here are {workers} at {self.step}: load one with workers 1 and"
                " sequences as many as all ranks have taken"
            )
        self._loaded = None
        self._next = {"sequences": first, "workers": workers, "step": self.step}
        return self._items()

    def _items(self) -> Iterator[Any]:
        first, turn = self._next["sequences"], self._next["workers"] * self.step
        while self.end is None or first + self.step <= self.end:
            batch = self.sequences.batch(first + self.rank * self.size, self.size)
            first += turn
            self._next["sequences"] = first  # the state after what is yielded
            ids, labels = (torch.from_numpy(part) for part in batch)
            if self.batch_size is None:
                ids, labels = ids[0], labels[0]
            given = {"input" if self.torchtitan else "input_ids": ids}
            yield (given, labels) if self.torchtitan else {**given, "labels": labels}

    def state_dict(self) -> dict[str, Any]:
        """Where to go on: before the next step come `sequences`, of all ranks together; so any
        number of ranks, at any batch size, can go on. workers above 1: they take turns, and each
        has a state of its own, which only as many at as many sequences a `step` can take up.
        """
        return {**self._identity, **(self._loaded or self._next)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Have the next iteration go on from there. Raises EquinfoError for another's state."""
        if not isinstance(state, dict):
            raise EquinfoError(f"a state is a dict of state_dict(), not a {type(state).__name__}")
        for name, own in self._identity.items():
            if state.get(name) != own:
                raise EquinfoError(
                    f"the state is of another dataset: its {name} is {state.get(name)!r}, here it"
                    f" is {own!r}"
                )
        with naming("the state"):
            self._loaded = {
                name: number(state, name, least, 1 << 60)
                for name, least in (("sequences", 0), ("workers", 1), ("step", 1))
            }

    @property
    def _identity(self) -> dict[str, Any]:
        return {"shards": self.shards.fingerprint, "context": self.context, "seed": self.seed}


def _place() -> tuple[int, int]:
    """This process's rank, and how many there are."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    rank, world = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not rank.isdecimal() or not world.isdecimal():
        raise EquinfoError(
            f"RANK={rank} and WORLD_SIZE={world} are no numbers: give rank and world"
        )
    return int(rank), int(world)
