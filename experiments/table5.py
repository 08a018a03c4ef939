"""Table 5 (fig 7): compression and decompression as tasks for an M2, beside byte LMs that score the same bytes."""

from experiments import paper
from experiments.experiment import Experiment, Trend
from experiments.recipes import Recipe, Transduction
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.statistics import welch
from experiments.tables import Cell, Table

COLUMNS = [
    "task", "texts", "accuracy %, ours", "loss, ours", "deviation, ours", "paper's", "accuracy %, paper", "loss, paper",
    "deviation, paper",
]  # fmt: skip
NOTE = (
    "Accuracy and loss (nats) are of what is written: bytes, or ids where the task is to compress; deviation: of 20"
    " batches' losses. A control writes the same bytes without having read their ids."
)
LEARNT, SAME = 0.75, 0.05


def transducers(scale: Scale) -> dict[tuple[str, str], Transduction]:
    """(family, task) -> what is run."""
    tokens = {
        "AC": scale.tokens("ac", scale.narrow),
        "EqualInfoAC": scale.window(scale.windows[0], scale.narrow),
    }
    return {
        (family, task): Transduction(task, scale.stream(tokens[family]), scale.task_training, scale.task_bytes)
        for task in ("decompress", "control", "compress")
        for family in tokens
    }


def theirs(family: str, task: str, scale: Scale) -> str:
    """The paper's name for it in its table."""
    recipe = transducers(scale)[family, task]
    return f"{family} byte LM" if task == "control" else f"{paper.counterpart(recipe.stream.tokens, scale)} {task}"


def recipes(scale: Scale) -> list[Recipe]:
    return list(transducers(scale).values())


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(family, task, rows, scale) for family, task in transducers(scale)]
    tests = "; ".join(
        f"{family} {task} against its control: p = {p:.2g}" for (family, task), p in significances(rows, scale)
    )
    note = NOTE + (f" Welch's t-test over batches: {tests} (the paper's for AC: 0.07)." if tests else "")
    return Table(f"Transduction ({scale.name}, {scale.corpus}, texts of {scale.task_bytes} bytes)", COLUMNS, body, note)


def line(family: str, task: str, rows: Rows, scale: Scale) -> list[Cell]:
    recipe = transducers(scale)[family, task]
    row, name = rows.done(recipe), theirs(family, task, scale)
    ours: list[Cell] = [None] * 4
    if row:
        values = row.values
        ours = [values["texts"], 100 * values["accuracy"], values["loss"], values["loss_std"]]
    found = paper.lookup("table5", name) or {}
    numbers = map(found.get, ("accuracy", "loss", "loss_std"))
    return [f"{recipe.stream.tokens.name} {task}", *ours, name if found else None, *numbers]


def beside_control(family: str, rows: Rows, scale: Scale) -> tuple[Row, Row] | None:
    """The finished rows of decompression and its control."""
    runs = transducers(scale)
    task, control = (rows.done(runs[family, name]) for name in ("decompress", "control"))
    return (task, control) if task and control else None


def significances(rows: Rows, scale: Scale) -> list[tuple[tuple[str, str], float]]:
    """p of Welch's test between the batches' losses of decompression and control, for families that have both."""
    found = []
    for family in ("AC", "EqualInfoAC"):
        pair = beside_control(family, rows, scale)
        if pair:
            found.append(((family, "decompress"), welch(pair[0].values["losses"], pair[1].values["losses"])[1]))
    return found


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    return [
        decompressed(rows, scale, "EqualInfoAC", "EqualInfoAC is decompressed", LEARNT, "at least 25 % below"),
        decompressed(rows, scale, "AC", "AC is not decompressed", None, "within 5 % of"),
    ]


def decompressed(rows: Rows, scale: Scale, family: str, claim: str, below: float | None, words: str) -> Trend:
    """below: the largest share of its control's loss that counts as learnt; None: it must be the same within 5 %."""
    test = f"loss of {family} decompression {words} its byte LM control's"
    pair = beside_control(family, rows, scale)
    if pair is None:
        return Trend(claim, test, None)
    task, control = (row.values["loss"] for row in pair)
    share = task / control
    holds = share <= below if below is not None else abs(share - 1) <= SAME
    return Trend(claim, test, holds, f"{task:.3f} against {control:.3f} nats a byte ({100 * (share - 1):+.1f} %)")


EXPERIMENT = Experiment(
    "table5",
    "table 5 (figure 7 is its diagram)",
    "can an M2 learn to compress or decompress?",
    recipes,
    reduce,
    None,
    trends,
)
