"""How figures look: one colour and mark a tokenizer everywhere, colour-blind-safe, labelled where the points are."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from equinfo.files import atomic_file
from experiments.rows import Row

mpl.use("Agg")
import matplotlib.pyplot as plt

# Okabe & Ito's palette; the mark tells neighbours apart without colour.
STYLES = {
    "Bytes": ("#000000", "s"),
    "BPE": ("#E69F00", "D"),
    "Unigram": ("#D55E00", "o"),
    "SentencePiece": ("#D55E00", "o"),
    "Codebook": ("#882255", "h"),  # not of that palette, and apart from it
    "GZip": ("#8A8A8A", "X"),
    "StaticAC": ("#56B4E9", "v"),
    "AC": ("#0072B2", "^"),
    "EqualInfoAC": ("#009E73", "P"),
    "EqualInfoAC, several ids a window": ("#CC79A7", "*"),
}
PAPER_ALPHA = 0.22
LETTER, LINE = 7.2, 14.0  # pixels, at 100 an inch, of a name's letter (at most, on average) and of its line
ROUNDS = 100
HALO = " .halo text {stroke: #ffffff; stroke-width: 2.5px; stroke-linejoin: round; paint-order: stroke}"


def face_of(tokenizer: str) -> str:
    """The mark's filling: its colour; white for equal-info windows that decode."""
    decodes = tokenizer.startswith("EqualInfoAC") and not {"paper", "unflushed"} & set(tokenizer[:-1].split(","))
    return "white" if decodes else style_of(tokenizer)[0]


def style_of(tokenizer: str) -> tuple[str, str]:
    """(colour, mark) of a tokenizer's name, e.g. "EqualInfoAC[b=24,v=4096]"."""
    family, _, options = tokenizer.partition("[")
    if family == "EqualInfoAC":
        values = dict(part.split("=") for part in options.rstrip("]").split(",") if "=" in part)
        width = 16 if values["v"] == "65k" else int(values["v"]).bit_length() - 1
        family += ", several ids a window" if int(values["b"]) > width else ""
    return STYLES[family]


@contextmanager
def figure(width: float = 8.6, height: float = 5.4) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes in the house style, closed at the end."""
    with mpl.rc_context(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "grid.linewidth": 0.6,
            "svg.hashsalt": "equinfo",
            "svg.fonttype": "none",  # text stays text: the report colours it for light and dark
        }
    ):
        drawn, axes = plt.subplots(figsize=(width, height), layout="constrained")
        try:
            yield drawn, axes
        finally:
            plt.close(drawn)


def save(drawn: Any, folder: Path, name: str) -> list[Path]:
    """Write folder/name.png and folder/name.svg, the same bytes for the same rows."""
    made = [folder / f"{name}.png", folder / f"{name}.svg"]
    with atomic_file(made[0]) as beside:
        drawn.savefig(beside, format="png", dpi=160)
    with atomic_file(made[1]) as beside:
        beside.write_text(svg(drawn), encoding="utf-8")
    return made


def svg(drawn: Any) -> str:
    """The figure as SVG. Halos, for which matplotlib would write outlines in place of text, are the class "halo"."""
    haloed = {text: text.get_path_effects() for text in drawn.findobj(Text) if text.get_path_effects()}
    for text in haloed:
        text.set(path_effects=[], gid="halo")
    written = io.StringIO()
    drawn.savefig(written, format="svg", metadata={"Date": None})
    for text, effects in haloed.items():
        text.set(path_effects=effects, gid=None)
    content = written.getvalue().replace('<g id="halo">', '<g class="halo">')
    return content.replace("</style>", HALO + "</style>", 1)


def plain_ticks(axes: Any, subs: tuple[int, ...]) -> None:
    """On a logarithmic x axis: 0.2, 0.5, 1, 2, ... and no powers of ten; `subs` of each decade."""
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def name_missing(axes: Any, names: list[str]) -> None:
    """Say in the drawing which runs it lacks: a gap that shows."""
    if names:
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        grid = axes.get_subplotspec()
        letters = int(16 * axes.figure.get_figwidth() / (grid.get_gridspec().ncols if grid else 1))
        text = fill(f"not run yet: {shown}", letters, break_long_words=False)
        # Not in the layout, which would take the axes' width away to make room for it.
        axes.text(0.01, 0.01, text, transform=axes.transAxes, fontsize=7.5, color="#666666").set_in_layout(False)


def draw_paper(axes: Any, paper: dict[str, list[tuple[float, float]]]) -> None:
    """The paper's points (x, bits/byte) in a panel of their own, named."""
    for name, pairs in paper.items():
        colour, mark = style_of(name)
        axes.plot(*zip(*pairs, strict=True), mark + "-", color=colour, ms=6, lw=1.2)
    label_points(axes, [(*pairs[-1], name) for name, pairs in paper.items()])


