"""An experiment of one's own: how many bits should an id cut from GZip have?"""

from experiments.analysis.compare import INTERVAL, lower, trend
from experiments.analysis.experiment import Experiment
from experiments.analysis.quantities import bits_per_byte, ratio, uniform

WIDTHS = (4, 8, 12)
COLUMNS = ["tokenizer", "bytes/id", "bits/byte of an M2", "of knowing nothing"]
NOTE = "Every M2 sees as many ids, so one on wider ids sees more text."


def lms(scale):
    """An M2 of the scale's smallest size for each width."""
    return [scale.lm(scale.tokens("gzip", width)) for width in WIDTHS]


def recipes(scale):
    """What must be run: each with all seeds. Recipes that others have run are found."""
    return scale.seeded(*lms(scale))


def reduce(results):
    """A table from rows alone; what has not been run is a gap."""
    numbers = [ratio, bits_per_byte, uniform]
    body = [[lm.stream.tokens.name, *results.numbers(lm, numbers)] for lm in lms(results.scale)]
    return results.table("Bits an id of GZip", COLUMNS, body, NOTE)


def trends(results):
    """What ought to come out, and what decides it: written before the numbers are seen."""
    checks = [
        lower(lm.stream.tokens.name, results.trained(lm), results.coded(lm, uniform))
        for lm in lms(results.scale)
    ]
    test = f"bits/byte below uniform at every width ({INTERVAL})"
    return [trend("an M2 learns something of GZip's bits", test, checks)]


EXPERIMENT = Experiment("gzip_width", "ours", "bits an id of GZip", recipes, reduce, None, trends)
