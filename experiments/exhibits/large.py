"""The sizes of window and vocabulary that the paper had, where a CPU allows: 65,536 ids over a 3m
M1, on equal text.

Ours: the ready-made tokenizers against BPE and Unigram of as many ids, trained on the same text as
those were.
"""

from dataclasses import replace

from experiments.analysis.compare import Results
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, mflops_of_all, ratio, training_nats
from experiments.analysis.tables import Table
from experiments.runs.recipes import LM, Stream, Tokens, sweep
from experiments.scales import Scale

SIZE = 1 << 16
TRAINED_ON = "imdb+books"  # what the ready-made tokenizers are
ALL = 1 << 40  # bytes
BYTES_A_TOKEN = {"english-equalinfo16": 4.585, "bpe": 4.651, "unigram": 4.571, "english-64k": 6.938}
RATES = (1.0, 2.0)  # of the scale's
COLUMNS = [
    "tokenizer", "size", "rate", "bytes/token", "training nats/token", "bits/byte",
    "MFLOPs/byte, every product",
]  # fmt: skip
NOTE = (
    "Each M2 sees the same text once. Its softmax is over the ids that occur in it and one that"
    " stands for all others, which is charged as if they were equally probable. MFLOPs/byte are"
    " M2's; no tokenizer here runs a model."
)


def tokenizers(scale: Scale) -> dict[str, Tokens]:
    names = ("english-equalinfo16", "english-64k")
    ready = {name: Tokens("ready", SIZE, "", 0, ready=name) for name in names}
    rivals = {family: Tokens(family, SIZE, TRAINED_ON, ALL) for family in ("bpe", "unigram")}
    return {**ready, **rivals}


def runs(scale: Scale, name: str) -> list[LM]:
    """One tokenizer at each rate, on `large_bytes` of text."""
    tokens = tokenizers(scale)[name]
    stream = Stream(tokens, scale.corpus, scale.large_bytes, scale.validation_bytes)
    ids = scale.large_bytes / BYTES_A_TOKEN[name]
    steps = max(int(ids / (scale.base.batch_size * scale.base.context)), 1)
    lm = LM(stream, scale.apart(replace(scale.base, steps=steps)), used=True)
    return sweep(lm, [scale.base.learning_rate * factor for factor in RATES])


def recipes(scale: Scale) -> list[LM]:
    """None at scales that have no text of this kind."""
    names = tokenizers(scale) if scale.large_bytes else ()
    return [lm for name in names for lm in runs(scale, name)]


def reduce(results: Results) -> Table:
    body = results.lines(
        recipes(results.scale),
        [ratio, training_nats, bits_per_byte, mflops_of_all],
        known=lambda lm: [f"{lm.training.learning_rate:.3g}"],
    )
    return results.table("65,536 ids, equal text", COLUMNS, body, NOTE)


EXPERIMENT = exhibit(__name__, "ours", "65,536 ids on equal text")
