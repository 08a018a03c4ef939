"""Processes that train one LM together, on torch.distributed: all that knows of ranks.

A process alone is rank 0 of 1, and nothing here does anything then. Several, of torchrun or of a
process group that is there, each compute a share of every batch. They hold the whole LM each (DDP),
or a share of every weight (FSDP2), which is gathered where it is needed.
"""

import contextlib
import gc
import math
import os
import secrets
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from equinfo.artifacts import TENSORS_NAME, Artifact
from equinfo.errors import EquinfoError, LostRank, foreign, naming
from equinfo.files import atomic_folder, file_hash
from equinfo.lm.config import TrainConfig
from equinfo.lm.decoder import Decoder
from equinfo.stored import digest, section

TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what it tells its processes
PATIENCE = 3.0  # seconds in which those who are left find one another
T = TypeVar("T")


def in_group() -> bool:
    return dist.is_available() and dist.is_initialized()


def is_main() -> bool:
    """Whether this process is rank 0, or alone: the one that writes."""
    if in_group():
        return dist.get_rank() == 0
    return any(name not in os.environ for name in TORCHRUN) or os.environ["RANK"] == "0"


class Ranks:
    """This process among those that train with it. kept: the step of the last checkpoint."""

    def __init__(self, device: torch.device, rank: int = 0, world: int = 1) -> None:
        self.device = device
        self.rank = rank
        self.main = rank == 0
        self.world = world
        self.kept = 0
        self.ended = threading.Event()  # a scheduler, or torchrun, wants this rank to end
        self.group: Any = None
        if in_group():
            self.group = dist.new_group(backend="gloo")  # numbers and words, whatever the device
        if world > 1:
            name = self.first(lambda: secrets.token_hex(8))
            self.store = dist.PrefixStore(name, dist.distributed_c10d._get_default_store())

    def sum(self, *values: float) -> list[float]:
        """Each value's sum over all ranks, the same to the bit on each."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor, group=self.group)
        return tensor.tolist()

    def first(self, act: Callable[[], T]) -> T:
        """What `act` gives on rank 0, for all: a value, or an EquinfoError, which all raise."""
        if self.world == 1:
            return act()
        found: list[Any] = [None]
        if self.main:
            try:
                found = [act()]
            except EquinfoError as error:
                found = [error]
        dist.broadcast_object_list(found, group=self.group, device=torch.device("cpu"))
        if isinstance(found[0], EquinfoError):
            raise found[0]
        return found[0]

    def gather(self, value: T) -> list[T]:
        """All ranks' values, for all."""
        found: list[Any] = [value] * self.world
        if self.world > 1:
            dist.all_gather_object(found, value, group=self.group)
        return found

    def check_same(self, value: str) -> None:
        """Raises EquinfoError, on all ranks, where one's value is not rank 0's."""
        found = self.gather(value)
        for rank, other in enumerate(found):
            if other != found[0]:
                raise EquinfoError(
                    f"rank {rank} has other settings or ids than rank 0: start all of them alike"
                )

    def rows(self, step: int, config: TrainConfig) -> list[int]:
        """The numbers of the sequences of a step that are this rank's, micro-batch by micro-batch.

        Of each micro-batch's whole half, and of what is dealt to each short context, an equal
        share: together all ranks compute what one does. Raises EquinfoError where that does not
        divide.
        """
        parts = config.micro_batches * max(1, 2 * len(config.short_contexts))
        share, rest = divmod(config.batch_size, parts * self.world)
        if rest:
            raise EquinfoError(
                f"{config.batch_size} sequences a step, in {parts} parts (micro-batches, short"
                f" contexts), do not divide among {self.world} ranks: choose a batch size that is"
                f" a multiple of {parts * self.world}"
            )
        begins = config.batch_size * step + share * (self.rank + self.world * np.arange(parts))
        return (begins[:, None] + np.arange(share)).ravel().tolist()

    def cause(self, error: BaseException, ours: bool) -> BaseException:
        """What ended the training here: `error`, another rank's, or a rank that is gone.

        torch.distributed says no more than that a connection broke. So each rank leaves a word of
        its own and closes its connections, which brings those who wait for it here as well.
        """
        broken = isinstance(error, RuntimeError)
        silent, words = set(range(self.world)), {}
        try:
            self.store.set(str(self.rank), "" if broken else str(error) or repr(error))
            if broken:
                traceback.clear_frames(error.__traceback__)  # they hold connections, too
                self.leave(ours)
            end = time.monotonic() + PATIENCE
            while broken and silent and time.monotonic() < end:
                for rank in [rank for rank in silent if self.store.check([str(rank)])]:
                    words[rank] = self.store.get(str(rank)).decode(errors="replace")
                    silent.remove(rank)
                time.sleep(0.02)
        except RuntimeError:  # the store went with rank 0; torchrun's stays
            silent &= {0}
        if not broken:
            return error
        for rank, word in words.items():
            if word:
                return EquinfoError(f"rank {rank}: {word}")
        if not silent:
            return error
        gone = ", ".join(map(str, sorted(silent)))
        return LostRank(f"rank {gone} is gone: the same command goes on from step {self.kept}")

    def leave(self, ours: bool) -> None:
        """Close the connections made for the training."""
        group, self.group = self.group, None
        if group is not None:
            dist.destroy_process_group(None if ours else group)
        del group
        gc.collect()


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """This process's ranks: of its process group, or else of torchrun's environment; or it alone.

    device: a CUDA device without a number is that of LOCAL_RANK. Raises EquinfoError where another
    rank raised one, LostRank where one is gone. SIGTERM, which schedulers send before they kill,
    sets `ended`.
    """
    ours = not in_group()
    if ours and (
        any(name not in os.environ for name in TORCHRUN) or os.environ["WORLD_SIZE"] == "1"
    ):
        yield Ranks(device)
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    if ours:
        with foreign("the ranks do not find each other", "start them with torchrun"):
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    ranks = Ranks(device, dist.get_rank(), dist.get_world_size())
    with _terminated(ranks.ended):  # also while `cause` asks: torchrun ends those that a rank left
        try:
            yield ranks
        except BaseException as error:
            found = ranks.cause(error, ours) if ranks.world > 1 else error
            if found is error:
                raise
            raise found from None
        finally:
            ranks.leave(ours)


