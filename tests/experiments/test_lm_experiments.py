"""Reductions and trends of the experiments with M2s, on made-up rows: the paper's own numbers, and
those altered.
"""

import math
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments import catalogue
from experiments.analysis import compare, paper, quantities
from experiments.analysis.compare import Results
from experiments.exhibits import (
    a1,
    appendix_b,
    blocks,
    fig3,
    fig4,
    fig5,
    fig6,
    fig14,
    fig15,
    overfit,
    sec5_1,
    sweep,
    table1,
    table2,
    table3,
    table4,
    table6,
    table9,
    table10,
    table11,
)
from experiments.plan.jobs import closure
from experiments.runs import recipes as r
from experiments.runs.rows import Row, Rows
from experiments.scales import CPU, PAPER, TINY, decoder

NAMES = [
    "table1", "table2", "table3", "table4", "table6", "table9", "table10", "table11", "table12",
    "fig3", "fig4", "fig5",
    "fig6", "fig14", "fig15", "sec5_1", "a1", "overfit", "appendix_b", "sweep",
]  # fmt: skip
BYTES = 1_000_000
CHANGES = Path(__file__).parents[2] / "results" / "changes.md"
SIGNS = (0, 1, -1, 1, -1)  # of a seed's distance from the mean


def row(recipe, ratio, bits=None, **changes):
    """A finished run with this ratio and these bits/byte, the same in each of four documents."""
    training = getattr(recipe, "training", None)
    parameters = decoder(training.size).parameters if training else 0
    stream = getattr(recipe, "stream", recipe)
    tokens = PAPER.bytes if isinstance(recipe, r.M1) else stream.tokens
    codes = round(BYTES / ratio)
    unigram = changes.get("unigram_nats", 8 * math.log(2) * BYTES)
    values = {
        "type": type(recipe).__name__, "key": recipe.key, "scale": "x", "status": "done",
        "recipe": {}, "seed": 0,
        "seconds": 1.0, "num_bytes": BYTES, "num_tokens": codes, "num_ids": codes,
        "unigram_nats": unigram,
        "sum_nats": None if bits is None else bits * math.log(2) * BYTES,
        "tokenizer": "M1" if isinstance(recipe, r.M1) else tokens.name,
        "code_size": tokens.size, "size": training.size if training else "",
        "parameters": parameters,
        "flops_per_byte": 2.0 * parameters / ratio,
        "flops_per_byte_exact": 2.0 * parameters / ratio,
        "train_tokens": 1000, "train_bytes": 2000, "last_nats": 1.0,
        "trained_tokens": training.tokens if training else 0,
    }  # fmt: skip
    each = (
        {"nats": [bits * math.log(2) * BYTES / 4]}
        if bits
        else {"bytes": [BYTES / 4], "codes": [codes / 4], "unigram": [unigram / 4]}
    )
    return Row(**{"values": {name: one * 4 for name, one in each.items()}} | values | changes)


def rows_of(folder, made):
    rows = Rows(folder / "rows.jsonl")
    for one in made:
        rows.by_key[one.key] = one
    return rows


def verdicts(experiment, rows, scale):
    return [trend.holds for trend in experiment.trends(Results(rows, scale))]


# -- the paper's own results as rows ---------------------------------------------------------------


def the_papers(recipe, size=None):
    """The paper's result of one of PAPER's recipes, as a row; `size`: of the M2 that it reports,
    where not the base.
    """
    if isinstance(recipe, r.M1):
        return row(recipe, 1.0, paper.values()["m1"]["bits_per_byte"])
    if isinstance(recipe, r.Measure):  # the paper takes windows to be lossless
        return replace(row(recipe, 1.0), values={"text_bits": 0.0})
    tokens = recipe.stream.tokens if isinstance(recipe, r.LM) else recipe.tokens
    name = "SentencePiece" if tokens.family == "bpe" else paper.counterpart(tokens, PAPER)
    if isinstance(recipe, r.Stream):
        bits = paper.lookup("table3", name, "unigram") or 8.0
        return row(
            recipe,
            paper.lookup("table12", name, "ratio") or 5.49 / 8,
            unigram_nats=bits * math.log(2) * BYTES,
        )
    training = recipe.training
    size = size or paper.size(training, PAPER)
    first = r.with_training(recipe, seed=0)
    ratio, bits = found(first, tokens, first.training, name, size)
    sign = SIGNS[training.seed] * paper.values()["table11_25m"].get(name, (0, 0.003))[1]
    flops = (paper.lookup("fig3_table15", name, size, "mflops_per_byte") or 1) * 1e6
    last = 0.1 if first == overfit.memorising(PAPER) else 11.0
    return row(
        recipe,
        ratio,
        bits + sign,
        flops_per_byte=flops,
        flops_per_byte_exact=flops,
        blocks=True,
        last_nats=last + sign,
    )


