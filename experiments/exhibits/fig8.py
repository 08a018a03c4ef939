"""Fig 8: how much of a tokenisation changes with the word in front of the text."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample, quotient
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Measure, Tokens
from experiments.runs.rows import Row
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


def distances(scale: Scale, tokens: Tokens) -> Measure:
    return Measure("edit distances", scale.short_stream(tokens), scale.sample)


def recipes(scale: Scale) -> list[Measure]:
    first, second = scale.windows[:2]
    windows = [scale.window(first, width, "paper") for width in scale.widths]
    windows += [scale.window(first, scale.wide, "free"), scale.window(second, scale.wide, "paper")]
    coded = [scale.tokens("ac", width) for width in scale.widths]
    tokens = [scale.bytes, *scale.subwords, *windows, *coded, *scale.gzips]
    return [distances(scale, one) for one in tokens]


def reduce(results: Results) -> Table:
    body: list[list[Cell]] = []
    for recipe in recipes(results.scale):
        values: list[Cell] = [None] * (len(COLUMNS) - 1)
        if row := results.done(recipe):
            found = row.values
            means = np.array(row.values["means"])
            error = float(means.std(ddof=1) / math.sqrt(len(means))) if len(means) > 1 else None
            values = [found["words"], found["pairs"], len(means), found["ids"], found["mean"]]
            values += [error, *found["quantiles"]]
        body.append([recipe.stream.tokens.name, *values])
    title = "Edit distance between tokenisations after different words"
    return results.table(title, COLUMNS, body, NOTE)


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    done = results.all_done(recipes(scale))[::-1]
    with figures.figure(8.6, 0.42 * len(done) + 1.8) as (drawn, axes):
        for place, row in enumerate(done):
            draw_box(axes, place, row)
        axes.set_yticks(range(len(done)), labels=[row.tokenizer for row in done])
        axes.grid(False, axis="y")
        axes.set_xlim(0, 1.08)
        axes.set_xlabel(
            "edit distance / length, over all pairs of words (box: 25 to 75 %, whiskers: 5 to 95 %)"
        )
        figures.title(
            axes,
            f"How ids change with the word in front — {scale.corpus} corpus, {scale.name} scale\n"
            "line: median; dot and number: mean",
        )
        figures.name_missing(axes, results.missing_tokenizers(recipes(scale)))
        return figures.save(drawn, folder, "fig8")


def draw_box(axes: Any, place: int, row: Row) -> None:
    colour = figures.style_of(row.tokenizer)[0]
    mean = row.values["mean"]
    names = ("whislo", "q1", "med", "q3", "whishi")
    box = {**dict(zip(names, row.values["quantiles"], strict=True)), "fliers": []}
    drawn = axes.bxp(
        [box], positions=[place], widths=0.55, orientation="horizontal", patch_artist=True,
        showfliers=False, medianprops={"color": "black", "lw": 1.6},
        whiskerprops={"color": colour}, capprops={"color": colour},
    )  # fmt: skip
    drawn["boxes"][0].set(facecolor=colour, edgecolor=colour, alpha=0.85)
    axes.plot(mean, place, "o", color="white", markeredgecolor=colour, ms=5, zorder=5)
    style = {"va": "center", "fontsize": 8.5, "color": colour}
    axes.text(box["whishi"] + 0.012, place, f"{mean:.3f}", **style)


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    windows = [scale.window(bits, scale.wide, "paper") for bits in scale.windows[:2]]
    tokens = (scale.subwords[-1], *windows, scale.tokens("ac", scale.wide))
    checks = [
        lower(f"{a.name} to {b.name}", mean_distance(results, a), mean_distance(results, b))
        for a, b in pairwise(tokens)
    ]
    test = (
        f"mean distance: {' < '.join(one.name for one in tokens)} (95 % intervals, paired over"
        " sentences)"
    )
    claim = "SentencePiece's ids are the stablest, equal-info windows' less, AC's least"
    return [trend(claim, test, checks)]


def mean_distance(results: Results, tokens: Tokens) -> Sample | None:
    row = results.done(distances(results.scale, tokens))
    return None if row is None else quotient(row.values["means"], np.ones(len(row.values["means"])))


EXPERIMENT = exhibit(__name__, "figure 8", "how much of the ids changes with the word in front")
