"""Figure 10: accuracy at each position of a 64-bit window, over training."""

import math
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


def positions(scale: Scale) -> Positions:
    """The base M2 on windows that stand for the paper's 64 bits, in narrow ids, probed in equal ratios of steps."""
    training = scale.base
    tokens = scale.window(scale.windows[2], scale.narrow)
    span = min(SPAN, training.steps)
    steps = {round(training.steps * span ** (number / (PROBES - 1) - 1)) for number in range(PROBES)}
    return Positions(scale.lm(tokens), tuple(sorted(steps)))


def recipes(scale: Scale) -> list[Recipe]:
    return [positions(scale)]


def reduce(rows: Rows, scale: Scale) -> Table:
    recipe = positions(scale)
    row, count = rows.done(recipe), places(scale)
    columns = ["position", "best constant %", *(f"step {step:,} %" for step in recipe.steps)]
    body = [[str(place + 1), *line(row, place, len(recipe.steps))] for place in range(count)]
    title = (
        f"Accuracy at each position of a window of {recipe.lm.stream.tokens.bits} bits ({scale.name}, {scale.corpus})"
    )
    note = (
        f"{recipe.lm.stream.tokens.name}, M2 {recipe.lm.training.size}, validation ids. Best constant: the share of the"
        " position's most frequent id; at a window's end that is the padding's zeros. The paper gives its numbers as"
        " curves only (figure 10)."
    )
    return Table(title, columns, body, note)


def places(scale: Scale) -> int:
    """Ids a window."""
    return scale.windows[2] // scale.narrow


def line(row: Row | None, place: int, probes: int) -> list[float | None]:
    """The best constant guess and the accuracies of one position, in %."""
    if row is None:
        return [None] * (1 + probes)
    return [100 * row.values["constant"][place], *(100 * found[place] for found in row.values["accuracy"])]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    row, count = rows.done(positions(scale)), places(scale)
    with figures.figure(10.5, 4.6) as (drawn, axes):
        axes.remove()
        left, right = (drawn.add_subplot(part) for part in drawn.add_gridspec(1, 2))
        left.set_xlabel("position in the window")
        right.set_xlabel("training step")
        right.set_xscale("log")
        left.set_title(f"at the end — {scale.corpus}, {scale.name}", fontsize=10, loc="left")
        right.set_title("over training (the paper: its first 2,000 steps)", fontsize=10, loc="left")
        for one in (left, right):
            one.set_ylabel("accuracy, %")
        if row is None:
            figures.name_missing(left, [positions(scale).lm.stream.tokens.name])
        else:
            draw_row(left, right, row, count)
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
    right.legend(fontsize=8, frameon=False)


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    row = rows.done(positions(scale))
    return [first_is_best(row), first_rises_first(row)]


def gains(row: Row) -> list[list[float]]:
    """Each probe's accuracies above the best constant guesses, in standard errors of those; [probes][positions]."""
    guesses, probed = row.values["constant"], row.values["probed"]
    errors = [math.sqrt(max(p * (1 - p), 1e-12) / n) for p, n in zip(guesses, probed, strict=True)]
    return [[(a - p) / e for a, p, e in zip(found, guesses, errors, strict=True)] for found in row.values["accuracy"]]


def first_is_best(row: Row | None) -> Trend:
    claim = "the window's first id is predicted best throughout training"
    test = (
        "at every probe after the first at which a position is 3 standard errors above its best constant guess,"
        " position 1's accuracy above that guess is the highest"
    )
    if row is None:
        return Trend(claim, test, None)
    learnt = [number for number, found in enumerate(gains(row)) if max(found) >= LEARNT]
    above = [[a - p for a, p in zip(found, row.values["constant"], strict=True)] for found in row.values["accuracy"]]
    best = [above[number].index(max(above[number])) == 0 for number in learnt[1:]]
    holds = bool(best) and all(best)
    last = ", ".join(f"{100 * value:+.1f}" for value in above[-1])
    return Trend(claim, test, holds, f"first at {sum(best)} of {len(best)} probes; at the end, points above: {last}")


def first_rises_first(row: Row | None) -> Trend:
    claim = "the window's first id is learned first"
    test = (
        "position 1 reaches half of its last gain over its best constant guess no later than any other position that"
        " ends 3 standard errors above its own"
    )
    if row is None:
        return Trend(claim, test, None)
    found = gains(row)
    halves = {
        place + 1: next(step for step, gain in zip(row.values["steps"], found, strict=True) if gain[place] >= last / 2)
        for place, last in enumerate(found[-1])
        if last >= LEARNT
    }
    numbers = "half-way at step: " + ", ".join(f"{place}: {step:,}" for place, step in halves.items())
    return Trend(claim, test, 1 in halves and halves[1] == min(halves.values()), numbers)


EXPERIMENT = Experiment(
    "fig10", "figure 10", "accuracy by position in a window, over training", recipes, reduce, draw, trends
)