def found(recipe, tokens, training, name, size):
    """(ratio, bits/byte) wherever the paper has them."""
    ratio = paper.lookup("table12", name, "ratio")
    if recipe == overfit.memorising(PAPER) or (tokens.family == "ac" and tokens.size == 2):
        return 5.49 / 8, paper.lookup("sec5_1_loss_nats", "25m") / math.log(2) / (5.49 / 8)
    if tokens.rule == "delay":
        return tuple(
            paper.lookup("table17", f"{name} delay", *at)
            for at in (("ratio",), (size, "bits_per_byte"))
        )
    if tokens.reset != 1:
        return paper.lookup("table9_403m", name, table9.RESETS[tokens.reset])
    if tokens.family == "gzip" and training == PAPER.base:
        return paper.lookup("table10_25m", f"{name} bare" if tokens.raw else name)
    if tokens.bits == PAPER.between:
        return tuple(paper.lookup("a1_403m", name, field) for field in ("ratio", "bits_per_byte"))
    if training.context == 256:
        return ratio, paper.lookup("table6", f"{name} bytes matched")[0]
    if training.steps < 200_000:
        return ratio, paper.lookup("table13_fig15", name)[paper.SIZES.index(size)]
    bits = [
        paper.lookup(table, name, size, "bits_per_byte")
        for table in ("fig3_table15", "fig5_table16")
    ]
    return ratio, bits[0] or bits[1]


def paper_rows(folder, experiment, size=None):
    recipes = closure([*experiment.recipes(PAPER), *overfit.recipes(PAPER)])
    return rows_of(folder, [the_papers(recipe, size) for recipe in recipes if not unknown(recipe)])


def unknown(recipe):
    """The free cell with M1 going on: the paper has nothing of the kind, and no trend asks for
    it.
    """
    tokens = getattr(getattr(recipe, "stream", recipe), "tokens", None)
    return tokens is not None and tokens.reset != 1 and tokens.rule == "free"


@pytest.mark.parametrize(
    ("module", "size"),
    [
        (fig3, None), (fig4, None), (fig5, None), (fig6, None), (fig14, None), (sec5_1, None),
        (table6, None), (table10, None), (table11, None), (overfit, None), (a1, "403m"),
        (table9, "403m"),
    ],
)  # fmt: skip
def test_every_trend_holds_of_the_papers_own_numbers(tmp_path, module, size):
    rows = paper_rows(tmp_path, module.EXPERIMENT, size)
    trends = module.EXPERIMENT.trends(Results(rows, PAPER))
    assert [trend for trend in trends if trend.holds is not True] == []
    assert trends


def test_the_papers_scaled_trainings_learn_as_they_grow(tmp_path):
    assert verdicts(fig15.EXPERIMENT, paper_rows(tmp_path, fig15.EXPERIMENT), PAPER) == [True, True]


@pytest.mark.parametrize("module", [fig3, fig5, fig6, fig14, table9, sec5_1, a1])
def test_with_one_seed_no_comparison_of_trainings_is_decided(tmp_path, module):
    """Nor with one seed short of all: who stops when it looks well has no 95 % interval."""
    for scale in (replace(PAPER, seeds=1), replace(PAPER, seeds=6)):
        rows = paper_rows(tmp_path, module.EXPERIMENT, "403m" if module in (a1, table9) else None)
        trends = [
            one
            for one in module.EXPERIMENT.trends(Results(rows, scale))
            if "bytes/token" not in one.test and "a seed each" not in one.test
        ]
        assert {one.holds for one in trends} <= {None}


