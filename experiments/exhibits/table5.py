"""Table 5 (fig 7): compression and decompression as tasks for an M2, beside byte LMs that score the
same bytes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures, paper
from experiments.analysis.compare import lower, near, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample, influence
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Recipe, Transduction
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "task", "texts", "accuracy %, ours", "loss, ours", "deviation, ours", "paper's",
    "accuracy %, paper", "loss, paper",
    "deviation, paper",
]  # fmt: skip
NOTE = (
    "Accuracy and loss (nats) are of what is written: bytes, or ids where the task is to compress;"
    " deviation: of 20 batches' losses. A control writes the same bytes without having read their"
    " ids. One seed's; the trends are of all seeds. The paper tests AC against its control over"
    " batches, unpaired: p = 0.07."
)
SAME = 0.05


def transducers(scale: Scale) -> dict[tuple[str, str], Transduction]:
    """(family, task) -> what is run."""
    first, narrow = scale.windows[0], scale.narrow
    tokens = {
        "AC": scale.tokens("ac", narrow),
        "EqualInfoAC": scale.window(first, narrow),
        "free cell": scale.window(first, narrow, "free"),
    }
    runs = [
        (family, task)
        for task in ("decompress", "control", "compress")
        for family in ("AC", "EqualInfoAC")
    ]
    return {
        (family, task): Transduction(
            task, scale.stream(tokens[family]), scale.task_training, scale.task_bytes
        )
        for family, task in [*runs, ("free cell", "decompress")]
    }


def theirs(family: str, task: str, scale: Scale) -> str:
    """The paper's name for it in its table."""
    recipe = transducers(scale)[family, task]
    return (
        f"{family} byte LM"
        if task == "control"
        else f"{paper.counterpart(recipe.stream.tokens, scale)} {task}"
    )


def seeds(scale: Scale, recipe: Transduction) -> list[Transduction]:
    first = recipe.training.seed
    return [
        replace(recipe, training=replace(recipe.training, seed=first + n))
        for n in range(scale.seeds)
    ]


def recipes(scale: Scale) -> list[Recipe]:
    """Decompression and its control with all seeds."""
    runs = transducers(scale)
    asked = [
        runs[family, task] for family in ("AC", "EqualInfoAC") for task in ("decompress", "control")
    ]
    return [*runs.values(), *(one for recipe in asked for one in seeds(scale, recipe))]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(family, task, rows, scale) for family, task in transducers(scale)]
    return Table(
        f"Transduction ({scale.name}, {scale.corpus}, texts of {scale.task_bytes} bytes)",
        COLUMNS,
        body,
        NOTE,
    )


def line(family: str, task: str, rows: Rows, scale: Scale) -> list[Cell]:
    recipe = transducers(scale)[family, task]
    row, name = rows.done(recipe), theirs(family, task, scale)
    ours: list[Cell] = [None] * 4
    if row:
        values = row.values
        ours = [values["texts"], 100 * values["accuracy"], values["loss"], values["loss_std"]]
    found = paper.lookup("table5", name) or {}
    numbers = map(found.get, ("accuracy", "loss", "loss_std"))
    return [f"{recipe.stream.tokens.name} {task}", *ours, name if found else None, *numbers]


def losses(rows: Rows, scale: Scale, family: str, task: str) -> Sample | None:
    """Nats a byte over seeds, and over batches of texts, which are the same for a task and its
    control.
    """
    done = rows.all_done(seeds(scale, transducers(scale)[family, task]))
    if len(done) < scale.seeds:
        return None
    batches = np.mean([row.values["losses"] for row in done], axis=0)
    return Sample(
        np.array([row.values["loss"] for row in done]), influence(batches, np.ones(len(batches)))
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    both = "(95 % intervals, paired over texts and over seeds, which share their batches)"
    runs = [
        (family, task) for family in ("EqualInfoAC", "AC") for task in ("decompress", "control")
    ]
    windows, windows_control, ac, ac_control = (losses(rows, scale, *run) for run in runs)
    name = "nats a byte, decompress to control"
    return [
        trend(
            "EqualInfoAC is decompressed",
            f"loss of EqualInfoAC decompression is below its byte LM control's {both}",
            [lower(name, windows, windows_control, paired=True)],
        ),
        trend(
            "AC's ids hardly help to write its bytes",
            f"loss of AC decompression is within {SAME:.0%} of its byte LM control's: the whole"
            f" interval is {both}",
            [near(name, ac, ac_control, SAME, paired=True)],
        ),
    ]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    """Losses of what writes bytes, ours and the paper's, controls hatched."""
    runs = [run for run in transducers(scale) if run[1] != "compress"]
    with figures.figure(9, 0.55 * len(runs) + 1.9) as (drawn, axes):
        axes.remove()
        ours, papers = drawn.subplots(1, 2, sharey=True)
        for place, run in enumerate(reversed(runs)):
            row = rows.done(transducers(scale)[run])
            bar(ours, place, run, row.values["loss"] if row else None)
            name = None if run[0] == "free cell" else theirs(*run, scale)
            bar(papers, place, run, (paper.lookup("table5", name) or {}).get("loss"))
        ours.set_yticks(range(len(runs)), labels=[" ".join(run) for run in reversed(runs)])
        for axes, name in (
            (ours, f"{scale.corpus}, {scale.name} scale"),
            (papers, "Lester et al. 2024, C4"),
        ):
            axes.set_title(name, fontsize=9.5, loc="left")
            axes.set_xlabel("nats a byte")
            axes.margins(x=0.18)
            axes.grid(False, axis="y")
        drawn.suptitle(
            "Writing bytes after reading their ids; hatched: without",
            fontsize=10,
            x=0.01,
            ha="left",
        )
        return figures.save(drawn, folder, "fig7")


def bar(axes: Any, place: int, run: tuple[str, str], loss: float | None) -> None:
    """One loss with its number, or the gap where there is none."""
    family, task = run
    colour = figures.STYLES["AC" if family == "AC" else "EqualInfoAC, several ids a window"][0]
    if loss is not None:
        hatch = {"hatch": "///", "edgecolor": "white"} if task == "control" else {}
        axes.barh(
            place, loss, 0.6, color=colour, alpha=0.6 if family == "free cell" else 1.0, **hatch
        )
    text = "–" if loss is None else f"{loss:.3f}"
    axes.text((loss or 0.0), place, f" {text}", va="center", fontsize=9)


EXPERIMENT = Experiment(
    "table5",
    "table 5, figure 7",
    "can an M2 learn to compress or decompress?",
    recipes,
    reduce,
    draw,
    trends,
)
