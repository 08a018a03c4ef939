"""What the experiments with M2s share: runs beside the paper's numbers, seeds, and the checks that
decide trends.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from equinfo.compress.windows.steps import LOSSY
from experiments.analysis import figures, paper
from experiments.analysis.experiment import Trend
from experiments.analysis.figures import Point, mean_interval
from experiments.analysis.statistics import Sample, contrast, influence, quotient
from experiments.analysis.tables import Cell, shown
from experiments.runs.recipes import LM, Recipe, Stream, Tokens
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

Measure = Callable[[Row], float]
Points = dict[str, list[tuple[float, float]]]
INTERVAL = "95 % intervals over seeds and texts"
PAPER = "Lester et al. 2024: C4, 25m to 2b"

# -- a run's numbers -------------------------------------------------------------------------------


def ratio(row: Row) -> float:
    return row.ratio


def bit_ratio(row: Row) -> float:
    return row.bit_ratio


def uniform(row: Row) -> float:
    return row.uniform


def unigram(row: Row) -> float:
    return row.unigram


def bits_per_byte(row: Row) -> float:
    return row.bits_per_byte


def bits_per_token(row: Row) -> float:
    return row.bits_per_byte * row.ratio


def uniform_per_token(row: Row) -> float:
    return row.uniform * row.ratio


def mflops(row: Row) -> float:
    """MFLOPs/byte as the paper counts them: M1's added where it runs."""
    return mega(row.flops_per_byte)


def mflops_of_all(row: Row) -> float:
    """MFLOPs/byte with every product counted."""
    return mega(row.flops_per_byte_exact)


def mega(flops: float | None) -> float:
    return math.nan if flops is None else flops / 1e6


def mflops_alone(row: Row) -> float:
    """The same without M1's."""
    return 2 * row.parameters / row.ratio / 1e6


def training_nats(row: Row) -> float:
    """Loss of a training id, nats: the mean of the last tenth of the steps."""
    return math.nan if row.last_nats is None else row.last_nats


def ignorant(row: Row) -> float:
    """Bits/byte of a model that takes every code for equally probable and knows how often documents
    end.

    The uniform line, and the entropy of "does the document end here?" over all ids: what EOS costs
    at its frequency.
    """
    ends = 0.0 if row.blocks else (row.num_ids - row.num_tokens) / max(row.num_ids, 1)
    if not 0 < ends < 1:
        return row.uniform
    entropy = -ends * math.log2(ends) - (1 - ends) * math.log2(1 - ends)
    return row.uniform + entropy * row.num_ids / row.num_bytes


# -- lines of tables -------------------------------------------------------------------------------


def lines(
    recipes: Iterable[LM],
    rows: Rows,
    measures: Sequence[Measure],
    theirs: Callable[[LM], Sequence[Cell]],
) -> list[list[Cell]]:
    """A line a run: tokenizer, size and `measures`, None where it has not been run; then `theirs`,
    the paper's.
    """
    return [
        [
            recipe.stream.tokens.name,
            recipe.training.size,
            *measured(rows.done(recipe), measures),
            *theirs(recipe),
        ]
        for recipe in recipes
    ]


def stream_lines(
    streams: Iterable[Stream],
    rows: Rows,
    scale: Scale,
    measures: Sequence[Measure],
    table: str,
    *fields: str,
) -> list[list[Cell]]:
    """A line a stream: tokenizer and `measures`; then the paper's name for it and its numbers:
    `table`'s `fields`.
    """
    body = []
    for stream in streams:
        name = paper.counterpart(stream.tokens, scale)
        theirs = (
            [paper.lookup(table, name, field) for field in fields]
            if fields
            else [paper.lookup(table, name)]
        )
        body.append([stream.tokens.name, *measured(rows.done(stream), measures), name, *theirs])
    return body


def measured(row: Row | None, measures: Sequence[Measure]) -> list[Cell]:
    return [None if row is None else measure(row) for measure in measures]


def number(rows: Rows, recipe: Recipe, measure: Measure = bits_per_byte) -> float | None:
    """A run's number; None where it has not been run."""
    row = rows.done(recipe)
    return None if row is None else measure(row)


def spread(rows: Rows, recipes: Sequence[LM]) -> list[Cell]:
    """[runs done, e.g. "3 of 5"; mean and standard deviation of their bits/byte]: the same run with
    several seeds.
    """
    values = seeds_done(rows, recipes)
    deviation = stdev(values) if len(values) > 1 else None
    return [f"{len(values)} of {len(recipes)}", mean(values) if values else None, deviation]


