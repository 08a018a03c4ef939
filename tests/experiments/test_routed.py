"""Experiments with routed blocks on made-up rows with known answers, and what a run measures."""

from dataclasses import replace

import numpy as np
import pytest
from test_lm_experiments import row, rows_of, verdicts

from equinfo.tokenizers.registry import load
from experiments.analysis.compare import Results
from experiments.exhibits import depths, natural, upcycled
from experiments.plan.cost import cost, forward_flops
from experiments.runs import routing
from experiments.runs.recipes import seeds
from experiments.runs.runner import last_told
from experiments.scales import CPU, PAPER

DENSITY = 3.0


def made(lm, value, **told):
    """A row whose bits/byte differ by a hundredth from seed to seed."""
    seed = lm.training.seed % upcycled.OTHER_ORDER
    found = row(lm, DENSITY, value + 0.01 * seed)
    return replace(found, values={**found.values, "routing": told}) if told else found


@pytest.mark.parametrize(
    ("gain", "without", "looked", "expected"),
    [
        (0.1, 0.0, 0.01, [True, True]),
        (0.1, 0.2, 0.01, [False, True]),
        (-0.1, 0.0, 0.01, [False, True]),
        (0.01, 0.0, 0.1, [None, False]),
    ],
)
def test_depths_against_dense(tmp_path, gain, without, looked, expected):
    """gain: of depths in bits/byte; without: of one position; looked: what a look ahead would gain
    more.
    """
    there = []
    for lm in depths.recipes(CPU):
        if lm.training.depth_capacity == 1:
            there.append(made(lm, 2.0))
            continue
        one = made(lm, 2.0 - (without if lm.training.depth_capacity == depths.ONE else gain))
        ahead = one.sum_nats * (1 - looked / one.bits_per_byte)
        told = {"ahead_nats": ahead, "taken": 0.13, "agreed": 0.95}
        there.append(replace(one, values={**one.values, "routing": told}))
    rows = rows_of(tmp_path, there)
    assert verdicts(depths, rows, CPU) == expected
    by_name = {(line[0], line[1]): line for line in depths.reduce(Results(rows, CPU)).rows}
    found = by_name["depths, 0.125 of the positions", "3m"]
    assert found[5] == pytest.approx(2.0 - gain + 0.01)
    assert found[7] == pytest.approx(2.0 - gain - looked + 0.01)
    assert found[8:] == [pytest.approx(13.0), pytest.approx(95.0)]
    assert [path.name for path in depths.draw(Results(rows, CPU), tmp_path)] == ["depths.svg"]


def test_arms_take_the_flops_that_they_should():
    for lm in depths.lms(CPU):
        dense = depths.dense(CPU, replace(lm.training, depth_capacity=1.0, d_ff=0))
        assert lm.training.steps == dense.training.steps
        ours, theirs = (forward_flops(one.training, one.vocab_size) for one in (lm, dense))
        assert ours == pytest.approx(theirs, rel=0.01)
    known = upcycled.arms(CPU)
    budget = cost(known[upcycled.DENSE].start).flops
    for name, lm in known.items():
        times = 2 if name.endswith("all FLOPs") else 1
        assert cost(lm).flops == pytest.approx(times * budget, rel=0.002)
    for tokens in natural.tokenizers(CPU):
        budgets = [
            cost(lm).flops + (cost(lm.start).flops if lm.start else 0)
            for lm in natural.arms(CPU, tokens).values()
        ]
        assert budgets == pytest.approx([budgets[0]] * 6, rel=0.003)


def test_every_seed_has_a_start_of_its_own_and_another_order_after_it():
    found = seeds(upcycled.arms(CPU)[upcycled.UPCYCLED], 3)
    assert [lm.start.training.seed for lm in found] == [0, 1, 2]
    assert [lm.training.seed for lm in found] == [50, 51, 52]
    assert len({lm.key for lm in found} | {lm.start.key for lm in found}) == 6
    assert found[0].start in found[0].needs()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({upcycled.UPCYCLED: 1.8}, [True, True, True, False]),
        ({upcycled.UPCYCLED: 2.1}, [False, False, False, False]),
        ({upcycled.SCRATCH: 1.8}, [False, False, None, False]),
        ({upcycled.WHOLE[1]: 1.8}, [False, None, False, False]),
        ({upcycled.DENSE_ANEW: 2.02, upcycled.UPCYCLED_ANEW: 2.02}, [False, None, None, True]),
        # what saves a twentieth of a percent is not worth it
        ({upcycled.DENSE_ANEW: 2.001, upcycled.UPCYCLED_ANEW: 2.001}, [False, None, None, False]),
    ],
)
def test_upcycling_against_what_costs_the_same(tmp_path, values, expected):
    there = [
        made(one, values.get(name, 2.0), lost=0.02)
        for name, lm in upcycled.arms(CPU).items()
        for one in CPU.seeded(lm)
    ]
    rows = rows_of(tmp_path, there)
    assert verdicts(upcycled, rows, CPU) == expected
    assert all(line[8] == pytest.approx(2.0) for line in upcycled.reduce(Results(rows, CPU)).rows)
    assert [path.name for path in upcycled.draw(Results(rows, CPU), tmp_path)] == ["upcycled.svg"]