def unsteady(row):
    """A row of which some seeds are worse than others."""
    return replace(row, sum_nats=(row.sum_nats or 0) * (1 + 0.2 * (row.key < "8")))


def bits_of(**bits):
    """Rows changed to these bits/byte, by a name that begins the tokenizer's."""

    def change(one):
        new = next((value for name, value in bits.items() if one.tokenizer.startswith(name)), None)
        if new is None or one.type == "Stream":
            return one
        nats = new * math.log(2) * BYTES
        return replace(one, sum_nats=nats, values={"nats": [nats / 4] * 4})

    return change


def windows_of(text, bits):
    return bits_of(**{f"EqualInfoAC[{text}": bits})


@pytest.mark.parametrize(
    ("module", "size", "change", "expected"),
    [
        (fig3, None, bits_of(Bytes=1.46), [False, True, True, True, True, True, True]),
        (fig3, None, bits_of(M1=1.2), [False, False, False, True, True, True, True]),
        (fig3, None, windows_of("b=16,v=65k", 1.3), [True, False, False, True, True, True, True]),
        # below the line by 4 %
        (fig3, None, bits_of(AC=1.4), [True, True, True, False, True, True, True]),
        # control at unigram
        (fig3, None, windows_of("b=16,v=256", 2.99), [True, True, True, None, True, True, True]),
        (fig3, None, bits_of(Unigram=1.3), [True, True, True, True, False, True, True]),
        # behind windows
        (fig3, None, bits_of(BPE=1.27), [True, True, True, True, False, True, True]),
        (fig3, None, bits_of(GZip=3.6), [True, True, True, True, True, False, True]),
        (fig3, None, bits_of(GZip=1.2), [True, True, True, True, True, True, False]),
        (fig4, None, windows_of("b=16,v=65k", 1.5), [False]),
        (fig5, None, windows_of("b=128,v=65k", 0.5), [False]),
        (fig6, None, windows_of("b=16,v=65k", 1.5), [False, True, True]),
        (fig6, None, bits_of(**{"GZip[v=65k": 1.5}), [True, False, True]),
        (fig6, None, windows_of("b=16,v=256", 1.2), [False, True, False]),
        (fig14, None, windows_of("b=16,v=65k,delay", 1.5), [True, True, False]),
        (sec5_1, None, bits_of(AC=1.4), [False]),
        (a1, "403m", windows_of("b=24,v=65k", 1.0), [False]),
        (table9, "403m", windows_of("b=16,v=65k,paper,reset=2", 1.0), [False, True]),
        (table10, None, bits_of(**{"GZip[v=256,raw": 2.5}), [False]),
        (table11, None, unsteady, [False]),
    ],
)  # fmt: skip
def test_a_trend_fails_where_the_numbers_say_so(tmp_path, module, size, change, expected):
    rows = paper_rows(tmp_path, module.EXPERIMENT, size)
    rows.by_key = {key: change(one) for key, one in rows.by_key.items()}
    assert verdicts(module.EXPERIMENT, rows, PAPER) == expected


@pytest.mark.parametrize("name", NAMES)
def test_without_runs_every_line_is_there_and_nothing_is_decided(tmp_path, name):
    experiment, rows = (
        import_module(f"experiments.exhibits.{name}").EXPERIMENT,
        Rows(tmp_path / "rows.jsonl"),
    )
    table = experiment.reduce(Results(rows, TINY))
    assert experiment.name == name
    assert table.rows
    assert {len(line) for line in table.rows} == {len(table.columns)}
    assert any("paper" in column for column in table.columns)
    if name != "table4":
        assert all(None in line for line in table.rows)
        assert all(
            trend.holds is None
            for trend in (experiment.trends or (lambda _: []))(Results(rows, TINY))
        )


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("table4", "overfit", "appendix_b")]
)
def test_no_single_run_makes_a_trend_hold(tmp_path, name):
    experiment = import_module(f"experiments.exhibits.{name}").EXPERIMENT
    (only, *_) = experiment.recipes(TINY)
    rows = rows_of(tmp_path, [row(only, 2.0, 1.5, unigram_nats=1.0)])
    table = experiment.reduce(Results(rows, TINY))
    assert len(table.rows) == len(experiment.reduce(Results(Rows(tmp_path / "none"), TINY)).rows)
    assert True not in [
        trend.holds for trend in (experiment.trends or (lambda _: []))(Results(rows, TINY))
    ]