def seeds_done(rows: Rows, recipes: Sequence[LM]) -> list[float]:
    return [row.bits_per_byte for row in rows.all_done(recipes)]


def missing(recipes: Iterable[LM], rows: Rows) -> list[str]:
    """What a figure says it lacks: a run, or the first of several and how many more there are
    (names are long).
    """
    names = [label(recipe) for recipe in recipes if rows.done(recipe) is None]
    return names if len(names) < 2 else [names[0], f"{len(names) - 1} more"]


def their_number(recipe: LM, scale: Scale, field: str) -> float | None:
    """Of table 15 or 16: the paper's run that one of ours stands for."""
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    found = paper.lookup("fig3_table15", name, size, field)
    return paper.lookup("fig5_table16", name, size, field) if found is None else found


# -- samples ---------------------------------------------------------------------------------------


def trained(
    rows: Rows, scale: Scale, lm: LM, per: str = "bytes", alone: bool = False
) -> Sample | None:
    """An LM's bits/byte (per "bytes") or bits an id (per "codes") over the scale's seeds; None
    unless all have run.

    alone: this one run's, for what can be said of one: only its texts are sampled.
    """
    done = rows.all_done([lm] if alone else scale.seeded(lm))
    if len(done) < (1 if alone else scale.seeds):
        return None
    values = np.array(
        [bits_per_byte(row) if per == "bytes" else bits_per_token(row) for row in done]
    )
    texts = documents(rows, lm).get(per)
    nats = [row.values.get("nats", []) for row in done]
    if texts is None or any(len(found) != len(texts) for found in nats):
        return Sample(values, certain=alone)
    shares = texts / texts.sum()
    # Proportions only: whole nats, and blocks' first ids, do not add up to the row's sum.
    pulls = [
        value * influence(np.divide(n, sum(n)), shares)
        for value, n in zip(values, nats, strict=True)
    ]
    return Sample(values, np.mean(pulls, axis=0), certain=alone)


def documents(rows: Rows, recipe: LM | Stream) -> dict[str, np.ndarray]:
    """Of each validation document float64[documents] of what there is: "bytes", "codes", and
    "unigram", its nats by the training text's frequencies. Of an LM in blocks all are alike: as
    many ids are scored of each.
    """
    row = rows.done(recipe)
    if row is not None and row.blocks:
        alike = np.ones(len(row.values.get("nats", [])))
        return dict.fromkeys(("bytes", "codes", "unigram"), alike)
    row = rows.done(recipe.stream if isinstance(recipe, LM) else recipe)
    kept = {} if row is None else row.values
    return {
        name: np.array(kept[name], dtype=np.float64)
        for name in ("bytes", "codes", "unigram")
        if name in kept
    }


def coded(rows: Rows, recipe: LM | Stream, measure: Measure) -> Sample | None:
    """A number of a run that its stream alone decides: `ratio`, `bit_ratio`, `uniform`, `unigram`
    or `ignorant`.
    """
    row = rows.done(recipe.stream if measure is unigram and isinstance(recipe, LM) else recipe)
    if row is None:
        return None
    value, texts = np.array([measure(row)]), documents(rows, recipe)
    over, under = ("bytes", "codes") if measure in (ratio, bit_ratio) else ("codes", "bytes")
    over = "unigram" if measure is unigram else over
    if over not in texts or under not in texts:
        return Sample(value, certain=True)
    pulls = influence(texts[over] / texts[over].sum(), texts[under] / texts[under].sum())
    return Sample(value, value * pulls, certain=True)


def m1_alone(rows: Rows, scale: Scale) -> Sample | None:
    """Bits/byte of M1 by itself on the M2s' validation text: one M1, made before any M2, so no
    seeds are sampled.
    """
    row, sizes = (
        rows.done(scale.m1),
        documents(rows, scale.stream(scale.bytes)).get("bytes", np.empty(0)),
    )
    if row is None:
        return None
    nats = row.values.get("nats", [])
    if not 0 < len(sizes) <= len(nats):
        return Sample(np.array([bits_per_byte(row)]), certain=True)
    return quotient(
        np.divide(nats[: len(sizes)], math.log(2)), sizes
    )  # it may have been measured on more


# -- trends ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Check:
    """One comparison of a trend. text: its numbers; holds: None where a run is missing, or the
    interval undecided.
    """

    text: str
    holds: bool | None