@pytest.mark.parametrize(
    ("windows", "others", "expected"),
    [
        ((0.02, 0.0), (0.4, 0.1), [True, True, True, None]),
        ((0.4, 0.1), (0.02, 0.05), [False, True, False, None]),
        ((0.4, -0.2), (0.02, -0.1), [False, False, False, None]),
    ],
)
def test_windows_against_other_ids(tmp_path, windows, others, expected):
    """windows, others: (correlation, gain of depths) of each; experts gain nothing."""
    there = []
    *_, window = natural.tokenizers(CPU)
    for tokens in natural.tokenizers(CPU):
        correlation, gain = windows if tokens == window else others
        for name, lm in natural.arms(CPU, tokens).items():
            for one in CPU.seeded(lm):
                there.append(made(one, 2.0 - gain * (name == natural.DEPTHS)))
        for seed, one in enumerate(natural.routes(CPU, tokens)):
            told = {"taken": 0.1, "given_entropies": [correlation + 0.001 * seed]}
            told |= {"given_nats": [0.1], "entropies_nats": [0.7]}
            told |= {"nats_taken": [2.0], "nats_passed": [1.0]}
            told |= {"pieces": [["In the ", 1.0, 0.0], ["beginning", 3.0, 0.9]]}
            known = row(one.lm.stream, DENSITY)
            there.append(replace(known, key=one.key, type="Routes", values=told))
    rows = rows_of(tmp_path, there)
    assert verdicts(natural, rows, CPU) == expected
    table = natural.reduce(Results(rows, CPU)).rows
    assert len(table) == 24
    assert {line[6] is None for line in table if line[1] == natural.DENSE} == {True}
    assert [line[7:] for line in table if line[1] == natural.DEPTHS][3] == [
        pytest.approx(10.0), pytest.approx(0.1), pytest.approx(windows[0] + 0.001),
        pytest.approx(0.7), 2.0, 1.0,
    ]  # fmt: skip
    drawn = natural.draw(Results(rows, CPU), tmp_path)
    assert [path.name for path in drawn] == ["natural.svg", "natural-paragraph.svg"]
    assert "In the beginning" in drawn[1].read_text()


@pytest.mark.parametrize("exhibit", [depths, upcycled, natural])
def test_relative_attention_has_no_such_runs_and_missing_rows_decide_nothing(exhibit, tmp_path):
    rows = rows_of(tmp_path, [])
    assert exhibit.recipes(PAPER) == []
    assert exhibit.reduce(Results(rows, PAPER)).rows == []
    assert set(verdicts(exhibit, rows, CPU)) == {None}


# -- what a run measures ---------------------------------------------------------------------------


def test_what_a_training_told_of_its_routing(tmp_path):
    lines = [f'{{"loss": 1, "agreed": {0.5 + step / 100}, "lost": 0.0}}\n' for step in range(20)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    assert last_told(tmp_path, ["agreed", "lost", "more"]) == pytest.approx(
        {"agreed": 0.685, "lost": 0.0}
    )


def test_what_a_router_follows_is_told_apart_from_the_place():
    """Three places: at the first all is high, whatever the ids are worth."""
    random = np.random.default_rng(0)
    worth, luck = random.random((2, 3000))
    first = np.arange(3000) % 3 == 0
    nats = worth + 0.1 * luck + 10 * first
    known = np.where(worth > 0.5, worth, 0)
    for given, expected in (
        (worth + 10 * first, 1.0),
        (luck + 10 * first, 0.0),
        (known, 0.875**0.5),
    ):
        found = routing.followed(nats, worth + 10 * first, given, 3)
        assert found["given_entropies"] == pytest.approx(expected, abs=0.05)
        assert found["entropies_nats"] == pytest.approx(0.99, abs=0.01)
    assert found["given_nats"] < found["given_entropies"]
    assert found["nats_taken"] - found["nats_passed"] == pytest.approx(0.5, abs=0.02)
    assert routing.followed(nats, nats, 0 * nats, 3)["nats_taken"] is None
    assert routing.followed(nats, nats, 0 * nats, 3)["given_nats"] is None


def test_pieces_are_the_text_and_what_was_given():
    tokenizer = load("bytes")
    text = "né, and so on".encode()
    ids = np.append(tokenizer.encode(text), tokenizer.eos_id)
    nats = np.arange(len(ids), dtype=np.float32)
    given = np.linspace(0, 1, len(ids), dtype=np.float32)[None]
    pieces = routing.pieces(tokenizer, ids, nats, given)
    assert "".join(text for text, *_ in pieces) == text.decode()
    assert [piece[1] for piece in pieces] == nats[:-1].tolist()
    assert pieces[1][0] == ""  # half of a character
    lines = natural.in_lines([["a" * 60, 1.0, 0.5], ["b" * 60, 1.0, 0.0], ["\n", 1.0, 0.1]])
    assert [len(line) for line in lines] == [1, 2]
    assert lines[1][1] == (60, " ", 0.1)
