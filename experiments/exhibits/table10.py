"""Table 10: GZip with and without its header and footer."""

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    bits_per_byte,
    coded,
    label,
    lines,
    lower,
    near,
    ratio,
    trained,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "paper's",
    "size, paper",
    "bytes/token, paper", "bits/byte, paper",
]  # fmt: skip
SAME = 0.03


def pairs(scale: Scale) -> list[tuple[LM, LM]]:
    """(with header and footer, without), for ids of 8 bits and wide ones."""
    widths = (8, scale.wide)
    return [
        (scale.lm(tokens), scale.lm(scale.tokens("gzip", width, raw=True)))
        for tokens, width in zip(scale.gzips, widths, strict=True)
    ]


def lms(scale: Scale) -> list[LM]:
    return [lm for pair in pairs(scale) for lm in pair]


def recipes(scale: Scale) -> list[Recipe]:
    return [*lms(scale), *(one for lm in pairs(scale)[0] for one in scale.seeded(lm))]


def reduce(rows: Rows, scale: Scale) -> Table:
    def theirs(recipe: LM) -> list[Cell]:
        tokens = recipe.stream.tokens
        name = f"{paper.counterpart(tokens, scale)}" + " bare" * tokens.raw
        return [name, paper.SIZES[0], *(paper.lookup("table10_25m", name) or [None, None])]

    body = lines(lms(scale), rows, [ratio, uniform, bits_per_byte], theirs)
    return Table(f"GZip without header and footer ({scale.name}, {scale.corpus})", COLUMNS, body)


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    whole, bare = pairs(scale)[0]
    name = f"{label(bare)} to {label(whole)}"
    same = near(name, trained(rows, scale, bare), trained(rows, scale, whole), SAME)
    denser = [
        lower(
            f"bytes/token, {label(a)} to {label(b)}", coded(rows, a, ratio), coded(rows, b, ratio)
        )
        for a, b in pairs(scale)
    ]
    test = (
        f"without them bits/byte are within {SAME:.0%} with ids of 8 bits (the whole interval is),"
        f" and bytes/token more with both ({INTERVAL})"
    )
    return [trend("Header and footer hardly matter to GZip", test, [same, *denser])]


EXPERIMENT = Experiment(
    "table10", "table 10", "GZip with and without header and footer", recipes, reduce, None, trends
)
