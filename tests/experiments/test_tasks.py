"""Tasks beside language modelling: transduction, accuracy by position, spelling; and what is made
of their rows.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import predict
from equinfo.lm.sequences import Examples
from equinfo.lm.train import load_lm, train
from experiments.analysis.compare import Results
from experiments.exhibits import fig10, fig13, table5
from experiments.runs.positions import constant, frequency_nats, sample
from experiments.runs.rows import Row, Rows
from experiments.runs.runner import OutOfTime, Runner
from experiments.runs.spelling import Speller, held_out, right_letters
from experiments.runs.transduction import Layout, evaluate, pieces

TASKS = (table5, fig10, fig13)


@pytest.fixture(scope="module")
def scale(micro):
    return replace(
        micro,
        task_training=replace(micro.task_training, size="30k", steps=4, batch_size=4),
        sample=1,
    )


@pytest.fixture(scope="module")
def finished(scale, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    rows = Rows(folder / "rows.jsonl")
    Runner(scale.name, rows, folder / "runs").run(
        [recipe for task in TASKS for recipe in task.recipes(scale)]
    )
    return rows, folder


# -- layouts ---------------------------------------------------------------------------------------


def test_what_is_read_and_what_is_scored():
    text, ids = b"ab", np.array([3, 1], dtype=np.uint16)
    sep, end = 260, 261
    a, b, codes = 97, 98, [259, 257]
    rows = {
        task: Layout(task, 4, 6).row(text, ids).tolist()
        for task in ("decompress", "compress", "control")
    }
    assert rows["decompress"] == [~codes[0], ~codes[1], ~sep, a, b, end]
    assert rows["compress"] == [~a, ~b, ~sep, *codes, end]
    assert rows["control"] == [~sep, a, b, end, ~end, ~end]
    assert all(Layout(task, 4, 5).row(text, ids) is None for task in rows)


def test_pieces_do_not_overlap_and_leave_the_rest():
    assert list(pieces([b"abcdefg", b"xy", b"zzz"], 3)) == [b"abc", b"def", b"zzz"]


def test_a_tasks_numbers_leave_end_out():
    layout = Layout("control", 4, 4)
    rows = np.array(
        [layout.row(text, np.array([], dtype=np.uint16)) for text in (b"ab", b"cd", b"ef", b"gh")]
    )
    nats = np.where(rows == layout.end, 100.0, [[0, 1, 2, 0], [0, 3, 6, 0]] * 2)
    right = np.array([[True, True, False, True], [True, False, False, True]] * 2)
    found = evaluate((nats, right), rows, layout, batch_size=1)
    assert found["loss"] == 3.0
    assert found["losses"] == [1.5, 4.5, 1.5, 4.5]
    assert found["loss_std"] == pytest.approx(math.sqrt(3.0))
    assert (found["accuracy"], found["scored"]) == (0.25, 8)


class Documents:
    """A validation stream of three documents."""

    vocab_size = 13

    def __init__(self, mode, *lengths):
        self.mode, self.lengths = mode, lengths

    def documents(self):
        yield from ((np.arange(length) % 10, length) for length in self.lengths)


def test_positions_begin_anew_with_each_document():
    """The last window of each, filled up or not, is not probed."""
    rows, places, ends = sample(Documents("document", 6, 3, 8), window=3, context=5, count=9)
    last = [-1] * 3
    assert places.ravel().tolist() == [
        0, 1, 2, *last, -1, *last, -1, 0, 1, 2, 0, 1, 2, -1, -1, -1,
    ]  # fmt: skip
    assert (rows.ravel()[[6, 10, 19]] == 12).all()
    assert ends == pytest.approx(3 / 9)
    rows, places, ends = sample(Documents("block", 6, 3, 9), window=3, context=5, count=9)
    assert places.tolist() == [[0, 1, 2, 0, 1]] * 2
    assert ends == 0


def test_what_a_positions_frequencies_give_is_its_entropy():
    """At the first position, of what stands where a document may end."""
    rows, places = np.array([[5, 1, 5, 2, 6, 2]]), np.array([[0, 1, 0, 1, 0, -1]])
    nats = frequency_nats(rows, places, 0.25)[0]
    entropy = math.log(3) - 2 / 3 * math.log(2)
    assert nats[[0, 2, 4]].mean() == pytest.approx(entropy - math.log(0.75))
    assert nats[[1, 3]].mean() == pytest.approx(math.log(2))
    assert nats[5] == 0


def test_the_best_constant_guess_is_the_commonest_id_of_a_position():
    rows, places = np.array([[5, 1, 5, 2, 6, 2]]), np.array([[0, 1, 0, 1, 0, -1]])
    assert constant(rows, places) == [2 / 3, 1 / 2]


class Letters:
    """Every letter is two ids."""

    vocab_size, bos_id = 30, 28

    def encode_batch(self, texts):
        return [
            np.array([part for byte in text.encode() for part in divmod(byte, 27)])
            for text in texts
        ]


def test_shared_letters_are_the_tokenizers_ids_and_own_ones_are_not():
    shared, own = (Speller.over(Letters(), flag, 64) for flag in (True, False))
    assert shared.written("ab").tolist() == [3, 16, 3, 17, 31]
    assert own.written("ab").tolist() == [32, 33, 31]
    assert (shared.vocab_size, own.vocab_size) == (32, 58)
    assert own.rows(["a"])[0, :7].tolist() == [~1, ~5, ~3, ~16, ~30, 32, 31]
    assert right_letters(shared, "ab", np.array([3, 16, 3, 18, 31])) == 1
    assert right_letters(own, "ab", np.array([32])) == 1


def test_greedy_spelling_writes_what_teacher_forcing_predicts():
    """Where every id of a word is the likeliest after the ones before it, the word is spelt; else
    it is not.
    """
    speller = Speller.over(Letters(), False, 24)
    some = ["abc", "cab", "bb", "acab"]
    config = TrainConfig(
        modern("30k", speller.vocab_size), OptimizerConfig(), 28, steps=1, batch_size=1, context=24
    )
    model = Decoder(config.model).initialise(0).eval()
    model.head.weight.data[speller.end] = 0
    rows = speller.rows(some)
    for word, row, written in zip(some, rows, speller.spelt(model, some), strict=True):
        ids = [28, *(~row[: len(speller.prompts([word])[0])])]
        for drawn in written:
            assert int(model.logits(torch.tensor([ids]))[0, -1].argmax()) == drawn
            ids.append(int(drawn))


def test_some_words_are_held_out_and_always_the_same():
    words = [f"word{number}" for number in range(400)]
    share = sum(map(held_out, words)) / len(words)
    assert 0.15 < share < 0.35


def test_decompression_of_windows_is_learned_on_an_alphabet_of_four(tmp_path):
    """Two bytes an id, as short windows have it: an M2 learns to write them, and its control
    cannot.
    """
    rng = np.random.default_rng(0)
    losses = {}
    for task in ("decompress", "control"):
        layout = Layout(task, 16, 24)
        codes = rng.integers(0, 16, (1200, 6))
        texts = [bytes(97 + part for code in row for part in divmod(int(code), 4)) for row in codes]
        rows = np.array([layout.row(text, ids) for text, ids in zip(texts, codes, strict=True)])
        config = TrainConfig(
            modern("30k", layout.vocab_size), OptimizerConfig(learning_rate=1e-2, warmup_steps=20),
            layout.bos,
            steps=250, batch_size=16, context=24,
        )  # fmt: skip
        train(config, Examples(rows[:1000], layout.vocab_size), tmp_path / task)
        found = predict(load_lm(tmp_path / task), rows[1000:], layout.bos)
        losses[task] = evaluate(found, rows[1000:], layout, 50)["loss"]
    assert losses["control"] == pytest.approx(math.log(4), abs=0.08)
    assert losses["decompress"] < 0.75 * losses["control"]


# -- runs ------------------------------------------------------------------------------------------


def test_every_run_yields_what_its_experiment_reads(finished, scale):
    rows, _ = finished
    for recipe in table5.recipes(scale):
        values = rows.done(recipe).values
        assert values["texts"] > 0
        assert values["loss"] > 0
    for recipe in fig10.runs(scale):
        values = rows.done(recipe).values
        assert values["steps"] == list(recipe.steps)
        assert all(len(found) == fig10.places(recipe) for found in values["accuracy"])
        assert np.shape(values["gains"])[:2] == np.shape(values["accuracy"])
    for recipe in fig13.recipes(scale):
        values = rows.done(recipe).values
        assert values["held_out_exact"] == np.mean(values["held_out_right"])


def test_a_control_scores_the_very_bytes_of_its_task(finished, scale):
    rows, _ = finished
    for family in ("AC", "EqualInfoAC"):
        runs = table5.transducers(scale)
        task, control = (rows.done(runs[family, name]) for name in ("decompress", "control"))
        assert task.values["scored"] == control.values["scored"]


def test_positions_go_on_after_a_deadline(scale, finished, tmp_path):
    done, folder = finished
    recipe = fig10.runs(scale)[0]
    again = Runner(scale.name, Rows(tmp_path / "rows.jsonl"), folder / "runs")
    again.tokenizer(recipe.lm.stream.tokens)
    (folder / "runs" / "positions").rename(tmp_path / "positions")
    for _ in range(recipe.lm.training.steps):
        again.deadline = 0.0
        try:
            again.run([recipe])
        except OutOfTime:
            continue
    assert again.rows.done(recipe).values == done.done(recipe).values


@pytest.mark.parametrize("task", TASKS)
def test_tables_and_figures_come_from_rows_and_show_gaps(task, finished, scale, tmp_path):
    rows, _ = finished
    table, made = task.EXPERIMENT.output(Results(rows, scale), tmp_path / "full")
    assert all(path.stat().st_size > 100 for path in made)
    empty = task.EXPERIMENT.reduce(Results(Rows(tmp_path / "none.jsonl"), scale))
    assert len(empty.rows) == len(table.rows)
    assert all(len(line) == len(table.columns) for line in [*empty.rows, *table.rows])
    assert all(
        "±" in one.numbers or "no interval" in one.numbers
        for one in task.trends(Results(rows, scale))
    )
    assert all(
        trend.holds is None for trend in task.trends(Results(Rows(tmp_path / "none.jsonl"), scale))
    )


# -- trends on made-up rows ------------------------------------------------------------------------


def made(tmp_path, scale, *pairs):
    rows = Rows(tmp_path / "made.jsonl")
    for recipe, values in pairs:
        kind = type(recipe).__name__
        rows.append(
            Row(kind, recipe.key, scale.name, "done", recipe.to_dict(), 0, 1.0, values=values)
        )
    return rows


def seeded(seeds, values):
    """(recipe, values) of each seed: values(seed)."""
    return [(recipe, values(number)) for number, recipe in enumerate(seeds)]


@pytest.mark.parametrize(
    ("ac", "windows", "noise", "holds"),
    [
        (0.97, 0.9, 0.005, [True, True]),
        (0.90, 1.1, 0.005, [False, False]),
        (0.96, 0.99, 0.3, [None, None]),
    ],
)
def test_decompression_is_paired_over_texts_and_seeds(tmp_path, scale, ac, windows, noise, holds):
    """Batches and seeds differ by more than tasks do, but alike for a task and its control."""
    runs, generator = table5.transducers(scale), np.random.default_rng(0)
    hard = generator.normal(2, 0.5, 20)
    share = {("AC", "decompress"): ac, ("EqualInfoAC", "decompress"): windows}
    pairs = []
    for run, recipe in runs.items():
        for number, one in enumerate(scale.seeded(recipe)):
            losses = (hard + 0.2 * number) * (
                share.get(run, 1.0) + noise * generator.normal(size=20)
            )
            pairs.append((one, {"loss": losses.mean(), "losses": losses.tolist()}))
    found = table5.trends(Results(made(tmp_path, scale, *pairs), scale))
    assert [trend.holds for trend in found] == holds[::-1]


@pytest.mark.parametrize(
    ("ends", "holds"),
    [
        ([0.5, 0.2], [True, True]),
        ([0.2, 0.5], [False, False]),
        ([0.0, 0.0], [None, None]),  # nothing was learned
    ],
)
def test_position_trends(tmp_path, scale, ends, holds):
    """Gains of three probes in ten batches: nothing at first, half at the second, and what is given
    at the end.
    """
    recipe, generator = fig10.runs(scale)[0], np.random.default_rng(0)
    ends = [*ends, *[0.0] * (fig10.places(recipe) - 2)]

    def values(seed):
        gains = [
            [end * share + 0.01 * generator.normal(size=10) for end in ends]
            for share in (0.0, 0.5, 1.0)
        ]
        return {"steps": [1, 2, 3], "gains": np.array(gains).tolist()}

    found = fig10.trends(
        Results(made(tmp_path, scale, *seeded(fig10.seeds(scale, recipe), values)), scale)
    )[:2]
    assert [trend.holds for trend in found] == holds
    assert ("nothing was learned" in found[0].numbers) == (holds[0] is None)


def test_spelling_trends(tmp_path, scale):
    """500 words, of which each speller knows the first so many, seeds one more."""
    runs = fig13.spellers(scale)
    known = {
        "Unigram, own": 450,
        "Unigram, shared": 250,
        "EqualInfoAC narrow, shared": 300,
        "Bytes, shared": 495,
    }

    def trends(name, **changed):
        counts = {label: (known | changed).get(label, 100) for label in runs}
        pairs = [
            (
                one,
                {
                    "held_out_right": [1] * (counts[label] + seed)
                    + [0] * (500 - counts[label] - seed)
                },
            )
            for label, recipe in runs.items()
            for seed, one in enumerate(fig13.seeds(scale, recipe))
        ]
        return [
            trend.holds
            for trend in fig13.trends(Results(made(tmp_path / name, scale, *pairs), scale))
        ]

    assert trends("as in the paper") == [True, True]
    assert trends("shared letters", **{"Unigram, shared": 475}) == [False, False]
    assert trends("level", **{"Unigram, shared": 300}) == [True, None]
