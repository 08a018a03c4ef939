"""Kills, full disks and second writers, upon each command that writes (commands.py).

The law: what is there after a fault is the old, the whole new, or a beginning that the same command
takes up; run again, it ends with the very result of an undisturbed run, leaves nothing beside it,
and has done no finished unit again: no shard, no row, no step but those since the last checkpoint.
Whatever goes wrong is said in one line.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.soak.commands import COMMANDS, make_base
from benchmarks.trials import guarded, is_failure

KILLED = ("encode", "tokenize", "train", "rows")
EARLY = 0.1  # of the kills, before the work begins
DISK = 64 << 20  # bytes of a disk that is large enough
PASSING = ("seconds", "hash")  # in JSON: what no two runs share


@cache
def _held() -> tempfile.TemporaryDirectory:
    held = tempfile.TemporaryDirectory(prefix="equinfo-faults-")
    (Path(held.name) / "base").mkdir()
    make_base(Path(held.name) / "base")
    return held


def place() -> Path:
    """This process's own folder, with `base` in it."""
    return Path(_held().name)


@contextmanager
def _fresh() -> Iterator[Path]:
    """A folder to write in, which is new and goes again."""
    with tempfile.TemporaryDirectory(dir=place()) as folder:
        yield Path(folder) / "out"


def _start(name: str, out: Path, writer: int = 0, limit: int | None = None) -> subprocess.Popen:
    """limit: bytes that a file may have."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    command = [sys.executable, "-m", "benchmarks.soak.commands", name, place() / "base", out]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [*map(str, command), str(writer)], start_new_session=True, preexec_fn=limited, **pipes
    )  # fmt: skip


def _run(name: str, out: Path, writer: int = 0, limit: int | None = None) -> str:
    """ "done", "refused", or a failure."""
    return _outcome(_start(name, out, writer, limit))


def _outcome(process: subprocess.Popen) -> str:
    """ "done", "refused" with its line, or a failure."""
    _, errors = process.communicate()
    if process.returncode == 0:
        return "done"
    told = [line for line in errors.replace("\r", "\n").splitlines() if line.strip()]
    if process.returncode != 1 or "Traceback" in errors:
        return f"tracebacks: exit status {process.returncode}: {errors[-3000:]}"
    if not told or not told[-1].startswith("equinfo: "):
        return f"tracebacks: no line: {errors[-1000:]}"
    return f"refused: {told[-1]}"


# -- what a run leaves -----------------------------------------------------------------------------


def _result(out: Path) -> dict[str, str]:
    """Every file beside and below `out`, hidden ones too, with a hash of its content."""
    found = {}
    for path in sorted(out.parent.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix in (".json", ".jsonl") and b"seconds" in content:
                content = b"".join(sorted(_lasting(part) for part in _values(content)))
            name = str(path.relative_to(out.parent))
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _values(content: bytes) -> list[Any]:
    try:
        return [json.loads(content)]
    except ValueError:
        return [json.loads(line) for line in content.splitlines()]


def _lasting(value: Any) -> bytes:
    def strip(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: strip(inner) for name, inner in part.items() if name not in PASSING}
        return [strip(inner) for inner in part] if isinstance(part, list) else part

    return json.dumps(strip(value), sort_keys=True).encode() + b"\n"


@cache
def undisturbed(name: str, writers: int = 1) -> tuple[dict[str, str], float, int]:
    """(what such a run leaves, the seconds of its work, the bytes of all files)."""
    with _fresh() as out:
        for writer in range(writers):
            process = _start(name, out, writer)
            assert process.stdout is not None
            process.stdout.readline()
            begun = time.monotonic()
            if (found := _outcome(process)) != "done":
                raise RuntimeError(f"{name} fails undisturbed: {found}")
        seconds = time.monotonic() - begun
        sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
        return _result(out), seconds, sum(sizes)


def _compared(name: str, out: Path, writers: int = 1) -> str:
    """ "" where the result is that of an undisturbed run."""
    expected, *_ = undisturbed(name, writers)
    found = _result(out)
    if left := found.keys() - expected.keys():
        return f"wrong: it leaves {sorted(left)}"
    if other := [part for part in expected if found.get(part) != expected[part]]:
        return f"wrong: {other} are others than those of an undisturbed run"
    return ""


def _units(name: str, out: Path) -> dict[str, Any]:
    """Finished units: what must be there as it is after the same command has run again."""
    if name == "tokenize":
        return {p.name: p.stat().st_mtime_ns for p in out.glob("shard-*.ids")}
    if name == "rows":
        file = out / "rows.jsonl"
        content = file.read_bytes() if file.exists() else b""
        return dict.fromkeys(content.split(b"\n")[:-1])
    if name == "train":
        steps = [int(path.name.removeprefix("checkpoint-")) for path in out.glob("checkpoint-*")]
        return dict.fromkeys(_metrics(out)[: max(steps, default=0)])
    return {}


def _metrics(out: Path) -> list[bytes]:
    """Lines, whole ones, of a training that is under way or finished."""
    file = out / "metrics.jsonl"
    content = file.read_bytes() if file.exists() else b""
    return content.split(b"\n")[:-1]


def _lost(name: str, out: Path, units: dict[str, Any]) -> str:
    """ "" where all units are as they were."""
    now = _units(name, out)
    if name == "train":  # the lines of steps that were not taken again have their old seconds
        now = dict.fromkeys(_metrics(out))
    gone = [unit for unit in units if now.get(unit, "gone") != units[unit]]
    return f"wrong: {len(gone)} of {len(units)} units were lost or made again" if gone else ""


# -- the faults ------------------------------------------------------------------------------------


def kill(seed: int) -> str:
    """Kill -9 a command, all of its processes, or a worker, at a random moment; run it again."""
    return _of("kill", seed, KILLED, _kill)


def full(seed: int) -> str:
    """Let the disk be full at a random byte; run again when there is space."""
    return _of("full", seed, tuple(COMMANDS), _full)


def two(seed: int) -> str:
    """Two of one command at once, in one folder."""
    return _of("two", seed, tuple(COMMANDS), _two)


def _of(what: str, seed: int, names: tuple[str, ...], action: Any) -> str:
    name = names[seed % len(names)]
    rng = random.Random(f"{what} {seed}")
    found = guarded(lambda: action(name, rng))
    kind, _, rest = found.partition(":")
    return f"{kind}: {what} {name}:{rest}" if is_failure(found) else found


def _kill(name: str, rng: random.Random) -> str:
    _, seconds, _ = undisturbed(name)
    delay = rng.random() * seconds
    early, whom = rng.random() < EARLY, rng.choice(("one", "all", "worker"))
    while True:
        with _fresh() as out:
            process = _start(name, out)
            assert process.stdout is not None
            if not early:
                process.stdout.readline()
            time.sleep(delay)
            workers = _workers(process.pid) if whom == "worker" else []
            if process.poll() is not None:  # too late
                process.communicate()
                delay /= 2
                continue
            with suppress(ProcessLookupError):
                if whom == "all":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    os.kill(rng.choice(workers) if workers else process.pid, signal.SIGKILL)
            if workers:
                found = _outcome(process)
                if is_failure(found):
                    return found
            else:
                process.communicate()
            units = _units(name, out)
            late = len(_metrics(out)) - len(units) if name == "train" else 0
            if late > 1 and not (out / "weights").exists():
                return f"wrong: the last checkpoint is {late} steps old"
            if (again := _run(name, out)) != "done":
                return again if is_failure(again) else f"wrong: run again, it says {again}"
            return _lost(name, out, units) or _compared(name, out) or "killed"


def _workers(parent: int) -> list[int]:
    """The processes that a command has started to share its work."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"spawn_main" in path.with_name("cmdline").read_bytes():
                found.append(int(path.parent.name))
    return found


