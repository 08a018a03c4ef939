"""Rows: derived numbers, foreign versions, what a kill leaves."""

import errno
import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest

from equinfo.errors import EquinfoError
from experiments.runs.recipes import RECIPE_VERSION, Stream, Tokens
from experiments.runs.rows import Row, Rows

RECIPE = Stream(Tokens("bytes", 256, "bundled", 100), "bundled", 100, 100)


def row(**changes):
    values = {
        "type": "Stream", "key": RECIPE.key, "scale": "tiny", "status": "done",
        "recipe": RECIPE.to_dict(),
        "seed": None, "seconds": 1.0, "num_tokens": 50, "num_bytes": 100, "code_size": 65536,
        "unigram_nats": 100 * math.log(2),
    }  # fmt: skip
    return Row(**values | changes)


def test_derived_numbers():
    assert row().ratio == 2
    assert row().uniform == 8  # 16 bits an id, two bytes an id
    assert row().bit_ratio == 1
    assert row().unigram == pytest.approx(1)


def test_a_failed_run_has_a_status_and_no_number():
    with pytest.raises(EquinfoError, match="diverged"):
        _ = row(status="diverged").bits_per_byte


def test_what_is_appended_is_read_back(tmp_path):
    path = tmp_path / "rows.jsonl"
    Rows(path).append(row())
    assert Rows(path).done(RECIPE) == row()
    assert Rows(path).all_done([RECIPE, Tokens("bpe", 1, "x", 1)]) == [row()]


def test_a_failed_row_is_not_done_and_a_later_one_wins(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    rows.append(row(status="diverged"))
    assert Rows(rows.path).done(RECIPE) is None
    rows.append(row())
    assert Rows(rows.path).done(RECIPE) == row()


def test_rows_of_another_version_are_ignored_and_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(asdict(row()) | {"version": RECIPE_VERSION + 1}) + "\n")
    rows = Rows(path)
    assert rows.done(RECIPE) is None
    assert rows.foreign == [f"rows.jsonl:1 (recipe version {RECIPE_VERSION + 1})"]


def test_a_line_broken_by_a_kill_is_dropped_and_mended(tmp_path):
    path = tmp_path / "rows.jsonl"
    Rows(path).append(row())
    whole = path.read_text()
    path.write_text(whole + whole[: len(whole) // 2])
    rows = Rows(path)
    assert rows.done(RECIPE) == row()
    rows.append(row(key="other"))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == [
        RECIPE.key,
        "other",
    ]


def test_a_foreign_line_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    strange = {**vars(row()), "key": [1]}
    for line in ({"version": RECIPE_VERSION, "colour": "red"}, strange):
        path.write_text(json.dumps(line) + "\n")
        with pytest.raises(EquinfoError, match=r"rows.jsonl:1 is not a result row"):
            Rows(path)
    path.write_bytes(b"\xff\n")
    with pytest.raises(EquinfoError, match=r"rows.jsonl:1 is not a result row .*utf-8"):
        Rows(path)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(EquinfoError, match=r"rows.jsonl cannot be written: No space"):
        Rows(tmp_path / "rows.jsonl").append(row())


def test_keys_are_content():
    assert RECIPE.key == Stream(Tokens("bytes", 256, "bundled", 100), "bundled", 100, 100).key
    assert RECIPE.key != Stream(Tokens("bytes", 256, "bundled", 101), "bundled", 100, 100).key
    assert Tokens("a", 1, "b", 2).key == "e77143a3454a17a2"


def test_an_id_takes_whole_bits():
    """Table 1: 32,000 pieces take 15 bits."""
    assert row(num_bytes=428, num_tokens=100, code_size=32_000).bit_ratio == pytest.approx(
        2.28, abs=0.005
    )
