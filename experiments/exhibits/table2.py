"""Table 2: what weakening the model (StaticAC) or the coder (windows) costs in ratio. No M2 is
trained.
"""

from itertools import pairwise

from experiments.analysis.compare import bit_ratio, coded, lower, ratio, stream_lines, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Table
from experiments.runs.recipes import Recipe, Stream
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = ["tokenizer", "bytes/token, ours", "bits/bit, ours", "the paper's", "bits/bit, paper"]
NOTE = (
    "Bits/bit, so that ids of different widths compare: for the paper's ids of 8 bits that is"
    " bytes/token. Windows by the rules `paper` (section 3.3 as we read it) and `unflushed` (as"
    " the paper's tables suggest it) do not all decode; those without a rule's name do."
)


def windows(scale: Scale, rule: str = "paper") -> list[Stream]:
    return [scale.short_stream(scale.window(bits, scale.narrow, rule)) for bits in scale.windows]


def streams(scale: Scale) -> list[Stream]:
    coded = [
        scale.short_stream(scale.tokens(family, scale.narrow)) for family in ("ac", "static-ac")
    ]
    return [
        *coded,
        *(one for rule in ("paper", "unflushed", "free") for one in windows(scale, rule)),
    ]


def recipes(scale: Scale) -> list[Recipe]:
    return list(streams(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    body = stream_lines(streams(scale), rows, scale, [ratio, bit_ratio], "table2_ratio")
    return Table(
        f"Ratio as model or coder is weakened ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    ac, static = streams(scale)[:2]
    weakest_first = [static, *windows(scale), ac]
    checks = [
        lower(
            f"{a.tokens.name} to {b.tokens.name}",
            coded(rows, a, bit_ratio),
            coded(rows, b, bit_ratio),
        )
        for a, b in pairwise(weakest_first)
    ]
    test = (
        "bits/bit rise from StaticAC over the windows by their size to AC (the paper's rule, narrow"
        " ids; 95 % intervals, paired over texts)"
    )
    return [trend("Each weakening of the model or the coder costs compression", test, checks)]


EXPERIMENT = Experiment(
    "table2",
    "table 2",
    "ratio as the model or the coder is weakened",
    recipes,
    reduce,
    None,
    trends,
)