def test_experiments_share_runs():
    """Those of the first seed."""

    def first(module):
        return {
            one.key
            for one in module.recipes(PAPER)
            if isinstance(one, r.LM) and one.training.seed == 0
        }

    main, windows = first(fig3), first(fig5)
    assert main >= {lm.key for lm in PAPER.lms}
    assert fig4.EXPERIMENT.recipes is fig3.recipes
    assert first(fig6) <= main
    assert {lm.key for lm in table6.conditions(PAPER).values()} - main == {
        table6.conditions(PAPER)["bytes"].key
    }
    assert {lm.key for lm in fig15.lms(PAPER) if lm.training.size == "2b"} <= main
    assert overfit.learning(PAPER).key in main
    assert first(a1) - windows == {lm.key for lm in a1.lms(PAPER) if lm.stream.tokens.bits == 24}
    assert first(table11) <= main | windows
    tried = [tokens for tokens in sweep.kinds(PAPER).values() if tokens in PAPER.main]
    assert {lm.key for lm in sweep.recipes(PAPER)} & main == {
        PAPER.lm(tokens, PAPER.base).key for tokens in tried
    }


# -- single reductions -----------------------------------------------------------------------------


def test_one_that_knows_nothing_pays_for_ends_of_documents():
    """Three ids of 16 bits and one EOS in 8 bytes: 48 bits, and 4 x H(1/4) = 3.245 bits."""
    stream = r.Stream(r.Tokens("bytes", 65536, "x", 1), "x", 1, 1)
    one = row(stream, 1.0, num_bytes=8, num_tokens=3, num_ids=4)
    assert quantities.uniform_with_ends(one) == pytest.approx((48 + 3.2451) / 8, abs=1e-4)
    assert quantities.uniform_with_ends(replace(one, blocks=True)) == one.uniform == 6
    assert quantities.uniform_with_ends(replace(one, num_ids=3)) == 6


@pytest.mark.parametrize(
    ("checks", "holds"),
    [
        ([True, True], True),
        ([True, None], None),
        ([False, None], False),
        ([True, False], False),
        ([], None),
    ],
)
def test_a_trend_is_all_of_its_checks(checks, holds):
    made = compare.trend("claim", "test", [compare.Check(str(one), one) for one in checks])
    assert made.holds is holds
    assert ("does not hold" in made.numbers) == (False in checks)


def equal_flops(folder, bytes_at, windows_at):
    """fig3's checks with bytes and windows at these (MFLOPs/byte, bits/byte), one a size, seeds
    0.001 apart.
    """
    made = []
    for tokens, points in ((PAPER.bytes, bytes_at), (PAPER.window(16, 16, "paper"), windows_at)):
        for training, (flops, bits) in zip(PAPER.m2_trainings, points, strict=True):
            for lm, sign in zip(PAPER.seeded(PAPER.lm(tokens, training)), SIGNS, strict=True):
                made.append(row(lm, 2.0, bits + 0.001 * sign, flops_per_byte=flops * 1e6))
    rows = rows_of(folder, made)
    return fig3.at_equal_flops(
        Results(rows, PAPER), PAPER.window(16, 16, "paper"), quantities.mflops
    )


