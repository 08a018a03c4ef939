"""Table 3: bits/byte of models that know nothing (uniform) or frequencies alone (unigram). No M2 is trained."""

from experiments.experiment import Experiment
from experiments.paper import lookup
from experiments.recipes import Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


def recipes(scale: Scale) -> list[Recipe]:
    return list(scale.measured_streams)


def reduce(rows: list[Row], scale: Scale) -> Table:
    body = [
        [
            row.tokenizer,
            row.uniform,
            lookup("table3", row.tokenizer, "uniform"),
            row.unigram,
            lookup("table3", row.tokenizer, "unigram"),
        ]
        for row in rows
    ]
    columns = ["tokenizer", "uniform, ours", "paper", "unigram, ours", "paper"]
    note = (
        "Unigram frequencies come from the training stream (add-one smoothed). Where it has few ids a code, as with"
        " 65,536 codes here, smoothing alone decides, and unigram can exceed uniform."
    )
    return Table(f"Table 3: uniform and unigram bits/byte ({scale.name}, {scale.corpus})", columns, body, note)


EXPERIMENT = Experiment("table3", "uniform and unigram bits/byte of each tokenizer", recipes, reduce)
