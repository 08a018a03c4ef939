"""Table 12: ratio, tokens and bytes of every M2's training data."""

from experiments.analysis.compare import Results
from experiments.analysis.experiment import exhibit
from experiments.analysis.paper import counterpart, lookup
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Stream
from experiments.scales import Scale


def recipes(scale: Scale) -> list[Stream]:
    """Those of figure 3 and of figure 5's longer windows."""
    longer = [
        scale.window(bits, width, "paper") for width in scale.widths for bits in scale.windows[1:]
    ]
    return [scale.stream(tokens) for tokens in [*scale.main, *longer]]


def reduce(results: Results) -> Table:
    scale = results.scale
    body: list[list[Cell]] = []
    for stream in recipes(scale):
        training = scale.base if stream.tokens in scale.main else scale.question
        seen = training.tokens
        ours: list[Cell] = [None] * 6
        if row := results.done(stream):
            tokens = row.train_tokens
            size = row.train_bytes
            ours = [size / tokens, tokens, size, seen, round(seen * (size / tokens))]
            ours.append(seen / tokens)
        name = counterpart(stream.tokens, scale)
        theirs = [lookup("table12", name, field) for field in ("ratio", "tokens", "bytes")]
        body.append([stream.tokens.name, *ours, name, *theirs])
    columns = [
        "tokenizer", "ratio, ours", "tokens", "bytes",
        "tokens that M2 sees", "bytes in them", "epochs",
        "the paper's", "ratio, paper", "tokens, paper", "bytes, paper",
    ]  # fmt: skip
    return Table(f"The data sets ({scale.name}, {scale.corpus}, training text)", columns, body)


EXPERIMENT = exhibit(__name__, "table 12", "tokens and bytes of each data set")
