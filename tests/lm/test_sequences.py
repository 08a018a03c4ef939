"""Training sequences: a fixed order, every tile once an epoch."""

import numpy as np
import pytest

from equinfo.errors import EquinfoError
from equinfo.lm.sequences import Examples, Sequences, dealt, example, shifted


def test_every_tile_once_an_epoch_and_never_the_same_order():
    ids = np.arange(107, dtype=np.uint16)
    sequences = Sequences(ids, 10, bos_id=200, seed=5)
    _, first = sequences.batch(0, 10)
    _, second = sequences.batch(10, 10)
    assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(100))
    assert first.tolist() != second.tolist()


def test_inputs_are_bos_and_all_but_the_last():
    inputs, targets = Sequences(np.arange(40, dtype=np.uint16), 8, bos_id=99, seed=0).batch(0, 5)
    assert (inputs[:, 0] == 99).all()
    assert (inputs[:, 1:] == targets[:, :-1]).all()


def test_a_batch_depends_on_seed_and_number_alone():
    ids = np.arange(1000, dtype=np.uint16)
    straight = [Sequences(ids, 10, 0, seed=1).batch(n, 7)[1] for n in (0, 98, 203)]
    walked = Sequences(ids, 10, 0, seed=1)
    for n, expected in zip((0, 98, 203), straight, strict=True):
        assert (walked.batch(n, 7)[1] == expected).all()
    assert (Sequences(ids, 10, 0, seed=2).batch(0, 7)[1] != straight[0]).any()


def test_too_short_a_stream_says_so():
    with pytest.raises(EquinfoError, match="9 ids are fewer than one sequence of 10"):
        Sequences(np.zeros(9, dtype=np.uint16), 10, 0, 0)


def test_half_of_the_sequences_are_cut_to_the_short_contexts():
    tiles = np.arange(8 * 12).reshape(8, 12)
    parts = dealt(tiles, (6, 2))
    assert [part.shape for part in parts] == [(4, 12), (4, 6), (12, 2)]
    assert (np.concatenate([part.ravel() for part in parts]) == tiles.ravel()).all()
    assert dealt(tiles, ())[0] is tiles


def test_an_example_scores_what_is_written_and_reads_all():
    row = example(np.array([3, 0]), np.array([7, 9]), 6)
    assert row.tolist() == [~3, ~0, 7, 9, ~9, ~9]
    assert shifted(row[None].astype(np.int64), 50).tolist() == [[50, 3, 0, 7, 9, 9]]
    assert example(np.array([3, 0]), np.array([7, 9]), 3) is None
    assert example(np.array([], dtype=int), np.array([7, 9]), 2).tolist() == [7, 9]


def test_examples_of_another_length_are_refused_and_other_rows_have_another_fingerprint():
    rows = np.array([[~3, 7], [~4, 7]])
    with pytest.raises(EquinfoError, match="have 2 ids and the training's sequences 3"):
        Examples(rows, 10).tiles(3)
    assert Examples(rows, 10).fingerprint != Examples(~rows, 10).fingerprint
