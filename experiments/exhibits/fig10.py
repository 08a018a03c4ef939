"""Figure 10: accuracy at each position of a window, over training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Table
from experiments.runs.recipes import Positions
from experiments.runs.rows import Row
from experiments.scales import Scale

PROBES = 12
SPAN = 64  # the last probe's step is at most so many times the first one's
SHADES = mpl.colormaps["viridis"]


def runs(scale: Scale) -> list[Positions]:
    """The smallest M2 on windows, shortest first, that stand for the paper's 32 and 64 bits, in
    narrow ids; windows that decode, as by the paper's rule they are filled up with zeros.

    Probed in equal ratios of steps. Short windows, learned first, show what long ones may not yet.
    """
    training = replace(scale.question, steps=scale.position_steps or scale.question.steps)
    span = min(SPAN, training.steps)
    steps = {
        round(training.steps * span ** (number / (PROBES - 1) - 1)) for number in range(PROBES)
    }
    windows = [scale.window(bits, scale.narrow, "free") for bits in scale.windows[1:3]]
    return [Positions(scale.lm(tokens, training), tuple(sorted(steps))) for tokens in windows]


def seeds(scale: Scale, recipe: Positions) -> list[Positions]:
    return [replace(recipe, lm=lm) for lm in scale.seeded(recipe.lm)]


def recipes(scale: Scale) -> list[Positions]:
    """All seeds of the shorter windows, which trends are of."""
    shorter, longer = runs(scale)
    return [*seeds(scale, shorter), longer]


def reduce(results: Results) -> Table:
    scale = results.scale
    steps = runs(scale)[0].steps
    columns = ["bits a window", "position", "best constant %", *(f"step {s:,} %" for s in steps)]
    body = [
        [
            str(recipe.reads.tokens.bits),
            str(place + 1),
            *line(results.done(recipe), place, len(steps)),
        ]
        for recipe in runs(scale)
        for place in range(places(recipe))
    ]
    note = (
        f"Ids of {scale.narrow} bits, windows that decode, M2 {scale.question.size}, validation"
        " ids; not those of a document's last window, which is filled up with zeros. Best constant:"
        " the share of the position's most frequent id. The paper gives its numbers as curves only"
        " (figure 10, 64 bits). One seed's; the trends are of all seeds of the shorter windows, in"
        " nats."
    )
    return results.table("Accuracy at each position of a window", columns, body, note)


def places(recipe: Positions) -> int:
    """Ids a window."""
    tokens = recipe.reads.tokens
    assert tokens.bits is not None
    return tokens.bits // (tokens.size.bit_length() - 1)


def line(row: Row | None, place: int, probes: int) -> list[float | None]:
    """The best constant guess and the accuracies of one position, in %."""
    if row is None:
        return [None] * (1 + probes)
    found = [row.values["constant"], *row.values["accuracy"]]
    return [100 * one[place] for one in found]


def draw(results: Results, folder: Path) -> list[Path]:
    """A row of axes a window: its positions at the end of training, and over it."""
    scale = results.scale
    with figures.figure(10.5, 8.4) as (drawn, axes):
        axes.remove()
        grid = drawn.subplots(2, 2, squeeze=False)
        for (left, right), recipe in zip(grid, runs(scale), strict=True):
            left.set_xlabel("position in the window (tick: always its most frequent id)")
            right.set_xlabel("training step")
            right.set_xscale("log")
            bits = recipe.reads.tokens.bits
            figures.title(left, f"{bits}-bit windows, at the end — {scale.corpus}, {scale.name}")
            figures.title(right, "over training (the paper: its first 2,000 steps)")
            for one in (left, right):
                one.set_ylabel("accuracy, %")
            row = results.done(recipe)
            if row is None:
                figures.name_missing(left, [recipe.reads.tokens.name])
            else:
                draw_row(left, right, row, places(recipe))
        return figures.save(drawn, folder, "fig10")


def draw_row(left: Any, right: Any, row: Row, count: int) -> None:
    """Bars of the last probe, the best constant guess as a tick; a line a position over steps."""
    steps = row.values["steps"]
    last = row.values["accuracy"][-1]
    for place in range(count):
        colour = SHADES(0.9 * place / max(count - 1, 1))
        left.bar([place + 1], [100 * last[place]], color=[colour])
        left.plot([place + 1], [100 * row.values["constant"][place]], "_", color="black", ms=18)
        curve = [100 * found[place] for found in row.values["accuracy"]]
        right.plot(steps, curve, "o-", ms=3, lw=1.5, color=colour, label=f"position {place + 1}")
    left.set_xticks(range(1, count + 1))
    right.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def trends(results: Results) -> list[Trend]:
    spans = {"at the end of training": slice(-1, None), "on average over training": slice(None)}
    shorter, _ = runs(results.scale)
    return [first_is_best(results, shorter, when, probes) for when, probes in spans.items()]


def first_is_best(results: Results, recipe: Positions, when: str, probes: slice) -> Trend:
    """probes: those whose mean decides. Positions are paired by seed and by batch of text."""
    claim = f"A {recipe.reads.tokens.bits}-bit window's first id is predicted best {when}"
    test = (
        "position 1 gains more nats over its own ids' frequencies than any other, the mean of"
        f" {'all probes' if probes.start is None else 'the last probe'} (95 % intervals over seeds"
        " and texts); open where no position ends above its frequencies"
    )
    found = [gains(results, recipe, place, probes) for place in range(places(recipe))]
    checks = [
        lower(f"gain, position {place} to 1", other, found[0], paired=True)
        for place, other in enumerate(found[1:], 2)
    ]
    decided = trend(claim, test, checks)
    ends = [gains(results, recipe, place, slice(-1, None)) for place in range(places(recipe))]
    learnt = [contrast([(1, end)]).below() is False for end in ends if end is not None]
    if learnt and not any(learnt):
        return replace(decided, holds=None, numbers=f"nothing was learned: {decided.numbers}")
    return decided


def gains(results: Results, recipe: Positions, place: int, probes: slice) -> Sample | None:
    """What a position (from 0) gains over its ids' frequencies, nats an id."""
    return results.over_texts(
        seeds(results.scale, recipe),
        lambda row: np.array(row.values["gains"])[probes, place].mean(0),
    )


EXPERIMENT = exhibit(__name__, "figure 10", "accuracy by position in a window, over training")
