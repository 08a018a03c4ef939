"""Laws of loss: found again where they are known, where they cross, and through published runs."""

import os
from dataclasses import replace

import numpy as np
import pytest

from equinfo.errors import EquinfoError
from equinfo.files import content_hash
from experiments import chinchilla
from experiments.analysis import report
from experiments.analysis.compare import Results
from experiments.analysis.scaling import SYMBOLS, Law, Points, crossing, fit, intervals, redrawn
from experiments.exhibits import beyond, cards
from experiments.exhibits import chinchilla as published
from experiments.runs.rows import Row, Rows
from experiments.scales import SCALES

LAW = Law(1.2, 40.0, 0.34, 900.0, 0.5)
SIZES = np.repeat([4e5, 1e6, 3e6], 4)
TEXTS = np.tile([3e6, 1e7, 3.5e7, 1.2e8], 3)


def test_a_law_without_noise_is_found_again():
    found = fit(SIZES, TEXTS, LAW(SIZES, TEXTS))
    assert found(SIZES, TEXTS) == pytest.approx(LAW(SIZES, TEXTS), abs=1e-6)
    assert (found.size_power, found.text_power) == pytest.approx((0.34, 0.5), rel=0.02)
    assert found.floor == pytest.approx(1.2, rel=0.02)


def test_resamples_of_a_noisy_law_hold_it():
    noise = np.random.default_rng(1).normal(0, 0.004, len(SIZES))
    losses = LAW(SIZES, TEXTS) + noise
    drawn = redrawn(fit(SIZES, TEXTS, losses), Points(SIZES, TEXTS, losses), 40)
    at = [float(one(1e6, 3.5e7)) for one in drawn]
    assert np.std(at) < 0.01
    assert min(at) - 0.004 < LAW(1e6, 3.5e7) < max(at) + 0.004


def test_intervals_of_redrawn_points_hold_the_law_about_as_often_as_they_say():
    random = np.random.default_rng(3)
    sizes, texts = np.exp(random.uniform([[13], [15]], [[17], [20]], (2, 60)))
    held = []
    for seed in range(6):
        losses = LAW(sizes, texts) * np.exp(random.normal(0, 0.005, 60))
        points = Points(sizes, texts, losses)
        again = redrawn(fit(*points), points, 15, seed, pairs=True)
        found = intervals(again)
        held += [low <= getattr(LAW, name) <= high for name, (low, high) in found.items()]
    assert len(held) == 6 * len(SYMBOLS)
    assert np.mean(held) > 0.7


def test_too_few_points_are_no_law():
    with pytest.raises(ValueError, match="4 points"):
        fit(SIZES[:4], TEXTS[:4], TEXTS[:4])


def test_curves_cross_where_they_meet_or_not_at_all():
    early = [lambda x: 2.0 - 0.1 * np.log(x)] * 3
    late = [lambda x: 3.0 - 0.2 * np.log(x)] * 3
    found = crossing(early, late, 1.0, 1e9)
    assert found.estimate == pytest.approx(np.exp(10.0))
    assert found.low == found.high == pytest.approx(np.exp(10.0))
    assert crossing(late, early, 1.0, 1e4) == (0.0, 0.0, 0.0)
    assert crossing(early, late, 1.0, 1e4) == (np.inf, np.inf, np.inf)


# -- published points ----------------------------------------------------------------------------


@pytest.fixture
def made_up(monkeypatch):
    """Runs of Besiroglu et al.'s law, 40, in place of the published ones."""
    random = np.random.default_rng(5)
    sizes, texts = np.exp(random.uniform([[18], [21]], [[23], [26]], (2, 40)))
    losses = published.BESIROGLU.law(sizes, texts) * np.exp(random.normal(0, 0.0005, 40))
    table = np.column_stack([sizes, 6 * sizes * texts, losses]).tolist()
    rounded = sorted([float(f"{one:.6g}") for one in line] for line in table)
    monkeypatch.setattr(chinchilla, "SHA256", content_hash(rounded))
    monkeypatch.setattr(chinchilla, "provenance", lambda: {"commit": "0123456789ab"})
    return table


def written(path, table, header="parameters,training_flop,loss", form="{:.17g}"):
    lines = [header, *(",".join(form.format(one) for one in line) for line in table)]
    path.write_text("\n".join(lines))
    return str(path)


