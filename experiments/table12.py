"""Table 12: ratio, tokens and bytes of every M2's training data."""

from experiments.experiment import Experiment
from experiments.paper import lookup
from experiments.recipes import Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


def recipes(scale: Scale) -> list[Recipe]:
    return list(scale.streams)


def reduce(rows: list[Row], scale: Scale) -> Table:
    trained = scale.m2_trainings[0].tokens
    body = [
        [
            row.tokenizer,
            row.train_bytes / row.train_tokens,
            lookup("table12", row.tokenizer, "ratio"),
            row.train_tokens,
            row.train_bytes,
            trained,
            trained / row.train_tokens,
        ]
        for row in rows
    ]
    columns = ["tokenizer", "ratio, ours", "paper", "tokens", "bytes", "tokens M2 sees", "epochs"]
    return Table(f"Table 12: the data sets ({scale.name}, {scale.corpus}, training text)", columns, body)


EXPERIMENT = Experiment("table12", "tokens and bytes of each data set", recipes, reduce)