def test_equal_flops_interpolate_in_the_logarithm(tmp_path):
    """Bytes fall from 3 bits at 1 MFLOP to 1 at 100: 2 at 10, which decides; what lies outside does
    not.
    """
    steps = [(1, 3.0), (100, 1.0), (1000, 0.9), (10_000, 0.8)]
    above = [(20_000, 9.0), (20_000, 9.0), (20_000, 9.0)]
    for bits, holds in ((1.99, True), (1.9999, None), (2.01, False)):
        (inside,) = equal_flops(tmp_path, steps, [(10, bits), *above])
        assert inside.holds is holds
        assert f"{bits:.3f} against 2.000" in inside.text
    # The interval: seeds' variance 1e-6 / 5 of ours, and of a half of each neighbour, with 4
    # degrees each.
    variance, parts = 0.3e-6, (0.2e-6, 0.05e-6, 0.05e-6)
    margin = stats.t.ppf(0.975, variance**2 / sum(part**2 / 4 for part in parts)) * math.sqrt(
        variance
    )
    assert f"± {margin:.2g} over seeds" in inside.text


def test_below_all_of_bytes_flops_the_next_bytes_run_decides(tmp_path):
    steps = [(10, 3.0), (100, 1.0), (1000, 0.9), (10_000, 0.8)]
    checks = equal_flops(tmp_path, steps, [(1, 2.9), (2, 3.1), (20_000, 0.1), (20_000, 0.1)])
    assert [check.holds for check in checks] == [True, False]
    assert equal_flops(tmp_path, steps, [(20_000, 0.1)] * 4) == []


# -- samples of rows -------------------------------------------------------------------------------

ONE = replace(PAPER, seeds=2)
TEXTS = {"bytes": [100, 300], "codes": [60, 100], "unigram": [90.0, 110.0]}


def with_texts(folder, nats):
    """An LM on bytes with two seeds, its stream, and M1, which has seen a document more."""
    lm = ONE.lm(ONE.bytes)
    made = [
        replace(row(lm.stream, 2.5), values=TEXTS),
        replace(row(ONE.m1, 1.0, 2.0), values={"nats": [80, 220, 999]}),
    ]
    made += [
        row(one, 2.5, 1.5, values={"nats": found})
        for one, found in zip(ONE.seeded(lm), nats, strict=True)
    ]
    return lm, rows_of(folder, made)


def test_texts_are_weighed_by_their_bytes_or_codes(tmp_path):
    """1.5 bits/byte, 75 and 225 of 300 nats in 100 and 300 of 400 bytes: both as hard; of codes, 60
    and 100, not so.
    """
    lm, rows = with_texts(tmp_path, [[75, 225], [75, 225]])
    assert Results(rows, ONE).trained(lm).texts == pytest.approx([0, 0])
    per_code = Results(rows, ONE).trained(lm, "codes")
    assert per_code.mean == pytest.approx(1.5 * 2.5)
    assert per_code.texts == pytest.approx(1.5 * 2.5 * np.array([0.25 - 0.375, 0.75 - 0.625]))
    assert Results(rows, ONE).coded(lm, quantities.ratio).texts == pytest.approx(
        2.5 * np.array([0.25 - 0.375, 0.75 - 0.625])
    )
    assert Results(rows, ONE).coded(lm, quantities.uniform).certain
    assert Results(rows, ONE).coded(lm, quantities.unigram).texts.sum() == pytest.approx(0)
    assert Results(rows, PAPER).trained(lm) is None  # five seeds


def test_m1_alone_is_measured_on_the_m2s_text(tmp_path):
    lm, rows = with_texts(tmp_path, [[75, 225], [75, 225]])
    alone = Results(rows, ONE).m1_alone()
    assert alone.mean == pytest.approx(300 / 400 / math.log(2))
    assert alone.texts == pytest.approx(np.array([5, -5]) / 400 / math.log(2))
    (check,) = Results(rows, ONE).below_m1([lm])
    assert check.holds is None
    assert "over seeds and texts" in check.text


def test_having_learned_is_to_be_below_frequencies_too(tmp_path):
    """8 bits uniform, 2.9 by frequency (`row`'s of a stream), and an M2 in between."""
    lm = PAPER.lm(PAPER.bytes)
    stream = row(lm.stream, 1.0, unigram_nats=2.9 * math.log(2) * BYTES)
    for bits, holds in ((2.8, True), (3.0, False)):
        made = [
            row(one, 1.0, bits + 0.001 * sign)
            for one, sign in zip(PAPER.seeded(lm), SIGNS, strict=True)
        ]
        assert Results(rows_of(tmp_path, [stream, *made]), PAPER).learned(lm).holds is holds


