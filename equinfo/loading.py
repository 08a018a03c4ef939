"""Token shards as an iterable dataset of torch, for trainers that are not ours.

The order is that of our own training (lm/sequences.py): item n of it is sequence number n, whatever
the ranks and workers. A step takes `batch_size` sequences a rank, the first rank's first; so where
batch_size * world stays, so does each step's set, on any number of ranks.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError, needing
from equinfo.lm.sequences import Sequences
from equinfo.shards import Shards

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
        self.rank, self.world = (rank, world) if rank is not None else _place()
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
        self._loaded: tuple[int, int] | None = None
        self._next = (0, 1)  # the first sequence of the step to come; workers that share the steps

    def __iter__(self) -> Iterator[Any]:
        """From the beginning, or once from what was loaded. Raises EquinfoError for single
        sequences in several workers, and for a worker's state in another number of them."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        if workers > 1 and self.batch_size is None:
            raise EquinfoError(
                f"single sequences from {workers} workers come in no fixed order: give the dataset"
                " its batch_size, and the DataLoader batch_size=None"
            )
        first, sharing = self._loaded or (0, 1)
        self._loaded = None
        if sharing == 1:
            first += worker * self.step
        elif sharing != workers:
            raise EquinfoError(
                f"the state is that of one of {sharing} workers and there are {workers}: go on with"
                f" num_workers={sharing}, or set its sequences to steps * {self.step} and workers"
                " to 1"
            )
        self._next = (first, workers)
        return self._items()

    def _items(self) -> Iterator[Any]:
        first, workers = self._next
        while self.end is None or first + self.step <= self.end:
            batch = self.sequences.batch(first + self.rank * self.size, self.size)
            first += workers * self.step
            self._next = (first, workers)  # before it is yielded: the state after it
            ids, labels = (torch.from_numpy(part) for part in batch)
            if self.batch_size is None:
                ids, labels = ids[0], labels[0]
            yield (
                ({"input": ids}, labels)
                if self.torchtitan
                else {"input_ids": ids, "labels": labels}
            )

    def state_dict(self) -> dict[str, Any]:
        """Where to go on: `sequences`, of all ranks, come before the next step; so any number of
        ranks, and any batch size, can. workers: 1, or how many take turns, each with such a state.
        """
        sequences, workers = self._loaded or self._next
        return {**self._identity, "sequences": sequences, "workers": workers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Have the next iteration go on from there. Raises EquinfoError for another's state."""
        for name, own in self._identity.items():
            if not isinstance(state, dict) or state.get(name) != own:
                theirs = state.get(name) if isinstance(state, dict) else state
                raise EquinfoError(
                    f"the state is of another dataset: its {name} is {theirs!r}, here it is {own!r}"
                )
        for name, least in (("sequences", 0), ("workers", 1)):
            if type(state.get(name)) is not int or state[name] < least:
                raise EquinfoError(f"the state's {name} is {state.get(name)!r}: it was altered")
        self._loaded = (state["sequences"], state["workers"])

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
