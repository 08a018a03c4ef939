"""An experiment of one's own: how many bits should an id cut from GZip have?"""

from experiments.analysis.compare import (
    INTERVAL,
    bits_per_byte,
    coded,
    lower,
    measured,
    ratio,
    trained,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Table

WIDTHS = (4, 8, 12)
COLUMNS = ["tokenizer", "bytes/id", "bits/byte of an M2", "of knowing nothing"]
NOTE = "Every M2 sees as many ids, so one on wider ids sees more text."


def lms(scale):
    """An M2 of the scale's smallest size for each width."""
    return [scale.lm(scale.tokens("gzip", width)) for width in WIDTHS]


def recipes(scale):
    """What must be run: each with all seeds. Recipes that others have run are found."""
    return [one for lm in lms(scale) for one in scale.seeded(lm)]


def reduce(rows, scale):
    """A table from rows alone; what has not been run is a gap."""
    measures = [ratio, bits_per_byte, uniform]
    body = [[lm.stream.tokens.name, *measured(rows.done(lm), measures)] for lm in lms(scale)]
    return Table(f"Bits an id of GZip ({scale.name})", COLUMNS, body, NOTE)


def trends(rows, scale):
    """What ought to come out, and what decides it: written before the numbers are seen."""
    checks = [
        lower(lm.stream.tokens.name, trained(rows, scale, lm), coded(rows, lm, uniform))
        for lm in lms(scale)
    ]
    test = f"bits/byte below uniform at every width ({INTERVAL})"
    return [trend("an M2 learns something of GZip's bits", test, checks)]


EXPERIMENT = Experiment(
    "gzip_width", "no figure of the paper", "bits an id of GZip", recipes, reduce, None, trends
)
