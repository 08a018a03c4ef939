"""The main claim at equal text: M2s on BPE and on windows see as many bytes as those on bytes, so
fewer ids.

Ours: the paper compares at equal ids, where an id of more text lets its M2 see more of it.
"""

from experiments.analysis.compare import Results
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, mflops, mflops_of_all, ratio
from experiments.analysis.tables import Table
from experiments.runs.recipes import LM
from experiments.scales import Scale

SIZES = 2
COLUMNS = ["tokenizer", "size", "steps", "bytes/token", "bits/byte", "MFLOPs/byte", "every product"]
NOTE = "As many bytes of text in training as the M2 on bytes has ids; the first seed of each."


def lms(scale: Scale) -> list[LM]:
    """The claim's tokenizers at the smaller sizes, bytes first."""
    sizes = scale.m2_trainings[:SIZES]
    return [scale.equal_bytes(tokens, training) for training in sizes for tokens in scale.claim]


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(*lms(scale))


def reduce(results: Results) -> Table:
    quantities = [ratio, bits_per_byte, mflops, mflops_of_all]
    found = lms(results.scale)
    body = results.lines(found, quantities, known=lambda lm: [lm.training.steps])
    return results.table("Equal text", COLUMNS, body, NOTE)


EXPERIMENT = exhibit(__name__, "ours", "the main claim at equal text")
