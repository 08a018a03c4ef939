"""Panels of runs: bits/byte against a quantity, ours beside the paper's."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from equinfo.compress.windows.steps import LOSSY
from experiments.analysis import figures
from experiments.analysis.compare import Results
from experiments.analysis.figures import Point, mean_interval
from experiments.analysis.quantities import Quantity, mflops, mflops_of_all
from experiments.runs.recipes import LM

Points = dict[str, list[tuple[float, float]]]
BITS_OF_A_BYTE = 8
PAPER = "Lester et al. 2024: C4, 25m to 2b"


def points(results: Results, lms: Iterable[LM], x: Quantity) -> list[Point]:
    """A point a run whose x is known: (x, bits/byte) over as many of its seeds as there are."""
    found = []
    for lm in lms:
        runs = results.all_done(results.scale.seeded(lm))
        if runs and math.isfinite(x(runs[0])):
            bits, error = mean_interval([row.bits_per_byte for row in runs])
            tokens = lm.stream.tokens
            decodes = tokens.family == "equalinfo" and tokens.rule not in LOSSY
            found.append(Point(tokens.name, x(runs[0]), bits, error, runs[0].uniform, decodes))
    return found


def m1_point(results: Results, x: Quantity) -> list[Point]:
    """M1 as a language model of its own: a point, or none where it was not run or has no x."""
    row = results.done(results.scale.m1)
    return [Point("M1 alone", x(row), row.bits_per_byte)] if row and math.isfinite(x(row)) else []


def draw_costs(
    results: Results, lms: Sequence[LM], theirs: Points, title: str, folder: Path, name: str
) -> list[Path]:
    """Bits/byte against inference FLOPs by both counts; the paper's in a figure of its own."""
    counts = {
        "every product counted": mflops_of_all,
        "the paper's count: no attention, no output layer": mflops,
    }
    panels = {
        heading: [*points(results, lms, count), *m1_point(results, count)]
        for heading, count in counts.items()
    }
    papers = [Point(one, *pair) for one, pairs in theirs.items() for pair in pairs]
    title = f"{title} — {results.scale.corpus}, scale {results.scale.name}"
    label = "inference MFLOPs / byte"
    return [
        *draw_panels(panels, title, label, folder, name, lacking=results.missing(lms)),
        *draw_panels({PAPER: papers}, "", label, folder, f"{name}_paper"),
    ]


def draw_panels(
    panels: dict[str, list[Point]], title: str, xlabel: str, folder: Path, name: str,
    front: Sequence[tuple[float, float]] = (), lacking: Sequence[str] = (),
) -> list[Path]:  # fmt: skip
    """Panels side by side over one broken y axis, names right of the last.

    front: a dashed line behind the points, (x, bits/byte).
    """
    panels = {heading: found for heading, found in panels.items() if found}
    everything = [point for found in panels.values() for point in found]
    if not everything:
        return []
    low, high, top = figures.levels(everything)
    heights = (1, 2.4) if top > high else (1,)
    with figures.figure(2.2 + 3.9 * len(panels), 6.2) as (drawn, axes):
        axes.remove()
        shape = {"sharex": "col", "sharey": "row", "height_ratios": heights, "squeeze": False}
        grid = drawn.subplots(len(heights), len(panels), **shape)
        for column, (heading, found) in zip(grid.T, panels.items(), strict=True):
            fit(column[-1], found)
            column[-1].set_xlabel(xlabel)
            column[0].set_title(heading, fontsize=9.5, loc="left")
            if top > high:
                column[0].set_ylim(high, top)
                column[0].spines.bottom.set_visible(False)
                column[0].tick_params(axis="x", length=0)
            column[-1].set_ylim(low, high)
            for axes in column:
                edge = {"color": "#444444", "lw": 1, "zorder": 1}
                axes.plot([x for x, _ in front], [y for _, y in front], "--", **edge)
                figures.draw_runs(axes, found, high if axes is not column[-1] else -math.inf)
        for axes in grid[:, -1]:
            figures.name_runs(axes, found)
        grid[0, 0].set_ylabel("bits / byte")
        grid[-1, 0].set_ylabel("bits / byte" + (", enlarged" if top > high else ""))
        figures.name_missing(grid[-1, 0], list(lacking))
        if title:
            legend = "hollow: windows that decode; ticks: uniform lines; bars: 95 % over seeds"
            drawn.suptitle(f"{title}\n{legend}", fontsize=10, x=0.01, ha="left")
        return figures.save(drawn, folder, name)


def fit(axes: Any, points: Sequence[Point]) -> None:
    """Limits that hold the points and their uniform lines, but bytes', on a logarithmic x axis."""
    x = [point.x for point in points]
    lines = [point.uniform for point in points if point.uniform is not None]
    y = [point.bits for point in points] + [bits for bits in lines if bits < BITS_OF_A_BYTE]
    span = max(max(x) / min(x), 2.0)
    axes.set_xscale("log")
    axes.set_xlim(min(x) / span**0.05, max(x) * span**0.05)
    figures.plain_ticks(axes.xaxis, subs=(1,) if span > 100 else (1, 2, 5))
    axes.set_ylim(min(y) - 0.4, max(y) + 0.3)
