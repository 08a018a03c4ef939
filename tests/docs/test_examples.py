"""The examples of the documentation work: the tokenizer obeys the laws, the byte model drives
coders, the experiment ends in a table.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import equinfo
from equinfo.compress.models.base import StaticModel
from equinfo.corpora import take
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from experiments.analysis.compare import Results
from experiments.runs.rows import Rows
from experiments.runs.runner import Runner
from experiments.scales import TINY

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tokenizers")]

import test_laws  # noqa: E402

from examples.add_byte_model import AdaptiveModel  # noqa: E402
from examples.add_experiment import COLUMNS, EXPERIMENT, WIDTHS  # noqa: E402
from examples.add_tokenizer import PairTokenizer  # noqa: E402

LAWS = [
    test_laws.test_edge_documents_come_back,
    test_laws.test_long_text_comes_back_and_shrinks,
    test_laws.test_any_documents_come_back_batched_and_one_by_one,
    test_laws.test_a_batch_equals_a_loop,
    test_laws.test_str_means_its_utf8_and_lone_surrogates_are_refused,
    test_laws.test_ids_are_codes_in_the_narrowest_type,
    test_laws.test_special_ids_are_distinct_and_beyond_the_codes,
    test_laws.test_hostile_ids_decode_or_are_refused,
    test_laws.test_units_decode_each_by_itself,
]
BINARY = bytes(range(256)) * 2 + b"\0" * 300


@pytest.fixture(scope="module")
def text():
    return take(equinfo.load_corpus("bundled").documents("train"), 40_000)


@pytest.fixture(scope="module")
def pairs(text):
    return PairTokenizer.train(text, size=512)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("add_*.py")), ids=lambda path: path.stem
)
def test_an_example_fits_on_a_screen(path):
    assert len(path.read_text().splitlines()) <= 42


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_tokenizer_obeys(law, pairs):
    law(pairs)


def test_the_tokenizer_is_stored_and_found_by_its_kind(pairs, tmp_path):
    test_laws.test_a_saved_tokenizer_is_the_same(pairs, tmp_path)


def test_its_pairs_are_the_commonest_and_shorten_the_text(pairs, text):
    joined = b"".join(text)
    assert joined.count(pairs.pieces[256]) >= joined.count(pairs.pieces[-1]) > 0
    assert len(pairs.encode(joined)) < 0.6 * len(joined)


@pytest.mark.parametrize(
    "make",
    [
        lambda model: ArithmeticTokenizer(model, 8),
        lambda model: EqualInfoTokenizer(model, 16, 16),
        lambda model: EqualInfoTokenizer(model, 32, 12, reset=0),
    ],
    ids=["ac", "windows", "windows-no-reset"],
)
def test_the_byte_model_drives_coders_losslessly_also_once_it_is_stored(make, text, tmp_path):
    tokenizer = make(AdaptiveModel())
    documents = [b"", BINARY, "naïve – 漢字".encode(), text[0], b"".join(text[:5])]
    ids = tokenizer.encode_batch(documents)
    assert tokenizer.decode_batch(ids) == documents
    for document, one in zip(documents, ids, strict=True):
        np.testing.assert_array_equal(tokenizer.encode(document), one)
    tokenizer.save(tmp_path / "saved")
    again = equinfo.load(tmp_path / "saved")
    assert again.decode_batch(ids) == documents
    for one, other in zip(ids, again.encode_batch(documents), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_byte_model_adapts_and_forgets(text):
    """Better than frequencies that never change on a text unlike them, and the same after a restart
    as at a start.
    """
    model, document = AdaptiveModel(), b"abracadabra " * 300
    fixed = ArithmeticTokenizer(StaticModel.unigram(text), 8)
    assert len(ArithmeticTokenizer(model, 8).encode(document)) < len(fixed.encode(document))
    state = model.start(2)
    fresh = model.frequencies(state).copy()
    for _ in range(model.max_context):
        model.advance(state, np.array([7, -1]), np.array([False, False]))
    np.testing.assert_array_equal(model.frequencies(state), fresh)
    assert fresh.min() >= 1
    assert (fresh.sum(axis=1) == 1 << model.precision).all()


def test_the_experiment_runs_and_yields_a_table(tmp_path):
    training = replace(TINY.base, size="30k", steps=30, batch_size=4, context=32, max_epochs=100)
    micro = replace(
        TINY,
        name="micro",
        seeds=2,
        train_bytes=1 << 14,
        validation_bytes=1 << 12,
        m2_trainings=(training,),
    )
    rows = Rows(tmp_path / "rows.jsonl")
    assert EXPERIMENT.reduce(Results(rows, micro)).rows[0][1:] == [None] * 3  # gaps, not guesses
    assert EXPERIMENT.trends(Results(rows, micro))[0].holds is None
    Runner(micro.name, rows, tmp_path / "runs").run(EXPERIMENT.recipes(micro))
    table, made = EXPERIMENT.output(Results(rows, micro), tmp_path)
    assert [path.suffix for path in made] == [".csv"]
    assert list(table.columns) == COLUMNS
    for width, (name, ratio, bits_per_byte, uniform) in zip(WIDTHS, table.rows, strict=True):
        assert name == f"GZip[v={1 << width}]"
        assert uniform == pytest.approx(width / ratio)
        assert 0 < bits_per_byte < 16
    assert EXPERIMENT.trends(Results(rows, micro))[0].numbers.count("over seeds") == len(WIDTHS)
