"""Appendix A.1: windows between the first two sizes (the paper's 24 bits), narrow and wide ids."""

from itertools import pairwise

from experiments.analysis import paper
from experiments.analysis.compare import BESIDE, DENSITY, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM
from experiments.scales import Scale

SIZE = "403m"  # the paper's
NOTE = "Where an id's bits do not divide a window's, ids run across window ends."


def lms(scale: Scale) -> list[LM]:
    """The first window, the one between, and the second, for each width."""
    windows = (scale.windows[0], scale.between, scale.windows[1])
    training = scale.side[scale.ablation]
    return [
        scale.lm(scale.window(b, width, "paper"), training)
        for width in scale.widths
        for b in windows
    ]


def recipes(scale: Scale) -> list[LM]:
    return lms(scale)


def theirs(scale: Scale, lm: LM) -> list[Cell]:
    name = paper.counterpart(lm.stream.tokens, scale)
    if found := paper.lookup("a1_403m", name):
        return [name, SIZE, found["ratio"], found["bits_per_byte"]]
    tables = ("fig3_table15", "fig5_table16")
    bits = [paper.lookup(table, name, SIZE, "bits_per_byte") for table in tables]
    return [name, SIZE, paper.lookup("table12", name, "ratio"), bits[0] or bits[1]]


def reduce(results: Results) -> Table:
    scale = results.scale
    body = results.lines(lms(scale), DENSITY, lambda lm: theirs(scale, lm))
    return results.table(f"Windows of {scale.between} bits", BESIDE, body, NOTE)


def trends(results: Results) -> list[Trend]:
    found = lms(results.scale)
    pairs = [*pairwise(found[:3]), *pairwise(found[3:])]
    test = (
        "bits/byte of these runs, a seed each, rise from the first window to the one between and"
        " from there to the second, for each id width (95 % intervals over texts)"
    )
    return [trend("Windows in between are in between", test, results.ahead(pairs, alone=True))]


EXPERIMENT = exhibit(__name__, "appendix A.1", "windows of 24 bits")