def lower(name: str, left: Sample | None, right: Sample | None, paired: bool = False) -> Check:
    """Whether left is below right: so where the 95 % interval of the difference is, not so where it
    is above.
    """
    if left is None or right is None:
        return Check(f"{name}: not run yet", None)
    gap = contrast([(1, left), (-1, right)], paired)
    return Check(f"{name}: {shown(left.mean)} against {shown(right.mean)}, {gap}", gap.below())


def near(
    name: str, left: Sample | None, right: Sample | None, tolerance: float, paired: bool = False
) -> Check:
    """Whether left is right's within `tolerance`, a fraction: where the whole interval is; not
    where none is.
    """
    if left is None or right is None:
        return Check(f"{name}: not run yet", None)
    gap = contrast([(1, left), (-1, right)], paired)
    off = f"{gap.estimate / right.mean:+.2%}, tolerance {tolerance:.0%}"
    text = f"{name}: {shown(left.mean)} against {shown(right.mean)}, {gap} ({off})"
    return Check(text, gap.within(tolerance * right.mean))


def ahead(rows: Rows, scale: Scale, pairs: Iterable[tuple[LM, LM]]) -> list[Check]:
    """Of each pair: whether the first's bits/byte are below the second's."""
    return [
        lower(
            f"{label(left)} to {label(right)}",
            trained(rows, scale, left),
            trained(rows, scale, right),
        )
        for left, right in pairs
    ]


def below_m1(rows: Rows, scale: Scale, lms: Iterable[LM]) -> list[Check]:
    """Of each LM: whether its bits/byte are below those of M1 by itself."""
    alone = m1_alone(rows, scale)
    return [lower(f"{label(lm)} to M1 alone", trained(rows, scale, lm), alone) for lm in lms]


def learned(rows: Rows, scale: Scale, lm: LM, alone: bool = False) -> Check:
    """Whether an LM ends below its stream's uniform line, and below what its ids' frequencies alone
    give.
    """
    lines = [coded(rows, lm, measure) for measure in (uniform, unigram)]
    known = [line for line in lines if line is not None]
    best = min(known, key=lambda line: line.mean) if len(known) == len(lines) else None
    return lower(f"{label(lm)} to its line", trained(rows, scale, lm, alone=alone), best)


def at_uniform(
    rows: Rows, scale: Scale, lm: LM, tolerance: float = 0.01, alone: bool = False
) -> Check:
    """Whether an LM ends where a model does that knows nothing but how often documents end: it has
    not learned.
    """
    found = trained(rows, scale, lm, alone=alone)
    return near(f"{label(lm)} to its uniform", found, coded(rows, lm, ignorant), tolerance)


def label(recipe: LM) -> str:
    return f"{recipe.stream.tokens.name} {recipe.training.size}" + " told the place" * recipe.place


def trend(claim: str, test: str, checks: Sequence[Check]) -> Trend:
    """A trend that holds where all checks do, fails where one does, and else is open."""
    verdicts = [check.holds for check in checks]
    holds = False if False in verdicts else None if None in verdicts or not verdicts else True
    said = {True: "", False: " (does not hold)", None: " (open)"}
    return Trend(claim, test, holds, "; ".join(check.text + said[check.holds] for check in checks))


def reproduced(scale: Scale) -> list[Tokens]:
    """The main result's tokenizers without the windows by our own rule."""
    return [
        tokens
        for tokens in scale.main
        if tokens != scale.window(scale.windows[0], scale.wide, "free")
    ]


def subwords_lead(rows: Rows, scale: Scale) -> Trend:
    """Unigram is the paper's SentencePiece, BPE ours."""
    bpe, pieces = scale.subwords
    rivals = [tokens for tokens in reproduced(scale) if tokens not in scale.subwords]
    pairs = [(scale.lm(pieces), scale.lm(rival)) for rival in rivals]
    pairs += [(scale.lm(bpe, scale.base), scale.lm(rival, scale.base)) for rival in scale.contest]
    test = (
        "Unigram's are below those of bytes, GZip, StaticAC, AC and EqualInfoAC (the paper's"
        f" rule) at {scale.question.size}, BPE's below bytes' and EqualInfoAC's with one id a"
        f" window in figure 3's training ({INTERVAL})"
    )
    return trend("Subwords lead on bits/byte", test, ahead(rows, scale, pairs))


# -- drawing ---------------------------------------------------------------------------------------


