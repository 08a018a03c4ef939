"""Table 3: bits/byte of models that know nothing (uniform) or frequencies alone (unigram). No M2 is
trained.
"""

from experiments.analysis.compare import coded, lower, near, stream_lines, trend, uniform, unigram
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Table
from experiments.runs.recipes import Recipe, Stream
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer",
    "uniform, ours",
    "unigram, ours",
    "the paper's",
    "uniform, paper",
    "unigram, paper",
]
NOTE = (
    "Unigram frequencies come from the training stream (add-one smoothed). Where it has few ids a"
    " code, smoothing alone decides, and unigram can exceed uniform. A window that is filled up"
    " with zeros (rule `paper`) shows in its frequencies; `unflushed` fills none up."
)


def streams(scale: Scale) -> list[Stream]:
    windows = [scale.window(bits, scale.narrow) for bits in scale.windows[1:]]
    beside = [
        scale.window(bits, scale.narrow, rule)
        for rule in ("unflushed", "free")
        for bits in scale.windows
    ]
    return [scale.short_stream(tokens) for tokens in [*scale.main, *windows, *beside]]


def recipes(scale: Scale) -> list[Recipe]:
    return list(streams(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    body = stream_lines(
        streams(scale), rows, scale, [uniform, unigram], "table3", "uniform", "unigram"
    )
    return Table(
        f"Uniform and unigram bits/byte ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    ac, static = (
        scale.stream(scale.tokens(family, scale.narrow)) for family in ("ac", "static-ac")
    )
    flat = [
        near(s.tokens.name, coded(rows, s, unigram), coded(rows, s, uniform), 0.01)
        for s in (ac, static)
    ]
    text = [scale.stream(tokens) for tokens in (scale.bytes, scale.subwords[1])]
    skewed = [lower(s.tokens.name, coded(rows, s, unigram), coded(rows, s, uniform)) for s in text]
    test = (
        "unigram is within 1 % of uniform for narrow AC and StaticAC, and below it for bytes and"
        " Unigram (95 % intervals, paired over texts)"
    )
    return [trend("Arithmetic coding leaves nothing to frequencies", test, [*flat, *skewed])]


EXPERIMENT = Experiment(
    "table3",
    "table 3",
    "uniform and unigram bits/byte of each tokenizer",
    recipes,
    reduce,
    None,
    trends,
)
