"""Fig 4: bits/byte against bytes a decoder step, with the Pareto front. Shares every run with fig
3.
"""

from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    PAPER,
    Check,
    ahead,
    bits_per_byte,
    coded,
    draw_panels,
    label,
    lines,
    lower,
    m1_point,
    missing,
    points,
    ratio,
    reproduced,
    their_number,
    trend,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.figures import Point
from experiments.analysis.statistics import pareto
from experiments.analysis.tables import Cell, Table
from experiments.exhibits import fig3
from experiments.runs.recipes import LM
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/step, ours", "bits/byte, ours", "on our front", "paper's",
    "size, paper",
    "bytes/step, paper", "bits/byte, paper", "on the paper's front",
]  # fmt: skip
NOTE = "On a front: no other run has as many bytes/step at as few bits/byte."


def front(rows: Rows, scale: Scale) -> list[Row]:
    """The runs that no other beats on both bytes/step (more) and bits/byte (less), by rising
    bytes/step.
    """
    done = rows.all_done(scale.lms)
    return [done[i] for i in pareto([(row.ratio, row.bits_per_byte) for row in done])]


def their_front() -> list[tuple[float, float]]:
    """The paper's (bytes/step, bits/byte) on its front."""
    points = [(per_step, bits) for sizes in paper.points().values() for _, bits, per_step in sizes]
    return [points[i] for i in pareto(points)]


def reduce(rows: Rows, scale: Scale) -> Table:
    on_front = {row.key for row in front(rows, scale)}
    body = lines(scale.lms, rows, [ratio, bits_per_byte], lambda recipe: theirs(recipe, scale))
    for cells, recipe in zip(body, scale.lms, strict=True):
        row = rows.done(recipe)
        cells.insert(4, None if row is None else yes(row.key in on_front))
    return Table(
        f"Bits/byte against bytes/step ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    per_step, bits = (
        paper.lookup("table12", name, "ratio"),
        their_number(recipe, scale, "bits_per_byte"),
    )
    return [name, size, per_step, bits, yes((per_step, bits) in their_front()) if bits else None]


def yes(whether: bool) -> str:
    return "yes" if whether else "no"


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    ours = points(scale.lms, rows, scale, ratio) + m1_point(rows, scale, ratio)
    theirs = [
        Point(name, x, bits) for name, found in paper.points().items() for _, bits, x in found
    ]
    edge = [(row.ratio, row.bits_per_byte) for row in front(rows, scale)]
    where = f"{scale.corpus}, scale {scale.name}"
    title = "Bits/byte against bytes a step; dashed: the Pareto front"
    label = "bytes / decoder step"
    lacking = missing(scale.lms, rows)
    return [
        *draw_panels({where: ours}, title, label, folder, "fig4", edge, lacking),
        *draw_panels({PAPER: theirs}, "", label, folder, "fig4_paper", their_front()),
    ]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    """Both with the training of single questions, where every run has its seeds."""
    windows, subword = (
        scale.lm(one) for one in (scale.window(scale.windows[0], scale.wide), scale.subwords[1])
    )
    per_step = {lm: coded(rows, lm, ratio) for lm in map(scale.lm, reproduced(scale))}
    longer = lower(
        f"bytes/step, {label(subword)} to {label(windows)}", per_step[subword], per_step[windows]
    )
    test = (
        f"{windows.stream.tokens.name} has more bytes/step than Unigram, and bits/byte below those"
        f" of every tokenizer of figure 3 (the paper's) with as many bytes/step ({INTERVAL})"
    )
    mine = per_step[windows]
    denser = [
        lm
        for lm, one in per_step.items()
        if lm != windows and mine and one and one.mean >= mine.mean
    ]
    missing = [Check("the front: not all run yet", None)] * (None in per_step.values())
    claim = (
        "EqualInfoAC with one id a window beats SentencePiece on bytes/step and is on that front"
    )
    return [
        trend(
            claim, test, [longer, *missing, *ahead(rows, scale, [(windows, lm) for lm in denser])]
        )
    ]


EXPERIMENT = Experiment(
    "fig4",
    "figure 4",
    "bits/byte against bytes/step, with the Pareto front",
    fig3.recipes,
    reduce,
    draw,
    trends,
)