def points(recipes: Iterable[LM], rows: Rows, scale: Scale, x: Measure) -> list[Point]:
    """A point a recipe that was run: (x, bits/byte) over the scale's seeds, as many as there are.

    Left out where x is not known.
    """
    found = []
    for recipe in recipes:
        runs = rows.all_done(scale.seeded(recipe))
        if runs and math.isfinite(x(runs[0])):
            bits, error = mean_interval([row.bits_per_byte for row in runs])
            tokens = recipe.stream.tokens
            decodes = tokens.family == "equalinfo" and tokens.rule not in LOSSY
            found.append(
                Point(tokens.name, x(runs[0]), bits, error, runs[0].uniform, hollow=decodes)
            )
    return found


def m1_point(rows: Rows, scale: Scale, x: Measure) -> list[Point]:
    """M1 as a language model of its own: a point, or none where it was not run or x is not
    known.
    """
    row = rows.done(scale.m1)
    return [Point("M1 alone", x(row), row.bits_per_byte)] if row and math.isfinite(x(row)) else []


def draw_costs(
    rows: Rows,
    scale: Scale,
    recipes: Sequence[LM],
    theirs: Points,
    title: str,
    folder: Path,
    name: str,
) -> list[Path]:
    """Bits/byte against inference FLOPs by both counts; the paper's, decades away, in a figure of
    its own.
    """
    counts = {
        "every product counted": mflops_of_all,
        "the paper's count: no attention, no output layer": mflops,
    }
    panels = {
        heading: [*points(recipes, rows, scale, count), *m1_point(rows, scale, count)]
        for heading, count in counts.items()
    }
    papers = [Point(one, *pair) for one, pairs in theirs.items() for pair in pairs]
    title = f"{title} — {scale.corpus}, scale {scale.name}"
    label = "inference MFLOPs / byte"
    return [
        *draw_panels(panels, title, label, folder, name, lacking=missing(recipes, rows)),
        *draw_panels({PAPER: papers}, "", label, folder, f"{name}_paper"),
    ]


def draw_panels(
    panels: dict[str, list[Point]], title: str, xlabel: str, folder: Path, name: str,
    front: Sequence[tuple[float, float]] = (), lacking: Sequence[str] = (),
) -> list[Path]:  # fmt: skip
    """Panels side by side over one broken y axis, names right of the last.

    front: a dashed line behind the points, (x, bits/byte).
    """
    panels = {heading: found for heading, found in panels.items() if found}
    everything = [point for found in panels.values() for point in found]
    if not everything:
        return []
    low, high, top = figures.levels(everything)
    heights = (1, 2.4) if top > high else (1,)
    with figures.figure(2.2 + 3.9 * len(panels), 6.2) as (drawn, axes):
        axes.remove()
        shape = {"sharex": "col", "sharey": "row", "height_ratios": heights, "squeeze": False}
        grid = drawn.subplots(len(heights), len(panels), **shape)
        for column, (heading, found) in zip(grid.T, panels.items(), strict=True):
            fit(column[-1], [(point.x, point.bits) for point in found])
            column[-1].set_xlabel(xlabel)
            column[0].set_title(heading, fontsize=9.5, loc="left")
            if top > high:
                column[0].set_ylim(high, top)
                column[0].spines.bottom.set_visible(False)
                column[0].tick_params(axis="x", length=0)
            column[-1].set_ylim(low, high)
            for axes in column:
                edge = {"color": "#444444", "lw": 1, "zorder": 1}
                axes.plot([x for x, _ in front], [y for _, y in front], "--", **edge)
                figures.draw_runs(axes, found)
        for axes in grid[:, -1]:
            figures.name_runs(axes, found)
        grid[0, 0].set_ylabel("bits / byte")
        grid[-1, 0].set_ylabel("bits / byte" + (", enlarged" if top > high else ""))
        figures.name_missing(grid[-1, 0], list(lacking))
        if title:
            legend = "hollow: windows that decode; ticks: uniform lines; bars: 95 % over seeds"
            drawn.suptitle(f"{title}\n{legend}", fontsize=10, x=0.01, ha="left")
        return figures.save(drawn, folder, name)


def fit(axes: Any, points: Sequence[tuple[float, float]]) -> None:
    """Limits that hold the points, on a logarithmic x axis."""
    x, y = [point[0] for point in points], [point[1] for point in points]
    span = max(max(x) / min(x), 2.0)
    axes.set_xscale("log")
    axes.set_xlim(min(x) / span**0.05, max(x) * span**0.05)
    figures.plain_ticks(axes.xaxis, subs=(1,) if span > 100 else (1, 2, 5))
    axes.set_ylim(min(y) - 0.4, max(y) + 0.3)
