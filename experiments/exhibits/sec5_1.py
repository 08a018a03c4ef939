"""Section 5.1: an M2 on the single bits of AC's stream, a small and a large one, learns nothing."""

import math

from experiments.analysis import paper
from experiments.analysis.compare import DENSITY, INTERVAL, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_token, uniform_with_ends
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM
from experiments.runs.rows import Row
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
    """The small one, and the large one where the scale asks questions of several sizes."""
    bits = scale.tokens("ac", 1)
    there = [place for place in SIZES.values() if place < len(scale.side)]
    return [scale.lm(bits, scale.side[place]) for place in there]


def recipes(scale: Scale) -> list[LM]:
    """The trend rests on the small one's seeds."""
    small, *large = lms(scale)
    return [*scale.seeded(small), *large]


def nats_per_token(row: Row) -> float:
    return bits_per_token(row) * math.log(2)


def nats_of_nothing(row: Row) -> float:
    return uniform_with_ends(row) * row.ratio * math.log(2)


def reduce(results: Results) -> Table:
    found = lms(results.scale)
    sizes = dict(zip(found, SIZES, strict=False))

    def theirs(lm: LM) -> list[Cell]:
        return ["AC, single bits", sizes[lm], paper.lookup("sec5_1_loss_nats", sizes[lm])]

    body = results.lines(found, [*DENSITY, nats_per_token, nats_of_nothing], theirs)
    return results.table("Single bits of AC", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    test = (
        "the loss of the small M2 is within 1 % of ln 2 a bit (and what the ends of documents"
        f" cost at their frequency): the whole interval is ({INTERVAL})"
    )
    checks = [results.at_uniform(lms(results.scale)[0])]
    return [trend("Single bits of AC cannot be learned", test, checks)]


EXPERIMENT = exhibit(__name__, "section 5.1", "M2 on single bits of AC")
