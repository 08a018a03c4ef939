"""Fig 15 / table 13: as figure 3, with training that grows with the model."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from experiments import figures, paper
from experiments.compare import (
    INTERVAL,
    Points,
    ahead,
    bits_per_byte,
    fit,
    lines,
    missing,
    ratio,
    trend,
    uniform,
)
from experiments.experiment import Experiment, Trend
from experiments.recipes import LM, Recipe, Training
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COLUMNS = [
    "tokenizer", "size", "steps", "bytes/token", "uniform", "bits/byte, ours", "TFLOPs of training", "paper's",
    "size, paper", "steps, paper", "bits/byte, paper", "TFLOPs of training, paper",
]  # fmt: skip
NOTE = "FLOPs of training: 6 x parameters x tokens, M2's and, where there is one, M1's; the encoding is left out."
PAPER_BATCH = 256 * 512  # ids a step
NAMES = 0.55  # of a panel's span of FLOPs, for names beside it


def trainings(scale: Scale) -> list[Training]:
    """The M2s with steps that grow with size: the largest has all of figure 3's."""
    return [replace(one, steps=steps) for one, steps in zip(scale.m2_trainings, scale.scaled_steps, strict=True)]


def lms(scale: Scale) -> list[LM]:
    return [scale.lm(tokens, training) for training in trainings(scale) for tokens in scale.at(training)]


def contest(scale: Scale) -> list[list[LM]]:
    """Bytes, BPE and windows of one id, sizes in order: what the trends compare."""
    return [[scale.lm(one, training) for training in trainings(scale)] for one in scale.claim]


def recipes(scale: Scale) -> list[Recipe]:
    return [*lms(scale), *(one for group in contest(scale) for lm in group for one in scale.seeded(lm))]


def teraflops(row: Row) -> float:
    """Of training: M2's, and M1's where the ids need one."""
    m1 = (row.recipe["stream"]["tokens"].get("m1") or {}).get("training")
    m1_tokens = m1["steps"] * m1["batch_size"] * m1["context"] if m1 else 0
    return 6 * (row.parameters * row.trained_tokens + row.m1_parameters * m1_tokens) / 1e12


def reduce(rows: Rows, scale: Scale) -> Table:
    body = lines(lms(scale), rows, [ratio, uniform, bits_per_byte, teraflops], lambda recipe: theirs(recipe, scale))
    body = [[*cells[:2], lm.training.steps, *cells[2:]] for cells, lm in zip(body, lms(scale), strict=True)]
    return Table(f"Training that grows with the model ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


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
    return {name: list(zip(flops, paper.lookup("table13_fig15", name), strict=True)) for name in names}


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    """Two panels of one height: the paper's FLOPs are too many to stand on one axis with ours."""
    ours, theirs = rows.all_done(lms(scale)), their_points()
    with figures.figure(12.5, 5.4) as (drawn, axes):
        axes.remove()
        left, right = drawn.subplots(1, 2, sharey=True)
        points = [(teraflops(row), y) for row in ours for y in (row.uniform, row.bits_per_byte)]
        heights = [(points[0][0], bits) for pairs in theirs.values() for _, bits in pairs]
        fit(left, points + heights, NAMES)
        fit(right, [point for pairs in theirs.values() for point in pairs], NAMES)
        left.set_ylim(0, max(y for _, y in points + heights) + 0.3)
        left.set_ylabel("bits / byte")
        left.set_title(f"{scale.corpus} corpus, {scale.name} scale; bars: uniform lines", fontsize=10, loc="left")
        right.set_title("Lester et al. 2024: 25m to 2b, C4", fontsize=10, loc="left")
        for panel in (left, right):
            panel.set_xlabel("TFLOPs of M2's training")
        figures.draw_runs(left, [(teraflops(row), row) for row in ours], {})
        figures.draw_paper(right, theirs)
        figures.name_missing(left, missing(lms(scale), rows))
        return figures.save(drawn, folder, "fig15")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    falls = [(b, a) for group in contest(scale) for a, b in pairwise(group)]
    bytes_at, subwords, windows = contest(scale)
    leads = [pair for rival in (bytes_at, windows) for pair in zip(subwords, rival, strict=True)]
    return [
        trend(
            "More training and a larger M2 help whatever can be learned",
            "bits/byte fall from each size to the next for bytes, BPE and EqualInfoAC with one id a window"
            f" ({INTERVAL})",
            ahead(rows, scale, falls),
        ),
        trend(
            "Subwords lead on bits/byte, however short the training",
            f"BPE's are below those of bytes and of EqualInfoAC with one id a window at every size ({INTERVAL})",
            ahead(rows, scale, leads),
        ),
    ]


EXPERIMENT = Experiment(
    "fig15", "figure 15, table 13", "as figure 3, with training that grows with the model", recipes, reduce, draw,
    trends,
)  # fmt: skip
