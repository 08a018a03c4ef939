"""The chain as functions: the same as the commands, and as docs/api.md shows it."""

import inspect
import os
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import equinfo
from equinfo import api
from equinfo.errors import EquinfoError
from equinfo.shards import TokenStream

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"size": "30k", "steps": 2, "batch_size": 2, "context": 16}
TEXTS = [b"%d green bottles, hanging on the wall" % n for n in range(90)]


def test_the_page_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL
    )
    exec(compile(example, "api.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"m1", "windows16", "ids", "lm"}


@pytest.mark.parametrize(
    "name", ["train_m1", "train_tokenizer", "tokenize_corpus", "train_lm", "evaluate"]
)
def test_every_step_is_documented(name):
    step = getattr(equinfo, name)
    assert callable(step)
    assert inspect.getdoc(step)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'equinfo' has no attribute 'tokenise'"):
        _ = equinfo.tokenise


def test_evaluate_takes_a_corpus_a_stream_and_shards(tmp_path):
    equinfo.train_lm(tmp_path / "lm", "bytes", TEXTS, **SMALL)
    plain = equinfo.load("bytes")
    shards = equinfo.tokenize_corpus("bytes", TEXTS, tmp_path / "ids")
    measured = [
        equinfo.evaluate(tmp_path / "lm", "bytes", data)
        for data in (TEXTS, api.token_stream(plain, TEXTS), shards)
    ]
    assert measured[0] == measured[1] == measured[2]
    assert measured[0].num_bytes == sum(map(len, TEXTS))
    gzipped = equinfo.tokenize_corpus("gzip8", TEXTS, tmp_path / "gzipped")
    with pytest.raises(EquinfoError, match=r"was written by GZip.*, not by Bytes"):
        equinfo.evaluate(tmp_path / "lm", corpus=gzipped)


def test_an_lm_with_a_canonical_mask_writes_what_the_encoder_could(tmp_path):
    tokenizer = equinfo.load("english-16k")
    equinfo.train_lm(tmp_path / "lm", tokenizer, TEXTS, canonical=True, **SMALL)
    offsets, ranges = tokenizer.canonical_mask()
    (text,) = equinfo.generate(tmp_path / "lm", prompt="green", max_ids=60, seed=1)
    for a, b in pairwise(text.ids):
        assert all(not low <= b < high for low, high in ranges[offsets[a] : offsets[a + 1]])
    assert equinfo.evaluate(tmp_path / "lm", corpus=TEXTS[:9]).num_ids > 9
    a = int(np.diff(offsets).argmax())
    b = int(ranges[offsets[a], 0])
    with pytest.raises(EquinfoError, match=rf"id {b} after {a}: by its canonical mask"):
        equinfo.evaluate(tmp_path / "lm", corpus=TokenStream(np.array([a, b]), 2, 9))
    with pytest.raises(EquinfoError, match=r"no canonical mask for the ids of GZip.*not known"):
        equinfo.train_lm(tmp_path / "other", "gzip8", TEXTS, canonical=True, **SMALL)


def test_an_lm_knows_its_tokenizer_wherever_it_is_and_refuses_another(tmp_path):
    """Its folder holds the one of the shards that it was trained on."""
    lm = tmp_path / "moved"
    equinfo.tokenize_corpus("bytes", TEXTS, tmp_path / "ids")
    equinfo.train_lm(tmp_path / "lm", shards=tmp_path / "ids", **SMALL)
    shutil.rmtree(tmp_path / "ids")
    (tmp_path / "lm").rename(lm)
    assert equinfo.evaluate(lm, corpus=TEXTS) == equinfo.evaluate(lm, "bytes", TEXTS)
    (text,) = equinfo.generate(lm, prompt="ten", max_ids=9)
    assert text == equinfo.generate(lm, "bytes", "ten", max_ids=9)[0]
    for use in (
        lambda: equinfo.evaluate(lm, "gzip8", TEXTS),
        lambda: equinfo.generate(lm, "gzip8"),
        lambda: equinfo.train_lm(lm, "gzip8", TEXTS, **SMALL),
    ):
        with pytest.raises(EquinfoError, match=r"with Bytes 3645b436bbb3, not with GZip"):
            use()
    equinfo.load("gzip8").save(lm / "tokenizer")  # one in the folder is not believed either
    with pytest.raises(EquinfoError, match=r"with Bytes 3645b436bbb3, not with GZip"):
        equinfo.evaluate(lm, corpus=TEXTS)
    shutil.rmtree(lm / "tokenizer")
    with pytest.raises(EquinfoError, match=r"does not hold its tokenizer \(Bytes 3645b436bbb3\)"):
        equinfo.evaluate(lm, corpus=TEXTS)


def test_an_lm_of_an_older_version_is_taken_at_ones_word_and_that_is_said(tmp_path):
    from equinfo.lm.config import Training
    from equinfo.lm.train import train

    sure = equinfo.load("bytes")
    ids = api.token_stream(sure, TEXTS).ids
    config = Training().but(**SMALL).config(sure.vocab_size, sure.bos_id)
    train(config, ids, tmp_path)
    with pytest.warns(UserWarning, match="does not say which tokenizer"):
        equinfo.evaluate(tmp_path, "bytes", TEXTS)
    with pytest.raises(EquinfoError, match=r"259 ids and GZip\[v=65k\] 65539"):
        equinfo.evaluate(tmp_path, "gzip16", TEXTS)
    with pytest.raises(EquinfoError, match="does not hold its tokenizer: name it"):
        equinfo.evaluate(tmp_path, corpus=TEXTS)
    equinfo.train_lm(tmp_path, "bytes", TEXTS, **SMALL)  # finished, of these very ids: now it knows
    assert equinfo.evaluate(tmp_path, corpus=TEXTS).num_bytes == sum(map(len, TEXTS))


UMLAUTS = [f"Grüße aus Köln – „schön“, 世界 {n}" for n in range(40)]
DOCUMENTS = {
    "str": UMLAUTS,
    "bytes": [text.encode() for text in UMLAUTS],
    "mixed": [*UMLAUTS[:20], *(bytearray(text.encode()) for text in UMLAUTS[20:])],
}


@pytest.mark.parametrize("kind", ["str", "mixed"])
def test_documents_are_str_or_bytes_and_counted_in_bytes(tmp_path, kind):
    def results(documents, out):
        plain = equinfo.load("bytes")
        model = equinfo.train_m1(out / "m1", documents, order=2)
        made = equinfo.train_tokenizer("ac", corpus=documents, m1=model, size=256)
        bpe = equinfo.train_tokenizer("bpe", out / "bpe", documents, size=300)
        stream = equinfo.token_stream(plain, iter(documents))
        shards = equinfo.tokenize_corpus(plain, documents, out / "ids")
        equinfo.train_lm(out / "lm", plain, documents, **SMALL)
        measured = equinfo.evaluate(str(out / "lm"), plain, documents)
        assert stream.num_bytes == shards.num_bytes == measured.num_bytes
        encoded = [made.encode_batch(documents), bpe.encode_batch(documents)]
        ids = [[list(one) for one in batch] for batch in encoded]
        return (
            ids,
            list(stream.ids),
            measured,
            [shard["sha256"] for shard in shards.manifest["shards"]],
        )

    expected = results(DOCUMENTS["bytes"], tmp_path / "bytes")
    assert results(DOCUMENTS[kind], tmp_path / kind) == expected


@pytest.mark.parametrize("kind", [str, Path, os.fsencode], ids=["str", "Path", "bytes"])
def test_paths_are_str_path_or_bytes(tmp_path, kind):
    (tmp_path / "text.txt").write_text("ten green bottles\n" * 99)
    out = kind(tmp_path / "out")
    made = equinfo.train_tokenizer("static-ac", out, tmp_path / "text.txt", size=256)
    assert equinfo.load(out).fingerprint == made.fingerprint
    shards = equinfo.tokenize_corpus(out, tmp_path / "text.txt", kind(tmp_path / "ids"))
    assert equinfo.Shards(kind(tmp_path / "ids")).num_bytes == shards.num_bytes
    equinfo.export(kind(tmp_path / "ids"), kind(tmp_path / "bin"), "llmc")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: equinfo.load_corpus(b"bundled"), "a corpus is a name or a path, not a bytes"),
        (lambda: equinfo.token_stream("bytes", b"text"), "a list of documents, not a bytes"),
        (lambda: equinfo.token_stream("bytes", None), "a list of documents, not a NoneType"),
        (lambda: equinfo.train_m1("m", [Path("a.txt")], order=1), "document 0: no text .*Path"),
        (lambda: equinfo.token_stream("bytes", ["a", 7]), "document 1: no text .* a int"),
        (lambda: equinfo.token_stream("bytes", ["a\ud800"]), "document 0: a lone surrogate"),
        (lambda: equinfo.load(7), "a path is a str or a Path, not a int"),
        (lambda: equinfo.load(None), "a path is a str or a Path"),
        (lambda: equinfo.Shards(7), "a path is a str or a Path"),
        (lambda: equinfo.evaluate(7, "bytes", ["text"]), "a path is a str or a Path"),
        (lambda: equinfo.generate(7, "bytes"), "a path is a str or a Path"),
        (lambda: equinfo.train_lm(7, "bytes", ["text"]), "a path is a str or a Path"),
        (lambda: equinfo.tokenize_corpus("bytes", ["text"], 7), "a path is a str or a Path"),
        (lambda: equinfo.train_m1("file/m1", ["text"], order=1), "file.* cannot be written: "),
        (lambda: equinfo.tokenize_corpus("bytes", ["text"], "file/ids"), "ids cannot be written"),
        (lambda: equinfo.train_lm("file", "bytes", TEXTS, **SMALL), "file is a file: name"),
        (lambda: equinfo.load_corpus("x" * 5000), "x cannot be used: File name too long"),
        (lambda: equinfo.load("bytes").encode(7), "a document must be bytes or str, not int"),
        (lambda: equinfo.load("bytes").encode_batch("text"), "takes a list of documents"),
        (lambda: equinfo.load("bytes").encode_batch(7), "takes a list of documents"),
        (lambda: equinfo.load("bytes").encode_batch([Path("a")]), "a document must be bytes"),
    ],
)
def test_what_is_neither_text_nor_path_is_one_line(tmp_path, monkeypatch, call, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(EquinfoError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(EquinfoError, match="train-lm needs a tokenizer, or the shards"):
        equinfo.train_lm(tmp_path / "lm", **SMALL)
    with pytest.raises(EquinfoError, match="ac needs a byte model"):
        equinfo.train_tokenizer("ac", tmp_path / "t")
    assert not list(tmp_path.iterdir())


def test_a_setting_that_no_training_has_is_named(tmp_path):
    for train in (equinfo.train_m1, equinfo.train_lm):
        with pytest.raises(EquinfoError, match="a training has no 'epochs'; it has steps, "):
            train(tmp_path / "lm", epochs=3, **SMALL)
    assert not list(tmp_path.iterdir())


def test_a_byte_model_is_given_as_object_or_folder(tmp_path):
    model = equinfo.train_m1(tmp_path / "m1", TEXTS, **SMALL)
    made = [
        equinfo.train_tokenizer("equalinfo", bits=16, size=256, m1=m1)
        for m1 in (model, tmp_path / "m1" / "byte-model")
    ]
    assert made[0].fingerprint == made[1].fingerprint
