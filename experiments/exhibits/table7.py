"""Table 7: one sentence under every tokenizer, cut into the pieces that have ids of their own."""

from experiments.analysis import paper
from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample, quotient
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Measure, Tokens
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
    longer = [scale.window(bits, scale.wide, "paper") for bits in scale.windows[1:]]
    return [sentence(scale, tokens) for tokens in [*scale.main, *longer]]


def reduce(results: Results) -> Table:
    body = [line(results, recipe) for recipe in recipes(results.scale)]
    return results.table("One sentence under every tokenizer", COLUMNS, body, NOTE)


def line(results: Results, recipe: Measure) -> list[Cell]:
    tokens = recipe.stream.tokens
    name = paper.counterpart(tokens, results.scale)
    size = inside = text = None
    if row := results.done(recipe):
        pieces = row.values["pieces"]
        size = len(row.values["text"].encode()) / sum(len(ids) for _, ids in pieces)
        inside = row.values["inside_words"]
        text = SEPARATOR.join(text for text, _ in pieces)
    return [tokens.name, size, inside, name, paper.lookup("table12", name, "ratio"), text]


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    subwords = scale.subwords[-1]
    windows = [scale.window(scale.windows[0], scale.wide, rule) for rule in ("paper", "free")]
    test = (
        f"of the pieces of {' and of '.join(w.name for w in windows)}, more begin inside a word"
        f" than of {subwords.name}'s (95 % intervals, paired over documents)"
    )
    rival = inside_words(results, subwords)
    checks = [
        lower(f"{subwords.name} to {one.name}", rival, inside_words(results, one))
        for one in windows
    ]
    claim = "the pieces of equal-info windows follow words less than SentencePiece's"
    return [trend(claim, test, checks)]


def inside_words(results: Results, tokens: Tokens) -> Sample | None:
    row = results.done(sentence(results.scale, tokens))
    return quotient(*row.values["inside"]) if row and row.values["inside"] else None


EXPERIMENT = exhibit(__name__, "table 7", "one sentence's pieces under every tokenizer")