def _full(name: str, rng: random.Random) -> str:
    *_, needed = undisturbed(name)
    space = rng.choice((0, rng.randrange(needed), rng.randrange(needed)))
    with _fresh() as out, _disk(out.parent, max(space, 4096)) as limit:
        found = _run(name, out, limit=limit)
        if is_failure(found):
            return found
        units = _units(name, out)
        if found == "done":
            return _compared(name, out) or "done"
        if "cannot" not in found:
            return f"wrong: of a full disk it says {found}"
        if limit is None:
            _mount(out.parent, "-o", f"remount,size={DISK}")
        if (again := _run(name, out)) != "done":
            return again if is_failure(again) else f"wrong: with space again, it says {again}"
        return _lost(name, out, units) or _compared(name, out) or "full"


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[int | None]:
    """A disk of `size` bytes at `folder`, or, where none may be mounted, what a file may have."""
    if not _mount("none", str(folder), "-t", "tmpfs", "-o", f"size={size}"):
        yield size
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _mount(*arguments: object) -> bool:
    command = ["mount", *map(str, arguments)]
    if shutil.which("mount") is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _two(name: str, rng: random.Random) -> str:
    writers = 2 if name == "rows" else 1
    _, seconds, _ = undisturbed(name, writers)
    with _fresh() as out:
        first = _start(name, out)
        assert first.stdout is not None
        if rng.random() < 0.5:
            first.stdout.readline()
            time.sleep(rng.random() * seconds / 2)
        second = _start(name, out, writers - 1)
        found = [_outcome(process) for process in (first, second)]
        if failed := [one for one in found if is_failure(one)]:
            return failed[0]
        if "done" not in found:
            return f"wrong: both are refused: {found}"
        return _compared(name, out, writers) or (
            "both done" if found[0] == found[1] else "one refused"
        )
