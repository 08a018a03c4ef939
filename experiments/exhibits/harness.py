"""Questions of lm-evaluation-harness (ours, not the paper's): which last word, which order of
words, by each M2.
"""

from dataclasses import replace

import numpy as np

from experiments.analysis.compare import label, lower, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample, influence
from experiments.analysis.tables import Cell, Table
from experiments.exhibits.latency import tokenizers
from experiments.runs.recipes import LM, Questions, Recipe
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

SAMPLES = 10  # questions a task, in the scale's samples
TASKS = {"cloze": "last word", "order": "word order"}
EACH = ("accuracy %", "standard error", "questions")
COLUMNS = [
    "tokenizer", "size", *(f"{what}, {one}" for what in TASKS.values() for one in EACH),
    "bits/byte", "documents",
]  # fmt: skip
NOTE = (
    "Four choices, so that guessing gets 25 %. Last word: a sentence's own among words as long and"
    " about as frequent. Word order: the next sentence among three with its inner words shuffled."
    " The LM scores context and choice as one text (equinfo/harness/joining.py). bits/byte: of"
    " whole documents, each by itself. Questions are of the corpus's validation text, the same for"
    " all. The paper has no such numbers."
)


def asked(scale: Scale) -> list[Questions]:
    """The smallest M2 on bytes, BPE, a codebook and windows that decode."""
    return [Questions(scale.lm(tokens), SAMPLES * scale.sample) for tokens in tokenizers(scale)]


def recipes(scale: Scale) -> list[Recipe]:
    """The codebook's is in no trend, so it has one seed."""
    fixed = [one for one in asked(scale) if one.lm.stream.tokens.family == "codebook"]
    seeded = [
        replace(one, lm=lm)
        for one in asked(scale)
        if one not in fixed
        for lm in scale.seeded(one.lm)
    ]
    return [part for one in [*seeded, *fixed] for part in (one.lm, one)]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(one.lm, rows.done(one)) for one in asked(scale)]
    return Table(
        f"Questions asked by lm-evaluation-harness ({scale.name}, {scale.corpus})",
        COLUMNS,
        body,
        NOTE,
    )


def line(lm: LM, row: Row | None) -> list[Cell]:
    name: list[Cell] = [lm.stream.tokens.name, lm.training.size]
    if row is None:
        return name + [None] * (len(COLUMNS) - len(name))
    found = [row.values[task] for task in TASKS]
    cells = [
        cell
        for one in found
        for cell in (100 * one["accuracy"], 100 * one["stderr"], one["questions"])
    ]
    return [*name, *cells, *(row.values["text"][what] for what in ("bits_per_byte", "documents"))]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    bytes_, bpe, _, windows = (one.lm for one in asked(scale))
    test = (
        "its share of right answers is higher (95 % intervals over seeds, and paired over"
        " questions)"
    )
    found = []
    for task, what in TASKS.items():
        ours = right(rows, scale, windows, task)
        for rival in (bytes_, bpe):
            claim = (
                f"M2s on windows of one id know {what} better than on {rival.stream.tokens.name}"
            )
            name = f"{label(rival)} to {label(windows)}"
            found.append(trend(claim, test, [lower(name, right(rows, scale, rival, task), ours)]))
    return found


def right(rows: Rows, scale: Scale, lm: LM, task: str) -> Sample | None:
    """The share of right answers over seeds and questions; None unless all seeds have answered."""
    done = rows.all_done([Questions(one, SAMPLES * scale.sample) for one in scale.seeded(lm)])
    if len(done) < scale.seeds:
        return None
    answers = np.array(
        [row.values[task]["right"] for row in done], dtype=np.float64
    )  # [seeds, questions]
    return Sample(answers.mean(1), influence(answers.mean(0), np.ones(answers.shape[1])))


EXPERIMENT = Experiment(
    "harness",
    "ours",
    "questions of lm-evaluation-harness: last words and word order",
    recipes,
    reduce,
    None,
    trends,
)
