"""How figures look: one colour and mark a tokenizer everywhere, names where the points are."""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from scipy.optimize import isotonic_regression
from scipy.stats import t

from equinfo.files import atomic_file

mpl.use("Agg")
import matplotlib.pyplot as plt

# Okabe & Ito's palette; the mark tells neighbours apart without colour.
STYLES = {
    "Bytes": ("#000000", "s"),
    "BPE": ("#E69F00", "D"),
    "Unigram": ("#D55E00", "o"),
    "SentencePiece": ("#D55E00", "o"),
    "BPE across words": ("#8F6A00", "d"),
    "Unigram across words": ("#7A3600", "H"),
    "Codebook": ("#882255", "h"),  # not of that palette, and apart from it
    "GZip": ("#8A8A8A", "X"),
    "StaticAC": ("#56B4E9", "v"),
    "AC": ("#0072B2", "^"),
    "EqualInfoAC": ("#009E73", "P"),
    "EqualInfoAC, several ids a window": ("#CC79A7", "*"),
    "M1 alone": ("#5E3C99", "p"),
}
HOUSE: Any = {
    "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.6,
    # the same rows give the same file; text stays text: small, to be searched and read out
    "svg.hashsalt": "equinfo", "svg.fonttype": "none",
}  # fmt: skip
PAPER_ALPHA = 0.22
LINE = 14.0  # pixels of a name's line, at 100 an inch
CONTEST = 1.8  # times the least bits/byte: how far up the enlarged part of a broken axis reaches
LEVEL = 0.95


@dataclass(frozen=True)
class Point:
    """A recipe in a figure: the mean of bits/byte over its seeds, and half of the interval of that
    mean.

    error: 0 for a single run. uniform: bits/byte of knowing nothing; None where there is no such
    line. hollow: equal-info windows that decode.
    """

    name: str
    x: float
    bits: float
    error: float = 0.0
    uniform: float | None = None
    hollow: bool = False


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean of runs and half of its 95 % interval over their seeds (t); 0 for one run."""
    if len(values) < 2:
        return mean(values), 0.0
    wide = float(t.ppf((1 + LEVEL) / 2, len(values) - 1))
    return mean(values), wide * stdev(values) / len(values) ** 0.5


def style_of(tokenizer: str) -> tuple[str, str]:
    """(colour, mark) of a tokenizer's name, e.g. "EqualInfoAC[b=24,v=4096]"."""
    family, _, options = tokenizer.partition("[")
    if family == "EqualInfoAC":
        values = dict(part.split("=") for part in options.rstrip("]").split(",") if "=" in part)
        width = 16 if values["v"] == "65k" else int(values["v"]).bit_length() - 1
        family += ", several ids a window" if int(values["b"]) > width else ""
    if family == "Cased":
        return style_of(options.removesuffix("]"))
    across = family in ("BPE", "Unigram") and options.rstrip("]").endswith(("superwords", "free"))
    return STYLES[family + " across words" * across]


@contextmanager
def figure(width: float = 8.6, height: float = 5.4) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes in the house style, closed at the end."""
    with mpl.rc_context(HOUSE):
        drawn, axes = plt.subplots(figsize=(width, height), layout="constrained")
        try:
            yield drawn, axes
        finally:
            plt.close(drawn)


def save(drawn: Any, folder: Path, name: str) -> list[Path]:
    """Write folder/name.svg, the same bytes for the same rows."""
    path = folder / f"{name}.svg"
    written = io.StringIO()
    drawn.savefig(written, format="svg", metadata={"Date": None})
    lines = [line.rstrip() + "\n" for line in written.getvalue().splitlines()]
    with atomic_file(path) as beside:
        beside.write_text("".join(lines), encoding="utf-8")
    return [path]


def title(axes: Any, text: str, size: float = 10) -> None:
    axes.set_title(text, fontsize=size, loc="left")


def heading(drawn: Any, text: str) -> None:
    """The title of a figure of several axes."""
    drawn.suptitle(text, fontsize=10, x=0.01, ha="left")


def plain_ticks(axis: Any, subs: tuple[int, ...]) -> None:
    """On a logarithmic axis: 0.2, 0.5, 1, 2, ... and no powers of ten; `subs` of each decade."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def name_missing(axes: Any, names: list[str]) -> None:
    """Say in the drawing which runs it lacks: a gap that shows."""
    if names:
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        grid = axes.get_subplotspec()
        letters = int(16 * axes.figure.get_figwidth() / (grid.get_gridspec().ncols if grid else 1))
        text = fill(f"not run yet: {shown}", letters, break_long_words=False)
        # Not in the layout, which would take the axes' width away to make room for it.
        axes.text(
            0.01, 0.01, text, transform=axes.transAxes, fontsize=7.5, color="#666666"
        ).set_in_layout(False)


