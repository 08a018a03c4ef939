"""Table 10: GZip with and without its header and footer."""

from experiments import paper
from experiments.compare import bits_per_byte, less, lines, near, number, ratio, trend, uniform
from experiments.experiment import Experiment, Trend
from experiments.recipes import LM, Recipe
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "paper's", "size, paper",
    "bytes/token, paper", "bits/byte, paper",
]  # fmt: skip
SAME = 0.03


def pairs(scale: Scale) -> list[tuple[LM, LM]]:
    """(with header and footer, without), for ids of 8 bits and wide ones."""
    widths = (8, scale.wide)
    return [
        (scale.lm(tokens), scale.lm(scale.tokens("gzip", width, raw=True)))
        for tokens, width in zip(scale.gzips, widths, strict=True)
    ]


def lms(scale: Scale) -> list[LM]:
    return [lm for pair in pairs(scale) for lm in pair]


def recipes(scale: Scale) -> list[Recipe]:
    return list(lms(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    def theirs(recipe: LM) -> list[Cell]:
        tokens = recipe.stream.tokens
        name = f"{paper.counterpart(tokens, scale)}" + " bare" * tokens.raw
        return [name, paper.SIZES[0], *(paper.lookup("table10_25m", name) or [None, None])]

    body = lines(lms(scale), rows, [ratio, uniform, bits_per_byte], theirs)
    return Table(f"GZip without header and footer ({scale.name}, {scale.corpus})", COLUMNS, body)


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    same, shorter = [], []
    for whole, bare in pairs(scale):
        name = f"{bare.stream.tokens.name} to {whole.stream.tokens.name}"
        same.append(near(name, number(rows, bare), number(rows, whole), SAME))
        shorter.append(less(f"{name}, bytes/token", number(rows, whole, ratio), number(rows, bare, ratio)))
    test = f"without them bits/byte are within {SAME:.0%}, and bytes/token more, for ids of 8 bits and wide ones"
    return [trend("Header and footer hardly matter to GZip", test, [*same, *shorter])]


EXPERIMENT = Experiment("table10", "table 10", "GZip with and without header and footer", recipes, reduce, None, trends)
