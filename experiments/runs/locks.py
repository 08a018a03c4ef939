"""Locks between processes, where the system has them: what one is at, another waits for, or leaves
to it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: one process at a time
    fcntl = None  # type: ignore[assignment]

POLL_SECONDS = 0.2


@contextmanager
def lock(path: Path, wait: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold a file's lock until the block ends, or the process does; yields whether it is held.

    wait: called again and again while another process holds it, and may raise; None: do not wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        while not (held := _try(file)) and wait is not None:
            wait()
            time.sleep(POLL_SECONDS)
        yield held  # closing the file gives the lock back


def hold(file: Any) -> None:
    """Wait for an open file's lock; closing the file gives it back."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)


def _try(file: Any) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
