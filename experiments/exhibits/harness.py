"""Questions of lm-evaluation-harness (ours): which last word, which order of words."""

from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Cell, Table
from experiments.exhibits.latency import tokenizers
from experiments.runs.recipes import LM, Questions, Recipe
from experiments.runs.rows import Row
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


def seeds(scale: Scale, lm: LM) -> list[Questions]:
    return [Questions(one, SAMPLES * scale.sample) for one in scale.seeded(lm)]


def recipes(scale: Scale) -> list[Recipe]:
    """The codebook's is in no trend, so it has one seed."""
    fixed = [one for one in asked(scale) if one.lm.stream.tokens.family == "codebook"]
    seeded = [run for one in asked(scale) if one not in fixed for run in seeds(scale, one.lm)]
    return [part for one in [*seeded, *fixed] for part in (one.lm, one)]


def reduce(results: Results) -> Table:
    body = [line(one.lm, results.done(one)) for one in asked(results.scale)]
    return results.table("Questions asked by lm-evaluation-harness", COLUMNS, body, NOTE)


def line(lm: LM, row: Row | None) -> list[Cell]:
    cells: list[Cell] = [lm.stream.tokens.name, lm.training.size]
    if row is None:
        return cells + [None] * (len(COLUMNS) - len(cells))
    for one in (row.values[task] for task in TASKS):
        cells += [100 * one["accuracy"], 100 * one["stderr"], one["questions"]]
    return [*cells, *(row.values["text"][what] for what in ("bits_per_byte", "documents"))]


def trends(results: Results) -> list[Trend]:
    bytes_, bpe, _, windows = (one.lm for one in asked(results.scale))
    test = (
        "its share of right answers is higher (95 % intervals over seeds, and paired over"
        " questions)"
    )
    found = []
    for task, what in TASKS.items():
        ours = right(results, windows, task)
        for rival in (bytes_, bpe):
            name = rival.stream.tokens.name
            claim = f"M2s on windows of one id know {what} better than on {name}"
            gap = f"{rival.label} to {windows.label}"
            found.append(trend(claim, test, [lower(gap, right(results, rival, task), ours)]))
    return found


def right(results: Results, lm: LM, task: str) -> Sample | None:
    """The share of right answers over seeds and questions; None unless all seeds have answered."""
    return results.over_texts(seeds(results.scale, lm), lambda row: row.values[task]["right"])


EXPERIMENT = exhibit(
    __name__, "ours", "questions of lm-evaluation-harness: last words and word order"
)
