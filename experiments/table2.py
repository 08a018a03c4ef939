"""Table 2: what weakening the model (StaticAC) or the coder (windows) costs in ratio. No M2 is trained."""

from experiments.experiment import Experiment
from experiments.paper import lookup
from experiments.recipes import Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


def recipes(scale: Scale) -> list[Recipe]:
    return [s for s in scale.measured_streams if s.tokens.family in ("ac", "static-ac", "equalinfo")]


def reduce(rows: list[Row], scale: Scale) -> Table:
    """Bit ratios, so that ids of different widths compare: for 8-bit ids that is the paper's token ratio."""
    body = [[row.tokenizer, row.ratio, row.bit_ratio, lookup("table2_ratio", row.tokenizer)] for row in rows]
    columns = ["tokenizer", "bytes/token, ours", "bits/bit, ours", "paper (8-bit ids: both)"]
    return Table(f"Table 2: ratio as model or coder is weakened ({scale.name}, {scale.corpus})", columns, body)


EXPERIMENT = Experiment("table2", "ratio as the model or the coder is weakened", recipes, reduce)