@pytest.mark.parametrize(
    ("bits", "spread", "holds"), [(3.5, 0.01, True), (3.5, 3.0, None), (3.7, 0.01, False)]
)
def test_one_run_in_blocks_says_what_it_has_learned(tmp_path, bits, spread, holds):
    """GZip's uniform line is at 3.587. Of the blocks' first ids the nats alone differ, so lines do
    not vary.
    """
    gzip, _ = blocks.recipes(PAPER)
    nats = [100 + spread, 100 - spread, 100.0]
    made = [row(gzip.stream, 2.23, unigram_nats=3.6 * math.log(2) * BYTES)]
    made.append(row(gzip, 2.23, bits, blocks=True, values={"nats": nats}))
    assert blocks.trends(Results(rows_of(tmp_path, made), PAPER))[0].holds is holds


def test_lost_trainings_are_counted_by_their_window(tmp_path):
    lm = fig5.lms(PAPER)[-1]
    made = [replace(row(one, 2.0, 1.5), status="diverged") for one in lm.attempts()[:2]] + [
        row(fig5.lms(PAPER)[0], 2, 1)
    ]
    note = fig5.reduce(Results(rows_of(tmp_path, made), PAPER)).note
    assert "16 bits 0 of 1, 32 bits 0 of 0, 64 bits 0 of 0, 128 bits 2 of 2" in note


def test_equal_budgets_compare_windows_with_bytes_and_m1(tmp_path):
    """As many ids at every size; as many bytes at the smallest, where a scale says what an id
    holds.
    """
    rows = paper_rows(tmp_path, fig3.EXPERIMENT)
    decided = fig3.beats_bytes(Results(rows, PAPER), "ids", fig3.equal_ids(PAPER))
    assert decided.holds
    assert decided.numbers.count("against") == 2 * len(PAPER.m2_trainings)
    known = replace(PAPER, bytes_a_token={PAPER.kind_of(PAPER.claim[-1]): 5.0})
    ((windows, rival),) = fig3.equal_bytes(known)
    assert (windows.training.steps, rival.training.steps) == (40_000, 200_000)
    assert {lm.key for lm in known.seeded(windows)} <= {one.key for one in fig3.recipes(known)}
    assert len(fig3.trends(Results(rows, known))) == len(fig3.trends(Results(rows, PAPER))) + 1


def test_the_models_are_counted():
    table = table4.reduce(Results(None, TINY))
    counts = {line[0]: line[6] for line in table.rows}
    assert counts["3m"] == 3 * (4 * 256 * 256 + 3 * 256 * 1024)
    assert round(counts["2b"] / 1e6) == 1611
    assert counts["M1: 30k"] == decoder("30k").parameters
    assert [line[1:6] for line in table.rows[:5]] == [line[8:13] for line in table.rows[:5]]
    assert [trend.holds for trend in table4.trends(Results(None, TINY))] == [True]
    assert table4.nominal("2b") == 2_000_000_000


def test_bits_a_token(tmp_path):
    recipe = fig5.lms(PAPER)[0]
    line = fig5.reduce(Results(rows_of(tmp_path, [row(recipe, 2.5, 2.0)]), PAPER)).rows[0]
    assert line[2:6] == [2.5, pytest.approx(3.2), pytest.approx(2.0), pytest.approx(5.0)]
    assert line[6:] == ["EqualInfoAC[b=16,v=256]", "25m", 2.66, 1.47, pytest.approx(3.9102)]


def test_bytes_are_matched_by_a_shorter_context():
    runs = table6.conditions(PAPER)
    assert [runs[matched].training.context for matched in ("", "bytes", "tokens")] == [
        512,
        256,
        512,
    ]
    assert replace(runs["bytes"].training, context=512) == runs["tokens"].training


