"""The main claim at equal text: M2s on BPE and on windows see as many bytes as those on bytes, so
fewer ids.

Ours: the paper compares at equal ids, where an id that stands for more text lets its M2 see more of
it.
"""

from experiments.analysis.compare import bits_per_byte, lines, mflops, mflops_of_all, ratio
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale

SIZES = 2
COLUMNS = ["tokenizer", "size", "steps", "bytes/token", "bits/byte", "MFLOPs/byte", "every product"]
NOTE = "As many bytes of text in training as the M2 on bytes has ids; the first seed of each."


def lms(scale: Scale) -> list[LM]:
    """The claim's tokenizers at the smaller sizes, bytes first."""
    sizes = scale.m2_trainings[:SIZES]
    return [scale.equal_bytes(tokens, training) for training in sizes for tokens in scale.claim]


def recipes(scale: Scale) -> list[Recipe]:
    return [one for lm in lms(scale) for one in scale.seeded(lm)]


def reduce(rows: Rows, scale: Scale) -> Table:
    measures = [ratio, bits_per_byte, mflops, mflops_of_all]
    body = lines(lms(scale), rows, measures, lambda lm: [])
    body = [
        [*cells[:2], lm.training.steps, *cells[2:]]
        for cells, lm in zip(body, lms(scale), strict=True)
    ]
    return Table(f"Equal text ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


EXPERIMENT = Experiment("equal_bytes", "ours", "the main claim at equal text", recipes, reduce)
