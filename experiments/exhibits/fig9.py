"""Fig 9: the bits that each character of a sentence takes, and where equal-info windows cut it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures, paper
from experiments.analysis.compare import lower, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Cell, Table, visible
from experiments.exhibits.table7 import sentence
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

COLUMNS = [
    "window", "text, ours", "bits of it, M1 begun anew", "bits of it, M1 running on",
    "bits of a window", "text, paper",
]  # fmt: skip


def recipes(scale: Scale) -> list[Measure]:
    """The windows, and AC, whose M1 runs on."""
    tokens = (scale.window(scale.windows[0], scale.wide), scale.tokens("ac", scale.wide))
    return [sentence(scale, one) for one in tokens]


def edges(row: Row) -> list[int]:
    """Where windows begin, and the sentence's end: bytes, which are characters here."""
    found = [0]
    for text, _ in row.values["pieces"]:
        found.append(found[-1] + len(text.encode()))
    return found


def reduce(rows: Rows, scale: Scale) -> Table:
    windows, running = (rows.done(recipe) for recipe in recipes(scale))
    theirs = list(paper.values()["fig2_fig9_windows"])
    ours: list[list[Cell]] = []
    for number, (a, b) in enumerate(pairwise(edges(windows)) if windows else []):
        on = sum(running.values["bits"][a:b]) if running else None
        anew = sum(windows.values["bits"][a:b]) if windows else None
        ours.append(
            [
                number + 1,
                windows.values["pieces"][number][0] if windows else None,
                anew,
                on,
                scale.windows[0],
            ]
        )
    ours = ours or [[number + 1, *[None] * 3, scale.windows[0]] for number in range(len(theirs))]
    body = [[*line, theirs[n] if n < len(theirs) else None] for n, line in enumerate(ours)]
    title = f"Bits of one sentence's characters, by window ({scale.name}, {scale.corpus})"
    return Table(
        title, COLUMNS, body, "The paper's texts are some of its figures' windows, of 16 bits each."
    )


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    windows, running = (rows.done(recipe) for recipe in recipes(scale))
    with figures.figure(13.5, 4.2) as (drawn, axes):
        text = next(row.values["text"] for row in (windows, running) if row)
        if windows:
            shade_windows(axes, windows)
            draw_bits(axes, windows, -0.2, "M1 begins anew at each window (every other shaded)")
        if running:
            draw_bits(axes, running, 0.2, "M1 runs on, as in AC")
        axes.set_xticks(
            range(len(text)), labels=[visible(c) for c in text], family="monospace", fontsize=9
        )
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.6, len(text) - 0.4)
        axes.set_ylabel("bits of the character")
        axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 1.14), ncols=2, fontsize=9)
        axes.set_title(
            f"Bits a character — {recipes(scale)[0].stream.tokens.name}, {scale.corpus} corpus",
            fontsize=10,
            loc="left",
        )
        figures.name_missing(
            axes, [r.stream.tokens.name for r in recipes(scale) if not rows.done(r)]
        )
        return figures.save(drawn, folder, "fig9")


def shade_windows(axes: Any, row: Row) -> None:
    for a, b in list(pairwise(edges(row)))[::2]:
        axes.axvspan(a - 0.5, b - 0.5, color="#E6E6E6", lw=0, zorder=0)


def draw_bits(axes: Any, row: Row, shift: float, label: str) -> None:
    bits = row.values["bits"]
    places = [place + shift for place in range(len(bits))]
    axes.bar(
        places, bits, width=0.4, color=figures.style_of(row.tokenizer)[0], label=label, zorder=2
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    row = rows.done(recipes(scale)[0])
    first = rest = None
    if row:
        begins = np.isin(np.arange(len(row.values["bits"])), edges(row)[:-1])
        first, rest = (
            Sample(np.array(row.values["bits"])[where], of="characters")
            for where in (begins, ~begins)
        )
    return [
        trend(
            "a window's first character, which M1 sees without context, takes the most bits",
            "the mean bits of the sentence's characters that begin a window exceed those of the"
            " others (95 % interval over characters)",
            [lower("bits of other characters to those of the first", rest, first)],
        )
    ]


EXPERIMENT = Experiment(
    "fig9",
    "figure 9",
    "the bits of each character, and where windows end",
    recipes,
    reduce,
    draw,
    trends,
)
