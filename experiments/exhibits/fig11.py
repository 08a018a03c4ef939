"""Figs 11, 16, 17: how far the bits of compressed streams are from random ones."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.analysis import figures
from experiments.analysis.compare import Check, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Interval, observed_bias
from experiments.analysis.tables import Cell, Table
from experiments.runs.measures.uniformity import REPEATS, TINY
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row
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


def recipes(scale: Scale) -> list[Measure]:
    """Of AC, the longest windows, the shortest, StaticAC and GZip."""
    wide = scale.wide
    (first, *_, last) = scale.windows
    coded = [
        scale.tokens("ac", wide),
        scale.window(last, wide, "paper"),
        scale.window(first, wide, "paper"),
    ]
    found = []
    for tokens in [*coded, scale.tokens("static-ac", wide), scale.gzips[0]]:
        stream = replace(scale.stream(tokens), train_bytes=scale.measured_bytes, mode="block")
        found.append(Measure("uniformity", stream, BITS_A_SAMPLE * scale.sample))
    return found


def bias(row: Row, kind: str, n: int) -> float:
    """What the plug-in estimate of random bits is off by, to first order, in bits."""
    return observed_bias(kind, n, row.values["whole"]["bits"])


def reduce(results: Results) -> Table:
    body: list[list[Cell]] = []
    for recipe in recipes(results.scale):
        row = results.done(recipe)
        size = row.values["whole"]["bits"] if row else None
        for n in SHOWN:
            cells = [cell for kind in KINDS for cell in numbers(row, kind, n)]
            body.append([recipe.stream.tokens.name, size, n, *cells])
    return results.table("How far streams are from random bits", COLUMNS, body, NOTE)


def numbers(row: Row | None, kind: str, n: int) -> list[Cell]:
    """(plug-in, Miller-Madow, plug-in of inner ids, a generator's 95 % line) in millibits."""
    if row is None:
        return [None] * 4
    whole, inner = (row.values[part][kind][n - 1] for part in PARTS)
    found = (whole, whole - bias(row, kind, n), inner, row.values["random"][kind][n - 1][2])
    return [f"{1000 * value:.3g}" for value in found]


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    done = results.all_done(recipes(scale))
    with figures.figure(11, 7.6) as (drawn, axes):
        axes.remove()
        grid = drawn.subplots(2, 2, sharex=True, sharey="col")
        for line, kind in zip(grid, KINDS, strict=True):
            draw_panel(line[0], done, kind, corrected=False)
            draw_panel(line[1], done, kind, corrected=True)
        for axes in grid[-1]:
            axes.set_xlabel("n (bits)")
        figures.heading(
            drawn,
            f"Divergence of streams' bits from uniform — {scale.corpus} corpus, {scale.name}"
            " scale\n"
            "solid: all ids; dotted: without each block's first and last two; grey: random bits,"
            " 5 to 95 %",
        )
        figures.name_missing(grid[0][0], results.missing_tokenizers(recipes(scale)))
        return figures.save(drawn, folder, "fig11")


def draw_panel(axes: Any, done: list[Row], kind: str, corrected: bool) -> None:
    sizes = range(1, 17)

    def less_bias(row: Row, values: Any) -> list[float]:
        off = [bias(row, kind, n) if corrected else 0.0 for n in sizes]
        return [value - less for value, less in zip(values, off, strict=True)]

    for row in done:
        colour, mark = figures.style_of(row.tokenizer)
        for part, dashes in PARTS.items():
            label = row.tokenizer if part == "whole" else None
            style = {"color": colour, "ms": 4 if label else 0, "lw": 1.3, "label": label}
            axes.plot(sizes, less_bias(row, row.values[part][kind]), mark + dashes, **style)
    if done:
        low, _, high = zip(*done[0].values["random"][kind], strict=True)
        band = {"color": "#999999", "alpha": 0.45, "lw": 0, "label": "random bits"}
        axes.fill_between(sizes, less_bias(done[0], low), less_bias(done[0], high), **band)
    if corrected:
        axes.set_yscale("symlog", linthresh=1e-4)
    else:
        axes.set_yscale("log")
        axes.set_ylabel(f"KL(observed || uniform), bits\n{KINDS[kind]}")
    figures.title(axes, "Miller-Madow corrected" if corrected else "plug-in", 9.5)
    if kind == "ngrams" and not corrected:
        axes.legend(frameon=False, fontsize=8)


def trends(results: Results) -> list[Trend]:
    ac, _, windows, _, gzip = (results.done(recipe) for recipe in recipes(results.scale))
    beyond = within_reach(gzip)
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
            [replace(beyond, holds=beyond.holds is False if gzip else None)],
        ),
        trend(
            "what an M2 can learn is less uniform than what it cannot",
            f"the same, {units}, is less for AC than for GZip and the shortest windows (95 %"
            " interval: each is uncertain by one deviation)",
            [nearer(ac, other) for other in (gzip, windows)],
        ),
    ]


def excess(row: Row, part: str = "whole") -> tuple[float, str]:
    """(deviations, in words) by which a divergence exceeds a generator's median most."""
    places = [(kind, n) for kind in KINDS for n in range(1, len(row.values[part]["ngrams"]) + 1)]

    def deviations(kind: str, n: int) -> float:
        above = row.values[part][kind][n - 1] - row.values["random"][kind][n - 1][1]
        return above / max(row.values["random"]["deviation"][kind][n - 1], TINY)

    kind, n = max(places, key=lambda place: deviations(*place))
    found = row.values[part][kind][n - 1]
    median = row.values["random"][kind][n - 1][1]
    size = f"{1000 * (found - median):.2g} of {1000 * found:.3g} millibits at n={n}, {kind}"
    return deviations(kind, n), f"{row.tokenizer}: {deviations(kind, n):.3g} deviations, {size}"


def within_reach(row: Row | None) -> Check:
    if row is None:
        return Check("not run yet", None)
    (found, said) = excess(row)
    (_, inner) = excess(row, "inner")
    most = row.values["random"]["most"]
    ends = f"without blocks' beginnings and ends {inner}"
    return Check(f"{said}; {ends}; a generator up to {most:.3g}", found <= most)


def nearer(ac: Row | None, other: Row | None) -> Check:
    """Whether AC exceeds a generator by less than another stream."""
    if ac is None or other is None:
        return Check("not run yet", None)
    (ours, said) = excess(ac)
    (theirs, of_other) = excess(other)
    gap = Interval(ours - theirs, 1.96 * math.sqrt(2), "streams")
    return Check(f"{said} against {of_other}, {gap}", gap.below())


EXPERIMENT = exhibit(
    __name__, "figures 11, 16 and 17", "how far streams' bits are from random ones"
)
