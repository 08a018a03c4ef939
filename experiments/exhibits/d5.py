"""Appendix D.5: how much decodes by each reading of the paper's window rule; what is untold."""

from dataclasses import replace

from scipy.stats import binomtest

from experiments.analysis import paper
from experiments.analysis.compare import Results, Trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "windows", "windows that decode, ours", "windows wrong at a document's end",
    "documents", "documents that decode, ours", "sequences that decode, ours", "bits/byte untold",
    "bits/byte untold, by M1", "windows that any decoder gets, by M1", "paper's",
    "sequences that decode, paper", "windows wrong at the input's end, paper",
]  # fmt: skip
NOTE = (
    "Each window is decoded by itself and compared with the text it was made of. sequence: 512"
    " windows, or a document's last. `paper` is section 3.3 as we read it; the paper's tables"
    " suggest that its code counted bits before the coder's flush (`unflushed`, docs/windows.md)."
    " The paper reports 99.4 % of sequences and blames the end of the input alone. untold: what a"
    " decoder that has the ids would still have to be told, by M1's probabilities of the strings"
    " that share a code: of validation text, and of windows drawn from M1, over all strings,"
    " exact. Honest bits/byte of an M2 are its own and these. any decoder: how often the likeliest"
    " string of a code is the true one."
)
RULES = ("paper", "unflushed", "free")


def decoding(scale: Scale, bits: int, rule: str) -> Measure:
    stream = scale.short_stream(scale.window(bits, scale.wide, rule))
    return Measure("decoding", stream, scale.sample)


def untold(scale: Scale, rule: str) -> Measure:
    """Of the shortest windows: all their strings can be listed."""
    return replace(decoding(scale, scale.windows[0], rule), what="untold")


def decodings(scale: Scale) -> list[Measure]:
    return [decoding(scale, bits, rule) for bits in scale.windows[:2] for rule in RULES]


def recipes(scale: Scale) -> list[Measure]:
    return [*decodings(scale), *(untold(scale, rule) for rule in RULES)]


def reduce(results: Results) -> Table:
    body = [line(results, recipe) for recipe in decodings(results.scale)]
    return results.table("How much decodes", COLUMNS, body, NOTE)


def line(results: Results, recipe: Measure) -> list[Cell]:
    scale = results.scale
    tokens = recipe.stream.tokens
    row = results.done(recipe)
    shortest = tokens.bits == scale.windows[0]
    left = results.done(untold(scale, tokens.rule)) if shortest else None
    told = ("text_bits", "byte_bits", "likeliest")
    cells = [
        tokens.name,
        *(ours(row) if row else [None] * 6),
        *([left.values[name] for name in told] if left else [None] * 3),
    ]
    if not shortest or tokens.rule != "paper":
        return [*cells, None, None, None]
    found = paper.values()["d5"]
    at_end = f"{found['windows_at_end_of_input']:.2g}"
    return [*cells, paper.counterpart(tokens, scale), found.get("sequences_decodable"), at_end]


def ours(row: Row) -> list[Cell]:
    found = row.values
    return [
        found["windows"],
        good(row, "windows"),
        f"{found['wrong_last'] / found['windows']:.2g}",
        found["documents"],
        good(row, "documents"),
        good(row, "sequences"),
    ]


def good(row: Row, what: str) -> float:
    """The share of "windows", "documents" or "sequences" that decode."""
    return 1 - row.values[f"wrong_{what}"] / row.values[what]


def trends(results: Results) -> list[Trend]:
    free, theirs = (
        results.done(decoding(results.scale, results.scale.windows[0], rule))
        for rule in ("free", "paper")
    )
    return [
        Trend(
            "By the free cell, everything decodes",
            "not one window of the validation text decodes to other bytes than it was made of",
            free.values["wrong_windows"] == 0 if free else None,
            f"{free.values['wrong_windows']} of {free.values['windows']:,} windows" if free else "",
        ),
        Trend(
            "By the paper's rule, nearly every sequence decodes (99.4 % in the paper)",
            "at least 99 % of sequences decode (95 % interval of a share: Clopper and Pearson)",
            *sequences(theirs),
        ),
    ]


def sequences(row: Row | None) -> tuple[bool | None, str]:
    """Whether 99 % of sequences decode, and the numbers."""
    if row is None:
        return None, ""
    count = row.values["sequences"]
    wrong = row.values["wrong_sequences"]
    share = binomtest(count - wrong, count).proportion_ci()
    said = (
        f"{good(row, 'sequences'):.1%} of {count} sequences ({share.low:.1%} to {share.high:.1%}),"
        f" {good(row, 'windows'):.1%} of windows"
    )
    return True if share.low >= 0.99 else False if share.high < 0.99 else None, said


EXPERIMENT = exhibit(__name__, "appendix D.5", "how much of a text decodes, and what is untold")
