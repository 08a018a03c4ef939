"""Section 5.1: an M2 on the single bits of AC's stream, a small and a large one (25m, 403m): it
learns nothing.
"""

import math

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    at_uniform,
    bits_per_byte,
    bits_per_token,
    ignorant,
    lines,
    ratio,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

SIZES = {"25m": 0, "403m": 2}  # the paper's, and their places among a scale's M2s
COLUMNS = [
    "tokenizer", "size", "bytes/token", "uniform", "bits/byte", "nats/token, ours",
    "of one that knows nothing",
    "paper's", "size, paper", "nats/token, paper",
]  # fmt: skip
NOTE = (
    f"ln 2 is {math.log(2):.4f} nats. One that knows nothing takes both bits for equally probable"
    " and knows how often documents end: what EOS costs is in the numbers of whole documents."
)


def lms(scale: Scale) -> list[LM]:
    last = len(scale.side) - 1
    return [
        scale.lm(scale.tokens("ac", 1), scale.side[min(place, last)]) for place in SIZES.values()
    ]


def recipes(scale: Scale) -> list[Recipe]:
    """The trend rests on the small one's seeds."""
    small, large = lms(scale)
    return [*scale.seeded(small), large]


def nats_per_token(row: Row) -> float:
    return bits_per_token(row) * math.log(2)


def nats_of_nothing(row: Row) -> float:
    return ignorant(row) * row.ratio * math.log(2)


def reduce(rows: Rows, scale: Scale) -> Table:
    sizes = dict(zip((lm.key for lm in lms(scale)), SIZES, strict=True))
    measures = [ratio, uniform, bits_per_byte, nats_per_token, nats_of_nothing]

    def theirs(recipe: LM) -> list[Cell]:
        size = sizes[recipe.key]
        return ["AC, single bits", size, paper.lookup("sec5_1_loss_nats", size)]

    return Table(
        f"Single bits of AC ({scale.name}, {scale.corpus})",
        COLUMNS,
        lines(lms(scale), rows, measures, theirs),
        NOTE,
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    test = (
        "the loss of the small M2 is within 1 % of ln 2 a bit (and what the ends of documents"
        f" cost at their frequency): the whole interval is ({INTERVAL})"
    )
    return [
        trend("Single bits of AC cannot be learned", test, [at_uniform(rows, scale, lms(scale)[0])])
    ]


EXPERIMENT = Experiment(
    "sec5_1", "section 5.1", "M2 on single bits of AC", recipes, reduce, None, trends
)
