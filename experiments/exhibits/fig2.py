"""Fig 2: text, its equal-info windows, their bits and their ids: the paper's diagram, of real
windows.
"""

from pathlib import Path
from typing import Any

from matplotlib.patches import Rectangle

from experiments.analysis import figures, paper
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Cell, Table, visible
from experiments.exhibits.table7 import sentence
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

SHOWN = 4
FILLS = ("#CFE8DE", "#F3DCE8", "#D6E6F2", "#F6E7C8")
COLUMNS = [
    "window",
    "text, ours",
    "bits, ours",
    "wide id",
    "narrow ids",
    "text, paper",
    "bits, paper",
]


def recipe(scale: Scale) -> Measure:
    return sentence(scale, scale.window(scale.windows[0], scale.wide))


def windows(row: Row, scale: Scale) -> list[tuple[str, str, list[int], list[int]]]:
    """(text, bits, wide ids, narrow ids) of each window."""
    pieces, codes = row.values["pieces"], row.values["codes"]
    return [
        (text, code, ids, cut(code, scale.narrow))
        for (text, ids), code in zip(pieces, codes, strict=True)
    ]


def cut(code: str, width: int) -> list[int]:
    """A window's bits as ids of `width` bits; the last may be shorter."""
    return [int(code[at : at + width], 2) for at in range(0, len(code), width)]


def reduce(rows: Rows, scale: Scale) -> Table:
    row = rows.done(recipe(scale))
    ours: list[list[Cell]] = [
        [text, code, " ".join(map(str, wide)), " ".join(map(str, narrow))]
        for text, code, wide, narrow in (windows(row, scale) if row else [])
    ]
    theirs = list(paper.values()["fig2_fig9_windows"].items())
    gap: list[Cell] = [None] * 4
    body = [
        [
            number + 1,
            *(ours[number] if number < len(ours) else gap),
            *(theirs[number] if number < len(theirs) else gap[:2]),
        ]
        for number in range(max(len(ours), len(theirs)))
    ]
    title = (
        f"Windows of one sentence under {recipe(scale).stream.tokens.name} ({scale.name},"
        f" {scale.corpus})"
    )
    note = "The paper's are some of its figures' windows, of 16 bits each."
    return Table(title, COLUMNS, body, note)


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    row = rows.done(recipe(scale))
    with figures.figure(11, 4.6) as (drawn, axes):
        axes.axis("off")
        axes.set_xlim(-1.05, SHOWN + 0.02)
        axes.set_ylim(-1.6, 5.2)
        axes.set_title(
            f"Equal-info windows, from text to ids — {recipe(scale).stream.tokens.name}",
            fontsize=10,
            loc="left",
        )
        labels = (
            "text",
            "bits",
            f"ids of {scale.narrow} bits",
            f"ids of {scale.wide} bits",
            "the paper's windows",
        )
        for y, label in zip((4.3, 2.3, 1.3, 0.3, -1.0), labels, strict=True):
            axes.text(-0.12, y, label, ha="right", va="center", fontsize=10, color="#444444")
        axes.text(
            SHOWN / 2, 3.3, "M1 and the arithmetic coder begin anew at every window",
            ha="center", va="center", fontsize=9, style="italic", color="#444444",
        )  # fmt: skip
        for number, window in enumerate(windows(row, scale)[:SHOWN] if row else []):
            draw_window(axes, number, window)
        for number, (text, code) in enumerate(paper.values()["fig2_fig9_windows"].items()):
            axes.text(
                number + 0.49, -1.0, f"{visible(text)}\n{code}",
                ha="center", va="center", family="monospace", fontsize=9, color="#888888",
            )  # fmt: skip
        figures.name_missing(axes, [] if row else [recipe(scale).stream.tokens.name])
        return figures.save(drawn, folder, "fig2")


def draw_window(axes: Any, number: int, window: tuple[str, str, list[int], list[int]]) -> None:
    """One column: the text's characters, an arrow, the bits, the ids, each as wide as its share of
    the window.
    """
    text, code, wide, narrow = window
    fill = FILLS[number % len(FILLS)]
    rows = (
        (4.3, [visible(c) for c in text], 13),
        (2.3, list(code), 11),
        (1.3, narrow, 11),
        (0.3, wide, 11),
    )
    for y, cells, size in rows:
        step = 0.94 / len(cells)
        for place, cell in enumerate(cells):
            left = number + 0.02 + place * step
            axes.add_patch(
                Rectangle((left, y - 0.34), step, 0.68, facecolor=fill, edgecolor="white", lw=1.2)
            )
            axes.text(
                left + step / 2,
                y,
                str(cell),
                ha="center",
                va="center",
                family="monospace",
                fontsize=size,
            )
    for top, bottom in ((3.9, 3.55), (3.05, 2.7)):
        axes.annotate(
            "",
            (number + 0.49, bottom),
            (number + 0.49, top),
            arrowprops={"arrowstyle": "->", "color": "#666666"},
        )


EXPERIMENT = Experiment(
    "fig2",
    "figure 2",
    "from text to windows, bits and ids",
    lambda scale: [recipe(scale)],
    reduce,
    draw,
)
