"""How figures look: one colour and mark a tokenizer everywhere, colour-blind-safe, labelled where the points are."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

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
    "GZip": ("#8A8A8A", "X"),
    "StaticAC": ("#56B4E9", "v"),
    "AC": ("#0072B2", "^"),
    "EqualInfoAC": ("#009E73", "P"),
    "EqualInfoAC, several ids a window": ("#CC79A7", "*"),
}
PAPER_ALPHA = 0.22
HALO = " .halo text {stroke: #ffffff; stroke-width: 2.5px; stroke-linejoin: round; paint-order: stroke}"


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


def name_missing(axes: Any, names: list[str]) -> None:
    """Say in the drawing which runs it lacks: a gap that shows."""
    if names:
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        grid = axes.get_subplotspec()
        letters = int(16 * axes.figure.get_figwidth() / (grid.get_gridspec().ncols if grid else 1))
        text = fill(f"not run yet: {shown}", letters, break_long_words=False)
        # Not in the layout, which would take the axes' width away to make room for it.
        axes.text(0.01, 0.01, text, transform=axes.transAxes, fontsize=7.5, color="#666666").set_in_layout(False)


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
        axes.plot([x], [row.bits_per_byte], mark, color=colour, ms=8, markeredgecolor="white", zorder=4)
        last[row.tokenizer] = (x, row.bits_per_byte)
    label_points(axes, [(*point, name) for name, point in last.items()])


def label_points(axes: Any, points: list[tuple[float, float, str]]) -> None:
    """Write each name beside its point, right of it, pushed down where it would cover a name or a point."""
    axes.figure.canvas.draw()
    unit = axes.figure.dpi / 100
    height, length = 13 * unit, 150 * unit
    marks = [axes.transData.transform((x, y)) for x, y, _ in points]
    placed: list[tuple[float, float]] = []
    for x, y, name in sorted(points, key=lambda point: -point[1]):
        px, py = axes.transData.transform((x, y))
        while any(abs(px - qx) < length and abs(py - qy) < height for qx, qy in placed) or any(
            8 * unit < qx - px < length and abs(py - qy) < height for qx, qy in marks
        ):
            py -= 2
        placed.append((px, py))
        shift = (py - axes.transData.transform((x, y))[1]) * 72 / axes.figure.dpi
        axes.annotate(
            name,
            (x, y),
            xytext=(12, shift),
            textcoords="offset points",
            color=style_of(name)[0],
            fontsize=9,
            va="center",
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
            zorder=5,
        )
