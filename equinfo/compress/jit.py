"""How kernels are compiled: cached on disk, without the GIL, IEEE arithmetic as written.

No `fastmath`: the compiler may neither reorder nor fuse floating-point operations, so a value
depends on the order that the source states and not on how a loop was cut for the vector unit.
Integers are int64 throughout and stay below 2**62: mixing int64 and uint64 would silently make
float64.

Numba takes a cached kernel for fresh if its own file is as old and as large as it was; but it holds
the code of the kernels that it calls, from other files. Here it is fresh if no file of this room
has changed. Where nothing can be written (not beside the sources and not in the user's cache, or
the disk is full), and where the cache was cut or altered, kernels are compiled anew: what it holds
is machine code, and runs only if its digest fits. NUMBA_DISABLE_JIT is not obeyed: as plain Python,
kernels would compute other numbers.
"""

import contextlib
import hashlib
import pickle
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.caching import IndexDataCacheFile

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


class CacheFile(IndexDataCacheFile):
    """Numba's, that never fails: what cannot be read is compiled, what cannot be written is not."""

    def _load_index(self) -> dict[Any, Any]:
        try:
            return super()._load_index()
        except Exception:  # a pickle that is cut may raise any
            return {}

    def load(self, key: Any) -> Any:
        try:
            content = super().load(key)
            return pickle.loads(content[1]) if _digest(content[1]) == content[0] else None
        except Exception:  # as above
            return None

    def save(self, key: Any, data: Any) -> None:
        content = self._dump(data)
        with contextlib.suppress(OSError):
            super().save(key, (_digest(content), content))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """`function`, compiled at its first call for its arguments' types, or read from the cache."""
    config: Any = numba.config
    disabled, config.DISABLE_JIT = config.DISABLE_JIT, 0
    try:
        compiled = numba.njit(cache=True, **OPTIONS, **options)(function)
    except RuntimeError:  # no place for a cache
        return numba.njit(**OPTIONS, **options)(function)
    finally:
        config.DISABLE_JIT = disabled
    place = compiled._cache._cache_file
    place.__class__ = CacheFile
    place._source_stamp = sources_stamp()
    return compiled


inline = partial(kernel, inline="always")  # and put whole into each kernel that calls it


class _First(event.Listener):
    """Calls `tell` when the first kernel is compiled (one that the cache has is not)."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = cache(tell)

    def on_start(self, _: event.Event) -> None:
        self.tell()

    def on_end(self, _: event.Event) -> None:
        pass


@cache
def on_compiling(tell: Callable[[], None]) -> None:
    """Have `tell` called once, when a kernel must be compiled."""
    event.register("numba:compile", _First(tell))


@cache
def sources_stamp() -> str:
    """SHA-256 (hex) of the sources of all kernels."""
    digest = hashlib.sha256()
    room = Path(__file__).parent
    for file in sorted(room.rglob("*.py")):
        digest.update(str(file.relative_to(room)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
