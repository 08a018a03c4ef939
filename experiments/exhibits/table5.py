"""Table 5 (fig 7): compression and decompression as tasks for an M2, beside byte LMs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures, paper
from experiments.analysis.compare import Results, Trend, lower, near, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Transduction
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
WINDOWS = "EqualInfoAC"
CELL = "free cell"


def transducers(scale: Scale) -> dict[tuple[str, str], Transduction]:
    """(family, task) -> what is run."""
    first = scale.windows[0]
    narrow = scale.narrow
    tokens = {
        "AC": scale.tokens("ac", narrow),
        WINDOWS: scale.window(first, narrow, "paper"),
        CELL: scale.window(first, narrow, "free"),
    }
    tasks = ("decompress", "control", "compress")
    runs = [(family, task) for task in tasks for family in ("AC", WINDOWS)]
    training = scale.task_training
    size = scale.task_bytes
    return {
        (family, task): Transduction(task, scale.stream(tokens[family]), training, size)
        for family, task in [*runs, (CELL, "decompress")]
    }


def theirs(family: str, task: str, scale: Scale) -> str:
    """The paper's name for it in its table."""
    if task == "control":
        return f"{family} byte LM"
    return f"{paper.counterpart(transducers(scale)[family, task].stream.tokens, scale)} {task}"


def recipes(scale: Scale) -> list[Transduction]:
    """Decompression and its control with all seeds."""
    runs = transducers(scale)
    tasks = ("decompress", "control")
    asked = [runs[family, task] for family in ("AC", WINDOWS) for task in tasks]
    return [*runs.values(), *scale.seeded(*asked)]


def reduce(results: Results) -> Table:
    scale = results.scale
    body = [line(results, family, task) for family, task in transducers(scale)]
    title = f"Transduction ({scale.name}, {scale.corpus}, texts of {scale.task_bytes} bytes)"
    return Table(title, COLUMNS, body, NOTE)


def line(results: Results, family: str, task: str) -> list[Cell]:
    recipe = transducers(results.scale)[family, task]
    name = theirs(family, task, results.scale)
    ours: list[Cell] = [None] * 4
    if row := results.done(recipe):
        values = row.values
        ours = [values["texts"], 100 * values["accuracy"], values["loss"], values["loss_std"]]
    found = paper.lookup("table5", name) or {}
    numbers = map(found.get, ("accuracy", "loss", "loss_std"))
    return [f"{recipe.stream.tokens.name} {task}", *ours, name if found else None, *numbers]


def losses(results: Results, family: str, task: str) -> Sample | None:
    """Nats a byte over seeds and batches of texts, the same for a task and its control."""
    seeds = results.scale.seeded(transducers(results.scale)[family, task])
    over_batches = results.over_texts(seeds, lambda row: row.values["losses"])
    loss = np.array([row.values["loss"] for row in results.all_done(seeds)])
    return over_batches and replace(over_batches, values=loss)


def trends(results: Results) -> list[Trend]:
    both = "(95 % intervals, paired over texts and over seeds, which share their batches)"
    name = "nats a byte, decompress to control"
    windows, ac = (
        (losses(results, family, "decompress"), losses(results, family, "control"))
        for family in (WINDOWS, "AC")
    )
    return [
        trend(
            "EqualInfoAC is decompressed",
            f"loss of EqualInfoAC decompression is below its byte LM control's {both}",
            [lower(name, *windows, paired=True)],
        ),
        trend(
            "AC's ids hardly help to write its bytes",
            f"loss of AC decompression is within {SAME:.0%} of its byte LM control's: the whole"
            f" interval is {both}",
            [near(name, *ac, SAME, paired=True)],
        ),
    ]


def draw(results: Results, folder: Path) -> list[Path]:
    """Losses of what writes bytes, ours and the paper's, controls hatched."""
    scale = results.scale
    runs = [run for run in transducers(scale) if run[1] != "compress"][::-1]
    with figures.figure(9, 0.55 * len(runs) + 1.9) as (drawn, axes):
        axes.remove()
        ours, papers = drawn.subplots(1, 2, sharey=True)
        for place, run in enumerate(runs):
            row = results.done(transducers(scale)[run])
            bar(ours, place, run, row.values["loss"] if row else None)
            name = None if run[0] == CELL else theirs(*run, scale)
            bar(papers, place, run, (paper.lookup("table5", name) or {}).get("loss"))
        ours.set_yticks(range(len(runs)), labels=[" ".join(run) for run in runs])
        told = f"{scale.corpus}, {scale.name} scale"
        for axes, name in ((ours, told), (papers, "Lester et al. 2024, C4")):
            figures.title(axes, name, 9.5)
            axes.set_xlabel("nats a byte")
            axes.margins(x=0.18)
            axes.grid(False, axis="y")
        figures.heading(drawn, "Writing bytes after reading their ids; hatched: without")
        return figures.save(drawn, folder, "fig7")


def bar(axes: Any, place: int, run: tuple[str, str], loss: float | None) -> None:
    """One loss with its number, or the gap where there is none."""
    family, task = run
    colour = figures.STYLES["AC" if family == "AC" else "EqualInfoAC, several ids a window"][0]
    if loss is not None:
        style = {"hatch": "///", "edgecolor": "white"} if task == "control" else {}
        axes.barh(place, loss, 0.6, color=colour, alpha=0.6 if family == CELL else 1.0, **style)
    text = "–" if loss is None else f"{loss:.3f}"
    axes.text((loss or 0.0), place, f" {text}", va="center", fontsize=9)


EXPERIMENT = exhibit(__name__, "table 5, figure 7", "can an M2 learn to compress or decompress?")