@contextlib.contextmanager
def _terminated(ended: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)  # None: not Python's


# -- weights ---------------------------------------------------------------------------------------


def shard(ranks: Ranks, model: Decoder, root: nn.Module, seed: int) -> None:
    """Leave each rank its share of every weight of `root`, and draw those of `model`, inside it.

    root was made on the meta device: no rank holds more than one weight whole. It is as
    `Decoder.initialise` makes it, of the very numbers.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    for part in [*model.blocks, root]:
        fully_shard(part, mesh=mesh)
    root.to_empty(device=ranks.device)
    with torch.no_grad():
        for buffer in root.buffers():
            buffer.zero_()
        for weight, drawn in model.drawn(seed):
            weight.copy_(cut(drawn, weight))


def replicated(root: nn.Module) -> Any:
    """`root` on every rank; what a backward pass leaves is the mean of all ranks' gradients."""
    from torch.nn.parallel import DistributedDataParallel

    with warnings.catch_warnings():  # of another name that torch has since 2.13
        warnings.filterwarnings("ignore", ".*broadcast_buffers")
        return DistributedDataParallel(root, broadcast_buffers=False, gradient_as_bucket_view=True)


def cut(tensor: Tensor, like: Any) -> Tensor:
    """The share of a whole tensor that this rank has of `like`; all, where that is not shared."""
    if like is None or not hasattr(like, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    given = (tensor.to(like.device), like.device_mesh, like.placements)
    return distribute_tensor(*given, src_data_rank=None)  # each from its own copy


def zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Zeros, shared out as `like` is where they have its shape."""
    if hasattr(like, "device_mesh") and shape == tuple(like.shape):
        return torch.zeros_like(like)
    return torch.zeros(shape, device=like.device)


def whole(tensor: Tensor) -> Tensor:
    """All of what may be shared out: gathered, which all ranks must ask for."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


class ShardedAdafactor(torch.optim.Adafactor):
    """torch's Adafactor, which takes no shares: each weight is gathered, moved and cut again.

    Its own parameters are stand-ins of the weights' shapes, whole for their moment alone. Its state
    is small, and every rank has all of it.
    """

    def __init__(self, weights: Any, **options: Any) -> None:
        self.weights = list(weights)
        stand_ins = [torch.zeros((), device=w.device).expand(w.shape) for w in self.weights]
        super().__init__([nn.Parameter(one) for one in stand_ins], **options)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for weight, stand_in in zip(self.weights, self.param_groups[0]["params"], strict=True):
            empty = stand_in.data
            stand_in.data, stand_in.grad = whole(weight), whole(weight.grad)
            super().step()  # it passes by those without a gradient
            weight.copy_(cut(stand_in.data, weight))
            stand_in.data, stand_in.grad = empty, None


# -- checkpoints -----------------------------------------------------------------------------------


def _dcp() -> Any:
    import torch.distributed.checkpoint as dcp

    if not hasattr(dcp, "HuggingFaceStorageReader"):
        raise EquinfoError(f"torch {torch.__version__} has no checkpoints of ranks: install 2.9")
    return dcp


def save(ranks: Ranks, place: Path, head: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """A checkpoint as folder `place`, whole or not at all: each rank writes its share of tensors.

    Beside the safetensors of the ranks lies an artefact of `head` and their SHA-256, of no tensors:
    nothing of it is a pickle. Raises EquinfoError where a rank cannot write.
    """
    dcp = _dcp()
    with contextlib.ExitStack() as stack:
        beside = ranks.first(lambda: stack.enter_context(atomic_folder(place)))
        writer = dcp.HuggingFaceStorageWriter(str(beside), save_distributed=True)
        with _first_failure(f"{place} cannot be written"):
            dcp.save(dict(tensors), storage_writer=writer, process_group=ranks.group)
        written = beside.glob(f"shard-{ranks.rank + 1:05}-*")
        files = {name: sha for own in ranks.gather(_hashes(written)) for name, sha in own.items()}

        def finish() -> None:
            for name in files:
                if not (beside / name).is_file():
                    raise EquinfoError(f"{place} is not the same folder on all ranks: share it")
            Artifact("checkpoint", {**head, "files": files}, {}).write(beside, place)

        ranks.first(finish)


def check_files(ranks: Ranks, folder: Path, config: dict[str, Any]) -> None:
    """Raises EquinfoError where the files that several ranks wrote are not as they wrote them."""
    wrong = True
    with naming(folder):
        files = section(config, "files") if "files" in config else {}
        hashes = {name: digest(files, name) for name in sorted(files)}
        there = {file.name for file in folder.glob("*.safetensors") if file.is_file()}
        if there - {TENSORS_NAME} == set(hashes):
            ours = sorted(hashes)[ranks.rank :: ranks.world]
            wrong = _hashes(folder / name for name in ours) != {n: hashes[n] for n in ours}
    if ranks.sum(wrong)[0]:
        raise EquinfoError(
            f"{folder} does not match its own hash: it was damaged or altered; remove it"
        )


def stored(folder: Path) -> dict[str, Any]:
    """The dtype (NumPy's name) and shape of each tensor in a checkpoint, by its name."""
    with naming(folder):
        reader = _dcp().HuggingFaceStorageReader(str(folder))
        found = reader.read_metadata().state_dict_metadata
        return {name: _described(one) for name, one in found.items()}


def _described(one: Any) -> Any:
    full = sum(math.prod(chunk.sizes) for chunk in one.chunks) == math.prod(one.size)
    dtype = str(one.properties.dtype).removeprefix("torch.")
    return SimpleNamespace(dtype=dtype, shape=tuple(one.size) if full else (-1,))


def load(ranks: Ranks, folder: Path, tensors: dict[str, Tensor]) -> None:
    """Fill tensors, whole or shared out, from a checkpoint of any number of ranks."""
    dcp = _dcp()
    reader = dcp.HuggingFaceStorageReader(str(folder))
    alone = ranks.world == 1
    with _first_failure(f"{folder} cannot be read"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as it is asked to be
        dcp.load(tensors, storage_reader=reader, process_group=ranks.group, no_dist=alone)


@contextlib.contextmanager
def _first_failure(what: str) -> Iterator[None]:
    """What DCP raises on all ranks, a BaseException of all failures, becomes one line."""
    from torch.distributed.checkpoint import CheckpointException

    try:
        yield
    except CheckpointException as error:
        rank, (first, _) = min(error.failures.items())
        raise EquinfoError(f"{what}: {first!r} on rank {rank}") from error


def _hashes(files: Any) -> dict[str, str]:
    return {path.name: file_hash(path) for path in sorted(files)}
