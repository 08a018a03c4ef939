"""Work on many tasks at once: in processes of this machine, or on Ray, there or on a cluster."""

import logging
import multiprocessing
import os
import pickle
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

from equinfo.errors import EquinfoError, needing

Task = TypeVar("Task")
Result = TypeVar("Result")
Start = Callable[..., None]

ONE_THREAD = ("EQUINFO_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
TRIES = 3  # at a task, before it is given up
READER = 0.1  # of a CPU, on Ray: readers mostly wait for the workers


@dataclass
class _Waiting:
    task: Any
    pool: ProcessPoolExecutor
    future: "Future[Any]"
    tries: int = 1

    @property
    def broken(self) -> bool:
        return self.future.done() and isinstance(self.future.exception(), BrokenProcessPool)


def in_processes(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int,
    start: Start,
    given: tuple[Any, ...],
) -> Iterator[Result]:
    """work(task) of each task, in order, by processes of one thread that begin with start(*given).

    At most two tasks a process are under way. One that ends before its work does (killed, out of
    memory) is replaced and costs what it was at, no more: each is a pool of its own, since an end
    ends a pool. Raises EquinfoError for a task at which three end, and what `work` raises.
    """
    context = multiprocessing.get_context("spawn")
    pools: list[ProcessPoolExecutor] = []
    waiting: deque[_Waiting] = deque()

    def pool() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, context, _begin, (start, given))

    def under_way() -> list[_Waiting]:
        return [one for one in waiting if not one.future.done()]

    def submit(task: Task) -> _Waiting:
        busy = [one.pool for one in under_way()]
        at = min(range(workers), key=lambda n: busy.count(pools[n]))
        try:
            return _Waiting(task, pools[at], pools[at].submit(work, task))
        except BrokenProcessPool:  # it ended with nothing to do
            pools[at] = pool()
            return _Waiting(task, pools[at], pools[at].submit(work, task))

    def mend() -> None:
        """Give what was lost to other processes."""
        for place, lost in enumerate(waiting):
            if not lost.broken:
                continue
            if lost.tries == TRIES:
                raise EquinfoError(
                    f"{TRIES} workers ended before their work did (killed, out of memory, or a"
                    ' script without `if __name__ == "__main__":`): run again, maybe with fewer'
                    " workers; finished shards are kept"
                )
            if lost.pool in pools:
                pools[pools.index(lost.pool)] = pool()
            waiting[place] = submit(lost.task)
            waiting[place].tries = lost.tries + 1

    def settled(most: int) -> Iterator[Result]:
        """What is done, in order, once at most so many tasks are under way."""
        mend()
        while len(left := under_way()) > most:
            wait([one.future for one in left], return_when=FIRST_COMPLETED)
            mend()
        while waiting and waiting[0].future.done() and not waiting[0].broken:
            yield waiting.popleft().future.result()

    try:
        pools += [pool() for _ in range(workers)]
        for task in tasks:
            waiting.append(submit(task))
            yield from settled(2 * workers - 1)
        while waiting:
            yield from settled(0)
    finally:
        for one in pools:
            one.shutdown(wait=True, cancel_futures=True)


def _begin(start: Start, given: tuple[Any, ...]) -> None:
    """One thread, and an end with the parent's, however that comes."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    threading.Thread(target=end_with_parent, daemon=True).start()
    start(*given)


def share_of(text: str, name: str) -> tuple[int, int]:
    """The second of five shares is "2/5" -> (2, 5). name: what the user called it by."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise EquinfoError(
            f"{name} {text}: write it as NUMBER/COUNT, from 1/5 to 5/5 for five machines"
        )
    return int(found[1]), int(found[2])


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def on_ray(
    units: list[Any],
    read: Callable[[Any], Iterator[Any]] | None,
    work: Callable[[Any], Result],
    workers: int | None,
    start: Start,
    given: tuple[Any, ...],
    size: int = 0,
) -> Iterator[Result]:
    """work(unit) of each unit, in any order, by Ray Data; or, with `read`, work(task) of all tasks
    that read(unit) yields, which then are read by some and worked on by others.

    workers: None for one a CPU of the cluster; each begins with start(*given). Ray repeats what a
    machine that fails had at hand. size: bytes of a task, about. Raises the EquinfoErrors of `read`
    and `work`, and one where Ray itself fails.
    """
    with needing("ray", "the engine ray"):
        import ray
        from ray.data import ActorPoolStrategy, DataContext

    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    count = workers or max(int(ray.cluster_resources().get("CPU", 1)), 1)
    context = DataContext.get_current()
    before = context.target_max_block_size
    context.target_max_block_size = size or before  # a task is a block: any worker can have it
    context.enable_progress_bars = False
    try:
        rows = [{"task": pickle.dumps(unit)} for unit in units]
        data: Any = ray.data.from_items(rows, override_num_blocks=len(rows))
        if read is not None:
            data = data.flat_map(_Reader(read), num_cpus=READER)
        data = data.map(
            _Worker,
            fn_constructor_args=(work, start, given),
            compute=ActorPoolStrategy(size=count),
            num_cpus=1 - READER,
        )
        for row in data.iter_rows():
            result = pickle.loads(row["result"])
            if isinstance(result, EquinfoError):
                raise result
            yield result
    except ray.exceptions.RayError as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise EquinfoError(f"Ray failed ({told}): run again; finished shards are kept") from error
    finally:
        context.target_max_block_size = before


class _Reader:
    def __init__(self, read: Callable[[Any], Iterator[Any]]) -> None:
        self.read = read

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            for task in self.read(pickle.loads(row["task"])):
                yield {"task": pickle.dumps(task)}
        except EquinfoError as error:
            yield {"task": pickle.dumps(error)}


class _Worker:
    def __init__(self, work: Callable[[Any], Any], start: Start, given: tuple[Any, ...]) -> None:
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        start(*given)
        self.work = work

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task = pickle.loads(row["task"])
        try:
            result = task if isinstance(task, EquinfoError) else self.work(task)
        except EquinfoError as error:
            result = error
        return {"result": pickle.dumps(result)}
