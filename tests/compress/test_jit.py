"""The kernels' cache: never stale, and no hindrance where nothing can be written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import equinfo
from equinfo.compress.jit import CacheFile, kernel

PACKAGE = Path(equinfo.__file__).parent
SHOW = (
    "from equinfo.compress.calling import calling; print(calling(),"
    " sum(calling.stats.cache_hits.values()))"
)
ENCODES = """
from equinfo.compress.dictionary.dictionary import Dictionary
import numpy as np
def run():
    words = Dictionary([bytes([b]) for b in range(256)] + [b"ab"], np.arange(257))
    return words.encode([b"abba"])[0].tolist()
"""


def run(code: str, root: Path, **environment: str) -> str:
    """What `code` prints where the package in `root` is imported."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path):
    """The package elsewhere, without what is cached, with a kernel that calls another."""
    shutil.copytree(
        PACKAGE, tmp_path / "equinfo", ignore=shutil.ignore_patterns("__pycache__", "pretrained")
    )
    (tmp_path / "equinfo" / "compress" / "coder" / "called.py").write_text(
        "from equinfo.compress.jit import kernel\n@kernel\ndef called():\n    return 1\n"
    )
    (tmp_path / "equinfo" / "compress" / "calling.py").write_text(
        "from equinfo.compress.coder.called import called\n"
        "from equinfo.compress.jit import kernel\n"
        "@kernel\ndef calling():\n    return called()\n"
    )
    return tmp_path


def test_a_kernel_is_not_taken_from_the_cache_when_one_that_it_calls_has_changed(copy):
    assert run(SHOW, copy) == "1 0"
    assert run(SHOW, copy) == "1 1"
    called = copy / "equinfo" / "compress" / "coder" / "called.py"
    times = called.stat().st_mtime_ns
    called.write_text(called.read_text().replace("1", "2"))
    os.utime(called, ns=(times, times))
    assert run(SHOW, copy) == "2 0"


def test_a_read_only_installation_uses_the_users_cache_or_none(copy):
    for room in [copy / "equinfo" / "compress", *(copy / "equinfo" / "compress").iterdir()]:
        if room.is_dir():
            (room / "__pycache__").write_text("no folder can be made here")
    home = copy / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "LOCALAPPDATA": str(home)}
    assert [run(SHOW, copy, **places) for _ in range(2)] == ["1 0", "1 1"]
    assert list(home.rglob("*.nbi"))
    nowhere = dict.fromkeys(places, os.devnull)
    assert [run(SHOW, copy, **nowhere) for _ in range(2)] == ["1 0", "1 0"]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b[:-1] + bytes([b[-1] ^ 1])],
    ids=["empty", "cut", "altered"],
)
def test_what_was_damaged_in_the_cache_is_made_anew(tmp_path, suffix, damage):
    file = CacheFile(str(tmp_path), "kernel", "stamp")
    file.save("key", ("machine code",))
    assert file.load("key") == ("machine code",)
    (damaged,) = tmp_path.glob(f"*{suffix}")
    damaged.write_bytes(damage(damaged.read_bytes()))
    assert file.load("key") is None
    file.save("key", ("machine code",))
    assert file.load("key") == ("machine code",)


def test_a_full_disk_holds_no_kernel_up(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    file = CacheFile(str(tmp_path), "kernel", "stamp")
    monkeypatch.setattr(file, "_open_for_write", full)
    file.save("key", ("machine code",))
    assert file.load("key") is None


def two() -> int:
    return 2


def test_kernels_are_compiled_whatever_numba_is_told(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    compiled = kernel(two)
    assert (compiled(), len(compiled.signatures)) == (2, 1)
    assert numba.config.DISABLE_JIT == 1


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_encode(method, tmp_path):
    script = tmp_path / "workers.py"
    script.write_text(
        ENCODES + f"import multiprocessing\nif __name__ == '__main__':\n    print(run())\n"
        f"    with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "        print(*[job.get() for job in [pool.apply_async(run) for _ in range(4)]])\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["[256, 98, 97]", " ".join(["[256, 98, 97]"] * 4)]
