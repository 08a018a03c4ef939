"""Whole files or none, one writer a folder: all is written beside its place, then renamed into it.

A file, or a new folder, takes its place in one rename. A folder that is there is filled, never
renamed (it may be a mount, or where the user stands): once all of the new files lie in its NEW,
they are moved out of that one by one, and whoever reads the folder meanwhile, or after a kill,
takes those that are still there (`whole`). The next writer moves the rest.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError

NEW = ".equinfo-new"
LOCK = ".equinfo.lock"
HOST = re.sub(r"\W", "", platform.node())[:20]
TEMPORARY = re.compile(rf"\..*\.equinfo-{HOST}-(\d{{1,9}})-[0-9a-f]{{8}}\.tmp")  # of which process
OURS = (  # what the commands write in a folder
    "artifact.json", "tensors.safetensors", "metrics.jsonl", "probes.jsonl", "checkpoint-*",
    "weights", "optimizer", "byte-model", "tensorboard", "manifest.json", "shard-*.ids",
    "tokenizer",
)  # fmt: skip
EXPORT = "equinfo.json"
EXPORTED = (  # and `export`, beside that file
    EXPORT, "train.bin", "val.bin", "meta.pkl", "*_text_document.*", "*-of-*.parquet",
    "dataset_dict.json", "train", "validation", "*set-documents.npy",
)  # fmt: skip


def as_path(path: Path | str | bytes) -> Path:
    """A path as any public function takes one, or EquinfoError."""
    try:
        return Path(os.fsdecode(path))
    except TypeError as error:
        raise EquinfoError(f"a path is a str or a Path, not a {type(path).__name__}") from error


def target(path: Path | str) -> Path:
    """Where an output goes: what `path` leads to by links, absolute. EquinfoError for no name."""
    as_path(path)  # or it says what is none
    name = os.fsdecode(path)
    found = Path(os.path.realpath(name))
    if not name:
        raise EquinfoError("the name of the output is empty: name a file or folder")
    if found.is_symlink():
        raise EquinfoError(f"{name} cannot be written: its links lead in a circle")
    return found


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Around writes: an OSError (a full disk, no permission) is an EquinfoError that names it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise EquinfoError(f"{path} cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path`, or what that links to, if the block succeeds.

    A kill, a full disk or an exception leaves the old file, or none, never a part of the new one;
    what a kill leaves beside it, the next writer removes. Raises EquinfoError where the system
    does not let it be written.
    """
    place = target(path)
    with writing(path):
        beside = _beside(place)
        try:
            yield beside
            _sync(beside)
            if place.exists():
                shutil.copymode(place, beside)
            beside.replace(place)
            _sync(place.parent)
        finally:
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path | str, overwrite: bool = False) -> Iterator[Path]:
    """As `atomic_file`, for a folder. In one that is there, new files take the place of old ones of
    their names; overwrite: and all else that equinfo wrote there is removed.
    """
    place = target(path)
    with writing(path), alone(path):
        new = not place.exists()
        _settle(place)
        beside = _beside(place if new else place / place.name)
        try:
            beside.mkdir()
            yield beside
            for part in [*beside.rglob("*"), beside]:
                _sync(part)
            names = [part.name for part in beside.iterdir()]
            beside.replace(place if new else place / NEW)
            _sync(place.parent if new else place)
            _settle(place)
            for other in _ours(place) if overwrite else ():
                if other.name not in names:
                    _remove(other)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def whole(file: Path) -> Path:
    """Where a file of a folder is: in NEW, while the writer is at it, or where it was killed."""
    new = file.with_name(NEW) / file.name
    return new if new.exists() else file


@contextlib.contextmanager
def alone(path: Path | str) -> Iterator[None]:
    """Be the one writer of a folder, there or not. EquinfoError, with its name, where another is.

    The lock is the system's: it ends with its holder, killed or not.
    """
    from filelock import FileLock, Timeout

    place = target(path)
    file = place / LOCK if place.is_dir() else place.with_name(f".{place.name}{LOCK}")
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
        if not file.exists():  # its last holder removed it in the meantime
            lock.release()
            lock.acquire(timeout=0)
    except Timeout as error:
        raise EquinfoError(
            f"{path} is being written by {_holder(file)}: wait for it, or name another folder"
        ) from error
    except NotImplementedError:  # a file system without locks
        yield
        return
    try:
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        said = f"process {os.getpid()} on {platform.node()} since {since} ({command})"
        file.write_text(said, encoding="utf-8", errors="replace")
        yield
    finally:
        if os.name == "nt":  # what is open cannot be removed there
            lock.release()
        with contextlib.suppress(OSError):
            file.unlink()
        lock.release()


def check_empty(path: Path | str, overwrite: bool = False, but: Container[str] = ()) -> None:
    """Raises EquinfoError where a folder to be written is a file, or shows other files than `but`.

    overwrite: it may hold anything.
    """
    place = target(path)
    if place.exists() and not place.is_dir():
        raise EquinfoError(f"{path} is a file: name a folder")
    with writing(path):
        held = sorted(place.iterdir()) if place.is_dir() and not overwrite else []
    for name in [part.name for part in held]:
        if not name.startswith(".") and name not in but:
            raise EquinfoError(f"{path} holds {name}: name a new folder, or pass --overwrite")


def clear(path: Path | str) -> None:
    """Remove what equinfo wrote in a folder; what others did stays."""
    for part in _ours(target(path)):
        _remove(part)


def _ours(place: Path) -> list[Path]:
    patterns = (*OURS, *(EXPORTED if (place / EXPORT).is_file() else ()))
    return [part for pattern in patterns for part in place.glob(pattern)]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _settle(place: Path) -> None:
    """Move what lies in a folder's NEW, all of it whole, to its place."""
    new = place / NEW
    for part in list(new.iterdir()) if new.is_dir() else ():
        there = place / part.name
        if there.is_dir():
            _remove(there)
        part.replace(there)
    if new.is_dir():
        _sync(place)
        new.rmdir()


def _beside(place: Path) -> Path:
    """A name of our own beside a place. Its folder is made, and rid of what killed writers left."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # it may be another's to remove
        for other in place.parent.iterdir():
            found = TEMPORARY.fullmatch(other.name)
            if found and _is_gone(int(found[1])):
                _remove(other)
    own = f"equinfo-{HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    return place.with_name(f".{place.name[:40]}.{own}.tmp")


def _is_gone(process: int) -> bool:
    """Whether no process of this machine has the number; unknown on Windows, where 0 is Ctrl-C."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        pass
    return False


def _sync(path: Path) -> None:
    """Have it on the disk; a folder too, where the system can."""
    folder = path.is_dir()
    with contextlib.suppress(OSError) if folder else contextlib.nullcontext():
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _holder(lock: Path) -> str:
    """What the holder of a lock says of itself."""
    try:
        said = lock.read_text(encoding="utf-8", errors="replace")
    except OSError:
        said = ""
    return "".join(c if c.isprintable() else " " for c in said[:400]).strip() or "another process"


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one byte string that stands for a JSON value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def content_hash(value: Any) -> str:
    """SHA-256 (hex) of a JSON value's canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
