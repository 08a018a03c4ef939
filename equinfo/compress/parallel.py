"""Many documents on many cores: contiguous groups, a thread each (kernels hold no GIL)."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from equinfo.errors import EquinfoError

GROUP_BYTES = 8 << 20  # bounds what one group's working arrays take

Out = TypeVar("Out")


def num_threads() -> int:
    """EQUINFO_THREADS, or the number of cores this process may use."""
    wanted = os.environ.get("EQUINFO_THREADS", "")
    if wanted and not (wanted.isdecimal() and int(wanted)):
        raise EquinfoError(
            f"EQUINFO_THREADS is {wanted!r}: it must be a positive number, or not set"
        )
    if wanted:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(function: Callable[[Any], Out], items: Sequence[Any]) -> list[Out]:
    """[function(item) for item in items], in as many threads as may be and are of use."""
    threads = min(num_threads(), len(items))
    if threads <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def map_groups(function: Callable[[list[Any]], list[Out]], items: Sequence[Any]) -> list[Out]:
    """function(items), group by group in threads; it must treat every item by itself."""
    groups = _groups(items, num_threads())
    if len(groups) <= 1:
        return function(list(items))
    return [result for results in in_threads(function, groups) for result in results]


def _groups(items: Sequence[Any], threads: int) -> list[list[Any]]:
    target = min(max(sum(len(item) for item in items) // threads, 1 << 12), GROUP_BYTES)
    groups: list[list[Any]] = [[]]
    size = 0
    for item in items:
        if size >= target:
            groups.append([])
            size = 0
        groups[-1].append(item)
        size += len(item)
    return groups
