"""How laws of loss look: their contours over size and text, what they leave, their numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from experiments.analysis import figures
from experiments.analysis.scaling import SYMBOLS, Law, Points

LEVELS = 9  # contours, about
MARGIN = 1.25  # how far the contours reach beyond the points


@dataclass(frozen=True)
class Fitted:
    """A law to show, in a colour and mark.

    points: what it should go through, drawn once where laws share them; None: its numbers alone are
    shown. intervals: of its numbers, by their names in `Law`, where they are known.
    """

    name: str
    law: Law
    style: tuple[str, str]
    points: Points | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def draw(drawn: Any, shown: Sequence[Fitted], text: str, loss: str) -> Any:
    """Fill a figure: contours and residuals of laws that have points, and the numbers of all.

    text, loss: what the axes call them. Returns the contours' axes.
    """
    numbers = list(SYMBOLS)
    rows = [["contours", "residuals", name] for name in numbers]
    panels = drawn.subplot_mosaic(rows, width_ratios=(5, 4, 3))
    draw_contours(panels["contours"], shown, text, loss)
    draw_residuals(panels["residuals"], shown, text)
    for name in numbers:
        draw_number(panels[name], shown, name)
    figures.title(panels[numbers[0]], "Numbers, 95 % intervals")
    for one in shown:
        colour, mark = one.style
        panels["contours"].plot([], [], mark + "-", color=colour, label=one.name)
    drawn.legend(loc="outside lower left", ncols=len(shown), frameon=False)
    return panels["contours"]


def draw_contours(axes: Any, shown: Sequence[Fitted], text: str, loss: str) -> None:
    """The lines of the first law have their loss written on them; all laws have the same ones."""
    runs = {id(points): (points, one.style[1]) for one, points in through(shown)[::-1]}.values()
    sizes, texts, losses = map(np.concatenate, zip(*(points for points, _ in runs), strict=True))
    n = np.geomspace(sizes.min() / MARGIN, sizes.max() * MARGIN, 80)
    d = np.geomspace(texts.min() / MARGIN, texts.max() * MARGIN, 80)
    levels = MaxNLocator(LEVELS).tick_values(losses.min(), losses.max())
    look = {"vmin": losses.min(), "vmax": losses.max(), "ec": "white", "lw": 0.4, "zorder": 3}
    for (x, y, z), mark in runs:
        dots = axes.scatter(x, y, 26, z, marker=mark, **look)
    for at, (one, _) in enumerate(through(shown)):
        values = one.law(n[None, :], d[:, None])
        lines = axes.contour(n, d, values, levels, colors=[one.style[0]], linewidths=1.2)
        if at == 0:
            axes.clabel(lines, fontsize=7.5)
    axes.figure.colorbar(dots, ax=axes, label=f"{loss} of the runs", aspect=40, pad=0.01)
    axes.set(xscale="log", yscale="log", xlabel="parameters", ylabel=text)
    figures.title(axes, f"{loss}: runs, and lines of equal loss by the laws")


def through(shown: Sequence[Fitted]) -> list[tuple[Fitted, Points]]:
    return [(one, one.points) for one in shown if one.points]


def draw_residuals(axes: Any, shown: Sequence[Fitted], text: str) -> None:
    """In per cent of the loss, and the mean of each law's as a line."""
    axes.axhline(0, color="#444444", lw=0.8)
    for one, points in through(shown):
        colour, mark = one.style
        left = 100 * one.law.residuals(points)
        axes.plot(points.texts, left, mark, color=colour, ms=4, alpha=0.55, mew=0)
        axes.axhline(left.mean(), color=colour, lw=1.4, ls="--")
    axes.set(xscale="log", xlabel=text, ylabel="log loss - log law, %")
    figures.title(axes, "What the laws leave; dashed: the mean")


def draw_number(axes: Any, shown: Sequence[Fitted], name: str) -> None:
    for at, one in enumerate(shown):
        colour, mark = one.style
        value = getattr(one.law, name)
        low, high = one.intervals.get(name, (value, value))
        axes.plot([low, high], [-at, -at], color=colour, lw=2)
        axes.plot([value], [-at], mark, color=colour, ms=6)
    axes.set(yticks=[], ylim=(-len(shown) + 0.4, 0.6))
    axes.set_ylabel(SYMBOLS[name], rotation=0, ha="right", va="center")
    if name.startswith("by_"):
        axes.set_xscale("log")
        figures.plain_ticks(axes.xaxis, subs=(1, 2, 5))
