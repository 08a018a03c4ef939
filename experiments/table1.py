"""Table 1: token against bit compression ratio. No M2 is trained."""

from experiments.experiment import Experiment
from experiments.paper import lookup
from experiments.recipes import Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


def recipes(scale: Scale) -> list[Recipe]:
    """Rivals and arithmetic coding at every id width; windows have table 2."""
    return [stream for stream in scale.measured_streams if stream.tokens.family != "equalinfo"]


def reduce(rows: list[Row], scale: Scale) -> Table:
    body = [
        [
            row.tokenizer,
            row.ratio,
            lookup("table1", row.tokenizer, "token_ratio"),
            row.bit_ratio,
            lookup("table1", row.tokenizer, "bit_ratio"),
        ]
        for row in rows
    ]
    columns = ["tokenizer", "bytes/token, ours", "paper", "bits/bit, ours", "paper"]
    return Table(f"Table 1: token and bit compression ratio ({scale.name}, {scale.corpus})", columns, body)


EXPERIMENT = Experiment("table1", "token against bit compression ratio", recipes, reduce)
