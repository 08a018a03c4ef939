"""Table 2: what weakening the model (StaticAC) or the coder (windows) costs in ratio. No M2."""

from itertools import pairwise

from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bit_ratio, ratio
from experiments.analysis.tables import Table
from experiments.runs.recipes import Stream
from experiments.scales import Scale

COLUMNS = ["tokenizer", "bytes/token, ours", "bits/bit, ours", "the paper's", "bits/bit, paper"]
NOTE = (
    "Bits/bit, so that ids of different widths compare: for the paper's ids of 8 bits that is"
    " bytes/token. Windows by the rules `paper` (section 3.3 as we read it) and `unflushed` (as"
    " the paper's tables suggest it) do not all decode; those without a rule's name do."
)


def windows(scale: Scale, rule: str = "paper") -> list[Stream]:
    return [scale.short_stream(scale.window(bits, scale.narrow, rule)) for bits in scale.windows]


def recipes(scale: Scale) -> list[Stream]:
    coded = [scale.tokens(family, scale.narrow) for family in ("ac", "static-ac")]
    rules = ("paper", "unflushed", "free")
    return [
        *map(scale.short_stream, coded),
        *(one for rule in rules for one in windows(scale, rule)),
    ]


def reduce(results: Results) -> Table:
    streams = recipes(results.scale)
    body = results.stream_lines(streams, [ratio, bit_ratio], "table2_ratio")
    return results.table("Ratio as model or coder is weakened", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    ac, static = recipes(results.scale)[:2]
    weakest_first = [
        (stream.tokens.name, results.coded(stream, bit_ratio))
        for stream in (static, *windows(results.scale, "unflushed"), ac)
    ]
    checks = [lower(f"{a} to {b}", x, y) for (a, x), (b, y) in pairwise(weakest_first)]
    test = (
        "bits/bit rise from StaticAC over the windows by their size to AC (windows as the paper's"
        " tables suggest them, `unflushed`; narrow ids; 95 % intervals, paired over texts)"
    )
    return [trend("Each weakening of the model or the coder costs compression", test, checks)]


EXPERIMENT = exhibit(__name__, "table 2", "ratio as the model or the coder is weakened")