def draw_gaps(axes: Any, gaps: Sequence[tuple[str, Any, str]], zero: str = "#444444") -> None:
    """(name, Interval, the tokenizer whose style it has), a line each; zero: the colour of 0."""
    for y, (_, gap, tokenizer) in enumerate(gaps):
        colour, mark = style_of(tokenizer)
        axes.errorbar([gap.estimate], [y], xerr=[gap.margin], fmt=mark, color=colour, capsize=3)
    axes.axvline(0, color=zero, lw=1)
    axes.set_yticks(range(len(gaps)), labels=[name for name, *_ in gaps])


def draw_runs(axes: Any, points: Sequence[Point], above: float = -math.inf) -> None:
    """Points with intervals, a tokenizer's sizes joined; a tick of its colour is a uniform line.

    above: marks of no more bits/byte are left out, over the break of an axis; lines go on to them.
    """
    for name, sizes in by_name(points).items():
        colour, mark = style_of(name)
        x = [one.x for one in sizes]
        y = [one.bits for one in sizes]
        face = (
            {"mfc": "white", "mec": colour, "mew": 1.2}
            if sizes[0].hollow
            else {"mec": "white", "mew": 0.6}
        )
        bars = [one.error or math.nan for one in sizes]
        shown = [one.bits > above for one in sizes]
        line = mark + ("--" if "delay" in name else "-")
        style = {"color": colour, "ms": 8, "lw": 1.2, "elinewidth": 1.6, "capsize": 4, "zorder": 4}
        some = {"markevery": shown, "errorevery": shown}
        axes.errorbar(x, y, bars, fmt=line, **some, **style, **face)
        known = [(one.x, one.uniform) for one in sizes if one.uniform is not None]
        at, lines = [x for x, _ in known], [y for _, y in known]
        axes.plot(at, lines, "_", color=colour, ms=15, mew=1.8, zorder=3)


def by_name(points: Sequence[Point]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for one in points:
        found.setdefault(one.name, []).append(one)
    return found


def name_runs(axes: Any, points: Sequence[Point]) -> None:
    """Names of the tokenizers whose last point lies inside the axes, whose limits must be set."""
    low, high = axes.get_ylim()
    last = [(sizes[-1].x, sizes[-1].bits, name) for name, sizes in by_name(points).items()]
    label_points(axes, [point for point in last if low <= point[1] < high])


def levels(points: Sequence[Point]) -> tuple[float, float, float]:
    """Where a broken y axis begins, breaks and ends: the best runs below, enlarged; others above.

    The last two are the same where nothing, uniform lines included, lies above the best.
    """
    least = min(one.bits for one in points)
    best = [one for one in points if one.bits <= CONTEST * least]
    low = min(one.bits - one.error for one in best)
    high = max(one.bits + one.error for one in best)
    room = 0.05 * (high - low) + 0.01
    top = max(max(one.bits, one.uniform or 0.0) for one in points)
    return low - room, high + room, top + 0.3 if top > high + room else high + room


def label_points(axes: Any, points: Sequence[tuple[float, float, str]]) -> None:
    """Names in a column right of the axes, by height, with lines to their points (x, y, name)."""
    points = sorted(points, key=lambda point: (-point[1], point[2]))
    names = []
    for x, y, name in points:
        colour = style_of(name)[0]
        line = {"arrowstyle": "-", "lw": 0.7, "ls": ":", "shrinkB": 5, "relpos": (0, 0.5)}
        line["color"] = colour
        look = {"color": colour, "fontsize": 9, "va": "center", "zorder": 2, "arrowprops": line}
        names.append(axes.annotate(name, (x, y), (1.015, 0.5), textcoords="axes fraction", **look))
    # Drawn once, so that the layout has made room for the names before their heights are found.
    axes.figure.canvas.draw()
    frame = axes.get_window_extent()
    marks = np.array([axes.transData.transform((x, y))[1] for x, y, _ in points])
    heights = spread(marks, LINE * axes.figure.dpi / 100, frame.y0, frame.y1)
    for name, height in zip(names, heights, strict=True):
        name.xyann = (1.015, (height - frame.y0) / frame.height)


def spread(marks: np.ndarray, line: float, lowest: float, highest: float) -> np.ndarray:
    """Heights of names, float64[n], nearest to their marks (float64[n], from the highest down), a
    line apart at least.

    In pixels. Where all of them together are higher than the frame, they reach out of it below.
    """
    if not len(marks):
        return np.zeros(0)
    steps = line * np.arange(len(marks))
    level = isotonic_regression(marks + steps, increasing=False).x
    return np.minimum(np.maximum(level, lowest + steps[-1]), highest) - steps
