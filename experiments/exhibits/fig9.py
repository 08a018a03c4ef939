"""Fig 9: the bits that each character of a sentence takes, and where equal-info windows cut it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures, paper
from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Cell, Table, visible
from experiments.exhibits.table7 import sentence
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row
from experiments.scales import Scale

COLUMNS = [
    "window", "text, ours", "bits of it, M1 begun anew", "bits of it, M1 running on",
    "bits of a window", "text, paper",
]  # fmt: skip
NOTE = "The paper's texts are some of its figures' windows, of 16 bits each."


def recipes(scale: Scale) -> list[Measure]:
    """The windows, and AC, whose M1 runs on."""
    tokens = (scale.window(scale.windows[0], scale.wide, "paper"), scale.tokens("ac", scale.wide))
    return [sentence(scale, one) for one in tokens]


def edges(row: Row) -> list[int]:
    """Where windows begin, and the sentence's end: bytes, which are characters here."""
    found = [0]
    for text, _ in row.values["pieces"]:
        found.append(found[-1] + len(text.encode()))
    return found


def reduce(results: Results) -> Table:
    bits = results.scale.windows[0]
    windows, running = (results.done(recipe) for recipe in recipes(results.scale))
    theirs = list(paper.values()["fig2_fig9_windows"])
    ours: list[list[Cell]] = [[None, None, None]] * len(theirs)
    if windows:
        ours = [
            [
                windows.values["pieces"][number][0],
                sum(windows.values["bits"][a:b]),
                sum(running.values["bits"][a:b]) if running else None,
            ]
            for number, (a, b) in enumerate(pairwise(edges(windows)))
        ]
    body = [
        [number + 1, *line, bits, theirs[number] if number < len(theirs) else None]
        for number, line in enumerate(ours)
    ]
    return results.table("Bits of one sentence's characters, by window", COLUMNS, body, NOTE)


def draw(results: Results, folder: Path) -> list[Path]:
    asked = recipes(results.scale)
    windows, running = (results.done(recipe) for recipe in asked)
    with figures.figure(13.5, 4.2) as (drawn, axes):
        text = next(row.values["text"] for row in (windows, running) if row)
        if windows:
            for a, b in list(pairwise(edges(windows)))[::2]:
                axes.axvspan(a - 0.5, b - 0.5, color="#E6E6E6", lw=0, zorder=0)
            draw_bits(axes, windows, -0.2, "M1 begins anew at each window (every other shaded)")
        if running:
            draw_bits(axes, running, 0.2, "M1 runs on, as in AC")
        shown = [visible(c) for c in text]
        axes.set_xticks(range(len(text)), labels=shown, family="monospace", fontsize=9)
        axes.tick_params(axis="x", length=0)
        axes.grid(False, axis="x")
        axes.set_xlim(-0.6, len(text) - 0.4)
        axes.set_ylabel("bits of the character")
        axes.legend(frameon=False, loc="upper right", bbox_to_anchor=(1, 1.14), ncols=2, fontsize=9)
        name = asked[0].stream.tokens.name
        figures.title(axes, f"Bits a character — {name}, {results.scale.corpus} corpus")
        figures.name_missing(axes, results.missing_tokenizers(asked))
        return figures.save(drawn, folder, "fig9")


def draw_bits(axes: Any, row: Row, shift: float, label: str) -> None:
    bits = row.values["bits"]
    places = [place + shift for place in range(len(bits))]
    colour = figures.style_of(row.tokenizer)[0]
    axes.bar(places, bits, width=0.4, color=colour, label=label, zorder=2)


def trends(results: Results) -> list[Trend]:
    row = results.done(recipes(results.scale)[0])
    first = rest = None
    if row:
        bits = np.array(row.values["bits"])
        begins = np.isin(np.arange(len(bits)), edges(row)[:-1])
        first, rest = (Sample(bits[where], of="characters") for where in (begins, ~begins))
    return [
        trend(
            "a window's first character, which M1 sees without context, takes the most bits",
            "the mean bits of the sentence's characters that begin a window exceed those of the"
            " others (95 % interval over characters)",
            [lower("bits of other characters to those of the first", rest, first)],
        )
    ]


EXPERIMENT = exhibit(__name__, "figure 9", "the bits of each character, and where windows end")
