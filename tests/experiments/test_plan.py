"""The plan: each run once, counted from recipes alone; shards are a partition; hours come from this
device's rows.
"""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from equinfo.errors import EquinfoError
from equinfo.lm.config import modern
from experiments import catalogue
from experiments.analysis.compare import Results
from experiments.plan.cost import cost, forward_flops
from experiments.plan.jobs import WHOLE, Plan, amount, clock, closure, in_shard, parse_shard, survey
from experiments.plan.speed import (
    FROM_ROWS,
    TRIAL_BYTES,
    UNKNOWN,
    Speeds,
    largest_of_each_size,
)
from experiments.runs.recipes import LM, M1, Measure, Spelling, Stream, Tokens, Training
from experiments.runs.rows import Row, Rows
from experiments.scales import PAPER, SCALES

TRAINING = Training(
    size="30k", steps=10, batch_size=4, context=32, learning_rate=1e-2, warmup_steps=1
)
M1_ = M1("bundled", 1000, replace(TRAINING, steps=100))
AC = Stream(Tokens("ac", 256, "bundled", 1000, m1=M1_), "bundled", 1000, 500)
BYTES = Stream(Tokens("bytes", 256, "bundled", 1000), "bundled", 1000, 500)
LARGE = replace(TRAINING, size="0.1m")


def row(recipe, **changes):
    fields = {
        "type": type(recipe).__name__,
        "key": recipe.key,
        "scale": "x",
        "status": "done",
        "recipe": {},
    }
    return Row(**fields | {"seed": 0, "seconds": 1.0, "device": "here", "code_size": 256} | changes)


@pytest.fixture
def runner(tmp_path):
    """A runner's rows, and a share of 0 of everything: what `survey` asks of it."""
    return SimpleNamespace(rows=Rows(tmp_path / "rows.jsonl"), share=lambda recipe: 0.0)


def unknown(recipe):
    return None, UNKNOWN


def test_parts_that_runs_share_are_there_once_and_before_them():
    recipes = [LM(AC, LARGE), LM(AC, TRAINING), LM(BYTES, TRAINING), AC, LM(AC, TRAINING)]
    found = closure(recipes)
    assert found == [M1_, AC, LM(AC, LARGE), LM(AC, TRAINING), BYTES, LM(BYTES, TRAINING)]


def test_every_size_comes_before_the_next_whatever_the_catalogues_order():
    kinds = [(type(r).__name__, getattr(r, "training", TRAINING).size) for r in closure(PAPER.lms)]
    sizes = [size for kind, size in kinds if kind == "LM"]
    assert sizes == sorted(sizes, key=["25m", "113m", "403m", "2b"].index)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_no_trend_waits_for_a_run_that_nothing_lists(scale, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Rows, "done", lambda rows, recipe: asked.append(recipe))
    for experiment in catalogue.EXPERIMENTS.values():
        if experiment.trends:
            experiment.trends(Results(Rows(tmp_path / "rows.jsonl"), scale))
    listed = {recipe.key for recipe in closure(catalogue.everything(scale))}
    assert asked
    assert [recipe.title for recipe in asked if recipe.key not in listed] == []


def test_an_m1_of_another_context_is_the_same_training():
    longer = replace(M1_, context=64)
    assert closure([longer]) == [M1_, longer]
    assert cost(longer).tokens == 0
    assert cost(M1_).tokens == 100 * 4 * 32


def test_a_speller_needs_its_lm_and_a_measure_only_the_m1():
    lm = LM(AC, TRAINING)
    speller = Spelling(lm, AC, LARGE, shared=True, words=10)
    assert closure([speller]) == [M1_, AC, lm, speller]
    measure = Measure("windows", AC, 5)
    assert closure([measure]) == [M1_, measure]


def test_tokens_and_flops_are_those_of_the_recipes(runner):
    recipes = [LM(BYTES, TRAINING), LM(BYTES, LARGE)]
    plan = survey(recipes, runner, WHOLE, unknown)
    tokens = 10 * 4 * 32
    by_hand = [
        3 * tokens * (2 * c.parameters + c.n_layers * 4 * c.inner * 33 / 2 + 2 * c.d_model * 259)
        for c in (modern("30k", 259), modern("0.1m", 259))
    ]
    assert plan.tokens == 2 * tokens
    assert plan.flops == pytest.approx(sum(by_hand))
    assert cost(AC).encoded == pytest.approx(1500 * forward_flops(M1_.training, 257))


def test_what_is_done_is_counted_as_done_and_not_as_work(runner):
    recipes = [LM(BYTES, TRAINING), LM(BYTES, LARGE)]
    for recipe in (BYTES, recipes[0]):
        runner.rows.append(row(recipe))
    plan = survey(recipes, runner, WHOLE, unknown)
    assert ([j.recipe for j in plan.done], [j.recipe for j in plan.to_do]) == (
        [BYTES, recipes[0]],
        [recipes[1]],
    )
    assert plan.tokens == LARGE.tokens
    assert [j.recipe for j in plan.jobs if j.left] == [
        BYTES,
        recipes[1],
    ]  # the shards of BYTES are to make again
    runner.share = lambda recipe: float(recipe == BYTES)
    assert [j.recipe for j in survey(recipes, runner, WHOLE, unknown).jobs if j.left] == [
        recipes[1]
    ]


def test_a_run_in_the_middle_counts_for_what_is_left(runner):
    runner.share = lambda recipe: 0.75
    plan = survey([LM(BYTES, TRAINING)], runner, WHOLE, lambda recipe: (100.0, FROM_ROWS))
    assert plan.tokens == TRAINING.tokens / 4
    assert plan.seconds == 2 * 25
    assert plan.label() == "[1/2, 75 % of the work, 0:01 left]"


