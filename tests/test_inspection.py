"""What equinfo wrote is described and proven whole; a flipped byte or a cut names the file."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import equinfo
from equinfo import tokenfile
from equinfo.artifacts import Artifact, read_config
from equinfo.errors import EquinfoError
from equinfo.hf.model import EquinfoForCausalLM
from equinfo.inspection import KINDS, info, verify
from equinfo.lm.config import Training
from equinfo.lm.train import load_lm, train

TEXT = b"In the beginning God created the heaven and the earth. " * 40
TEXTS = [TEXT[n : 3 * n + 9] for n in range(90)]
BYTES = equinfo.load("bytes")
SMALL = {"size": "30k", "steps": 2, "context": 16, "batch_size": 2}
PLACES = {  # of one of each kind
    "token file": "text.ids",
    "token shard": "shards/shard-00001.ids",
    "token shards": "shards",
    "export": "export",
    "tokenizer": "bpe",
    "byte model": "m1/byte-model",
    "LM's weights": "lm/weights",
    "checkpoint": "begun/checkpoint-000000001",
    "training": "lm",
    "transformers' LM": "hf",
}
ALL = pytest.mark.parametrize("kind", PLACES)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("made")
    (place / "text").write_bytes(TEXT)
    (place / "text.ids").write_bytes(tokenfile.to_bytes(BYTES, TEXT))
    equinfo.tokenize_corpus("bytes", TEXTS, place / "shards", shard_bytes=3000)
    equinfo.tokenize_corpus("bytes", TEXTS, place / "blocks", mode="block", block_bytes=200)
    equinfo.tokenize_corpus("bytes", TEXTS, place / "part", part="2/3", shard_bytes=3000)
    equinfo.export(place / "shards", place / "export", "megatron")
    equinfo.train_tokenizer("bpe", place / "bpe", TEXTS, size=300)
    equinfo.train_m1(place / "m1", TEXTS, order=2)
    equinfo.train_lm(place / "lm", "bytes", TEXTS, **SMALL)
    config = Training().but(**SMALL).config(BYTES.vocab_size, BYTES.bos_id)
    stream = equinfo.token_stream("bytes", TEXTS)
    train(config, stream.ids, place / "begun", deadline=0.0, tokenizer=BYTES.identity)
    model = EquinfoForCausalLM.from_lm(load_lm(place / "lm"), BYTES, context=16)
    model.save_pretrained(place / "hf")
    return place


SAID = {
    "token file": {"tokenizer": BYTES.identity, "ids": len(TEXT), "bytes/id": "1.000"},
    "token shard": {"mode": "document", "tokenizer": BYTES.identity},
    "token shards": {"documents": 90, "bytes": sum(map(len, TEXTS)), "bytes/id": "1.000"},
    "export": {"format": "megatron", "tokenizer": BYTES.identity},
    "tokenizer": {"kind": "bpe", "codes": 300, "lossless": "yes"},
    "byte model": {"kind": "counts"},
    "LM's weights": {"steps": "2 of 2", "context": 16},
    "checkpoint": {"steps": "1 of 2", "tokenizer": BYTES.identity},
    "training": {"steps": "2 of 2", "tokenizer": BYTES.identity, "ids": 259},
    "transformers' LM": {"context": 16, "ids": 259, "tokenizer": BYTES.identity},
}
NEXT = {
    "token file": "equinfo decode {} -t TOKENIZER",
    "token shards": "equinfo train-lm --shards {}",
    "tokenizer": "equinfo show -t {}",
    "byte model": "--m1 {}",
    "training": "equinfo evaluate --lm {}",
    "transformers' LM": "--lm {}",
}


@ALL
def test_what_is_whole_is_described_and_verified(made, kind):
    place = made / PLACES[kind]
    found = info(place)
    assert (found.kind, found.path) == (kind, place)
    assert found.facts.items() >= SAID[kind].items()
    assert found.facts["on disk"] > 100
    assert NEXT.get(kind, "").format(place) in found.next
    assert f"what        {kind}\n" in str(found)
    checked = verify(place)
    assert checked.facts.pop("checked")
    assert checked == found


def test_each_kind_is_tried():
    assert set(PLACES) == set(KINDS) - {"artefact"}


def flipped(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@ALL
@pytest.mark.parametrize("damage", [flipped, cut])
def test_damage_is_refused_in_a_line_that_names_the_file_or_its_folder(
    made, tmp_path, kind, damage
):
    place = tmp_path / "copy"
    original = made / PLACES[kind]
    shutil.copytree(original, place) if original.is_dir() else shutil.copy(original, place)
    files = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".jsonl" or not content:  # what a kill may cut; nothing
            continue
        named = file.name in ("config.json", "model.safetensors")
        if kind == "transformers' LM" and (damage is flipped or not named):
            continue  # it notes no checksums
        file.write_bytes(damage(content))
        with pytest.raises(EquinfoError) as caught:
            verify(place)
        assert str(file) in str(caught.value) or str(file.parent) in str(caught.value)
        file.write_bytes(content)
    verify(place)


def test_a_training_is_described_as_far_as_it_is(made, tmp_path):
    begun = info(made / "begun")
    assert begun.facts["steps"] == "1 of 2"
    assert "again" in begun.next
    m1 = info(made / "m1")
    assert (m1.kind, "kind counts" in m1.facts["byte model"]) == ("training", True)
    assert f"--m1 {made / 'm1' / 'byte-model'}" in m1.next
    shutil.copytree(made / "lm", tmp_path / "lm")
    shutil.rmtree(tmp_path / "lm" / "tokenizer")
    equinfo.load("gzip8").save(tmp_path / "lm" / "tokenizer")
    with pytest.raises(EquinfoError, match="was trained with Bytes"):
        verify(tmp_path / "lm")


def test_the_files_of_ranks_are_checked_each(made, tmp_path):
    """As lm/ranks.py writes a checkpoint: an artefact without tensors that names their hashes."""
    config = read_config(made / "begun" / "checkpoint-000000001")
    names = [f"shard-0000{rank}-model.safetensors" for rank in (1, 2)]
    files = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    Artifact("checkpoint", {**config, "files": files}, {}).save(tmp_path)
    for name in names:
        (tmp_path / name).write_text(name)
    assert "2 files of ranks" in verify(tmp_path).facts["checked"]
    (tmp_path / names[1]).write_text("altered")
    with pytest.raises(EquinfoError, match=f"{names[1]}: it was cut or altered"):
        verify(tmp_path)
    (tmp_path / names[1]).unlink()
    with pytest.raises(EquinfoError, match=names[1]):
        verify(tmp_path)


def test_unfinished_shards_are_told_and_not_taken_for_whole(made, tmp_path):
    shutil.copytree(made / "shards", tmp_path / "shards")
    (tmp_path / "shards" / "manifest.json").unlink()
    assert "unfinished" in info(tmp_path / "shards").facts
    with pytest.raises(EquinfoError, match=r"no finished shards"):
        verify(tmp_path / "shards")


def test_a_part_is_told_and_verified(made):
    found = verify(made / "part", TEXTS)
    assert (found.kind, found.facts["part"], found.facts["documents"]) == (
        "token shards",
        "2/3",
        90,
    )
    assert "equinfo merge" in found.next


def test_what_ships_is_known_by_its_name():
    assert info("english-16k").facts["codes"] == 16_384
    assert info("english-m1").kind == "byte model"


# -- beside the source -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shards", "blocks"])
def test_shards_are_compared_with_their_text(made, name):
    shards = equinfo.Shards(made / name)
    found = verify(made / name, TEXTS, sample=30)
    assert f"30 of {shards.num_documents} {shards.mode}s decode" in found.facts["checked"]
    other = [*TEXTS[:40], TEXTS[40][::-1], *TEXTS[41:]]
    with pytest.raises(EquinfoError, match=r"decodes to another text"):
        verify(made / name, other, sample=90)
    for another in (TEXTS[:-1], [*TEXTS, b"more"], [b"x", *TEXTS[1:]]):
        with pytest.raises(EquinfoError, match=rf"{made / name} is not of .* and there"):
            verify(made / name, another, sample=1)


@pytest.mark.parametrize("options", [{}, {"part": "2/3"}, {"mode": "block", "block_bytes": 300}])
def test_shards_of_several_files_are_compared_with_them(tmp_path, monkeypatch, options):
    monkeypatch.setattr("equinfo.corpora.UNIT_BYTES", 1)  # each file by itself
    for n in range(4):
        texts = "".join(json.dumps({"text": text.decode()}) + "\n" for text in TEXTS[n::4])
        (tmp_path / "corpus").mkdir(exist_ok=True)
        (tmp_path / "corpus" / f"train-{n}.jsonl").write_text(texts)
    equinfo.tokenize_corpus("bytes", tmp_path / "corpus", tmp_path / "s", **options)
    found = verify(tmp_path / "s", tmp_path / "corpus", sample=10)
    assert "; 10 of" in found.facts["checked"]
    with pytest.raises(EquinfoError, match=r"name the split and max_bytes"):
        verify(tmp_path / "s", tmp_path / "corpus", max_bytes=1000)


def test_a_token_file_is_compared_with_its_file(made, tmp_path):
    assert verify(made / "text.ids", made / "text", tokenizer="bytes").facts["checked"]
    with pytest.raises(EquinfoError, match=r"decoded by Bytes .*: name that tokenizer"):
        verify(made / "text.ids", made / "text")
    for other, message in ((TEXT[:-1], "differ"), (TEXT + b"x", "goes on"), (b"", "differ")):
        (tmp_path / "other").write_bytes(other)
        with pytest.raises(EquinfoError, match=f"text.ids is not of .*other.*{message}"):
            verify(made / "text.ids", tmp_path / "other", tokenizer="bytes")
    with pytest.raises(EquinfoError, match="missing"):
        verify(made / "text.ids", tmp_path / "missing", tokenizer="bytes")


def test_no_other_thing_is_compared(made):
    with pytest.raises(EquinfoError, match="is no token file and no folder of shards"):
        verify(made / "lm", made / "text")


# -- what is not ours ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing does not exist"),
        ("text", "text is nothing that equinfo wrote"),
        (".", "is nothing that equinfo wrote"),
        ("config", "a 'llama' model, not an 'equinfo' one"),
    ],
)
def test_what_equinfo_did_not_write_is_said_to_be_none(tmp_path, name, message):
    (tmp_path / "text").write_bytes(b"text")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.json").write_text('{"model_type": "llama"}')
    for look in (info, verify):
        with pytest.raises(EquinfoError, match=message):
            look(tmp_path / name)
