"""Table 4: the models, their parameters counted beside the paper's names. Nothing is run."""

from experiments.analysis import paper
from experiments.analysis.compare import Check, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Recipe
from experiments.scales import Scale, decoder

COLUMNS = [
    "model", "d_model", "heads", "layers", "head dim", "MLP dim", "parameters, ours", "the paper's",
    "d_model, paper",
    "heads, paper", "layers, paper", "head dim, paper", "MLP dim, paper",
    "parameters, by the paper's name",
]  # fmt: skip
NOTE = (
    "Parameters are those of the layers' matrices, without embeddings and output layer, with a"
    " gated MLP (three"
    ' matrices): so they fit the paper\'s names up to 403m. "2b" fits neither a gated MLP nor a'
    " plain one."
)


def recipes(scale: Scale) -> list[Recipe]:
    return []


def reduce(results: Results) -> Table:
    scale = results.scale
    m1 = results.scale.m1_training
    body = [line(size, size, size) for size in paper.values()["sizes"] if size != "columns"]
    body.append(line(f"M1: {m1.size}", m1.size, paper.values()["m1"]["size"]))
    body += [
        line(f"M2: {one.size}", one.size, paper.size(one, scale)) for one in scale.m2_trainings
    ]
    title = f"The paper's models, and those that stand for them ({scale.name})"
    return Table(title, COLUMNS, body, NOTE)


def line(name: str, size: str, theirs: str | None) -> list[Cell]:
    one = decoder(size)
    ours = [one.d_model, one.n_heads, one.n_layers, one.head_dim, one.d_ff, one.parameters]
    of_theirs = paper.lookup("sizes", theirs) or [None] * 5
    return [name, *ours, theirs, *of_theirs, nominal(theirs) if theirs else None]


def nominal(size: str) -> int:
    """The parameters that a size's name says: "25m" is 25,000,000."""
    return int(float(size[:-1]) * {"k": 1e3, "m": 1e6, "b": 1e9}[size[-1]])


def plain(size: str) -> int:
    """Parameters with a plain MLP of two matrices."""
    model = decoder(size)
    return model.parameters - model.n_layers * model.d_model * model.d_ff


def trends(results: Results) -> list[Trend]:
    """Counts, so nothing is sampled."""
    checks = []
    for size in ("3m", "25m", "113m", "403m"):
        gated, two = (
            count / nominal(size) - 1 for count in (decoder(size).parameters, plain(size))
        )
        said = f"{size}: {gated:+.1%}, with two matrices {two:+.1%}"
        checks.append(Check(said, abs(gated) <= 0.05 < abs(two)))
    test = (
        "at 3m to 403m the count is within 5 % of the name with three matrices, and further"
        " from it with two"
    )
    return [trend("A gated MLP's parameters fit the paper's names", test, checks)]


EXPERIMENT = exhibit(__name__, "table 4", "the models and their parameters; nothing is run")
