"""The sizes of window and vocabulary that the paper had, where a CPU allows: 65,536 ids over a 3m
M1, on equal text.

Ours: the ready-made tokenizers against BPE and Unigram of as many ids, trained on the same text as
those were.
"""

from dataclasses import replace

from experiments.analysis.compare import bits_per_byte, lines, mflops_of_all, ratio, training_nats
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Table
from experiments.runs import recipes as r
from experiments.runs.recipes import LM, Recipe, Stream, Tokens
from experiments.runs.rows import Rows
from experiments.scales import Scale

SIZE = 1 << 16
TRAINED_ON = "imdb+books"  # what the ready-made tokenizers are
ALL = 1 << 40  # bytes
BYTES_A_TOKEN = {"english-equalinfo16": 4.585, "bpe": 4.651, "unigram": 4.571, "english-64k": 6.938}
RATES = (1.0, 2.0)  # of the scale's
COLUMNS = [
    "tokenizer",
    "size",
    "rate",
    "bytes/token",
    "training nats/token",
    "bits/byte",
    "MFLOPs/byte, every product",
]
NOTE = (
    "Each M2 sees the same text once. Its softmax is over the ids that occur in it and one that"
    " stands for all others, which is charged as if they were equally probable. MFLOPs/byte are"
    " M2's; no tokenizer here runs a model."
)


def tokenizers(scale: Scale) -> dict[str, Tokens]:
    ready = {
        name: Tokens("ready", SIZE, "", 0, ready=name)
        for name in ("english-equalinfo16", "english-64k")
    }
    rivals = {family: Tokens(family, SIZE, TRAINED_ON, ALL) for family in ("bpe", "unigram")}
    return {**ready, **rivals}


def runs(scale: Scale, name: str) -> list[LM]:
    """One tokenizer at each rate, on `large_bytes` of text."""
    tokens = tokenizers(scale)[name]
    stream = Stream(tokens, scale.corpus, scale.large_bytes, scale.validation_bytes)
    ids = scale.large_bytes / BYTES_A_TOKEN[name]
    steps = max(int(ids / (scale.base.batch_size * scale.base.context)), 1)
    lm = LM(stream, replace(scale.base, steps=steps), used=True)
    return r.sweep(lm, [scale.base.learning_rate * factor for factor in RATES])


def lms(scale: Scale) -> list[LM]:
    """None at scales that have no text of this kind."""
    return (
        [lm for name in tokenizers(scale) for lm in runs(scale, name)] if scale.large_bytes else []
    )


def recipes(scale: Scale) -> list[Recipe]:
    return list(lms(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    measures = [ratio, training_nats, bits_per_byte, mflops_of_all]
    body = lines(lms(scale), rows, measures, lambda lm: [])
    body = [
        [*cells[:2], f"{lm.training.learning_rate:.3g}", *cells[2:]]
        for cells, lm in zip(body, lms(scale), strict=True)
    ]
    return Table(f"65,536 ids, equal text ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


EXPERIMENT = Experiment("large", "ours", "65,536 ids on equal text", recipes, reduce)
