"""Table 3: bits/byte of models that know nothing (uniform) or frequencies alone (unigram)."""

from experiments.analysis.compare import Results, Trend, lower, near, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import uniform, unigram
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Table
from experiments.runs.recipes import Stream, Tokens
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "uniform, ours", "unigram, ours", "the paper's", "uniform, paper",
    "unigram, paper",
]  # fmt: skip
NOTE = (
    "Unigram frequencies come from the training stream (add-one smoothed). Where it has few ids a"
    " code, smoothing alone decides, and unigram can exceed uniform. A window that is filled up"
    " with zeros (rule `paper`) shows in its frequencies; `unflushed` fills none up."
)


def recipes(scale: Scale) -> list[Stream]:
    longer = [scale.window(bits, scale.narrow, "paper") for bits in scale.windows[1:]]
    beside = [
        scale.window(bits, scale.narrow, rule)
        for rule in ("unflushed", "free")
        for bits in scale.windows
    ]
    return [scale.short_stream(tokens) for tokens in [*scale.main, *longer, *beside]]


def reduce(results: Results) -> Table:
    streams = recipes(results.scale)
    body = results.stream_lines(streams, [uniform, unigram], "table3", "uniform", "unigram")
    return results.table("Uniform and unigram bits/byte", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    coded = [scale.tokens(family, scale.narrow) for family in ("ac", "static-ac")]
    text = [scale.bytes, scale.subwords[1]]

    def both(tokens: Tokens) -> tuple[Sample | None, Sample | None]:
        stream = scale.stream(tokens)
        return results.coded(stream, unigram), results.coded(stream, uniform)

    flat = [near(one.name, *both(one), 0.01) for one in coded]
    skewed = [lower(one.name, *both(one)) for one in text]
    test = (
        "unigram is within 1 % of uniform for narrow AC and StaticAC, and below it for bytes and"
        " Unigram (95 % intervals, paired over texts)"
    )
    return [trend("Arithmetic coding leaves nothing to frequencies", test, [*flat, *skewed])]


EXPERIMENT = exhibit(__name__, "table 3", "uniform and unigram bits/byte of each tokenizer")
