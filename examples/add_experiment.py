"""An experiment of one's own: how many bits should an id cut from GZip have?"""

from experiments.experiment import Experiment, Trend
from experiments.tables import Table

WIDTHS = (4, 8, 12)
COLUMNS = ["tokenizer", "bytes/id", "bits/byte of an M2", "of knowing nothing"]
NOTE = "Every M2 sees as many ids, so one on wider ids sees more text."


def recipes(scale):
    """What must be run: an M2 of the scale's smallest size for each width. Recipes that others have run are found."""
    return [scale.lm(scale.tokens("gzip", width)) for width in WIDTHS]


def reduce(rows, scale):
    """A table from rows alone; what has not been run is a gap."""
    return Table(f"Bits an id of GZip ({scale.name})", COLUMNS, [line(rows, one) for one in recipes(scale)], NOTE)


def line(rows, recipe):
    row = rows.done(recipe)
    numbers = [row.ratio, row.bits_per_byte, row.uniform] if row else [None] * 3
    return [recipe.stream.tokens.name, *numbers]


def trends(rows, scale):
    """What ought to come out, and what decides it: written before the numbers are seen."""
    found = [rows.done(recipe) for recipe in recipes(scale)]
    holds = all(row.bits_per_byte < row.uniform for row in found) if all(found) else None
    return [Trend("an M2 learns something of GZip's bits", "bits/byte below uniform at every width", holds)]


EXPERIMENT = Experiment("gzip_width", "no figure of the paper", "bits an id of GZip", recipes, reduce, None, trends)
