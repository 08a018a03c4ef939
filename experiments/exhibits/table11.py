"""Table 11: how far apart seeds are, for the key tokenizers at the smallest M2."""

from statistics import mean, stdev

from experiments.analysis import paper
from experiments.analysis.compare import Check, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import deviation_interval
from experiments.analysis.tables import Cell, Table, shown
from experiments.runs.recipes import LM, seeds
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
    coded = [scale.tokens(family, scale.narrow) for family in ("ac", "static-ac")]
    windows = [scale.window(bits, scale.narrow, "paper") for bits in scale.windows]
    tokens = (scale.bytes, scale.subwords[1], *coded, *windows, scale.gzips[0])
    return [scale.lm(one) for one in tokens]


def recipes(scale: Scale) -> list[LM]:
    return [one for lm in lms(scale) for one in seeds(lm, count(scale))]


def reduce(results: Results) -> Table:
    scale = results.scale
    body = [line(results, lm) for lm in lms(scale)]
    return results.table(f"{count(scale)} seeds", COLUMNS, body)


def line(results: Results, lm: LM) -> list[Cell]:
    name = results.counterpart(lm)[0]
    theirs = paper.lookup("table11_25m", name) or [None, None]
    ours = results.spread(seeds(lm, count(results.scale)))
    return [lm.stream.tokens.name, lm.training.size, *ours, name, paper.SIZES[0], *theirs]


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    test = (
        f"the standard deviation over {count(scale)} seeds is below {CLOSE:.0%} of the mean, for"
        " each tokenizer: its 95 % interval (chi-squared) is"
    )
    return [trend("Seeds hardly matter", test, [close(results, lm) for lm in lms(scale)])]


def close(results: Results, lm: LM) -> Check:
    name = lm.stream.tokens.name
    recipes = seeds(lm, count(results.scale))
    values = [row.bits_per_byte for row in results.all_done(recipes)]
    if len(values) < max(len(recipes), 2):
        return Check(f"{name}: not run yet, or one seed", None)
    middle = mean(values)
    deviation = stdev(values)
    limit = CLOSE * middle
    (low, high) = deviation_interval(values)
    said = f"{name}: {shown(middle)}, deviation {deviation:.4f} ({low:.4f} to {high:.4f})"
    return Check(said, True if high < limit else False if low > limit else None)


EXPERIMENT = exhibit(__name__, "table 11", "five seeds: mean and deviation")
