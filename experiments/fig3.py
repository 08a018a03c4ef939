"""Fig 3 / table 15: bits/byte against inference FLOPs/byte, every tokenizer, every size, with its uniform line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments import overfit, paper
from experiments.compare import (
    Check,
    Measure,
    at_uniform,
    below_uniform,
    bits_per_byte,
    draw_costs,
    less,
    lines,
    mflops,
    mflops_alone,
    mflops_of_all,
    per_size,
    ratio,
    subwords_lead,
    their_number,
    trend,
    uniform,
)
from experiments.experiment import Experiment, Trend
from experiments.recipes import LM, Recipe, Tokens
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COLUMNS = [
    "tokenizer", "size", "bytes/token", "uniform", "bits/byte, ours", "MFLOPs/byte", "without M1", "every product",
    "paper's", "size, paper", "bits/byte, paper", "MFLOPs/byte, paper",
]  # fmt: skip
NOTE = (
    "uniform: bits/byte of a model that knows nothing. MFLOPs/byte as the paper counts it: parameters without"
    " embeddings, M1's added where it runs; every product: attention and output layer included. The paper's windows"
    " (rule `paper`) do not all decode; those without a rule's name do."
)


def recipes(scale: Scale) -> list[Recipe]:
    return list(scale.lms)


def reduce(rows: Rows, scale: Scale) -> Table:
    title = f"Bits/byte against inference FLOPs/byte ({scale.name}, {scale.corpus})"
    return Table(title, COLUMNS, table_lines(scale.lms, rows, scale), NOTE)


def table_lines(lms: Sequence[LM], rows: Rows, scale: Scale) -> list[list[Cell]]:
    """A line a run, under COLUMNS."""
    measures = [ratio, uniform, bits_per_byte, mflops, mflops_alone, mflops_of_all]
    return lines(lms, rows, measures, lambda recipe: theirs(recipe, scale))


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    return [name, size, *(their_number(recipe, scale, field) for field in ("bits_per_byte", "mflops_per_byte"))]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    theirs = {name: [(flops, bits) for flops, bits, _ in found] for name, found in paper.points().items()}
    return draw_costs(rows, scale, scale.lms, theirs, "Bits/byte against inference cost", folder, "fig3")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    return [
        nothing_to_learn(rows, scale),
        windows_beat_bytes(rows, scale),
        subwords_lead(rows, scale, scale.m2_trainings),
        *gzip_trends(rows, scale),
    ]


def nothing_to_learn(rows: Rows, scale: Scale) -> Trend:
    """AC's trend, with what shows that the same training does learn, and does memorise."""
    streams = [scale.tokens(family, width) for family in ("ac", "static-ac") for width in scale.widths]
    at_line = [at_uniform(rows, scale.lm(tokens, size)) for tokens in streams for size in scale.m2_trainings]
    windows = scale.window(scale.windows[0], scale.narrow)
    learned = [below_uniform(rows, scale.lm(windows, size)) for size in scale.m2_trainings]
    test = (
        "bits/byte are within 1 % of the uniform line (and what the ends of documents cost), at every size and width."
        f" It counts only if {windows.name}, two ids a window, ends 5 % or more below its own uniform line in every"
        " training, and the M2 memorises a few batches of AC (experiment overfit)"
    )
    controls = trend("", "", [*learned, overfit.memorised(rows, scale)])
    decided = trend("AC and StaticAC stay at the uniform line", test, at_line)
    counts = f"controls {'hold' if controls.holds else 'are open' if controls.holds is None else 'fail, so it is open'}"
    holds = decided.holds if controls.holds else None
    return replace(decided, holds=holds, numbers=f"{decided.numbers}; {counts}: {controls.numbers}")


def windows_beat_bytes(rows: Rows, scale: Scale) -> Trend:
    windows = scale.window(scale.windows[0], scale.wide)
    test = (
        f"{windows.name}: bits/byte are below those of bytes, interpolated linearly in the logarithm of FLOPs/byte"
        " between M2 sizes, at every size whose FLOPs/byte (M1's included) lie within those of bytes; where none does,"
        " below those of the bytes run with the next more FLOPs/byte, which favours bytes"
    )
    decided = trend(
        "EqualInfoAC with one id a window beats bytes at equal FLOPs/byte",
        test,
        at_equal_flops(rows, scale, windows, mflops),
    )
    alone = "; ".join(check.text for check in at_equal_flops(rows, scale, windows, mflops_alone))
    return replace(decided, numbers=f"{decided.numbers}. Without M1's FLOPs: {alone}")


def at_equal_flops(rows: Rows, scale: Scale, tokens: Tokens, flops: Measure) -> list[Check]:
    """Whether a tokenizer's runs are below bytes at their FLOPs/byte."""
    recipes = [[scale.lm(one, size) for size in scale.m2_trainings] for one in (scale.bytes, tokens)]
    done = [rows.all_done(some) for some in recipes]
    if any(len(found) < len(some) for found, some in zip(done, recipes, strict=True)):
        return [Check(f"{tokens.name} to bytes: not run yet", None)]
    curve = sorted((flops(row), row.bits_per_byte) for row in done[0])
    x, y = np.log([point[0] for point in curve]), [point[1] for point in curve]
    points = [(f"{tokens.name} {row.size} at {flops(row):.3g} MFLOPs/byte", flops(row), row) for row in done[1]]
    inside = [point for point in points if curve[0][0] <= point[1] <= curve[-1][0]]
    if inside:
        return [less(name, row.bits_per_byte, float(np.interp(np.log(at), x, y))) for name, at, row in inside]
    below = [point for point in points if point[1] < curve[0][0]]
    next_more = f" (bytes at {curve[0][0]:.3g})"
    return [less(name + next_more, row.bits_per_byte, curve[0][1]) for name, _, row in below]


def gzip_trends(rows: Rows, scale: Scale) -> list[Trend]:
    learned = [below_uniform(rows, scale.lm(scale.gzips[0], size)) for size in scale.m2_trainings]
    behind = [c for one in scale.gzips for c in per_size(rows, scale, scale.bytes, one, scale.m2_trainings)]
    return [
        trend(
            "GZip can be learned",
            "with ids of 8 bits it ends 5 % or more below its uniform line at every M2 size",
            learned,
        ),
        trend(
            "GZip does not compete", "its bits/byte, 8 bits and wide, are above those of bytes at every M2 size", behind
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