def draw_runs(axes: Any, points: list[tuple[float, Row]], paper: dict[str, list[tuple[float, float]]]) -> None:
    """Our runs, (x, row) each, over the paper's points (x, bits/byte), drawn faintly.

    A tokenizer's sizes are joined. The bar is its uniform line, and the drop from there to the point what was learned.
    """
    for name, pairs in paper.items():
        colour, mark = style_of(name)
        axes.plot(*zip(*pairs, strict=True), mark + "-", color=colour, alpha=PAPER_ALPHA, ms=5, lw=1, zorder=1)
    last: dict[str, tuple[float, float]] = {}
    for x, row in points:
        colour, mark = style_of(row.tokenizer)
        if row.tokenizer in last:
            axes.plot(*zip(last[row.tokenizer], (x, row.bits_per_byte), strict=True), color=colour, lw=1.4, zorder=2)
        axes.plot([x, x], [row.uniform, row.bits_per_byte], color=colour, lw=1, alpha=0.4, zorder=2)
        axes.plot([x], [row.uniform], "_", color=colour, ms=17, mew=2, zorder=3)
        edge = {"mec": colour, "mew": 1.2} if face_of(row.tokenizer) == "white" else {"mec": "white", "mew": 0.6}
        axes.plot([x], [row.bits_per_byte], mark, ms=9, mfc=face_of(row.tokenizer), zorder=4, **edge)
        last[row.tokenizer] = (x, row.bits_per_byte)
    label_points(axes, [(*point, name) for name, point in last.items()])


def label_points(axes: Any, points: list[tuple[float, float, str]]) -> None:
    """Write each name right of its point, or above or below that where it would cover a name or a point; with a line
    from the point where it is far."""
    axes.figure.canvas.draw()
    unit = axes.figure.dpi / 100
    points = sorted(points, key=lambda point: (-point[1], point[2]))
    marks = np.array([axes.transData.transform((x, y)) for x, y, _ in points]).reshape(-1, 2)
    left = marks[:, 0] + 16 * unit
    right = left + np.array([LETTER * len(name) for _, _, name in points]) * unit
    frame = axes.get_window_extent()
    heights = spread(marks, left, right, LINE * unit, frame.y0 + LINE * unit / 2, frame.y1)
    for (x, y, name), (_, mark), height in zip(points, marks, heights, strict=True):
        shift = (height - mark) * 72 / axes.figure.dpi
        colour = style_of(name)[0]
        line = {"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.6, "shrinkA": 0, "shrinkB": 5}
        far = {"arrowprops": {**line, "relpos": (0, 0.5)}} if abs(height - mark) > LINE * unit else {}
        # Not in the layout, which would move the points that the heights were found for.
        axes.annotate(
            name, (x, y), xytext=(12, shift), textcoords="offset points", color=colour, fontsize=9, va="center",
            path_effects=[withStroke(linewidth=2.5, foreground="white")], zorder=5, **far,
        ).set_in_layout(False)  # fmt: skip


def spread(
    marks: np.ndarray, left: np.ndarray, right: np.ndarray, line: float, lowest: float, highest: float
) -> np.ndarray:
    """Heights of names, float64[n], a line apart where they reach over one another and off other points' marks.

    marks: float64[n, 2], from the highest down; left, right: float64[n]; all in pixels. Names keep the marks' order.
    """
    heights = marks[:, 1].astype(np.float64)
    over = (left[:, None] < right) & (left < right[:, None])
    covers = (left[:, None] - line / 2 < marks[:, 0]) & (marks[:, 0] < right[:, None])
    for _ in range(ROUNDS):
        for i in range(len(heights)):
            for j in range(i + 1, len(heights)):
                if over[i, j] and (push := (line - (heights[i] - heights[j])) / 2) > 0:
                    heights[[i, j]] += push, -push
            for mark in marks[covers[i], 1]:
                away = heights[i] - mark
                if abs(away) < line / 2:
                    heights[i] += 1 if away > 0 else -1
        heights = np.clip(heights, lowest, highest)
    return heights
