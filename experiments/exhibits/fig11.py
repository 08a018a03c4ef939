"""Figs 11, 16, 17: how far the bits of compressed streams are from random ones."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.analysis import figures
from experiments.analysis.compare import Check, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Interval, observed_bias
from experiments.analysis.tables import Cell, Table
from experiments.runs.measures.uniformity import REPEATS, TINY
from experiments.runs.recipes import Measure, Tokens
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

KINDS = {"ngrams": "n-grams of bits, at every bit", "tokens": "n-bit tokens, cut every n bits"}
PARTS = {"whole": "-", "inner": ":"}
SHOWN = (1, 2, 4, 8, 12, 16)
BITS_A_SAMPLE = 1 << 16
COLUMNS = [
    "stream", "bits", "n", "n-grams, plug-in", "Miller-Madow", "inner", "random, 95 %",
    "tokens, plug-in", "Miller-Madow", "inner", "random, 95 %",
]  # fmt: skip
NOTE = (
    "KL divergence from uniform, in millibits (1/1,000 bit) of an n-gram or token, of text joined"
    " and cut to blocks of 10,240 bytes as the paper does it. random: a generator's bits (PCG64,"
    f" seeded), as many, plug-in; {REPEATS} repeats. inner: without each block's first two ids,"
    " where M1 knows least, and its last two, which end and pad it. Miller-Madow takes (2^n - 1)"
    " / (2 m ln 2) bits off. The paper draws these and prints no numbers."
)


def measured(scale: Scale) -> list[Tokens]:
    wide, (first, *_, last) = scale.wide, scale.windows
    coded = [scale.tokens("ac", wide), scale.window(last, wide), scale.window(first, wide)]
    return [*coded, scale.tokens("static-ac", wide), scale.gzips[0]]


def uniformity(scale: Scale, tokens: Tokens) -> Measure:
    stream = replace(scale.stream(tokens), train_bytes=scale.measured_bytes, mode="block")
    return Measure("uniformity", stream, BITS_A_SAMPLE * scale.sample)


def recipes(scale: Scale) -> list[Measure]:
    return [uniformity(scale, tokens) for tokens in measured(scale)]


def bias(row: Row, kind: str, n: int) -> float:
    """What the plug-in estimate of random bits is off by, to first order, in bits."""
    return observed_bias(kind, n, row.values["whole"]["bits"])


def reduce(rows: Rows, scale: Scale) -> Table:
    body: list[list[Cell]] = []
    for recipe in recipes(scale):
        row = rows.done(recipe)
        for n in SHOWN:
            size = row.values["whole"]["bits"] if row else None
            cells = [
                cell for kind in KINDS for cell in (numbers(row, kind, n) if row else [None] * 4)
            ]
            body.append([recipe.stream.tokens.name, size, n, *cells])
    return Table(
        f"How far streams are from random bits ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def numbers(row: Row, kind: str, n: int) -> list[Cell]:
    """(plug-in, Miller-Madow, plug-in of inner ids, a generator's 95 % line) in millibits."""
    whole, inner = (row.values[part][kind][n - 1] for part in PARTS)
    found = (whole, whole - bias(row, kind, n), inner, row.values["random"][kind][n - 1][2])
    return [f"{1000 * value:.3g}" for value in found]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    done = rows.all_done(recipes(scale))
    with figures.figure(11, 7.6) as (drawn, axes):
        axes.remove()
        grid = drawn.subplots(2, 2, sharex=True, sharey="col")
        for line, kind in zip(grid, KINDS, strict=True):
            draw_panel(line[0], done, kind, corrected=False)
            draw_panel(line[1], done, kind, corrected=True)
        for axes in grid[-1]:
            axes.set_xlabel("n (bits)")
        drawn.suptitle(
            f"Divergence of streams' bits from uniform — {scale.corpus} corpus, {scale.name}"
            " scale\n"
            "solid: all ids; dotted: without each block's first and last two; grey: random bits,"
            " 5 to 95 %",
            fontsize=10, x=0.01, ha="left",
        )  # fmt: skip
        figures.name_missing(
            grid[0][0], [r.stream.tokens.name for r in recipes(scale) if not rows.done(r)]
        )
        return figures.save(drawn, folder, "fig11")


def draw_panel(axes: Any, done: list[Row], kind: str, corrected: bool) -> None:
    sizes = range(1, 17)
    for row in done:
        colour, mark = figures.style_of(row.tokenizer)
        off = [bias(row, kind, n) if corrected else 0.0 for n in sizes]
        for part, dashes in PARTS.items():
            values = [value - less for value, less in zip(row.values[part][kind], off, strict=True)]
            label = row.tokenizer if part == "whole" else None
            axes.plot(
                sizes,
                values,
                mark + dashes,
                color=colour,
                ms=4 if label else 0,
                lw=1.3,
                label=label,
            )
    if done:
        off = [bias(done[0], kind, n) if corrected else 0.0 for n in sizes]
        low, middle, high = zip(*done[0].values["random"][kind], strict=True)
        lines = [
            [value - less for value, less in zip(line, off, strict=True)]
            for line in (low, middle, high)
        ]
        axes.fill_between(
            sizes, lines[0], lines[2], color="#999999", alpha=0.45, lw=0, label="random bits"
        )
    if corrected:
        axes.set_yscale("symlog", linthresh=1e-4)
    else:
        axes.set_yscale("log")
        axes.set_ylabel(f"KL(observed || uniform), bits\n{KINDS[kind]}")
    axes.set_title("Miller-Madow corrected" if corrected else "plug-in", fontsize=9.5, loc="left")
    if kind == "ngrams" and not corrected:
        axes.legend(frameon=False, fontsize=8)


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    ac, _, windows, _, gzip = (rows.done(recipe) for recipe in recipes(scale))
    units = (
        "in standard deviations of a generator's streams, at the n, of n-grams or tokens,"
        " where it is most"
    )
    return [
        trend(
            "AC's bits cannot be told from a generator's",
            f"the divergence above a generator's median, {units}, stays below what 95 % of a"
            " generator's streams reach",
            [within_reach(ac)],
        ),
        trend(
            "GZip's bits are far from random",
            f"the divergence above a generator's median, {units}, is beyond what 95 % of a"
            " generator's streams reach",
            [
                replace(
                    within_reach(gzip), holds=within_reach(gzip).holds is False if gzip else None
                )
            ],
        ),
        trend(
            "what an M2 can learn is less uniform than what it cannot",
            f"the same, {units}, is less for AC than for GZip and the shortest windows (95 %"
            " interval: each is uncertain by one deviation)",
            [nearer(ac, other) for other in (gzip, windows)],
        ),
    ]


def excess(row: Row, part: str = "whole") -> tuple[float, str]:
    """(deviations, in words) by which the divergence exceeds a generator's median, where that is
    most.
    """
    places = [(kind, n) for kind in KINDS for n in range(1, len(row.values[part]["ngrams"]) + 1)]

    def deviations(kind: str, n: int) -> float:
        above = row.values[part][kind][n - 1] - row.values["random"][kind][n - 1][1]
        return above / max(row.values["random"]["deviation"][kind][n - 1], TINY)

    kind, n = max(places, key=lambda place: deviations(*place))
    found, median = row.values[part][kind][n - 1], row.values["random"][kind][n - 1][1]
    size = f"{1000 * (found - median):.2g} of {1000 * found:.3g} millibits at n={n}, {kind}"
    return deviations(kind, n), f"{row.tokenizer}: {deviations(kind, n):.3g} deviations, {size}"


def within_reach(row: Row | None) -> Check:
    if row is None:
        return Check("not run yet", None)
    (found, said), (_, inner) = excess(row), excess(row, "inner")
    most = row.values["random"]["most"]
    return Check(
        f"{said}; without blocks' beginnings and ends {inner}; a generator up to {most:.3g}",
        found <= most,
    )


def nearer(ac: Row | None, other: Row | None) -> Check:
    """Whether AC exceeds a generator by less than another stream."""
    if ac is None or other is None:
        return Check("not run yet", None)
    gap = Interval(excess(ac)[0] - excess(other)[0], 1.96 * math.sqrt(2), "streams")
    return Check(f"{excess(ac)[1]} against {excess(other)[1]}, {gap}", gap.below())


EXPERIMENT = Experiment(
    "fig11",
    "figures 11, 16 and 17",
    "how far streams' bits are from random ones",
    recipes,
    reduce,
    draw,
    trends,
)
