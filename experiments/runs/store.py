"""What is there: the rows of a scale, and where all that its runs make lies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from equinfo.shards import MANIFEST
from experiments.runs.recipes import LM, M1, Recipe, Stream
from experiments.runs.rows import Rows

POLL_SECONDS = 0.2


class Store:
    """rows: of one scale. work: the folder of models, streams and checkpoints, by recipes' keys."""

    def __init__(self, rows: Rows, work: Path) -> None:
        self.rows = rows
        self.work = work

    def folder(self, recipe: Recipe) -> Path:
        return self.work / recipe.folder

    def split(self, recipe: Stream, split: str) -> Path:
        """Where a stream's shards of the training or validation text are."""
        return self.work / f"{recipe.folder}-{split}"

    def kept_m1(self, recipe: M1) -> Path:
        """Where its training lies beside the rows, if it does."""
        return self.rows.path.parent / recipe.folder

    def share(self, recipe: Recipe) -> float:
        """How much of what a run makes is there, 0 to 1: of a training, the steps it has kept."""
        if isinstance(recipe, Stream):
            made = [(self.split(recipe, s) / MANIFEST).exists() for s in ("train", "validation")]
            return sum(made) / len(made)
        if recipe.trained is None:
            return 0.0
        folder = self.folder(recipe)
        if (folder / "weights").exists():
            return 1.0
        kept = [int(path.name.removeprefix("checkpoint-")) for path in folder.glob("checkpoint-*")]
        return max(kept, default=0) / recipe.trained.steps

    def lock(self, name: str) -> FileLock:
        """A lock between processes, given back when its holder ends, killed or not."""
        path = self.work / "locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    def running(self, recipe: Recipe) -> FileLock:
        """The lock of whoever is at a run."""
        return self.lock(f"run-{recipe.key}")

    def making(self, recipe: Recipe) -> list[FileLock]:
        """The locks of whoever is at a run that makes the streams and LMs which this one lacks."""
        parts = {part.key: part for part in (*recipe.needs(), recipe.reads, recipe) if part}
        return [
            self.lock(f"making-{key}")
            for key, part in parts.items()
            if isinstance(part, Stream | LM) and self.share(part) < 1
        ]

    @contextmanager
    def alone(self, path: Path, wait: Callable[[], None]) -> Iterator[None]:
        """Hold a path of `work`'s while it is made: another process waits, and then finds it there.

        wait: called again and again while another process holds it; may raise.
        """
        lock = self.lock("-".join(path.relative_to(self.work).parts))
        while not lock.is_locked:
            try:
                lock.acquire(timeout=POLL_SECONDS)
            except Timeout:
                wait()
        try:
            yield
        finally:
            lock.release()
