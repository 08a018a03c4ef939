"""Fig 8: how much of a tokenisation changes with the word in front of the text."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import lower, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample, quotient
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Measure, Tokens
from experiments.runs.rows import Rows
from experiments.scales import Scale

QUANTILES = ("5 %", "25 %", "50 %", "75 %", "95 %")
COLUMNS = [
    "tokenizer", "words", "pairs", "sentences", "ids a sentence", "mean distance, ours",
    "standard error", *QUANTILES,
]  # fmt: skip
NOTE = (
    "Edit distance over ids between a sentence after one word and after another, as a share of the"
    " longer sequence; all pairs of the corpus's most frequent words, before each of many"
    " sentences of the validation text, whose means make the standard error. The paper (500 words)"
    " draws distributions and prints no numbers."
)


def measured(scale: Scale) -> list[Tokens]:
    first, coded = scale.windows[0], [scale.tokens("ac", width) for width in scale.widths]
    windows = [
        *(scale.window(first, width) for width in scale.widths),
        scale.window(first, scale.wide, "free"),
    ]
    windows.append(scale.window(scale.windows[1], scale.wide))
    return [scale.bytes, *scale.subwords, *windows, *coded, *scale.gzips]


def distances(scale: Scale, tokens: Tokens) -> Measure:
    return Measure("edit distances", scale.short_stream(tokens), scale.sample)


def recipes(scale: Scale) -> list[Measure]:
    return [distances(scale, tokens) for tokens in measured(scale)]


def reduce(rows: Rows, scale: Scale) -> Table:
    body: list[list[Cell]] = []
    for recipe in recipes(scale):
        row = rows.done(recipe)
        values: list[Cell] = [None] * (len(COLUMNS) - 1)
        if row:
            found, means = row.values, np.array(row.values["means"])
            error = float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else None
            values = [
                found["words"],
                found["pairs"],
                len(means),
                found["ids"],
                found["mean"],
                error,
            ]
            values += found["quantiles"]
        body.append([recipe.stream.tokens.name, *values])
    title = (
        f"Edit distance between tokenisations after different words ({scale.name}, {scale.corpus})"
    )
    return Table(title, COLUMNS, body, NOTE)


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    done = rows.all_done(recipes(scale))[::-1]
    with figures.figure(8.6, 0.42 * len(done) + 1.8) as (drawn, axes):
        for place, row in enumerate(done):
            low, left, middle, right, high = row.values["quantiles"]
            colour = figures.style_of(row.tokenizer)[0]
            box = {
                "whislo": low,
                "q1": left,
                "med": middle,
                "q3": right,
                "whishi": high,
                "fliers": [],
            }
            drawn_box = axes.bxp(
                [box], positions=[place], widths=0.55, orientation="horizontal", patch_artist=True,
                showfliers=False,
                medianprops={"color": "black", "lw": 1.6}, whiskerprops={"color": colour},
                capprops={"color": colour},
            )  # fmt: skip
            drawn_box["boxes"][0].set(facecolor=colour, edgecolor=colour, alpha=0.85)
            axes.plot(
                row.values["mean"],
                place,
                "o",
                color="white",
                markeredgecolor=colour,
                ms=5,
                zorder=5,
            )
            axes.text(
                high + 0.012,
                place,
                f"{row.values['mean']:.3f}",
                va="center",
                fontsize=8.5,
                color=colour,
            )
        axes.set_yticks(range(len(done)), labels=[row.tokenizer for row in done])
        axes.grid(False, axis="y")
        axes.set_xlim(0, 1.08)
        axes.set_xlabel(
            "edit distance / length, over all pairs of words (box: 25 to 75 %, whiskers: 5 to 95 %)"
        )
        axes.set_title(
            f"How ids change with the word in front — {scale.corpus} corpus, {scale.name} scale\n"
            "line: median; dot and number: mean",
            fontsize=10,
            loc="left",
        )
        figures.name_missing(
            axes, [r.stream.tokens.name for r in recipes(scale) if not rows.done(r)]
        )
        return figures.save(drawn, folder, "fig8")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    first, second, wide = *scale.windows[:2], scale.wide
    tokens = (
        scale.subwords[-1],
        scale.window(first, wide),
        scale.window(second, wide),
        scale.tokens("ac", wide),
    )
    checks = [
        lower(f"{a.name} to {b.name}", mean_distance(rows, scale, a), mean_distance(rows, scale, b))
        for a, b in pairwise(tokens)
    ]
    test = (
        f"mean distance: {' < '.join(one.name for one in tokens)} (95 % intervals, paired over"
        " sentences)"
    )
    return [
        trend(
            "SentencePiece's ids are the stablest, equal-info windows' less, AC's least",
            test,
            checks,
        )
    ]


def mean_distance(rows: Rows, scale: Scale, tokens: Tokens) -> Sample | None:
    row = rows.done(distances(scale, tokens))
    return None if row is None else quotient(row.values["means"], np.ones(len(row.values["means"])))


EXPERIMENT = Experiment(
    "fig8",
    "figure 8",
    "how much of the ids changes with the word in front",
    recipes,
    reduce,
    draw,
    trends,
)