def test_a_run_that_failed_with_every_seed_is_not_to_do(runner):
    for attempt in LM(BYTES, TRAINING).attempts():
        runner.rows.append(row(attempt, status="diverged"))
    assert (
        survey([LM(BYTES, TRAINING)], runner, WHOLE, unknown).to_do
        == survey([BYTES], runner, WHOLE, unknown).to_do
    )


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_shards_are_a_partition(count, runner):
    everything = closure(PAPER.lms)
    parts = [
        {r.key for r in everything if in_shard(r, (number, count))}
        for number in range(1, count + 1)
    ]
    assert sum(map(len, parts)) == len(everything)
    assert set().union(*parts) == {r.key for r in everything}
    plans = [survey(PAPER.lms, runner, (number, count), unknown) for number in range(1, count + 1)]
    assert [{job.recipe.key for job in plan.to_do} for plan in plans] == parts


def test_a_shard_plans_the_parts_that_another_writes_the_rows_of(runner):
    lm = LM(AC, TRAINING)
    number = next(n for n in (1, 2, 3) if in_shard(lm, (n, 3)))
    plan = survey([lm], runner, (number, 3), unknown)
    assert {job.recipe for job in plan.jobs} == {M1_, AC, lm}
    assert plan.runs == sum(in_shard(recipe, (number, 3)) for recipe in (M1_, AC, lm))


def test_the_shards_rows_joined_in_any_order_are_all_rows(tmp_path):
    everything = closure(PAPER.lms)
    for number in (1, 2, 3):
        rows = Rows(tmp_path / f"{number}.jsonl")
        for recipe in everything:
            if in_shard(recipe, (number, 3)) or recipe == everything[0]:  # a duplicate does no harm
                rows.append(row(recipe))
    whole = {recipe.key: row(recipe) for recipe in everything}
    for order in ((1, 2, 3), (3, 1, 2)):
        joined = tmp_path / "joined.jsonl"
        joined.write_text("".join((tmp_path / f"{n}.jsonl").read_text() for n in order))
        assert Rows(joined).by_key == whole


@pytest.mark.parametrize(
    "text", ["0/5", "6/5", "x", "", "2", "2/", "/5", "-1/5", "1/0", "1.5/2", "1/2/3"]
)
def test_bad_shards_are_refused_in_a_line(text):
    with pytest.raises(EquinfoError, match="from 1/5 to 5/5"):
        parse_shard(text)
    assert parse_shard("2/5") == (2, 5)


def test_seconds_come_from_this_devices_rows_the_closest_first(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    other = LM(AC, replace(TRAINING, steps=30))
    rows.append(row(LM(BYTES, TRAINING), seconds=8.0))
    rows.append(row(LM(BYTES, LARGE), seconds=1e6, device="there"))
    speeds = Speeds()
    speeds.learn([LM(BYTES, TRAINING), LM(BYTES, LARGE)], rows, "here")
    assert speeds.estimate(other) == (pytest.approx(24.0), FROM_ROWS)
    assert speeds.estimate(LM(BYTES, LARGE)) == (None, UNKNOWN)
    wide = LM(replace(BYTES, tokens=Tokens("bpe", 4096, "bundled", 9)), TRAINING)
    ratio = cost(wide).flops / cost(LM(BYTES, TRAINING)).flops
    assert speeds.estimate(wide)[0] == pytest.approx(8.0 * ratio)
    assert speeds.estimate(Measure("windows", AC, 5)) == (None, UNKNOWN)


def test_where_no_row_says_a_trial_does(clock):
    """In which each step takes a second, and so does the text to encode."""
    speeds = Speeds()
    speeds.try_out([LM(AC, TRAINING), AC], "cpu")
    source = "from a one-second trial"
    assert speeds.estimate(LM(AC, TRAINING)) == (pytest.approx(TRAINING.steps), source)
    assert speeds.estimate(AC) == (pytest.approx(1500 / TRIAL_BYTES), source)


def test_sizes_too_large_for_a_trial_take_the_rate_of_a_smaller(monkeypatch):
    from experiments.plan import speed

    monkeypatch.setattr(
        speed, "training_rate", lambda training, *_: 1e9 if training.size == "25m" else None
    )
    speeds = Speeds()
    speeds.try_out(PAPER.lms, "cpu")
    assert [
        size for size, (_, source) in speeds.training.items() if source == speed.FROM_TRIAL
    ] == ["25m"]
    assert speeds.training["2b"] == (1e9, speed.FROM_SMALLER)
    seconds, _ = speeds.estimate(largest_of_each_size(PAPER.lms)[-1])
    assert seconds == pytest.approx(cost(largest_of_each_size(PAPER.lms)[-1]).flops / 1e9)


@pytest.mark.parametrize("name", SCALES)
def test_every_scale_has_a_plan_without_its_corpus(name, runner):
    from experiments.catalogue import EXPERIMENTS, recipes_of

    recipes = recipes_of(list(EXPERIMENTS), SCALES[name])
    plan = survey(recipes, runner, WHOLE, unknown)
    assert len(plan.to_do) >= len(recipes)
    assert plan.tokens >= max(lm.training.tokens for lm in SCALES[name].lms)
    assert all(job.recipe.title for job in plan.jobs)
    table = plan.table("plan")
    assert all(len(line) == len(table.columns) for line in table.rows)
    assert table.rows[-1][3] == len(plan.to_do)


def test_numbers_for_people():
    assert [amount(n) for n in (950, 1234567, 26_214_400_000)] == ["950", "1.23 M", "26.2 G"]
    assert [clock(s) for s in (0, 59, 3100, 7200)] == ["0:00", "0:01", "0:52", "2:00"]
    assert Plan([]).label() == "[1/0, 0 % of the work, 0:00 left]"
