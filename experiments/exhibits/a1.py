"""Appendix A.1: windows between the first two sizes (the paper's 24 bits), narrow and wide ids."""

from itertools import pairwise

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    ahead,
    bits_per_byte,
    lines,
    ratio,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale

SIZE = "403m"  # the paper's
COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "paper's",
    "size, paper",
    "bytes/token, paper", "bits/byte, paper",
]  # fmt: skip
NOTE = "Where an id's bits do not divide a window's, ids run across window ends."


def lms(scale: Scale) -> list[LM]:
    """The first window, the one between, and the second, for each width."""
    windows, training = (
        (scale.windows[0], scale.between, scale.windows[1]),
        scale.side[scale.ablation],
    )
    return [
        scale.lm(scale.window(bits, width), training) for width in scale.widths for bits in windows
    ]


def recipes(scale: Scale) -> list[Recipe]:
    return [one for lm in lms(scale) for one in scale.seeded(lm)]


def reduce(rows: Rows, scale: Scale) -> Table:
    def theirs(recipe: LM) -> list[Cell]:
        name = paper.counterpart(recipe.stream.tokens, scale)
        found = paper.lookup("a1_403m", name)
        if found is None:
            bits = [
                paper.lookup(table, name, SIZE, "bits_per_byte")
                for table in ("fig3_table15", "fig5_table16")
            ]
            found = {
                "ratio": paper.lookup("table12", name, "ratio"),
                "bits_per_byte": bits[0] or bits[1],
            }
        return [name, SIZE, found["ratio"], found["bits_per_byte"]]

    body = lines(lms(scale), rows, [ratio, uniform, bits_per_byte], theirs)
    return Table(
        f"Windows of {scale.between} bits ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    found = lms(scale)
    checks = ahead(
        rows, scale, [pair for group in (found[:3], found[3:]) for pair in pairwise(group)]
    )
    test = (
        "bits/byte rise from the first window to the one between and from there to the second,"
        f" for each id width ({INTERVAL})"
    )
    return [trend("Windows in between are in between", test, checks)]


EXPERIMENT = Experiment("a1", "appendix A.1", "windows of 24 bits", recipes, reduce, None, trends)
