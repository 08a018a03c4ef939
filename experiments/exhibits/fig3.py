"""Fig 3 / table 15: bits/byte against inference FLOPs/byte, every tokenizer, every size, with its
uniform line.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    Check,
    Measure,
    ahead,
    at_uniform,
    below_m1,
    bits_per_byte,
    draw_costs,
    learned,
    lines,
    mflops,
    mflops_alone,
    mflops_of_all,
    ratio,
    reproduced,
    subwords_lead,
    their_number,
    trained,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.exhibits import overfit
from experiments.runs.recipes import LM, Recipe, Tokens
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token", "uniform", "bits/byte, ours", "MFLOPs/byte", "without M1",
    "every product",
    "paper's", "size, paper", "bits/byte, paper", "MFLOPs/byte, paper",
]  # fmt: skip
NOTE = (
    "uniform: bits/byte of a model that knows nothing. MFLOPs/byte as the paper counts it:"
    " parameters without embeddings, M1's added where it runs; every product: attention and output"
    " layer included. The paper's windows (rule `paper`) do not all decode; those without a rule's"
    " name do."
)


def recipes(scale: Scale) -> list[Recipe]:
    """The figure's runs; the seeds of the main claim at every size; the seeds of the single
    questions.
    """
    claim = [scale.lm(tokens, scale.base) for tokens in scale.claim]
    claim += [scale.lm(tokens, size) for size in scale.m2_trainings[1:] for tokens in scale.contest]
    claim += [lm for pair in equal_bytes(scale) for lm in pair] if scale.bytes_a_token else []
    questions = [
        scale.lm(tokens) for tokens in [*reproduced(scale), scale.tokens("gzip", 8, raw=True)]
    ]
    return [scale.m1, *scale.lms, *(one for lm in [*claim, *questions] for one in scale.seeded(lm))]


def reduce(rows: Rows, scale: Scale) -> Table:
    title = f"Bits/byte against inference FLOPs/byte ({scale.name}, {scale.corpus})"
    return Table(title, COLUMNS, table_lines(scale.lms, rows, scale), NOTE)


def table_lines(lms: Sequence[LM], rows: Rows, scale: Scale) -> list[list[Cell]]:
    """A line a run, under COLUMNS."""
    measures = [ratio, uniform, bits_per_byte, mflops, mflops_alone, mflops_of_all]
    return lines(lms, rows, measures, lambda recipe: theirs(recipe, scale))


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    return [
        name,
        size,
        *(their_number(recipe, scale, field) for field in ("bits_per_byte", "mflops_per_byte")),
    ]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    theirs = {
        name: [(flops, bits) for flops, bits, _ in found] for name, found in paper.points().items()
    }
    return draw_costs(
        rows, scale, scale.lms, theirs, "Bits/byte against inference cost", folder, "fig3"
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    return [
        ahead_of_m1(rows, scale),
        windows_beat_bytes(rows, scale),
        beats_bytes(rows, scale, "ids", equal_ids(scale)),
        *(
            [beats_bytes(rows, scale, "bytes of text", equal_bytes(scale))]
            if scale.bytes_a_token
            else []
        ),
        nothing_to_learn(rows, scale),
        subwords_lead(rows, scale),
        *gzip_trends(rows, scale),
    ]


def ahead_of_m1(rows: Rows, scale: Scale) -> Trend:
    """What every other comparison rests on: M2s that are no better than M1 show only what M1 has
    learned.
    """
    lms = [scale.lm(scale.bytes, size) for size in scale.m2_trainings]
    test = f"bits/byte are below M1's by itself at every M2 size ({INTERVAL})"
    return trend("An M2 on bytes is ahead of M1 alone", test, below_m1(rows, scale, lms))


def windows_beat_bytes(rows: Rows, scale: Scale) -> Trend:
    tokens = scale.claim[-1]
    test = (
        f"{tokens.name}: bits/byte are below M1's by itself, and below those of bytes,"
        " interpolated linearly in the logarithm of FLOPs/byte between M2 sizes, at every size"
        " whose FLOPs/byte (every product, M1's included) lie within those of bytes; where none"
        " does, below those of the bytes run with the next more FLOPs/byte, which favours bytes"
        f" ({INTERVAL})"
    )
    alone = below_m1(rows, scale, [scale.lm(tokens, size) for size in scale.m2_trainings])
    decided = trend(
        "EqualInfoAC with one id a window beats bytes at equal FLOPs/byte, and M1 alone",
        test,
        [*at_equal_flops(rows, scale, tokens, mflops_of_all), *alone],
    )
    theirs = "; ".join(check.text for check in at_equal_flops(rows, scale, tokens, mflops))
    return replace(
        decided, numbers=f"{decided.numbers}. By FLOPs as the paper counts them: {theirs}"
    )


def at_equal_flops(rows: Rows, scale: Scale, tokens: Tokens, flops: Measure) -> list[Check]:
    """Whether a tokenizer's runs are below bytes at their FLOPs/byte."""
    curve, points = (on_axis(rows, scale, one, flops) for one in (scale.bytes, tokens))
    if len(curve) < len(scale.m2_trainings) or len(points) < len(scale.m2_trainings):
        return [Check(f"{tokens.name} to bytes: not run yet", None)]
    least, most = curve[0][0], curve[-1][0]
    inside = [point for point in points if least <= point[0] <= most]
    checks = []
    for at, ours in inside or [point for point in points if point[0] < least]:
        rival = between(curve, max(at, least))
        gap = contrast([(1, ours), *((-weight, one) for weight, one in rival)])
        name = f"{tokens.name} at {at:.3g} MFLOPs/byte" + (
            f" (bytes at {least:.3g})" if at < least else ""
        )
        theirs = sum(weight * one.mean for weight, one in rival)
        checks.append(Check(f"{name}: {ours.mean:.3f} against {theirs:.3f}, {gap}", gap.below()))
    return checks


