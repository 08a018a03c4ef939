"""Artefact folders: read back equal, or refused with what is wrong and what to do."""

import json
import os
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


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "Out of range float"),
        (json.loads("[" * 900 + "]" * 900), "does not match|damaged"),
        ("\x1b[31m\n", "unknown kind"),
    ],
    ids=["nan", "deep", "escape"],
)
def test_strange_json_is_refused_in_one_printable_line_with_the_folder(folder, value, reason):
    changes = {"kind": value} if isinstance(value, str) else {"config": {"depth": value}}
    rewrite(folder, **changes)
    stored = json.loads((folder / JSON_NAME).read_text())
    if isinstance(value, str):  # with a right hash
        Artifact(value, {}, {}).save(folder)
    with pytest.raises(EquinfoError, match=reason) as caught:
        equinfo.load(folder)
    assert str(caught.value).isprintable()
    assert stored


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F4", "C64", "X9"])
def test_tensors_of_dtypes_that_numpy_has_not_are_refused(folder, dtype):
    header = json.dumps({"a": {"dtype": dtype, "shape": [4], "data_offsets": [0, 8]}}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(8)
    (folder / TENSORS_NAME).write_bytes(content)
    with pytest.raises(EquinfoError, match=r"tensors\.safetensors cannot be read|own hash"):
        load_artifact(folder)


def test_a_pipe_in_place_of_a_file_is_refused(folder):
    (folder / TENSORS_NAME).unlink()
    os.mkfifo(folder / TENSORS_NAME)
    with pytest.raises(EquinfoError, match="it is no regular file"):
        load_artifact(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"flavour": True}, "GZip knows no option flavour"),
        ({"flavour": 9}, "'flavour' is not true"),
        ({"bits": True}, "bits is True, not an integer from 1 to 16"),
        ({"level": 6.0}, "level is 6.0"),
        ({"block": 1 << 31}, "block is 2147483648"),
        ({"probe": "\x1b[2J"}, "no SHA-256"),
    ],
    ids=str,
)
def test_options_are_of_their_type_and_range(tmp_path, config, message):
    made = equinfo.load("gzip8").artifact
    Artifact("gzip", {**made.config, **config}, {}).save(tmp_path / "t")
    with pytest.raises(EquinfoError, match=message) as caught:
        equinfo.load(tmp_path / "t")
    assert str(caught.value).startswith(f"{tmp_path / 't'}: ")


def test_altered_folders_are_refused_or_lose_nothing():
    """Some of the trials that `python -m benchmarks.mutations` makes by the million."""
    from benchmarks.mutations import trial
    from benchmarks.trials import is_failure

    found = {seed: trial(seed) for seed in range(400)}
    assert {seed: f for seed, f in found.items() if is_failure(f)} == {}
