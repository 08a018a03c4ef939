"""Fig 2: text, its equal-info windows, their bits and ids: the paper's diagram, of real windows."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

from matplotlib.patches import Rectangle

from experiments.analysis import figures, paper
from experiments.analysis.compare import Results
from experiments.analysis.experiment import exhibit
from experiments.analysis.tables import Cell, Table, visible
from experiments.exhibits.table7 import sentence
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row
from experiments.scales import Scale

SHOWN = 4
FILLS = ("#CFE8DE", "#F3DCE8", "#D6E6F2", "#F6E7C8")
GREY = "#444444"
COLUMNS = [
    "window", "text, ours", "bits, ours", "wide id", "narrow ids", "text, paper", "bits, paper",
]  # fmt: skip


def recipes(scale: Scale) -> list[Measure]:
    return [sentence(scale, scale.window(scale.windows[0], scale.wide, "paper"))]


def windows(row: Row | None, scale: Scale) -> list[tuple[str, str, list[int], list[int]]]:
    """(text, bits, wide ids, narrow ids) of each window."""
    if row is None:
        return []
    pieces = row.values["pieces"]
    codes = row.values["codes"]
    return [
        (text, code, ids, cut(code, scale.narrow))
        for (text, ids), code in zip(pieces, codes, strict=True)
    ]


def cut(code: str, width: int) -> list[int]:
    """A window's bits as ids of `width` bits; the last may be shorter."""
    return [int(code[at : at + width], 2) for at in range(0, len(code), width)]


def reduce(results: Results) -> Table:
    (recipe,) = recipes(results.scale)
    gap: list[Cell] = [None] * 4
    ours: list[list[Cell]] = [
        [text, code, " ".join(map(str, wide)), " ".join(map(str, narrow))]
        for text, code, wide, narrow in windows(results.done(recipe), results.scale)
    ]
    theirs = paper.values()["fig2_fig9_windows"].items()
    body = [
        [number, *(mine or gap), *(their or gap[:2])]
        for number, (mine, their) in enumerate(zip_longest(ours, theirs), 1)
    ]
    title = f"Windows of one sentence under {recipe.stream.tokens.name}"
    note = "The paper's are some of its figures' windows, of 16 bits each."
    return results.table(title, COLUMNS, body, note)


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    (recipe,) = recipes(scale)
    with figures.figure(11, 4.6) as (drawn, axes):
        axes.axis("off")
        axes.set_xlim(-1.05, SHOWN + 0.02)
        axes.set_ylim(-1.6, 5.2)
        figures.title(axes, f"Equal-info windows, from text to ids — {recipe.stream.tokens.name}")
        ids = [f"ids of {width} bits" for width in scale.widths]
        labels = ("text", "bits", *ids, "the paper's windows")
        for y, label in zip((4.3, 2.3, 1.3, 0.3, -1.0), labels, strict=True):
            axes.text(-0.12, y, label, ha="right", va="center", fontsize=10, color=GREY)
        anew = "M1 and the arithmetic coder begin anew at every window"
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
        axes.text(SHOWN / 2, 3.3, anew, style="italic", color=GREY, **style)
        for number, window in enumerate(windows(results.done(recipe), scale)[:SHOWN]):
            draw_window(axes, number, window)
        for number, (text, code) in enumerate(paper.values()["fig2_fig9_windows"].items()):
            shown = f"{visible(text)}\n{code}"
            axes.text(number + 0.49, -1.0, shown, family="monospace", color="#888888", **style)
        figures.name_missing(axes, results.missing_tokenizers([recipe]))
        return figures.save(drawn, folder, "fig2")


def draw_window(axes: Any, number: int, window: tuple[str, str, list[int], list[int]]) -> None:
    """A column of text, bits and ids, each as wide as its share of the window."""
    text, code, wide, narrow = window
    rows = (
        (4.3, [visible(c) for c in text], 13),
        (2.3, list(code), 11),
        (1.3, narrow, 11),
        (0.3, wide, 11),
    )
    box: dict[str, Any] = {"facecolor": FILLS[number % len(FILLS)], "edgecolor": "white", "lw": 1.2}
    style: dict[str, Any] = {"ha": "center", "va": "center", "family": "monospace"}
    for y, cells, size in rows:
        step = 0.94 / len(cells)
        for place, cell in enumerate(cells):
            left = number + 0.02 + place * step
            axes.add_patch(Rectangle((left, y - 0.34), step, 0.68, **box))
            axes.text(left + step / 2, y, str(cell), fontsize=size, **style)
    arrow = {"arrowstyle": "->", "color": "#666666"}
    for top, bottom in ((3.9, 3.55), (3.05, 2.7)):
        axes.annotate("", (number + 0.49, bottom), (number + 0.49, top), arrowprops=arrow)


EXPERIMENT = exhibit(__name__, "figure 2", "from text to windows, bits and ids")
