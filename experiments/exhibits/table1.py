"""Table 1: token against bit compression ratio. No M2 is trained."""

from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bit_ratio, ratio
from experiments.analysis.tables import Table
from experiments.runs.recipes import Stream
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "bytes/token, ours", "bits/bit, ours", "the paper's", "bytes/token, paper",
    "bits/bit, paper",
]  # fmt: skip
NOTE = "Bits/bit: bits of text a bit of ids, an id of v taking log2 v bits."


def recipes(scale: Scale) -> list[Stream]:
    """Rivals and arithmetic coding at every id width; windows have table 2."""
    return [scale.stream(tokens) for tokens in scale.main if tokens.family != "equalinfo"]


def reduce(results: Results) -> Table:
    fields = ("token_ratio", "bit_ratio")
    streams = recipes(results.scale)
    body = results.stream_lines(streams, [ratio, bit_ratio], "table1", *fields)
    return results.table("Token and bit compression ratio", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    subword = scale.stream(scale.subwords[1])
    narrow, wide = (scale.stream(scale.tokens("ac", width)) for width in scale.widths)
    bits = results.coded(subword, bit_ratio), results.coded(narrow, bit_ratio)
    tokens = results.coded(subword, ratio), results.coded(wide, ratio)
    test = (
        "bits/bit of AC are above Unigram's, and bytes/token of its wide ids too (95 %"
        " intervals, paired over texts)"
    )
    checks = [
        lower("Unigram to AC, bits/bit", *bits),
        lower("Unigram to AC with wide ids, bytes/token", *tokens),
    ]
    return [trend("AC compresses more than SentencePiece, in bits and in tokens", test, checks)]


EXPERIMENT = exhibit(__name__, "table 1", "token against bit compression ratio")
