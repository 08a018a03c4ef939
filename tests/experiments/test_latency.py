"""How fast M2s write: a real run at the micro scale, and the reduction on made-up rows."""

import math
from dataclasses import replace

import pytest

from equinfo.errors import EquinfoError
from experiments.analysis.compare import Results
from experiments.exhibits import latency
from experiments.exhibits.latency import Speed, speed_at
from experiments.plan.jobs import closure
from experiments.runs.generating import PROMPT, ROUNDS, beginnings
from experiments.runs.recipes import Latency
from experiments.runs.rows import Row, Rows
from experiments.runs.runner import Runner


@pytest.fixture(scope="session")
def scale(micro):
    """On real text: a codebook needs strings to choose from."""
    trainings = (replace(micro.m2_trainings[0], context=64),)
    text = {"corpus": "bundled", "train_bytes": 1 << 17, "validation_bytes": 1 << 14}
    return replace(micro, vocabulary=512, m2_trainings=trainings, **text)


@pytest.fixture(scope="session")
def finished(scale, tmp_path_factory):
    folder = tmp_path_factory.mktemp("latency")
    rows = Rows(folder / "rows.jsonl")
    runner = Runner(scale.name, rows, folder / "runs")
    runner.run(latency.recipes(scale))
    return runner


def test_every_m2_writes_in_every_round(finished, scale):
    for recipe in latency.timings(scale):
        runs = finished.rows.done(recipe).values["runs"]
        assert [one["key"] for one in runs] == [lm.key for lm in recipe.lms]
        for one in runs:
            assert len(one["bytes"]) == len(one["ids"]) == len(one["seconds"]) == ROUNDS
            assert all(ids > 0 for ids in one["ids"])
            assert all(seconds > 0 for seconds in one["seconds"])


def test_tables_and_figures_come_from_rows_and_show_gaps(finished, scale, tmp_path):
    table, made = latency.EXPERIMENT.output(Results(finished.rows, scale), tmp_path / "full")
    empty = latency.EXPERIMENT.reduce(Results(Rows(tmp_path / "none.jsonl"), scale))
    assert all(path.stat().st_size > 100 for path in made)
    assert len(empty.rows) == len(table.rows) == len(latency.lms(scale))
    assert all(cell is None for line in empty.rows for cell in line[2:])
    assert all(line[6] == line[10] == 1.0 for line in table.rows[:1])
    assert all(
        trend.holds is None
        for trend in latency.trends(Results(Rows(tmp_path / "none.jsonl"), scale))
    )


def test_prompts_are_beginnings_of_validation_documents(finished, scale, tmp_path):
    recipe = latency.timings(scale)[1]
    found = beginnings(finished, recipe)
    assert len(found) == recipe.batch
    assert {len(one) for one in found} == {PROMPT}
    short = tmp_path / "short.jsonl"
    short.write_text("\n".join(f'{{"text": "line {n}"}}' for n in range(200)))
    stream = replace(recipe.lms[0].stream, corpus=str(short))
    with pytest.raises(EquinfoError, match="take more text"):
        beginnings(finished, replace(recipe, lms=(replace(recipe.lms[0], stream=stream),)))


def test_a_timing_comes_after_the_m2s_it_needs(scale):
    planned = closure(latency.timings(scale))
    timed = [number for number, recipe in enumerate(planned) if isinstance(recipe, Latency)]
    keys = [recipe.key for recipe in planned]
    assert min(timed) > max(keys.index(lm.key) for lm in latency.lms(scale))


def test_speed_is_interpolated_in_its_logarithm_and_never_beyond_the_best():
    points = [Speed(3.0, 1.0, 1000.0, 1.0), Speed(2.0, 1.0, 10.0, 1.0)]
    assert speed_at(points, 2.5) == pytest.approx(100.0)
    assert speed_at(points, 4.0) == pytest.approx(
        1000.0
    )  # the smallest is better than that already
    assert speed_at(points, 1.9) is None
    assert speed_at([], 2.0) is None


@pytest.mark.parametrize(
    ("windows", "holds"), [((300, 310, 290), True), ((50, 52, 51), False), ((50, 400, 90), None)]
)
def test_rounds_decide_which_is_faster(scale, tmp_path, windows, holds):
    rows = Rows(tmp_path / "made.jsonl")
    everything = latency.lms(scale)
    for lm in everything:
        nats = 2.0 * math.log(2) * 1000
        fields = {"sum_nats": nats, "num_bytes": 1000, "num_tokens": 500, "num_ids": 500}
        rows.append(Row("LM", lm.key, scale.name, "done", lm.to_dict(), 0, 1.0, **fields))
    for recipe in latency.timings(scale):
        written = [windows if lm is everything[-1] else (100, 100, 100) for lm in everything]
        runs = [
            {"key": lm.key, "bytes": n, "ids": n, "seconds": [1.0] * 3}
            for lm, n in zip(everything, written, strict=True)
        ]
        rows.append(
            Row(
                "Latency",
                recipe.key,
                scale.name,
                "done",
                recipe.to_dict(),
                0,
                1.0,
                values={"runs": runs},
            )
        )
    assert [trend.holds for trend in latency.trends(Results(rows, scale))] == [
        holds,
        holds,
    ]  # than bytes, than BPE
    middle = sorted(windows)[1]
    assert latency.reduce(Results(rows, scale)).rows[-1][4:8] == pytest.approx(
        [middle, middle, middle / 100, middle / 100]
    )