def test_published_points_are_the_same_in_all_digits_and_in_six(tmp_path, made_up):
    short = chinchilla.read(written(tmp_path / "short.csv", made_up, form="{:.6g}"))
    columns = "loss,,Training FLOP,Model Size"
    whole = [(loss, 7, flop, size) for size, flop, loss in made_up[::-1]]
    again = chinchilla.read(written(tmp_path / "whole.csv", whole, columns))
    assert np.array_equal(short, again)
    assert short.texts == pytest.approx([c / 6 / n for n, c, _ in sorted(made_up)], rel=1e-4)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("1", "2", 1),
        lambda text: text.rpartition("\n")[0],
        lambda text: text.replace("loss", "lost"),
        lambda text: text.replace(",", ";"),
        lambda text: text + "\nnan,1,1",
        lambda text: text + "\n1",
        lambda text: "",
        lambda text: "\0" * 9,
    ],
)
def test_other_points_are_refused_in_a_line_that_says_where_the_right_ones_are(
    tmp_path, made_up, damage, capsys
):
    source = written(tmp_path / "points.csv", made_up)
    path = tmp_path / "points.csv"
    path.write_text(damage(path.read_text()))
    assert chinchilla.main([source, "--out", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert source in line
    assert chinchilla.ADDRESS in line
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_there_is_a_line(tmp_path):
    with pytest.raises(EquinfoError, match=r"none\.csv cannot be used"):
        chinchilla.read(str(tmp_path / "none.csv"))


def test_the_fit_has_a_page_of_its_row_and_figure(tmp_path, made_up, monkeypatch):
    monkeypatch.setattr(chinchilla, "RESAMPLES", 3)
    source = written(tmp_path / "points.csv", made_up)
    scale = SCALES["cpu"]
    results = Results(Rows(tmp_path / "cpu" / "rows.jsonl"), scale)
    assert [trend.holds for trend in published.trends(results)] == [None] * 3
    assert published.reduce(results).rows == []
    out = tmp_path / published.FOLDER
    assert chinchilla.main([source, "--out", str(out)]) == 0
    (row,) = Rows(out / "rows.jsonl").by_key.values()
    assert Law(**row.values["law"]).floor == pytest.approx(1.8169, abs=0.1)
    assert str(tmp_path) not in row.command
    # an experiment without runs of its own is there where any row is
    results.rows.append(Row("M1", "0", "cpu", "done", {}, 0, 1.0))
    page = report.page(report.outcome(published.EXPERIMENT, results, tmp_path / "cpu"), "../cpu")
    assert "](../chinchilla/laws.svg)" in page
    assert "35 points, the 5 of the highest loss left out; 3 resamples" in page
    fit_gives, _, hoffmann_fails = published.trends(results)
    assert (fit_gives.holds, hoffmann_fails.holds) == (True, True)


def test_every_tokenizers_law_is_drawn_with_what_it_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(beyond, "RESAMPLES", 2)
    cpu = SCALES["cpu"]
    scale = replace(cpu, beyond=replace(cpu.beyond, entrants=cards.SIDES))
    rows = Rows(tmp_path / "rows.jsonl")
    results = Results(rows, scale)
    assert beyond.draw_laws(results, tmp_path) == []
    for lm, (_, text) in [
        (beyond.climb(scale, arm, *rung), rung)
        for arm in beyond.entrants(scale)
        for rung in beyond.rungs(scale)
    ]:
        nats = np.log(2) * 1000 * float(LAW(beyond.parameters(lm), text))
        sums = {"num_bytes": 1000, "num_tokens": 250, "num_ids": 250, "sum_nats": nats}
        rows.by_key[lm.key] = Row("LM", lm.key, "cpu", "done", {}, 0, 1.0, **sums)
    (path,) = beyond.draw_laws(results, tmp_path)
    drawn = path.read_text()
    assert all(arm.tokens.name in drawn for arm in beyond.entrants(scale))
    assert all(f">{symbol}<" in drawn for symbol in SYMBOLS.values())


@pytest.mark.skipif(
    chinchilla.VARIABLE not in os.environ,
    reason=f"{chinchilla.VARIABLE} names no file of the published points",
)
def test_the_published_points_give_the_published_law():
    points, out = chinchilla.split(chinchilla.read(os.environ[chinchilla.VARIABLE]))
    assert (len(points.losses), len(out.losses)) == (240, 5)
    assert min(out.losses) > max(points.losses)
    found = fit(*points)
    theirs = published.BESIROGLU
    for name, error in theirs.errors.items():
        assert getattr(found, name) == pytest.approx(getattr(theirs.law, name), abs=error)
    # as low as theirs: their numbers are rounded
    assert found.misfit(points).sum() <= theirs.law.misfit(points).sum()
    judged = published.judged(found, points)
    assert judged["Hoffmann et al."]["huber"] > 4 * judged["ours"]["huber"]
    for name in ("Hoffmann et al.", "Hoffmann et al., unrounded"):
        assert published.misfit(name, judged[name]).holds
    for name, ends in intervals(redrawn(found, points, 60, pairs=True)).items():
        assert ends == pytest.approx(theirs.intervals[name], rel=0.25)
