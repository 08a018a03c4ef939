"""Table 7: one sentence under every tokenizer, cut into the pieces that have ids of their own."""

from experiments.analysis import paper
from experiments.analysis.compare import lower, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample, quotient
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Measure, Tokens
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

SEPARATOR = "│"
COLUMNS = [
    "tokenizer", "bytes/id here", "begin inside a word", "paper's", "bytes/id on C4, paper",
    "pieces, ours",
]  # fmt: skip
NOTE = (
    f"{SEPARATOR} ends a piece: the fewest ids that have bytes of their own (of AC and GZip only"
    " all ids have); of windows, the text each was made of. begin inside a word: the share of the"
    " pieces of validation text. The paper prints its pieces and counts none."
)


def sentence(scale: Scale, tokens: Tokens) -> Measure:
    """The sentence under one tokenizer; figs 2 and 9 draw from the same runs."""
    return Measure("sentence", scale.short_stream(tokens), scale.sample)


def recipes(scale: Scale) -> list[Measure]:
    longer = [scale.window(bits, scale.wide) for bits in scale.windows[1:]]
    return [sentence(scale, tokens) for tokens in [*scale.main, *longer]]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(recipe.stream.tokens, rows.done(recipe), scale) for recipe in recipes(scale)]
    return Table(
        f"One sentence under every tokenizer ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def line(tokens: Tokens, row: Row | None, scale: Scale) -> list[Cell]:
    name = paper.counterpart(tokens, scale)
    ours: list[Cell] = [None] * 3
    if row:
        pieces = row.values["pieces"]
        size = len(row.values["text"].encode()) / sum(len(ids) for _, ids in pieces)
        ours = [size, row.values["inside_words"], SEPARATOR.join(text for text, _ in pieces)]
    return [tokens.name, *ours[:2], name, paper.lookup("table12", name, "ratio"), ours[2]]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    subwords = scale.subwords[-1]
    windows = [scale.window(scale.windows[0], scale.wide, rule) for rule in ("paper", "free")]
    test = (
        f"of the pieces of {' and of '.join(w.name for w in windows)}, more begin inside a word"
        f" than of {subwords.name}'s (95 % intervals, paired over documents)"
    )
    rival = inside(rows, scale, subwords)
    checks = [
        lower(f"{subwords.name} to {one.name}", rival, inside(rows, scale, one)) for one in windows
    ]
    return [
        trend(
            "the pieces of equal-info windows follow words less than SentencePiece's", test, checks
        )
    ]


def inside(rows: Rows, scale: Scale, tokens: Tokens) -> Sample | None:
    row = rows.done(sentence(scale, tokens))
    return quotient(*row.values["inside"]) if row and row.values["inside"] else None


EXPERIMENT = Experiment(
    "table7",
    "table 7",
    "one sentence's pieces under every tokenizer",
    recipes,
    reduce,
    trends=trends,
)
