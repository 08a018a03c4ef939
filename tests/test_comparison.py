"""Tokenizers side by side: figures that are known otherwise, and one line for what cannot be."""

import dataclasses
import io
import json
import math
import re
import sys

import numpy as np
import pytest
import sentencepiece
import transformers

import equinfo
from equinfo import cli
from equinfo.comparison import code_length, halves
from equinfo.errors import EquinfoError
from equinfo.tokenizers.imported import open_any

TEXTS = [b"%d green bottles, hanging on the wall" % n for n in range(90)]
SMALL = {"size": "30k", "steps": 2, "batch_size": 2, "context": 16}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A BPE, as a folder and as transformers' file; a SentencePiece model that folds case; an LM on
    the BPE's ids."""
    folder = tmp_path_factory.mktemp("made")
    bpe = equinfo.train_tokenizer("bpe", folder / "bpe", TEXTS, size=300)
    (folder / "tokenizer.json").write_bytes(bpe.model)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(text.decode() for text in TEXTS), model_writer=model, vocab_size=35,
        normalization_rule_name="nmt_nfkc_cf", minloglevel=2,
    )  # fmt: skip
    (folder / "folds.model").write_bytes(model.getvalue())
    equinfo.train_lm(folder / "lm", folder / "bpe", TEXTS, **SMALL)
    return folder


@pytest.mark.parametrize("documents", [1, 40])
def test_all_bytes_as_often_in_both_halves_cost_eight_bits(documents):
    text = [bytes(range(256)) * (40 // documents)] * documents
    (row,) = equinfo.compare(text, ["bytes"]).rows
    assert (row.vocabulary, row.unused, row.num_ids, row.bytes_per_id) == (256, 0, 40 * 256, 1)
    assert row.bits_per_byte == pytest.approx(8)
    assert row.bits_per_byte_add_one == pytest.approx(8)
    assert row.mb_per_second > 0


@pytest.mark.parametrize("documents", [3, 50])
def test_a_halfs_ids_cost_their_frequencies_in_the_other_once(documents):
    """Summed id by id. Every id is in one half, and none is coded with itself counted."""
    random = np.random.default_rng(1)
    encoded = [random.integers(0, 9, 25).astype(np.uint16) for _ in range(documents)]
    counts = halves(encoded, 10)
    np.testing.assert_array_equal(counts.sum(0), np.bincount(np.concatenate(encoded), minlength=10))
    assert 0.4 < counts[0].sum() / counts.sum() < 0.6
    bits = 0.0
    for own, other in (counts, counts[::-1]):
        for code, times in enumerate(own):
            bits -= times * math.log2((other[code] + 0.5) / (other.sum() + 5))
    assert code_length(counts, 0.5) == pytest.approx(bits)


def test_whatever_opens_is_measured_in_exact_bytes_and_an_lm_in_its_tokenizers_row(made):
    names = [made / "bpe", str(made / "tokenizer.json"), made / "lm", equinfo.load("gzip8")]
    texts = [*TEXTS, "Ünïcödé"]
    found = equinfo.compare(texts, names, lms=[made / "lm"])
    ids = equinfo.load(made / "bpe").encode_batch(texts)
    assert found.num_bytes == sum(map(len, TEXTS)) + 11
    assert [row.tokenizer for row in found.rows] == [*map(str, names[:3]), "GZip[v=256]"]
    for row in found.rows[:3]:
        assert row.num_ids == sum(map(len, ids))
        assert row.unused == 1 - len(np.unique(np.concatenate(ids))) / row.vocabulary
        assert row.bytes_per_id == found.num_bytes / row.num_ids
        assert row.changed == 0
    measured = equinfo.evaluate(made / "lm", corpus=texts)
    assert found.rows[0].lms == {str(made / "lm"): measured.bits_per_byte}
    assert not any(row.lms for row in found.rows[1:])
    (alone,) = equinfo.compare(texts, lms=[made / "lm"]).rows  # its tokenizer needs no name
    assert alone.lms == found.rows[0].lms


def test_a_name_on_the_hub_says_so_and_no_other_is_looked_for_there(made, monkeypatch):
    asked = []
    library = transformers.PreTrainedTokenizerFast(tokenizer_file=str(made / "tokenizer.json"))
    monkeypatch.setattr(
        "equinfo.hf.baseline.pretrained", lambda name: asked.append(name) or library
    )
    assert open_any("hf:some/one").code_size == 300
    with pytest.raises(EquinfoError, match="no tokenizer 'some/one'"):
        open_any("some/one")
    assert asked == ["some/one"]


def test_what_loses_text_is_measured_and_said(made):
    texts = [*TEXTS[:9], b"Green"]
    found = equinfo.compare(texts, [made / "folds.model", "bytes"])
    assert [row.changed for row in found.rows] == [1, 0]
    assert re.search(r"Loses text: \S*folds.model \(1\) of 10\s+documents", str(found))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    (tmp_path / "my.txt").write_bytes(b"\n".join(TEXTS))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["equinfo", "compare", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return call


def test_the_command_prints_a_table_or_json_and_draws(made, run, tmp_path):
    long = tmp_path / ("bpe" * 30)
    long.symlink_to(made / "bpe")
    chosen = ["my.txt", "-t", "bytes", "-t", long, "--lm", made / "lm"]
    for name, begin in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
        status, table, _ = run(*chosen, "--picture", name)
        assert status == 0
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert max(map(len, table.splitlines())) <= 100
    assert "my.txt: 1 document, 3,409 bytes" in table
    assert "filled: under an LM" in (tmp_path / "a.svg").read_text()
    found = json.loads(run(*chosen, "--json")[1])
    again = dataclasses.asdict(
        equinfo.compare(tmp_path / "my.txt", ["bytes", long], lms=[made / "lm"])
    )
    assert found.keys() == again.keys()
    for row, other in zip(found["rows"], again["rows"], strict=True):
        assert row | {"mb_per_second": 0} == other | {"mb_per_second": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt", "-t", "bytes"], "there is no 'none.txt'"),
        (["empty.txt", "-t", "bytes"], "empty.txt holds no text"),
        (["my.txt"], "name one tokenizer"),
        (["my.txt", "-t", "byts"], "no tokenizer 'byts'.*did you mean 'bytes'"),
        (["my.txt", "-t", "my.txt"], "my .*cannot be read|my .*is no"),
        (["my.txt", "-t", "bytes", "--lm", "none"], "none holds no finished training"),
        (["my.txt", "-t", "bytes", "--picture", "a.jpg"], "a.jpg: a picture's name ends in .png"),
        (["bytes.txt", "-t", "bytes", "-t", "BPE"], "BPE does not take bytes.txt: .*not valid"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_no_table(made, run, tmp_path, arguments, message):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xfd"[::-1])
    (tmp_path / "BPE").symlink_to(made / "bpe")
    status, out, error = run(*arguments)
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert re.search(message, error)
