"""`make demo`: M1 alone, and an M2 on each of four kinds of ids; at scale demo, not the paper's."""

import math
from pathlib import Path

from experiments.analysis.compare import DENSITY, Results
from experiments.analysis.experiment import exhibit
from experiments.analysis.panels import draw_costs
from experiments.analysis.quantities import bits_per_byte, mflops_of_all, uniform
from experiments.analysis.tables import Table
from experiments.runs.recipes import LM, Recipe
from experiments.scales import Scale

COLUMNS = ["ids", "model", "bytes/id", "uniform", "bits/byte", "MFLOPs/byte"]
NOTE = (
    "bits/byte: the model's loss over the bytes of validation text, lower is better; uniform: that"
    " of\na model that knows nothing. MFLOPs/byte: of every product, M1's included where it runs."
)


def lms(scale: Scale) -> list[LM]:
    windows = scale.claim[-1]
    return [
        scale.lm(one)
        for one in (scale.bytes, scale.subwords[0], scale.tokens("ac", scale.narrow), windows)
    ]


def recipes(scale: Scale) -> list[Recipe]:
    return [scale.m1, *lms(scale)]


def reduce(results: Results) -> Table:
    scale = results.scale
    quantities = [*DENSITY, mflops_of_all]
    alone = ["bytes: M1 alone", scale.m1.training.size, *results.numbers(scale.m1, quantities)]
    body = [alone, *results.lines(lms(scale), quantities)]
    return results.table("What M1 and M2s make of a byte of text", COLUMNS, body, NOTE)


def draw(results: Results, folder: Path) -> list[Path]:
    title = "Bits/byte against inference cost"
    return draw_costs(results, lms(results.scale), {}, title, folder, "demo")


def words(results: Results) -> list[str]:
    """What came out, a line a model."""
    scale = results.scale
    alone = results.number(scale.m1) or math.nan
    said = [f"M1, the byte model that drives the coder, has {alone:.2f} bits/byte by itself."]
    for lm in lms(scale):
        bits, line = (results.number(lm, quantity) for quantity in (bits_per_byte, uniform))
        if bits is None or line is None:  # its training was lost
            continue
        told = f"{abs(bits - alone):.2f} {'less' if bits < alone else 'more'} than M1"
        if bits > 0.97 * line:
            told = f"nothing was learned: such ids look like noise (uniform: {line:.2f})"
        said.append(f"An M2 on {lm.stream.tokens.name} has {bits:.2f}; {told}.")
    return said


EXPERIMENT = exhibit(__name__, "none", "M1 alone and M2s on four kinds of ids, in minutes")
