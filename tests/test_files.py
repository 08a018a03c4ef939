"""Whole files or none, whatever happens in the middle."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from equinfo.files import atomic_file, atomic_folder, canonical_json, content_hash

ROOT = Path(__file__).parents[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_and_alone_and_in_new_folders(tmp_path):
    with atomic_file(tmp_path / "a" / "b" / "file") as beside:
        beside.write_bytes(b"new")
        assert names(tmp_path / "a" / "b") == [beside.name]
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"
    assert names(tmp_path / "a" / "b") == ["file"]


def write_half(atomic, error: BaseException) -> None:
    """Begin to write a file or folder, then fail."""
    with atomic as beside:
        (beside / "new" if beside.is_dir() else beside).write_bytes(b"half")
        raise error


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_failure_leaves_the_old_file_or_none(tmp_path, error, before):
    if before:
        (tmp_path / "file").write_bytes(before)
    with pytest.raises(type(error)):
        write_half(atomic_file(tmp_path / "file"), error)
    assert names(tmp_path) == (["file"] if before else [])
    assert not before or (tmp_path / "file").read_bytes() == before


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_disk_that_fills_at_the_very_end_leaves_the_old_file(tmp_path, monkeypatch, moment):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(*((os, "fsync") if moment == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space"), atomic_file(tmp_path / "file") as beside:
        beside.write_bytes(b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_leaves_the_old_one(tmp_path, kind):
    target = tmp_path / "target"
    old = target if kind == "file" else target / "inside"
    old.parent.mkdir(exist_ok=True)
    old.write_bytes(b"old")
    written = "beside" if kind == "file" else "beside / 'inside'"
    code = (
        f"import os, signal; from equinfo.files import atomic_{kind}\n"
        f"with atomic_{kind}({str(target)!r}) as beside:\n"
        f"    ({written}).write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"old"


def test_a_folder_is_replaced_whole(tmp_path):
    for content in (["one", "two"], ["three"]):
        with atomic_folder(tmp_path / "folder") as beside:
            for name in content:
                (beside / name).write_text(name)
        assert names(tmp_path / "folder") == sorted(content)
    assert names(tmp_path) == ["folder"]


def test_a_failure_leaves_the_old_folder(tmp_path):
    with atomic_folder(tmp_path / "folder") as beside:
        (beside / "old").write_text("old")
    with pytest.raises(OSError, match="No space"):
        write_half(
            atomic_folder(tmp_path / "folder"), OSError(errno.ENOSPC, "No space left on device")
        )
    assert names(tmp_path / "folder") == ["old"]
    assert names(tmp_path) == ["folder"]


def test_a_folder_that_cannot_be_renamed_into_place_leaves_the_old_one(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "folder") as beside:
        (beside / "old").write_text("old")
    replace = Path.replace

    def fails_for_the_new(self, target):
        if self.name.endswith(".tmp"):
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_for_the_new)
    with pytest.raises(OSError, match="Input/output"), atomic_folder(tmp_path / "folder") as beside:
        (beside / "new").write_text("new")
    assert names(tmp_path / "folder") == ["old"]
    assert names(tmp_path) == ["folder"]


def test_canonical_json_is_one_string_for_one_value():
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == b'{"a":"\\u00e9","b":[1,2.5,null]}'
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))
