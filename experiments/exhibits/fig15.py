"""Fig 15 / table 13: as figure 3, with training that grows with the model."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from experiments.analysis import figures, paper
from experiments.analysis.compare import DENSITY, INTERVAL, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.figures import Point
from experiments.analysis.panels import PAPER, Points, fit, m1_point, points
from experiments.analysis.quantities import Quantity
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Training
from experiments.runs.rows import Row
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "steps", "bytes/token", "uniform", "bits/byte, ours",
    "TFLOPs of M2's training", "with M1's", "paper's", "size, paper", "steps, paper",
    "bits/byte, paper", "TFLOPs of training, paper",
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
    return [scale.lm(one, size) for size in trainings(scale) for one in scale.at(size)]


def contest(scale: Scale) -> list[list[LM]]:
    """Bytes and windows of one id, sizes in order: what the trends compare."""
    return [[scale.lm(one, training) for training in trainings(scale)] for one in scale.contest]


def shortest(scale: Scale) -> LM:
    return scale.lm(scale.claim[1], trainings(scale)[0])


def recipes(scale: Scale) -> list[LM]:
    asked = [shortest(scale), *(lm for group in contest(scale) for lm in group)]
    return [*lms(scale), *scale.seeded(*asked)]


def teraflops(row: Row) -> float:
    return 6 * row.parameters * row.trained_tokens / 1e12


def with_m1(row: Row, scale: Scale) -> float:
    """The same with the training of the M1 that its tokenizer runs; of M1's row, M1's own."""
    of_m1 = 6 * row.m1_parameters * scale.m1_training.tokens / 1e12
    return teraflops(row) * (row.type == "LM") + of_m1


def reduce(results: Results) -> Table:
    def theirs(lm: LM) -> list[Cell]:
        name, size = results.counterpart(lm)
        if size is None:
            return [name, None, None, None, None]
        found = paper.lookup("table13_fig15", name)
        steps = paper.lookup("table13_fig15", "steps", size)
        bits = found[paper.SIZES.index(size)] if found else None
        return [name, size, steps, bits, their_teraflops(size)]

    scale = results.scale
    quantities: list[Quantity] = [*DENSITY, teraflops, partial(with_m1, scale=scale)]
    body = results.lines(lms(scale), quantities, theirs, known=lambda lm: [lm.training.steps])
    return results.table("Training that grows with the model", COLUMNS, body, NOTE)


def their_teraflops(size: str) -> float:
    """By the paper's nominal sizes."""
    parameters = float(size[:-1]) * {"m": 1e6, "b": 1e9}[size[-1]]
    return 6 * parameters * paper.lookup("table13_fig15", "steps", size) * PAPER_BATCH / 1e12


def their_points() -> Points:
    flops = [their_teraflops(size) for size in paper.SIZES]
    return {
        name: list(zip(flops, bits, strict=True))
        for name, bits in paper.values()["table13_fig15"].items()
        if name != "steps"
    }


def draw(results: Results, folder: Path) -> list[Path]:
    """Two panels: the paper's FLOPs are too many to stand on one axis with ours."""
    scale = results.scale
    count = partial(with_m1, scale=scale)
    ours = points(results, lms(scale), count) + m1_point(results, count)
    theirs = [Point(name, x / 1e6, y) for name, found in their_points().items() for x, y in found]
    with figures.figure(13, 5.6) as (drawn, axes):
        axes.remove()
        left, right = drawn.subplots(1, 2)
        told = f"{scale.corpus} corpus, scale {scale.name}; ticks: uniform lines (bytes': 8)"
        for panel, found, title, unit in (
            (left, ours, told, "TFLOPs"),
            (right, theirs, f"{PAPER}, M1's training left out", "EFLOPs"),
        ):
            fit(panel, found)
            figures.title(panel, title)
            panel.set_ylabel("bits / byte")
            panel.set_xlabel(f"{unit} of training")
            figures.draw_runs(panel, found)
            figures.name_runs(panel, found)
        figures.name_missing(left, results.missing(lms(scale)))
        return figures.save(drawn, folder, "fig15")


def trends(results: Results) -> list[Trend]:
    groups = contest(results.scale)
    falls = [(b, a) for group in groups for a, b in pairwise(group)]
    leads = [(shortest(results.scale), group[0]) for group in groups]
    return [
        trend(
            "More training and a larger M2 help whatever can be learned",
            "bits/byte fall from each size to the next for bytes and EqualInfoAC with one id a"
            f" window ({INTERVAL})",
            results.ahead(falls),
        ),
        trend(
            "Subwords lead on bits/byte, however short the training",
            "BPE's are below those of bytes and of EqualInfoAC with one id a window in the"
            f" shortest training ({INTERVAL})",
            results.ahead(leads),
        ),
    ]


EXPERIMENT = exhibit(
    __name__, "figure 15, table 13", "as figure 3, with training that grows with the model"
)
