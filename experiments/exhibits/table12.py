"""Table 12: ratio, tokens and bytes of every M2's training data."""

from experiments.analysis.experiment import Experiment
from experiments.analysis.paper import counterpart, lookup
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Recipe, Stream
from experiments.runs.rows import Rows
from experiments.scales import Scale


def streams(scale: Scale) -> list[Stream]:
    """Those of figure 3 and of figure 5's longer windows."""
    longer = [scale.window(bits, width) for width in scale.widths for bits in scale.windows[1:]]
    return [scale.stream(tokens) for tokens in [*scale.main, *longer]]


def recipes(scale: Scale) -> list[Recipe]:
    return list(streams(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    trained = scale.base.tokens
    body: list[list[Cell]] = []
    for stream in streams(scale):
        row, name = rows.done(stream), counterpart(stream.tokens, scale)
        ours: list[Cell] = [None] * 5
        if row:
            ratio = row.train_bytes / row.train_tokens
            ours = [
                ratio,
                row.train_tokens,
                row.train_bytes,
                round(trained * ratio),
                trained / row.train_tokens,
            ]
        body.append(
            [
                stream.tokens.name,
                *ours,
                name,
                *(lookup("table12", name, x) for x in ("ratio", "tokens", "bytes")),
            ]
        )
    columns = [
        "tokenizer", "ratio, ours", "tokens", "bytes",
        f"bytes in the {trained:,} tokens that M2 sees", "epochs",
        "the paper's", "ratio, paper", "tokens, paper", "bytes, paper",
    ]  # fmt: skip
    return Table(f"The data sets ({scale.name}, {scale.corpus}, training text)", columns, body)


EXPERIMENT = Experiment("table12", "table 12", "tokens and bytes of each data set", recipes, reduce)