def test_seeds_have_mean_deviation_and_a_count(tmp_path):
    runs = r.seeds(table11.lms(PAPER)[0], 5)
    rows = rows_of(
        tmp_path, [row(lm, 1.0, bits) for lm, bits in zip(runs, (1.0, 2.0, 3.0), strict=False)]
    )
    assert table11.reduce(Results(rows, PAPER)).rows[0][2:5] == [
        "3 of 5",
        pytest.approx(2.0),
        pytest.approx(1.0),
    ]
    assert [table11.count(scale) for scale in (TINY, PAPER)] == [1, 5]


def test_table_6_needs_more_than_a_difference(tmp_path):
    """The same means twice: seeds far apart decide nothing, seeds close together do, either way."""
    runs = {matched: PAPER.seeded(lm) for matched, lm in table6.conditions(PAPER).items()}
    cases = (
        ((1.5, 1.4, 1.3), 0.5, [None, None]),
        ((1.5, 1.4, 1.3), 0.001, [True, True]),
        ((1.3, 1.4, 1.5), 0.001, [False, False]),
    )
    for middles, deviation, expected in cases:
        made = [
            row(lm, 2.0, middle + deviation * SIGNS[number])
            for lms, middle in zip(runs.values(), middles, strict=True)
            for number, lm in enumerate(lms)
        ]
        assert verdicts(table6.EXPERIMENT, rows_of(tmp_path, made), PAPER) == expected


def test_the_front_is_marked(tmp_path):
    lms = PAPER.lms
    made = [row(lm, 2.0, 2.0) for lm in lms[2:]] + [row(lms[0], 1.0, 1.0), row(lms[1], 3.0, 1.5)]
    table = fig4.reduce(Results(rows_of(tmp_path, made), PAPER))
    assert [line[4] for line in table.rows] == ["yes", "yes", *["no"] * (len(lms) - 2)]
    theirs = {(line[5], line[6]) for line in table.rows if line[9] == "yes"}
    assert ("SentencePiece", "2b") in theirs
    assert ("Bytes", "25m") not in theirs


def test_memorising_is_the_base_training_on_little_text(tmp_path):
    few, whole = overfit.memorising(PAPER), overfit.learning(PAPER)
    assert replace(few.training, max_epochs=whole.training.max_epochs) == whole.training
    assert few.stream.tokens == whole.stream.tokens
    assert few.stream.train_bytes < whole.stream.train_bytes
    for nats, holds in ((10.9, True), (11.0, None), (11.1, False)):
        made = [
            row(lm, 5.0, 1.0, last_nats=middle + 0.01 * sign)
            for one, middle in ((few, nats), (whole, 11.0))
            for lm, sign in zip(PAPER.seeded(one), SIGNS, strict=True)
        ]
        assert verdicts(overfit.EXPERIMENT, rows_of(tmp_path, made), PAPER) == [holds]


def test_training_flops(tmp_path):
    recipe = fig15.lms(PAPER)[0]
    line = fig15.reduce(Results(rows_of(tmp_path, [row(recipe, 1.0, 1.5)]), PAPER)).rows[0]
    assert line[2] == 3000
    assert line[6] == pytest.approx(6 * 25_165_824 * 3000 * 256 * 512 / 1e12)
    assert line[7] == line[6]  # no M1
    assert line[8:] == [
        "Bytes",
        "25m",
        3000,
        1.62,
        pytest.approx(6 * 25e6 * 3000 * 256 * 512 / 1e12),
    ]
    coded = row(recipe, 1.0, 1.5, m1_parameters=1000)
    more = fig15.with_m1(coded, PAPER) - fig15.teraflops(coded)
    assert more == pytest.approx(6 * 1000 * PAPER.m1_training.tokens / 1e12)


