"""Fig 15 / table 13: as figure 3, with training that grows with the model."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from experiments.analysis import figures, paper
from experiments.analysis.compare import (
    INTERVAL,
    PAPER,
    Measure,
    Points,
    ahead,
    bits_per_byte,
    fit,
    lines,
    m1_point,
    missing,
    points,
    ratio,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.figures import Point
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe, Training
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "steps", "bytes/token", "uniform", "bits/byte, ours",
    "TFLOPs of M2's training",
    "with M1's", "paper's", "size, paper", "steps, paper", "bits/byte, paper",
    "TFLOPs of training, paper",
]  # fmt: skip
NOTE = (
    "FLOPs of training: 6 x parameters x ids, M2's; with M1's: those of the M1 that the tokenizer"
    " runs added, which one training pays for all its M2s. Encoding is left out."
)
PAPER_BATCH = 256 * 512  # ids a step


def trainings(scale: Scale) -> list[Training]:
    """The M2s with steps that grow with size: the largest has all of figure 3's."""
    return [
        replace(one, steps=steps)
        for one, steps in zip(scale.m2_trainings, scale.scaled_steps, strict=True)
    ]


def lms(scale: Scale) -> list[LM]:
    return [
        scale.lm(tokens, training) for training in trainings(scale) for tokens in scale.at(training)
    ]


def contest(scale: Scale) -> list[list[LM]]:
    """Bytes and windows of one id, sizes in order: what the trends compare."""
    return [[scale.lm(one, training) for training in trainings(scale)] for one in scale.contest]


def shortest(scale: Scale) -> LM:
    return scale.lm(scale.claim[1], trainings(scale)[0])


def recipes(scale: Scale) -> list[Recipe]:
    asked = [shortest(scale), *(lm for group in contest(scale) for lm in group)]
    return [*lms(scale), *(one for lm in asked for one in scale.seeded(lm))]


def teraflops(row: Row) -> float:
    return 6 * row.parameters * row.trained_tokens / 1e12


def with_m1(row: Row, scale: Scale) -> float:
    """The same with the training of the M1 that its tokenizer runs; of M1's row, M1's own."""
    return (
        teraflops(row) * (row.type == "LM")
        + 6 * row.m1_parameters * scale.m1_training.tokens / 1e12
    )


def reduce(rows: Rows, scale: Scale) -> Table:
    measures: list[Measure] = [ratio, uniform, bits_per_byte, teraflops]
    measures.append(partial(with_m1, scale=scale))
    body = lines(lms(scale), rows, measures, lambda recipe: theirs(recipe, scale))
    body = [
        [*cells[:2], lm.training.steps, *cells[2:]]
        for cells, lm in zip(body, lms(scale), strict=True)
    ]
    return Table(
        f"Training that grows with the model ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    steps = paper.lookup("table13_fig15", "steps", size)
    found = paper.lookup("table13_fig15", name)
    flops = their_teraflops(size) if size else None
    return [name, size, steps, found[paper.SIZES.index(size)] if found and size else None, flops]


def their_teraflops(size: str) -> float:
    """By the paper's nominal sizes."""
    parameters = float(size[:-1]) * {"m": 1e6, "b": 1e9}[size[-1]]
    return 6 * parameters * paper.lookup("table13_fig15", "steps", size) * PAPER_BATCH / 1e12


def their_points() -> Points:
    names = [name for name in paper.values()["table13_fig15"] if name != "steps"]
    flops = [their_teraflops(size) for size in paper.SIZES]
    return {
        name: list(zip(flops, paper.lookup("table13_fig15", name), strict=True)) for name in names
    }


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    """Two panels: the paper's FLOPs are too many to stand on one axis with ours."""
    count = partial(with_m1, scale=scale)
    ours = points(lms(scale), rows, scale, count) + m1_point(rows, scale, count)
    theirs = [Point(name, x / 1e6, y) for name, found in their_points().items() for x, y in found]
    with figures.figure(13, 5.6) as (drawn, axes):
        axes.remove()
        left, right = drawn.subplots(1, 2)
        for panel, found, title, unit in (
            (
                left,
                ours,
                f"{scale.corpus} corpus, scale {scale.name}; ticks: uniform lines",
                "TFLOPs",
            ),
            (right, theirs, f"{PAPER}, M1's training left out", "EFLOPs"),
        ):
            fit(panel, [(point.x, point.bits) for point in found])
            panel.set_title(title, fontsize=10, loc="left")
            panel.set_ylabel("bits / byte")
            panel.set_xlabel(f"{unit} of training")
            figures.draw_runs(panel, found)
            figures.name_runs(panel, found)
        figures.name_missing(left, missing(lms(scale), rows))
        return figures.save(drawn, folder, "fig15")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    falls = [(b, a) for group in contest(scale) for a, b in pairwise(group)]
    leads = [(shortest(scale), group[0]) for group in contest(scale)]
    return [
        trend(
            "More training and a larger M2 help whatever can be learned",
            "bits/byte fall from each size to the next for bytes and EqualInfoAC with one id a"
            f" window ({INTERVAL})",
            ahead(rows, scale, falls),
        ),
        trend(
            "Subwords lead on bits/byte, however short the training",
            "BPE's are below those of bytes and of EqualInfoAC with one id a window in the"
            f" shortest training ({INTERVAL})",
            ahead(rows, scale, leads),
        ),
    ]


EXPERIMENT = Experiment(
    "fig15", "figure 15, table 13", "as figure 3, with training that grows with the model", recipes,
    reduce, draw,
    trends,
)  # fmt: skip
