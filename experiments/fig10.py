"""Figure 10: accuracy at each position of a window, over training; the paper's of 64 bits, and a shorter one."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl

from experiments import figures
from experiments.experiment import Experiment, Trend
from experiments.recipes import Positions, Recipe
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Table

PROBES = 12
SPAN = 64  # the last probe's step is at most so many times the first one's
SHADES = mpl.colormaps["viridis"]
LEARNT = 3.0  # standard errors above the best constant guess


def runs(scale: Scale) -> list[Positions]:
    """The smallest M2 on windows, shortest first, that stand for the paper's 32 and 64 bits, in narrow ids.

    Probed in equal ratios of steps. Short windows are learned first: they show what long ones may not yet.
    """
    training = replace(scale.base, steps=scale.position_steps or scale.base.steps)
    span = min(SPAN, training.steps)
    steps = {round(training.steps * span ** (number / (PROBES - 1) - 1)) for number in range(PROBES)}
    windows = [scale.window(bits, scale.narrow) for bits in scale.windows[1:3]]
    return [Positions(scale.lm(tokens, training), tuple(sorted(steps))) for tokens in windows]


def recipes(scale: Scale) -> list[Recipe]:
    return list(runs(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    steps = runs(scale)[0].steps
    columns = ["bits a window", "position", "best constant %", *(f"step {step:,} %" for step in steps)]
    body = [
        [str(recipe.lm.stream.tokens.bits), str(place + 1), *line(rows.done(recipe), place, len(steps))]
        for recipe in runs(scale)
        for place in range(places(recipe))
    ]
    title = f"Accuracy at each position of a window ({scale.name}, {scale.corpus})"
    note = (
        f"Ids of {scale.narrow} bits by the paper's rule, M2 {scale.base.size}, validation ids. Best constant: the"
        " share of the position's most frequent id; at a window's end that is the padding's zeros. The paper gives its"
        " numbers as curves only (figure 10, 64 bits)."
    )
    return Table(title, columns, body, note)


def places(recipe: Positions) -> int:
    """Ids a window."""
    tokens = recipe.lm.stream.tokens
    assert tokens.bits is not None
    return tokens.bits // (tokens.size.bit_length() - 1)


def line(row: Row | None, place: int, probes: int) -> list[float | None]:
    """The best constant guess and the accuracies of one position, in %."""
    if row is None:
        return [None] * (1 + probes)
    return [100 * row.values["constant"][place], *(100 * found[place] for found in row.values["accuracy"])]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    """A row of axes a window: its positions at the end of training, and over it."""
    with figures.figure(10.5, 8.4) as (drawn, axes):
        axes.remove()
        grid = drawn.subplots(2, 2, squeeze=False)
        for (left, right), recipe in zip(grid, runs(scale), strict=True):
            left.set_xlabel("position in the window")
            right.set_xlabel("training step")
            right.set_xscale("log")
            bits = recipe.lm.stream.tokens.bits
            left.set_title(f"{bits}-bit windows, at the end — {scale.corpus}, {scale.name}", fontsize=10, loc="left")
            right.set_title("over training (the paper: its first 2,000 steps)", fontsize=10, loc="left")
            for one in (left, right):
                one.set_ylabel("accuracy, %")
            row = rows.done(recipe)
            if row is None:
                figures.name_missing(left, [recipe.lm.stream.tokens.name])
            else:
                draw_row(left, right, row, places(recipe))
        return figures.save(drawn, folder, "fig10")


def draw_row(left: Any, right: Any, row: Row, count: int) -> None:
    """Bars of the last probe with the best constant guess as a tick; a line a position over the steps."""
    steps, last = row.values["steps"], row.values["accuracy"][-1]
    for place in range(count):
        colour = SHADES(0.9 * place / max(count - 1, 1))
        left.bar([place + 1], [100 * last[place]], color=[colour])
        left.plot([place + 1], [100 * row.values["constant"][place]], "_", color="black", ms=18)
        curve = [100 * found[place] for found in row.values["accuracy"]]
        right.plot(steps, curve, "o-", ms=3, lw=1.5, color=colour, label=f"position {place + 1}")
    left.set_xticks(range(1, count + 1))
    right.legend(fontsize=8, frameon=False)


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    found = [(recipe.lm.stream.tokens.bits, rows.done(recipe)) for recipe in runs(scale)]
    return [trend(bits, row) for bits, row in found for trend in (first_is_best, first_rises_first)]


def gains(row: Row) -> list[list[float]]:
    """Each probe's accuracies above the best constant guesses, in standard errors of those; [probes][positions]."""
    guesses, probed = row.values["constant"], row.values["probed"]
    errors = [math.sqrt(max(p * (1 - p), 1e-12) / n) for p, n in zip(guesses, probed, strict=True)]
    return [[(a - p) / e for a, p, e in zip(found, guesses, errors, strict=True)] for found in row.values["accuracy"]]


def first_is_best(bits: int | None, row: Row | None) -> Trend:
    claim = f"a {bits}-bit window's first id is predicted best throughout training"
    test = (
        "at every probe after the first at which a position is 3 standard errors above its best constant guess,"
        " position 1's accuracy above that guess is the highest; open where no position gets so far"
    )
    if row is None:
        return Trend(claim, test, None)
    learnt = [number for number, found in enumerate(gains(row)) if max(found) >= LEARNT]
    above = [[a - p for a, p in zip(found, row.values["constant"], strict=True)] for found in row.values["accuracy"]]
    best = [above[number].index(max(above[number])) == 0 for number in learnt[1:]]
    last = ", ".join(f"{100 * value:+.1f}" for value in above[-1])
    numbers = f"first at {sum(best)} of {len(best)} probes; at the end, points above: {last}"
    return Trend(claim, test, all(best) if best else None, numbers)


def first_rises_first(bits: int | None, row: Row | None) -> Trend:
    claim = f"a {bits}-bit window's first id is learned first"
    test = (
        "position 1 reaches half of its last gain over its best constant guess no later than any other position that"
        " ends 3 standard errors above its own; open where none ends there"
    )
    if row is None:
        return Trend(claim, test, None)
    found = gains(row)
    halves = {
        place + 1: next(step for step, gain in zip(row.values["steps"], found, strict=True) if gain[place] >= last / 2)
        for place, last in enumerate(found[-1])
        if last >= LEARNT
    }
    numbers = "half-way at step: " + (", ".join(f"{place}: {step:,}" for place, step in halves.items()) or "none")
    return Trend(claim, test, halves.get(1) == min(halves.values()) if halves else None, numbers)


EXPERIMENT = Experiment(
    "fig10", "figure 10", "accuracy by position in a window, over training", recipes, reduce, draw, trends
)
