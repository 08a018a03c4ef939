"""Questions of lm-evaluation-harness: a real run on bundled text, and what is made of rows."""

from dataclasses import replace

import pytest

from experiments import harness
from experiments.plan import closure
from experiments.recipes import Questions
from experiments.rows import Row, Rows
from experiments.runner import Runner


@pytest.fixture(scope="module")
def scale(micro):
    """On real text: there must be something to ask."""
    training = replace(micro.m2_trainings[0], context=64)
    text = {"corpus": "bundled", "train_bytes": 1 << 17, "validation_bytes": 1 << 14}
    return replace(micro, vocabulary=512, m2_trainings=(training,), sample=1, **text)


@pytest.fixture(scope="module")
def rows(scale, tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    rows = Rows(folder / "rows.jsonl")
    Runner(scale.name, rows, folder / "runs").run(harness.recipes(scale))
    return rows


def test_every_m2_is_asked_as_many_questions(rows, scale):
    for recipe in harness.asked(scale):
        row = rows.done(recipe)
        assert row.tokenizer == recipe.lm.stream.tokens.name
        assert row.fingerprint == rows.done(recipe.lm).fingerprint
        assert {row.values[task]["questions"] for task in harness.TASKS} == {10}
        assert row.values["text"]["documents"] == 10
        assert abs(row.values["text"]["bits_per_byte"] - rows.done(recipe.lm).bits_per_byte) < 0.5


def test_tables_come_from_rows_and_show_gaps(rows, scale, tmp_path):
    table, _ = harness.EXPERIMENT.output(rows, scale, tmp_path)
    none = Rows(tmp_path / "none.jsonl")
    empty = harness.reduce(none, scale)
    assert [len(line) for line in table.rows] == [len(line) for line in empty.rows] == [len(table.columns)] * 4
    assert all(cell is not None for line in table.rows for cell in line)
    assert all(cell is None for line in empty.rows for cell in line[2:])
    assert [trend.holds for trend in harness.trends(none, scale)] == [None, None]


def test_three_standard_errors_of_guessing_decide(rows, scale):
    recipe = harness.asked(scale)[0]
    needed = 0.25 + 3 * (0.25 * 0.75 / 300) ** 0.5
    for accuracy, holds in ((needed + 0.001, True), (needed - 0.001, False)):
        values = {"cloze": {"accuracy": accuracy, "questions": 300}}
        row = Row("Questions", recipe.key, scale.name, "done", {}, None, 0, values=values)
        assert harness.beats_chance(recipe.lm, row, "cloze").holds is holds


def test_the_lm_comes_before_what_asks_it(scale):
    recipes = [one for one in closure(harness.asked(scale)) if isinstance(one, Questions) or one in scale_lms(scale)]
    assert recipes == [*scale_lms(scale), *harness.asked(scale)]


def scale_lms(scale):
    return [one.lm for one in harness.asked(scale)]
