"""Questions of lm-evaluation-harness (ours, not the paper's): which last word, which order of words, by each M2."""

import math

from experiments.compare import Check, label, trend
from experiments.experiment import Experiment, Trend
from experiments.latency import tokenizers
from experiments.recipes import LM, Questions, Recipe
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

SAMPLES = 10  # questions a task, in the scale's samples
CHANCE = 1 / 4
ERRORS = 3.0
TASKS = {"cloze": "last word", "order": "word order"}
EACH = ("accuracy %", "standard error", "questions")
COLUMNS = [
    "tokenizer", "size", *(f"{what}, {one}" for what in TASKS.values() for one in EACH), "bits/byte", "documents",
]  # fmt: skip
NOTE = (
    "Four choices, so that guessing gets 25 %. Last word: a sentence's own among words as long and about as frequent."
    " Word order: the next sentence among three with its inner words shuffled. The LM scores context and choice as one"
    " text (equinfo/harness/joining.py). bits/byte: of whole documents, each by itself. Questions are of the corpus's"
    " validation text, the same for all. The paper has no such numbers."
)


def asked(scale: Scale) -> list[Questions]:
    """The smallest M2 on bytes, BPE, a codebook and windows that decode."""
    return [Questions(scale.lm(tokens), SAMPLES * scale.sample) for tokens in tokenizers(scale)]


def recipes(scale: Scale) -> list[Recipe]:
    return [part for one in asked(scale) for part in (one.lm, one)]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(one.lm, rows.done(one)) for one in asked(scale)]
    return Table(f"Questions asked by lm-evaluation-harness ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


def line(lm: LM, row: Row | None) -> list[Cell]:
    name: list[Cell] = [lm.stream.tokens.name, lm.training.size]
    if row is None:
        return name + [None] * (len(COLUMNS) - len(name))
    found = [row.values[task] for task in TASKS]
    cells = [cell for one in found for cell in (100 * one["accuracy"], 100 * one["stderr"], one["questions"])]
    return [*name, *cells, *(row.values["text"][what] for what in ("bits_per_byte", "documents"))]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    claims = {
        "cloze": "M2s of every tokenizer tell a sentence's last word from words as frequent",
        "order": "M2s of every tokenizer tell a sentence from its own words shuffled",
    }
    test = "each M2's accuracy is above 25 % by 3 standard errors of guessing, sqrt(0.25 x 0.75 / questions)"
    return [
        trend(claim, test, [beats_chance(one.lm, rows.done(one), task) for one in asked(scale)])
        for task, claim in claims.items()
    ]


def beats_chance(lm: LM, row: Row | None, task: str) -> Check:
    if row is None:
        return Check(f"{label(lm)}: not run yet", None)
    accuracy, count = row.values[task]["accuracy"], row.values[task]["questions"]
    needed = CHANCE + ERRORS * math.sqrt(CHANCE * (1 - CHANCE) / count)
    return Check(f"{label(lm)}: {accuracy:.1%} against {needed:.1%}", accuracy > needed)


EXPERIMENT = Experiment(
    "harness", "ours", "questions of lm-evaluation-harness: last words and word order", recipes, reduce, None, trends
)