def on_axis(rows: Rows, scale: Scale, tokens: Tokens, flops: Measure) -> list[tuple[float, Sample]]:
    """(FLOPs/byte, bits/byte) of a tokenizer's M2s that have run with all seeds, by FLOPs."""
    lms = [scale.lm(tokens, size) for size in scale.m2_trainings]
    found = [(lm, one) for lm in lms if (one := trained(rows, scale, lm)) is not None]
    return sorted(
        ((flops(rows.all_done([lm])[0]), one) for lm, one in found), key=lambda point: point[0]
    )


def between(curve: Sequence[tuple[float, Sample]], at: float) -> list[tuple[float, Sample]]:
    """(weight, sample) of the curve's points beside `at`, linearly in its logarithm; `at` lies on
    the curve.
    """
    for (x, left), (y, right) in pairwise(curve):
        if x <= at <= y:
            share = math.log(at / x) / math.log(y / x)
            return [(1 - share, left), (share, right)]
    raise ValueError(f"{at} lies outside the curve")


def equal_ids(scale: Scale) -> list[tuple[LM, LM]]:
    """(windows, bytes) at every size."""
    return [
        (scale.lm(scale.claim[-1], size), scale.lm(scale.bytes, size))
        for size in scale.m2_trainings
    ]


def equal_bytes(scale: Scale) -> list[tuple[LM, LM]]:
    """The same at the smallest size, each on as much text."""
    return [(scale.equal_bytes(scale.claim[-1], scale.base), scale.lm(scale.bytes, scale.base))]


def beats_bytes(rows: Rows, scale: Scale, what: str, pairs: Sequence[tuple[LM, LM]]) -> Trend:
    """The main claim at equal M2 size, trained on as many ids, or on as many bytes."""
    checks = [*ahead(rows, scale, pairs), *below_m1(rows, scale, [ours for ours, _ in pairs])]
    claim = (
        "EqualInfoAC with one id a window beats bytes, and M1 alone, at equal M2 size and"
        f" equal {what} seen"
    )
    return trend(
        claim, f"bits/byte are below those of bytes and of M1 by itself ({INTERVAL})", checks
    )


def nothing_to_learn(rows: Rows, scale: Scale) -> Trend:
    """AC's trend, with what shows that the same training does learn, and does memorise."""
    streams = [
        scale.tokens(family, width) for family in ("ac", "static-ac") for width in scale.widths
    ]
    at_line = [at_uniform(rows, scale, scale.lm(tokens)) for tokens in streams]
    control = scale.window(scale.windows[0], scale.narrow)
    test = (
        "bits/byte are within 1 % of the uniform line (and what the ends of documents cost), at"
        f" both widths: the whole interval is. It counts only if {control.name}, two ids a window,"
        " ends below its own line in the same training, and the M2 memorises a few batches of AC"
        " (experiment overfit)"
    )
    controls = trend(
        "", "", [learned(rows, scale, scale.lm(control)), overfit.memorised(rows, scale)]
    )
    decided = trend("AC and StaticAC stay at the uniform line", test, at_line)
    found = {True: "hold", None: "are open", False: "fail, so it is open"}[controls.holds]
    counts = f"controls {found}"
    holds = decided.holds if controls.holds else None
    return replace(decided, holds=holds, numbers=f"{decided.numbers}; {counts}: {controls.numbers}")


def gzip_trends(rows: Rows, scale: Scale) -> list[Trend]:
    """Header and footer are the same in every stream, so GZip without them says whether text is
    learned.
    """
    gzip, bare = scale.gzips[0], scale.tokens("gzip", 8, raw=True)
    checks = [learned(rows, scale, scale.lm(tokens)) for tokens in (gzip, bare)]
    behind = ahead(rows, scale, [(scale.lm(scale.bytes), scale.lm(one)) for one in scale.gzips])
    test = (
        "ids of 8 bits, with and without header and footer: bits/byte are below the uniform line"
        f" and below what the ids' frequencies give ({INTERVAL})"
    )
    return [
        trend("GZip can be learned", test, checks),
        trend(
            "GZip does not compete",
            f"its bits/byte, 8 bits and wide, are above those of bytes ({INTERVAL})",
            behind,
        ),
    ]


EXPERIMENT = Experiment(
    "fig3",
    "figure 3, table 15",
    "bits/byte against inference FLOPs/byte: the main result",
    recipes,
    reduce,
    draw,
    trends,
)
