"""The sizes of window and vocabulary that the paper had, where a CPU allows: 65,536 ids over a 3m
M1, on equal text.

Ours: the ready-made tokenizers against BPE and Unigram of as many ids, trained on the same text as
those were.
"""

from dataclasses import replace

from experiments.analysis.compare import Check, Results, Trend, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import (
    bits_per_byte,
    mflops_of_all,
    ratio,
    training_nats,
    unigram,
)
from experiments.analysis.statistics import Interval, contrast
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe, Stream, Tokens, sweep
from experiments.scales import Scale

SIZE = 1 << 16
TRAINED_ON = "imdb+books"  # what the ready-made tokenizers are
ALL = 1 << 40  # bytes
BYTES_A_TOKEN = {"english-equalinfo16": 4.585, "bpe": 4.651, "unigram": 4.571, "english-64k": 6.938}
RATES = (1.0, 2.0)  # of the scale's
RIVAL = "bpe"
COLUMNS = [
    "tokenizer", "size", "rate", "bytes/token", "training nats/token", "chosen", "bits/byte",
    "its ids' frequencies", "above BPE", "MFLOPs/byte, every product",
]  # fmt: skip
NOTE = (
    "Each M2 sees the same text once. Its softmax is over the ids that occur in it and one that"
    " stands for all others: these are given the share of ids that occurred once, and are equally"
    " probable among themselves. Of the rates, the one of the lower training loss is compared with"
    " BPE's, with the 95 % interval over the texts of these two runs (the delta method, paired over"
    " documents); other seeds would differ by more. MFLOPs/byte are M2's; no tokenizer here runs a"
    " model."
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


def recipes(scale: Scale) -> list[Recipe]:
    """None at scales that have no text of this kind."""
    names = tokenizers(scale) if scale.large_bytes else ()
    found = [lm for name in names for lm in runs(scale, name)]
    return [*found, *dict.fromkeys(lm.stream for lm in found)]


def chosen(results: Results, name: str) -> LM | None:
    """The run of the lower training loss; None until both have run."""
    found = runs(results.scale, name)
    rows = results.all_done(found)
    if len(rows) < len(found):
        return None
    return min(zip(found, rows, strict=True), key=lambda pair: training_nats(pair[1]))[0]


def above(results: Results, name: str) -> Interval | None:
    """The difference from BPE's bits/byte, of the chosen runs."""
    both = chosen(results, name), chosen(results, RIVAL)
    ours, theirs = (results.trained(lm, alone=True) if lm else None for lm in both)
    return contrast([(1, ours), (-1, theirs)]) if ours and theirs and name != RIVAL else None


def reduce(results: Results) -> Table:
    body: list[list[Cell]] = []
    scale = results.scale
    for name in tokenizers(scale) if scale.large_bytes else ():
        best, gap = chosen(results, name), above(results, name)
        for lm in runs(scale, name):
            line = results.coded(lm, unigram)
            cells: list[Cell] = [lm.stream.tokens.name, lm.training.size]
            cells += [f"{lm.training.learning_rate:.3g}", *results.numbers(lm, [ratio])]
            cells += [*results.numbers(lm, [training_nats]), "yes" if lm == best else ""]
            cells += [*results.numbers(lm, [bits_per_byte]), line.mean if line else None]
            cells += [str(gap) if gap and lm == best else None]
            body.append([*cells, *results.numbers(lm, [mflops_of_all])])
    return results.table("65,536 ids, equal text", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    if not results.scale.large_bytes:
        return []
    name = "english-64k"
    gap = above(results, name)
    check = Check(f"{name} to BPE: {gap}", gap.below()) if gap else not_run(f"{name} to BPE")
    return [
        trend(
            "The codebook of 65,536 strings is below BPE of as many ids, on as much text",
            "bits/byte of these two runs (95 % interval, paired over texts)",
            [check],
        )
    ]


EXPERIMENT = exhibit(__name__, "ours", "65,536 ids on equal text")
