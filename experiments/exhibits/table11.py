"""Table 11: how far apart seeds are, for the key tokenizers at the smallest M2."""

from statistics import mean, stdev

from experiments.analysis import paper
from experiments.analysis.compare import Check, seeds_done, spread, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import deviation_interval
from experiments.analysis.tables import Cell, Table, shown
from experiments.runs import recipes as r
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "seeds", "bits/byte, ours", "deviation, ours", "paper's", "size, paper",
    "bits/byte, paper",
    "deviation, paper",
]  # fmt: skip
SEEDS = 5  # the paper's
CLOSE = 0.01


def count(scale: Scale) -> int:
    """Seeds a tokenizer: as many as the paper's, but where a scale is short of time."""
    return scale.seeds if scale.seeds < 3 or scale.claim_only else SEEDS


def lms(scale: Scale) -> list[LM]:
    narrow = scale.narrow
    coded = [scale.tokens(family, narrow) for family in ("ac", "static-ac")]
    windows = [scale.window(bits, narrow) for bits in scale.windows]
    return [
        scale.lm(tokens)
        for tokens in (scale.bytes, scale.subwords[1], *coded, *windows, scale.gzips[0])
    ]


def recipes(scale: Scale) -> list[Recipe]:
    return [recipe for lm in lms(scale) for recipe in r.seeds(lm, count(scale))]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(lm, rows, scale) for lm in lms(scale)]
    return Table(f"{count(scale)} seeds ({scale.name}, {scale.corpus})", COLUMNS, body)


def line(lm: LM, rows: Rows, scale: Scale) -> list[Cell]:
    name = paper.counterpart(lm.stream.tokens, scale)
    theirs = paper.lookup("table11_25m", name) or [None, None]
    ours = spread(rows, r.seeds(lm, count(scale)))
    return [lm.stream.tokens.name, lm.training.size, *ours, name, paper.SIZES[0], *theirs]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    test = (
        f"the standard deviation over {count(scale)} seeds is below {CLOSE:.0%} of the mean, for"
        " each tokenizer: its 95 % interval (chi-squared) is"
    )
    return [trend("Seeds hardly matter", test, [close(lm, rows, scale) for lm in lms(scale)])]


def close(lm: LM, rows: Rows, scale: Scale) -> Check:
    name, recipes = lm.stream.tokens.name, r.seeds(lm, count(scale))
    values = seeds_done(rows, recipes)
    if len(values) < max(len(recipes), 2):
        return Check(f"{name}: not run yet, or one seed", None)
    limit, (low, high) = CLOSE * mean(values), deviation_interval(values)
    holds = True if high < limit else False if low > limit else None
    return Check(
        f"{name}: {shown(mean(values))}, deviation {stdev(values):.4f} ({low:.4f} to {high:.4f})",
        holds,
    )


EXPERIMENT = Experiment(
    "table11", "table 11", "five seeds: mean and deviation", recipes, reduce, None, trends
)
