"""Artefact folders: read back equal, or refused with what is wrong and what to do."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError

import equinfo
from equinfo import artifacts
from equinfo.artifacts import JSON_NAME, TENSORS_NAME, Artifact, load_artifact, read_kind
from equinfo.errors import EquinfoError
from equinfo.tokenizers.byte import ByteTokenizer

TENSORS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([1, 2], dtype=np.uint32),
    "none": np.empty((0, 4), dtype=np.int64),
}


@pytest.fixture
def folder(tmp_path):
    Artifact("bytes", {"depth": 2, "name": "é"}, TENSORS).save(tmp_path / "t")
    return tmp_path / "t"


def rewrite(folder, **changes):
    stored = json.loads((folder / JSON_NAME).read_text()) | changes
    (folder / JSON_NAME).write_text(json.dumps({k: v for k, v in stored.items() if v is not None}))


def test_what_is_read_equals_what_was_written(folder):
    read = load_artifact(folder)
    assert (read.kind, read.config) == ("bytes", {"depth": 2, "name": "é"})
    assert read.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == tensor.dtype
    assert read.hash == Artifact("bytes", {"depth": 2, "name": "é"}, TENSORS).hash
    assert read_kind(folder) == "bytes"
    assert sorted(path.name for path in folder.iterdir()) == [JSON_NAME, TENSORS_NAME]


def test_only_an_artefact_or_nothing_is_replaced_or_what_is_to_be_overwritten(folder, tmp_path):
    other = Artifact("bytes", {}, {})
    other.save(folder)
    assert load_artifact(folder).hash == other.hash
    (tmp_path / "empty").mkdir()
    other.save(tmp_path / "empty")
    for precious in (folder / "notes.txt", tmp_path / "file"):
        precious.write_text("precious")
    (folder / "metrics.jsonl").write_text("of a training")
    for target in (folder, tmp_path / "file"):
        with pytest.raises(EquinfoError, match=r"holds metrics\.jsonl: name a new|is a file"):
            other.save(target)
    Artifact("bpe", {}, {}).save(folder, overwrite=True)
    assert read_kind(folder) == "bpe"
    assert not (folder / "metrics.jsonl").exists()
    assert (folder / "notes.txt").read_text() == (tmp_path / "file").read_text() == "precious"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(1, 4))
def test_a_kill_between_any_two_renames_leaves_the_old_or_the_new(folder, monkeypatch, step):
    old, new = load_artifact(folder), Artifact("bytes", {}, {"a": np.arange(9)})
    replace, left = Path.replace, [step]

    def killed(self, target):
        left[0] -= 1
        if not left[0]:
            raise Killed
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            new.save(folder)
    assert load_artifact(folder).hash == (old if step == 1 else new).hash
    new.save(folder)
    assert load_artifact(folder).hash == new.hash
    assert sorted(path.name for path in folder.iterdir()) == [JSON_NAME, TENSORS_NAME]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("error", [SafetensorError("No space left"), OSError(28, "No space left")])
def test_a_full_disk_is_one_line_that_names_the_folder(folder, monkeypatch, error):
    def full(*_):
        raise error

    old = load_artifact(folder).hash
    monkeypatch.setattr(artifacts, "save_file", full)
    for target in (folder, folder / "new"):
        with pytest.raises(EquinfoError, match=f"{target} cannot be written: No space left$"):
            Artifact("bytes", {}, TENSORS).save(target)
    assert load_artifact(folder).hash == old
    assert sorted(path.name for path in folder.iterdir()) == [JSON_NAME, TENSORS_NAME]


@pytest.mark.parametrize("name", ["english-16k", "bytes"])
def test_a_folder_that_hides_a_ready_made_name_or_is_hidden_by_it_says_so(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("a file hides nothing")
    equinfo.load(name)
    (tmp_path / name).unlink()
    equinfo.load("gzip8").save(name)
    with pytest.warns(UserWarning, match=f"name it as {tmp_path / name}$"):
        hidden = equinfo.load(name).name == "Bytes"
    assert hidden == (name == "bytes")
    assert equinfo.load(tmp_path / name).name == "GZip[v=256]"


def test_the_hash_is_of_content_not_of_layout():
    columns = {
        **TENSORS,
        "a": np.asfortranarray(TENSORS["a"]),
        "b": TENSORS["b"].astype(">u4").view(),
    }
    assert Artifact("k", {}, columns).hash == Artifact("k", {}, TENSORS).hash
    changed = [
        Artifact("other", {}, TENSORS),
        Artifact("k", {"x": 1}, TENSORS),
        Artifact("k", {}, {**TENSORS, "a": TENSORS["a"].reshape(3, 2)}),
        Artifact("k", {}, {**TENSORS, "a": TENSORS["a"].view(np.int32)}),
        Artifact("k", {}, {"c": TENSORS["a"], "b": TENSORS["b"], "none": TENSORS["none"]}),
    ]
    assert len({artifact.hash for artifact in [*changed, Artifact("k", {}, TENSORS)]}) == 6


def test_any_flipped_bit_is_refused_or_changes_nothing(folder):
    """Nothing but white space, JSON escapes and the layout of headers may change unseen."""
    whole = load_artifact(folder)
    for name in (JSON_NAME, TENSORS_NAME):
        content = (folder / name).read_bytes()
        refused = 0
        for at in range(len(content)):
            damaged = bytearray(content)
            damaged[at] ^= 1 << (at % 8)
            (folder / name).write_bytes(damaged)
            try:
                assert load_artifact(folder).hash == whole.hash
            except EquinfoError:
                refused += 1
        assert refused > 0.9 * len(content)
        (folder / name).write_bytes(content)


def test_cut_tensors_are_refused(folder):
    content = (folder / TENSORS_NAME).read_bytes()
    for size in (0, 7, len(content) // 2, len(content) - 1):
        (folder / TENSORS_NAME).write_bytes(content[:size])
        with pytest.raises(EquinfoError, match=r"tensors\.safetensors cannot be read"):
            load_artifact(folder)
    (folder / TENSORS_NAME).unlink()
    with pytest.raises(EquinfoError, match=r"tensors\.safetensors cannot be read"):
        load_artifact(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "format version 2; this equinfo reads version 1"),
        ({"version": None}, "format version None"),
        ({"format": "other"}, "not an equinfo artefact"),
        ({"kind": None}, "lacks its kind or config"),
        ({"config": [1]}, "lacks its kind or config"),
        ({"kind": "bpe"}, "does not match its own hash"),
        ({"config": {"depth": 3}}, "does not match its own hash"),
        ({"hash": None}, "does not match its own hash"),
        ({"hash": "0" * 64}, "does not match its own hash"),
    ],
    ids=str,
)
def test_another_format_version_or_content_is_refused(folder, changes, message):
    rewrite(folder, **changes)
    with pytest.raises(EquinfoError, match=message) as caught:
        load_artifact(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"7", b"[" * 100_000])
def test_json_that_is_none_is_refused(folder, content):
    (folder / JSON_NAME).write_bytes(content)
    with pytest.raises(EquinfoError, match=r"artifact\.json is not"):
        load_artifact(folder)


def test_a_folder_without_json_is_no_artefact(tmp_path):
    with pytest.raises(
        EquinfoError, match=r"is not an equinfo artefact: .*artifact\.json cannot be read"
    ):
        load_artifact(tmp_path)
    with pytest.raises(EquinfoError, match="is not an equinfo artefact"):
        equinfo.load(tmp_path)
    with pytest.raises(
        EquinfoError, match=r"no tokenizer .*neither a folder nor one of bytes, gzip8"
    ):
        equinfo.load(tmp_path / "missing")


def test_another_kind_is_refused_by_name(tmp_path):
    equinfo.load("gzip8").save(tmp_path / "gzip")
    with pytest.raises(EquinfoError, match="holds a 'gzip' tokenizer, not a 'bytes'; use equinfo"):
        ByteTokenizer.load(tmp_path / "gzip")
    Artifact("byte-model", {}, {}).save(tmp_path / "model")
    with pytest.raises(EquinfoError, match="unknown kind of tokenizer 'byte-model'"):
        equinfo.load(tmp_path / "model")


@pytest.mark.parametrize("kind", ["bpe", "unigram", "ac", "equalinfo"])
@pytest.mark.parametrize(
    "config", [{}, {"model": {}, "options": {"width": 8}}, {"model": {"model": "static"}}], ids=str
)
def test_an_artefact_that_lacks_parts_is_refused(tmp_path, kind, config):
    Artifact(kind, config, {}).save(tmp_path / "t")
    with pytest.raises(EquinfoError, match=r"lacks|unknown byte model"):
        equinfo.load(tmp_path / "t")


def test_unknown_options_are_refused(tmp_path):
    Artifact("gzip", {"bits": 8, "flavour": 9}, {}).save(tmp_path / "t")
    with pytest.raises(EquinfoError, match="GZip knows no option flavour"):
        equinfo.load(tmp_path / "t")
