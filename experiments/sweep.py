"""Learning rates: three streams at each rate, chosen by training loss, so that nothing is tuned on what is reported."""

from experiments import recipes as r
from experiments.experiment import Experiment
from experiments.recipes import LM, Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table

RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)


def examples(scale: Scale) -> list[LM]:
    """The scale's smallest M2 on bytes, BPE and windows of one id: a learnable stream of each sort."""
    size = scale.m2_trainings[0]
    chosen = [("bytes", None), ("bpe", None), ("equalinfo", scale.windows[0][0])]
    streams = {(stream.tokens.family, stream.tokens.bits): stream for stream in scale.streams}
    return [LM(streams[key], size) for key in chosen]


def recipes(scale: Scale) -> list[Recipe]:
    return [lm for example in examples(scale) for lm in r.sweep(example, RATES)]


def reduce(rows: list[Row], scale: Scale) -> Table:
    best = {name: min((row.last_nats or 0.0) for row in rows if row.tokenizer == name) for name in names(rows)}
    body = [
        [
            row.tokenizer,
            f"{row.recipe['training']['learning_rate']:g}",
            row.last_nats,
            "least" if row.last_nats == best[row.tokenizer] else "",
            row.bits_per_byte,
        ]
        for row in rows
    ]
    columns = ["tokenizer", "learning rate", "training nats/token", "chosen", "bits/byte"]
    note = "Chosen by the mean training loss of the last tenth of the steps; bits/byte is that of the validation text."
    return Table(
        f"Learning rates ({scale.name}, {scale.corpus}, M2 {rows[0].size if rows else '-'})", columns, body, note
    )


def names(rows: list[Row]) -> list[str]:
    """The tokenizers of rows, each once, in order."""
    return list(dict.fromkeys(row.tokenizer for row in rows))


EXPERIMENT = Experiment("sweep", "learning rates, chosen by training loss", recipes, reduce)
