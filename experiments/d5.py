"""Appendix D.5: how much of a text decodes, under the paper's window rule and under the free cell."""

from scipy.stats import binomtest

from experiments import paper
from experiments.experiment import Experiment, Trend
from experiments.recipes import Measure
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COLUMNS = [
    "tokenizer", "windows", "windows that decode, ours", "windows wrong at a document's end", "documents",
    "documents that decode, ours", "sequences that decode, ours", "paper's", "sequences that decode, paper",
    "windows wrong at the input's end, paper",
]  # fmt: skip
NOTE = (
    "Each window is decoded by itself and compared with the text it was made of. sequence: 512 windows, or a"
    " document's last. The paper reports 99.4 % of sequences and blames the end of the input alone; by its rule as it"
    " is described, another byte may fit where the true one did not, and the decoder takes it (docs/windows.md)."
)


def decoding(scale: Scale, bits: int, rule: str) -> Measure:
    return Measure("decoding", scale.short_stream(scale.window(bits, scale.wide, rule)), scale.sample)


def recipes(scale: Scale) -> list[Measure]:
    return [decoding(scale, bits, rule) for bits in scale.windows[:2] for rule in ("paper", "free")]


def reduce(rows: Rows, scale: Scale) -> Table:
    body: list[list[Cell]] = []
    for recipe in recipes(scale):
        tokens, row = recipe.stream.tokens, rows.done(recipe)
        theirs = paper.values()["d5"] if tokens.bits == scale.windows[0] and tokens.rule == "paper" else {}
        body.append(
            [
                tokens.name,
                *(ours(row) if row else [None] * 6),
                paper.counterpart(tokens, scale) if theirs else None,
                theirs.get("sequences_decodable"),
                f"{theirs['windows_at_end_of_input']:.2g}" if theirs else None,
            ]
        )
    return Table(f"How much decodes ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


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


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    pairs = [(rule, rows.done(decoding(scale, scale.windows[0], rule))) for rule in ("free", "paper")]
    (_, free), (_, theirs) = pairs
    return [
        Trend(
            "by the free cell, everything decodes",
            "not one window of the validation text decodes to other bytes than it was made of",
            free.values["wrong_windows"] == 0 if free else None,
            f"{free.values['wrong_windows']} of {free.values['windows']:,} windows" if free else "",
        ),
        Trend(
            "by the paper's rule, nearly every sequence decodes (99.4 % in the paper)",
            "at least 99 % of sequences decode (95 % interval of a share: Clopper and Pearson)",
            *sequences(theirs),
        ),
    ]


def sequences(row: Row | None) -> tuple[bool | None, str]:
    """Whether 99 % of sequences decode, and the numbers."""
    if row is None:
        return None, ""
    count, wrong = row.values["sequences"], row.values["wrong_sequences"]
    share = binomtest(count - wrong, count).proportion_ci()
    said = f"{good(row, 'sequences'):.1%} of {count} sequences ({share.low:.1%} to {share.high:.1%})"
    return (
        True if share.low >= 0.99 else False if share.high < 0.99 else None,
        f"{said}, {good(row, 'windows'):.1%} of windows",
    )


EXPERIMENT = Experiment("d5", "appendix D.5", "how much of a text decodes", recipes, reduce, trends=trends)
