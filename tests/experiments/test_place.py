"""The experiment with places in windows, on made-up rows with known answers."""

import pytest
from test_lm_experiments import row, rows_of, verdicts

from equinfo.lm.train import load_train_config
from experiments.analysis.compare import Results
from experiments.exhibits import place
from experiments.runs.rows import Rows
from experiments.runs.runner import Runner
from experiments.scales import CPU

NARROW, WIDE = 3.0, 2.0


def results(closed, noise):
    """Rows in which the place closes this share of every gap; seeds differ by `noise`, with and
    without alike.
    """
    for lm in place.recipes(CPU):
        narrow = place.bits_of(lm)[1] == CPU.narrow
        value = NARROW if narrow else WIDE
        value -= closed * (NARROW - WIDE) * lm.place * (1 if narrow else 0.1)
        yield row(lm, 2.0, value + noise * lm.training.seed)


@pytest.mark.parametrize(
    ("closed", "noise", "expected"),
    [
        (0.75, 0.01, [True, True, True]),
        (0.25, 0.01, [True, True, False]),
        (-0.1, 0.01, [False, False, False]),
        (0.5, 0.1, [True, True, None]),
    ],
)
def test_how_much_of_the_gap_the_place_closes(tmp_path, closed, noise, expected):
    rows = rows_of(tmp_path, results(closed, noise))
    assert verdicts(place, rows, CPU) == expected
    table = place.reduce(Results(rows, CPU))
    by_name = {line[0]: line for line in table.rows}
    assert by_name["EqualInfoAC[b=12,v=4096]"][5:] == [None, None, None]  # one id a window
    assert by_name["EqualInfoAC[b=12,v=64]"][2] == 2
    assert by_name["EqualInfoAC[b=48,v=64]"][7].startswith(f"{100 * closed:+.3g} ± ")
    assert by_name["EqualInfoAC[b=48,v=4096]"][7] is None


def test_where_narrow_ids_are_not_worse_there_is_no_gap_to_close(tmp_path):
    there = [row(lm, 2.0, 2.0 + 0.01 * lm.training.seed - lm.place) for lm in place.recipes(CPU)]
    rows = rows_of(tmp_path, there)
    assert verdicts(place, rows, CPU) == [True, True, None]
    assert {line[7] for line in place.reduce(Results(rows, CPU)).rows} == {None}


def test_without_runs_nothing_is_decided(tmp_path):
    rows = rows_of(tmp_path, [])
    assert verdicts(place, rows, CPU) == [None, None, None]
    assert [line[4:] for line in place.reduce(Results(rows, CPU)).rows] == [[None] * 4] * 6


def test_lms_without_the_place_are_the_runs_that_others_ask_for():
    """Their keys, too, are what they were before there were places."""
    lm = CPU.lm(CPU.window(12, 6, "free"))
    assert lm in place.recipes(CPU)
    assert "place" not in lm.to_dict()
    assert place.told(lm).to_dict() == {**lm.to_dict(), "place": True}
    assert place.told(lm).key != lm.key


def test_the_runner_tells_the_place(micro, tmp_path):
    lm = place.told(micro.lm(micro.window(micro.windows[0], micro.narrow, "paper")))
    runner = Runner(micro.name, Rows(tmp_path / "rows.jsonl"), tmp_path)
    (row,) = runner.run([lm])
    assert row.status == "done"
    assert (
        load_train_config(tmp_path / "lm" / lm.key).model.period == micro.windows[0] // micro.narrow
    )
