"""How far apart seeds are: the same trainings with three seeds, mean and standard deviation."""

from statistics import mean, stdev

from experiments import recipes as r
from experiments import sweep
from experiments.experiment import Experiment
from experiments.recipes import Recipe
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COUNT = 3


def recipes(scale: Scale) -> list[Recipe]:
    return [lm for example in sweep.examples(scale) for lm in r.seeds(example, COUNT)]


def reduce(found: Rows, scale: Scale) -> Table:
    rows = found.all_done(recipes(scale))
    body: list[list[Cell]] = []
    for name in sweep.names(rows):
        values = [row.bits_per_byte for row in rows if row.tokenizer == name]
        body.append([name, len(values), mean(values), stdev(values) if len(values) > 1 else None])
    columns = ["tokenizer", "seeds", "bits/byte, mean", "standard deviation"]
    return Table(f"Seeds ({scale.name}, {scale.corpus}, M2 {rows[0].size if rows else '-'})", columns, body)


EXPERIMENT = Experiment("seeds", "ours", "the same trainings with three seeds", recipes, reduce)
