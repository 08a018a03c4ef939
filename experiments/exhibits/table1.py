"""Table 1: token against bit compression ratio. No M2 is trained."""

from experiments.analysis.compare import bit_ratio, coded, lower, ratio, stream_lines, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Table
from experiments.runs.recipes import Recipe, Stream
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "bytes/token, ours", "bits/bit, ours", "the paper's", "bytes/token, paper",
    "bits/bit, paper",
]  # fmt: skip
NOTE = "Bits/bit: bits of text a bit of ids, an id of v taking log2 v bits."


def streams(scale: Scale) -> list[Stream]:
    """Rivals and arithmetic coding at every id width; windows have table 2."""
    return [scale.stream(tokens) for tokens in scale.main if tokens.family != "equalinfo"]


def recipes(scale: Scale) -> list[Recipe]:
    return list(streams(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    body = stream_lines(
        streams(scale), rows, scale, [ratio, bit_ratio], "table1", "token_ratio", "bit_ratio"
    )
    return Table(
        f"Token and bit compression ratio ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    subword = scale.stream(scale.subwords[1])
    narrow, wide = (scale.stream(scale.tokens("ac", width)) for width in scale.widths)
    test = (
        "bits/bit of AC are above Unigram's, and bytes/token of its wide ids too (95 %"
        " intervals, paired over texts)"
    )
    checks = [
        lower(
            "Unigram to AC, bits/bit",
            coded(rows, subword, bit_ratio),
            coded(rows, narrow, bit_ratio),
        ),
        lower(
            "Unigram to AC with wide ids, bytes/token",
            coded(rows, subword, ratio),
            coded(rows, wide, ratio),
        ),
    ]
    return [trend("AC compresses more than SentencePiece, in bits and in tokens", test, checks)]


EXPERIMENT = Experiment(
    "table1", "table 1", "token against bit compression ratio", recipes, reduce, None, trends
)
