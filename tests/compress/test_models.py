import json
from itertools import pairwise

import numpy as np
import pytest
from byte_models import TableModel, neural_model
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.models import (
    EOD,
    SYMBOLS,
    StaticModel,
    fingerprint,
    from_artifact,
    load_model,
    normalise,
    to_artifact,
)
from equinfo.errors import EquinfoError


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(st.integers(0, 10**12), min_size=1, max_size=300).filter(any),
    precision=st.integers(9, 20),
)
def test_frequencies_are_positive_ordered_and_sum_to_a_power_of_two(counts, precision):
    freqs = normalise(np.array(counts), precision)
    assert freqs.dtype == np.uint32
    assert int(freqs.sum()) == 1 << precision
    assert freqs.min() >= 1
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    assert all(freqs[a] <= freqs[b] for a, b in pairwise(order) if counts[a] < counts[b])


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(0, 10**6), min_size=2, max_size=257).filter(any))
def test_all_but_the_remainder_follow_the_stated_rule(counts):
    total, room = sum(counts), 65536 - len(counts)
    freqs = normalise(np.array(counts)).tolist()
    floors = [1 + count * room // total for count in counts]
    first_most_frequent = counts.index(max(counts))
    floors[first_most_frequent] += 65536 - sum(floors)
    assert freqs == floors


@pytest.mark.parametrize("counts", [[0, 0], [3, -1], [1] * 600])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(EquinfoError, match="counts"):
        normalise(np.array(counts), 9)


def test_golden_frequencies():
    assert normalise(np.array([0, 1, 2, 3]), 9).tolist() == [1, 85, 170, 256]


def test_uniform_gives_bytes_equal_frequencies_and_the_end_the_least():
    row = StaticModel.uniform().row
    assert row[EOD] == 1
    assert row[1:256].min() == row[1:256].max()
    assert row[0] - row[1] < 256  # the remainder


def test_unigram_counts_bytes_and_one_end_a_document():
    row = StaticModel.unigram([b"aab", b"", b"a"]).row
    counts = np.zeros(SYMBOLS, dtype=np.int64)
    counts[[97, 98, EOD]] = 3, 1, 3
    assert row.tolist() == normalise(counts).tolist()


def test_an_empty_corpus_is_refused():
    with pytest.raises(EquinfoError, match="empty"):
        StaticModel.unigram([])


@pytest.mark.parametrize("row", [np.ones(257), np.full(256, 256), [65536] + [0] * 256])
def test_rows_that_are_no_frequencies_are_refused(row):
    with pytest.raises(EquinfoError, match="257 frequencies"):
        StaticModel(np.array(row))


@pytest.mark.parametrize("precision", [8, 21, 40])
def test_precisions_that_the_coders_cannot_hold_are_refused(precision):
    with pytest.raises(EquinfoError, match="9 to 20"):
        StaticModel(np.array([1] * 257), precision)
    with pytest.raises(EquinfoError, match="9 to 20"):
        neural_model(precision=precision)


MODELS = [
    StaticModel.uniform(),
    StaticModel.uniform(12),
    StaticModel.unigram([b"hello"]),
    neural_model(),
    neural_model(seed=1),
    neural_model(position="relative", activation="relu"),
    neural_model(max_context=20),
    neural_model(precision=14),
]


def rows_along(model, text):
    state = model.start(1)
    rows = [model.frequencies(state)[0].copy()]
    for byte in text:
        model.advance(state, np.array([byte]), np.array([False]))
        rows.append(model.frequencies(state)[0].copy())
    return np.stack(rows)


@pytest.mark.parametrize("model", MODELS)
def test_a_stored_model_gives_the_same_frequencies(model, tmp_path):
    to_artifact(model).save(tmp_path / "m1")
    again = load_model(tmp_path / "m1")
    assert type(again) is type(model)
    assert fingerprint(again) == fingerprint(model)
    text = b"a stored model" * 4
    assert (rows_along(again, text) == rows_along(model, text)).all()
    json.dumps(model.parts()[0])


def test_a_model_that_only_steps_takes_one_symbol_of_those_it_is_fed():
    model = TableModel.random()
    fed, stepped = model.start(3), model.start(3)
    symbols = np.array([[97, 98], [-1, -1], [99, -1]])
    restart = np.array([False, False, True])
    out = np.zeros((3, 2, SYMBOLS), dtype=np.uint32)
    assert model.feed(fed, symbols, restart, out).tolist() == [1, 0, 1]
    model.advance(stepped, symbols[:, 0], restart)
    assert (out[:, 0] == model.frequencies(stepped)).all()


def test_fingerprints_differ_where_frequencies_can():
    assert len({fingerprint(model) for model in MODELS}) == len(MODELS)
    assert len({fingerprint(model) for model in [neural_model(), neural_model()]}) == 1


@pytest.mark.parametrize("model", MODELS)
def test_every_row_can_be_coded(model):
    rows = rows_along(model, bytes(range(60)))
    assert rows.dtype == np.uint32
    assert rows.min() >= 1
    assert (rows.sum(axis=1) == 1 << model.precision).all()


def test_other_artefacts_are_refused(tmp_path):
    from equinfo.artifacts import Artifact

    Artifact("bpe", {}, {"row": np.zeros(1)}).save(tmp_path / "x")
    with pytest.raises(EquinfoError, match="not a byte model"):
        load_model(tmp_path / "x")
    with pytest.raises(EquinfoError, match="unknown byte model 'fourier'"):
        from_artifact({"model": "fourier"}, {})
    with pytest.raises(EquinfoError, match="lacks"):
        from_artifact({"model": "static", "precision": 16}, {})