@pytest.mark.parametrize(
    ("ratio", "bits", "expected"), [(10.9, 1.47, [True, True]), (9.0, 1.7, [False, False])]
)
def test_appendix_b(tmp_path, ratio, bits, expected):
    """Equal text's uniform line is at 1.6 bits; ANS's at 16 / ratio."""
    coders, (equal_text, *_) = appendix_b.coders(PAPER), appendix_b.texts(PAPER)
    text_bits = 1.5 if expected[0] else 1.61
    made = [
        row(lm.stream, at)
        for lm, at in ((coders["ans"], ratio), (coders["ac"], 10.98), (equal_text, 10.0))
    ]
    made += [row(coders["ac"], 10.98, 1.46)]
    made += [
        row(lm, at, middle + 0.001 * sign)
        for one, at, middle in ((coders["ans"], ratio, bits), (equal_text, 10.0, text_bits))
        for lm, sign in zip(PAPER.seeded(one), SIGNS, strict=True)
    ]
    assert verdicts(appendix_b.EXPERIMENT, rows_of(tmp_path, made), PAPER) == expected


def test_a_rate_is_chosen_by_training_loss_once_all_have_run(tmp_path):
    runs = sweep.groups(PAPER)[0]
    made = [
        row(lm, 1.0, 1.5, last_nats=nats) for lm, nats in zip(runs, (5.0, 2.0, 3.0), strict=True)
    ]
    at = sweep.COLUMNS.index("chosen")
    chosen = [line[at] for line in sweep.reduce(Results(rows_of(tmp_path, made), PAPER)).rows[:3]]
    assert chosen == ["", "yes", ""]
    some = [line[at] for line in sweep.reduce(Results(rows_of(tmp_path, made[1:]), PAPER)).rows[:3]]
    assert some == [""] * 3


def test_trials_with_other_products_are_the_chosen_ones_but_for_that():
    used = {
        lm: replace(lm, training=replace(lm.training, precision="float32"))
        for lm in sweep.products(CPU)
    }
    assert [lm.stream.tokens for lm in used] == CPU.claim
    assert {lm.training.precision for lm in used} == {"bfloat16"}
    assert set(used.values()) <= {lm for group in sweep.groups(CPU) for lm in group}
    assert sweep.products(PAPER) == []


# -- ratios and baselines, no M2 -------------------------------------------------------------------


def measured_rows(folder, module, table, field, change=None):
    """The paper's ratios of a table's streams (Unigram's ids of 15 bits stand for its 32,000
    pieces).
    """
    made = []
    for stream in module.recipes(PAPER):
        name = paper.counterpart(stream.tokens, PAPER)
        ratio = (paper.lookup("table12", name, "ratio") or 4.0) * (change or {}).get(name, 1)
        bits = paper.lookup("table3", name, "unigram") or 1.0
        made.append(row(stream, ratio, unigram_nats=bits * math.log(2) * BYTES))
    return rows_of(folder, made)


@pytest.mark.parametrize(
    ("module", "change", "expected"),
    [
        (table1, {}, True), (table1, {"AC[v=65k]": 0.3}, False), (table2, {}, True),
        (table2, {"EqualInfoAC[b=32,v=256]": 2}, False), (table3, {}, True),
        (table3, {"AC[v=256]": 1.1}, False),
    ],
)  # fmt: skip
def test_trends_of_ratios(tmp_path, module, change, expected):
    rows = measured_rows(tmp_path, module, "table12", "ratio", change)
    assert verdicts(module.EXPERIMENT, rows, PAPER) == [expected]


@pytest.mark.parametrize("module", [fig4, fig5, fig6, fig14, fig15, table9])
def test_figures_name_what_they_lack(tmp_path, module):
    recipes = PAPER.lms if module is fig4 else module.lms(PAPER)
    rows = rows_of(tmp_path, [row(lm, 2.0, 1.5) for lm in recipes[: len(recipes) // 2]])
    made = module.EXPERIMENT.draw(Results(rows, PAPER), tmp_path)
    assert {path.suffix for path in made} == {".svg"}
    assert "not run yet" in next(path for path in made if path.suffix == ".svg").read_text()


def test_the_log_of_changes_names_experiments_that_exist():
    lines = [
        line.split(" | ") for line in CHANGES.read_text().splitlines() if line.startswith("| ")
    ][1:]
    assert {line[0].removeprefix("| ") for line in lines} <= {"all", *catalogue.EXPERIMENTS}
    assert {len(line) for line in lines} == {5}
