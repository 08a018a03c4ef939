"""Questions of lm-evaluation-harness: a real run on bundled text, and what is made of rows."""

from dataclasses import replace

import pytest

from experiments.analysis.compare import Results
from experiments.exhibits import harness
from experiments.plan.jobs import closure
from experiments.runs.recipes import Questions
from experiments.runs.rows import Row, Rows
from experiments.runs.runner import Runner


@pytest.fixture(scope="module")
def scale(micro):
    """On real text: there must be something to ask."""
    training = replace(micro.m2_trainings[0], context=64)
    text = {"corpus": "bundled", "train_bytes": 1 << 17, "validation_bytes": 1 << 14}
    return replace(micro, vocabulary=512, m2_trainings=(training,), sample=1, seeds=1, **text)


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
        for task in harness.TASKS:
            found = row.values[task]
            assert found["questions"] == len(found["right"]) == 10
            assert found["accuracy"] == sum(found["right"]) / 10
        assert row.values["text"]["documents"] == 10
        assert abs(row.values["text"]["bits_per_byte"] - rows.done(recipe.lm).bits_per_byte) < 0.5


def test_tables_come_from_rows_and_show_gaps(rows, scale, tmp_path):
    table, _ = harness.EXPERIMENT.output(Results(rows, scale), tmp_path)
    none = Rows(tmp_path / "none.jsonl")
    empty = harness.reduce(Results(none, scale))
    assert (
        [len(line) for line in table.rows]
        == [len(line) for line in empty.rows]
        == [len(table.columns)] * 4
    )
    assert all(cell is not None for line in table.rows for cell in line)
    assert all(cell is None for line in empty.rows for cell in line[2:])
    assert [trend.holds for trend in harness.trends(Results(none, scale))] == [None] * 4
    assert [trend.holds for trend in harness.trends(Results(rows, scale))] == [None] * 4  # one seed


def test_answers_are_paired_by_question(scale, tmp_path):
    """Of 200 questions windows know those that bytes know and 30 more; BPE knows another 60."""
    scale = replace(scale, seeds=2)
    rows = Rows(tmp_path / "made.jsonl")
    known = dict(zip(harness.asked(scale), (60, 150, 0, 90), strict=True))
    for recipe, count in known.items():
        for lm in scale.seeded(recipe.lm):
            right = [1] * (count + lm.training.seed) + [0] * (200 - count - lm.training.seed)
            values = {task: {"right": right} for task in harness.TASKS}
            rows.append(
                Row("Questions", replace(recipe, lm=lm).key, "", "done", {}, None, 0, values=values)
            )
    assert [trend.holds for trend in harness.trends(Results(rows, scale))] == [
        True,
        False,
        True,
        False,
    ]


def test_the_lm_comes_before_what_asks_it(scale):
    recipes = [
        one
        for one in closure(harness.asked(scale))
        if isinstance(one, Questions) or one in scale_lms(scale)
    ]
    assert recipes == [*scale_lms(scale), *harness.asked(scale)]


def scale_lms(scale):
    return [one.lm for one in harness.asked(scale)]
