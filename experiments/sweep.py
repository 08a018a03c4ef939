"""Learning rates: three streams at each rate, chosen by training loss, so that nothing is tuned on what is reported.

Ours: the paper has one rate for every run, which its reviewers call a mistake.
"""

from experiments import recipes as r
from experiments.compare import bits_per_byte, measured, training_nats
from experiments.experiment import Experiment
from experiments.recipes import LM, Recipe
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

FACTORS = (1 / 4, 1 / 2, 1.0, 2.0, 4.0)  # of the scale's own rate
COLUMNS = [
    "tokenizer", "size", "learning rate", "of the scale's", "training nats/token, ours", "chosen", "bits/byte, ours",
    "the paper's rate",
]  # fmt: skip
NOTE = (
    "Chosen by the mean training loss of the last tenth of the steps, once every rate has run; bits/byte is that of the"
    " validation text. The paper gives all runs one rate, 1 / sqrt(max(step, 10,000)) with Adafactor."
)
PAPER_RATE = "1.0, for all"


def examples(scale: Scale) -> list[LM]:
    """The scale's smallest M2 on bytes, BPE and windows of one id: a learnable stream of each sort."""
    return [scale.lm(tokens) for tokens in (scale.bytes, scale.subwords[0], scale.window(scale.windows[0], scale.wide))]


def runs(example: LM) -> list[LM]:
    return r.sweep(example, [example.training.learning_rate * factor for factor in FACTORS])


def recipes(scale: Scale) -> list[Recipe]:
    return [lm for example in examples(scale) for lm in runs(example)]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [cells for example in examples(scale) for cells in lines(rows, runs(example))]
    return Table(f"Learning rates ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


def lines(rows: Rows, lms: list[LM]) -> list[list[Cell]]:
    """One stream's lines, a rate each."""
    done = rows.all_done(lms)
    best = min(map(training_nats, done)) if len(done) == len(lms) else None
    body: list[list[Cell]] = []
    for lm, factor in zip(lms, FACTORS, strict=True):
        row = rows.done(lm)
        chosen = "yes" if row and best is not None and training_nats(row) == best else ""
        nats, bits = measured(row, [training_nats, bits_per_byte])
        name, training = lm.stream.tokens.name, lm.training
        rate = f"{training.learning_rate:.3g}"
        body.append([name, training.size, rate, f"x {factor:g}", nats, chosen, bits, PAPER_RATE])
    return body


EXPERIMENT = Experiment("sweep", "ours", "learning rates, chosen by training loss", recipes, reduce)
