"""Section 4: an M2 can memorise a few batches of AC, so it could hold what AC would teach it."""

import math
from dataclasses import replace
from operator import attrgetter

import numpy as np

from experiments.analysis.compare import Check, Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, training_nats
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Table
from experiments.runs.recipes import LM
from experiments.runs.rows import Row
from experiments.scales import Scale

BATCHES = 3  # of ids in the text that is memorised
BITS_PER_BYTE = 2.5  # of an M1's stream, about: how much text makes that many ids
COLUMNS = [
    "tokenizer", "size", "ids of text", "epochs", "nats/token in training, ours", "ln v",
    "bits/byte of new text",
    "the paper's finding",
]  # fmt: skip
NOTE = (
    "Nats/token in training: mean of the last tenth of the steps. Both runs have the same steps,"
    " batches and learning"
    " rate; the paper reports that a few batches can be memorised, without a number."
)


def memorising(scale: Scale) -> LM:
    """The base training on AC of a text of about BATCHES batches, over and over."""
    base = scale.question
    tokens = scale.tokens("ac", scale.wide)
    text = round(BATCHES * base.batch_size * base.context * scale.wide / BITS_PER_BYTE)
    stream = replace(scale.stream(tokens), train_bytes=min(text, scale.train_bytes))
    return LM(stream, replace(scale.lm(tokens, base).training, max_epochs=1e6))


def learning(scale: Scale) -> LM:
    """The same training on the whole stream: figure 3's."""
    return scale.lm(scale.tokens("ac", scale.wide))


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(memorising(scale), learning(scale))


def reduce(results: Results) -> Table:
    few = memorising(results.scale)
    body = results.lines(
        [few, learning(results.scale)],
        [attrgetter("train_tokens"), epochs, training_nats, uniform_nats, bits_per_byte],
        lambda lm: ["memorised" if lm == few else "stays at ln v"],
    )
    return results.table("A few batches of AC, over and over", COLUMNS, body, NOTE)


def epochs(row: Row) -> float:
    return row.trained_tokens / row.train_tokens


def uniform_nats(row: Row) -> float:
    return math.log(row.code_size)


def memorised(results: Results) -> Check:
    """Whether the same training ends with a lower loss on text that it sees again and again."""
    scale = results.scale
    done = [results.all_done(scale.seeded(lm)) for lm in (memorising(scale), learning(scale))]
    few, whole = (
        Sample(np.array([training_nats(row) for row in found]))
        if len(found) == scale.seeds
        else None
        for found in done
    )
    return lower("nats/token in training, a few batches of AC to the whole stream", few, whole)


def trends(results: Results) -> list[Trend]:
    test = (
        "over a few batches of AC again and again, the training loss ends below that of the same"
        " training on the whole stream (95 % interval over seeds)"
    )
    return [trend("An M2 can memorise AC", test, [memorised(results)])]


EXPERIMENT = exhibit(__name__, "section 4", "a few batches of AC, memorised")
