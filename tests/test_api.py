"""The chain as functions: the same as the commands, and as docs/api.md shows it."""

import inspect
import re
from pathlib import Path

import pytest

import equinfo
from equinfo import api
from equinfo.errors import EquinfoError

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
    with pytest.raises(EquinfoError, match=r"was written by Bytes .*, not by GZip"):
        equinfo.evaluate(tmp_path / "lm", "gzip8", shards)


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
