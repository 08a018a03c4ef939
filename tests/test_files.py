"""Whole files or none, whatever happens in the middle."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from equinfo.errors import EquinfoError
from equinfo.files import (
    LOCK,
    alone,
    atomic_file,
    atomic_folder,
    canonical_json,
    content_hash,
)

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


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
@pytest.mark.parametrize("before", [False, True])
def test_a_failure_leaves_the_old_or_nothing(tmp_path, error, atomic, before):
    target = tmp_path / "target"
    held = target if atomic is atomic_file else target / "held"
    if before:
        held.parent.mkdir(exist_ok=True)
        held.write_bytes(b"old")
    expected = EquinfoError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected) as caught:
        write_half(atomic(target), error)
    assert expected is not EquinfoError or str(caught.value) == (
        f"{target} cannot be written: No space left on device"
    )
    assert names(tmp_path) == (["target"] if before else [])
    assert not before or held.read_bytes() == b"old"
    assert not before or names(held.parent) == [held.name]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_a_disk_that_fills_at_the_very_end_leaves_the_old(tmp_path, monkeypatch, moment, atomic):
    target = tmp_path / "target"
    held = target if atomic is atomic_file else target / "held"
    held.parent.mkdir(exist_ok=True)
    held.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if moment == "fsync" else (Path, "replace")), full)
        with pytest.raises(EquinfoError, match="target cannot be written: No space left"):  # noqa: SIM117
            with atomic(target) as beside:
                (beside / "held" if beside.is_dir() else beside).write_bytes(b"new")
    assert held.read_bytes() == b"old"
    assert (names(tmp_path), names(held.parent)) == (["target"], [held.name])


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_kill_leaves_is_the_old_one_and_is_cleared_by_the_next_writer(tmp_path, kind):
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
    assert len(names(old.parent)) > 1
    with atomic_file(old) if kind == "file" else atomic_folder(target) as beside:
        (beside if kind == "file" else beside / "inside").write_bytes(b"new")
    assert old.read_bytes() == b"new"
    assert names(old.parent) == [old.name]


def test_a_folder_gets_new_files_and_keeps_others(tmp_path):
    for content in (["one", "two"], ["two", "three"]):
        with atomic_folder(tmp_path / "folder") as beside:
            for name in content:
                (beside / name).mkdir()
                (beside / name / content[0]).touch()
    assert names(tmp_path / "folder") == ["one", "three", "two"]
    assert names(tmp_path / "folder" / "two") == ["two"]
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_a_link_is_written_through_and_a_circle_or_no_name_is_refused(tmp_path, atomic):
    (tmp_path / "link").symlink_to("there")
    with atomic(tmp_path / "link") as beside:
        (beside / "held" if beside.is_dir() else beside).write_bytes(b"new")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path) == ["link", "there"]
    (tmp_path / "circle").symlink_to("circle")
    for name, message in ((tmp_path / "circle", "links lead in a circle"), ("", "is empty")):
        with pytest.raises(EquinfoError, match=message), atomic(name):
            pass
    assert (tmp_path / "circle").is_symlink()


def test_a_file_keeps_its_mode(tmp_path):
    (tmp_path / "secret").touch()
    (tmp_path / "secret").chmod(0o600)
    with atomic_file(tmp_path / "secret") as beside:
        beside.write_text("new")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_has_one_writer_who_says_who_it_is(tmp_path, there):
    folder = tmp_path / "folder"
    if there:
        folder.mkdir()
    with alone(folder):
        for second in (alone(folder), atomic_folder(folder)):
            with pytest.raises(EquinfoError) as caught, second:
                pass
            message = rf"{folder} is being written by process {os.getpid()} on .* since .*: wait"
            assert re.match(message, str(caught.value))
    with alone(folder):
        pass
    assert names(tmp_path) == (["folder"] if there else [])
    assert not there or names(folder) == []


def test_the_lock_of_a_process_that_died_holds_nobody_up(tmp_path):
    (tmp_path / LOCK).write_text("process 1 on another machine")
    with alone(tmp_path):
        pass
    assert names(tmp_path) == []


def test_canonical_json_is_one_string_for_one_value():
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == b'{"a":"\\u00e9","b":[1,2.5,null]}'
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))
