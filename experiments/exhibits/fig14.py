"""Fig 14 / table 17: windows that end greedily against windows whose end is delayed, which
decode.
"""

from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    Points,
    bits_per_byte,
    coded,
    draw_costs,
    lines,
    lower,
    mflops,
    near,
    ratio,
    trained,
    trend,
)
from experiments.analysis.compare import uniform as uniform_of
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe, Tokens
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "MFLOPs/byte, ours",
    "paper's",
    "size, paper", "bytes/token, paper", "bits/byte, paper", "MFLOPs/byte, paper",
]  # fmt: skip
NOTE = (
    "Greedy is the rule `paper` (section 3.3 as we read it), delayed the rule `delay` (A.5"
    " likewise); beside both the free cell (no rule's name), which decodes too. The paper's two"
    " ratios stand to one another about as those of `paper` and `unflushed` do: its greedy windows"
    " may be the latter."
)
SAME = 0.05


def pairs(scale: Scale) -> list[tuple[Tokens, Tokens]]:
    """(greedy, delayed), for narrow and wide ids."""
    first = scale.windows[0]
    return [
        (scale.window(first, width), scale.window(first, width, "delay")) for width in scale.widths
    ]


def tokens(scale: Scale) -> list[Tokens]:
    """Both, and the free cell with wide ids."""
    return [one for pair in pairs(scale) for one in pair] + [
        scale.window(scale.windows[0], scale.wide, "free")
    ]


def unflushed(scale: Scale) -> list[LM]:
    """Greedy windows as the paper's tables suggest them, at the smallest M2."""
    return [scale.lm(scale.window(scale.windows[0], width, "unflushed")) for width in scale.widths]


def lms(scale: Scale) -> list[LM]:
    sizes = [scale.lm(one, training) for one in tokens(scale) for training in scale.side]
    return [*sizes, *unflushed(scale)]


def recipes(scale: Scale) -> list[Recipe]:
    return [
        *lms(scale),
        *(run for pair in pairs(scale) for one in pair for run in scale.seeded(scale.lm(one))),
    ]


def reduce(rows: Rows, scale: Scale) -> Table:
    measures = [ratio, uniform_of, bits_per_byte, mflops]
    body = lines(lms(scale), rows, measures, lambda recipe: theirs(recipe, scale))
    return Table(
        f"Greedy and delayed window ends ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    tokens, size = recipe.stream.tokens, paper.size(recipe.training, scale)
    name = paper.counterpart(tokens, scale)
    if tokens.rule == "free":
        return [None, size, None, None, None]
    if tokens.rule == "delay":
        name, table = f"{name} delay", "table17"
        per_token = paper.lookup(table, name, "ratio")
    else:
        table, per_token = "fig3_table15", paper.lookup("table12", name, "ratio")
    found = paper.lookup(table, name, size) or {}
    return [name, size, per_token, found.get("bits_per_byte"), found.get("mflops_per_byte")]


def their_points(scale: Scale) -> Points:
    """The paper's (MFLOPs/byte, bits/byte), smallest M2 first, by our form of its names."""
    found = {}
    for greedy, _ in pairs(scale):
        name = paper.counterpart(greedy, scale) or ""
        found[name] = paper.lookup("fig3_table15", name)
        found[f"{name[:-1]},delay]"] = paper.lookup("table17", f"{name} delay")
    fields = ("mflops_per_byte", "bits_per_byte")
    return {
        name: [(sizes[size][fields[0]], sizes[size][fields[1]]) for size in paper.SIZES]
        for name, sizes in found.items()
    }


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    title = "Where windows end: greedily (paper), delayed (dashed), free cell"
    return draw_costs(rows, scale, lms(scale), their_points(scale), title, folder, "fig14")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    dense, same = [], []
    for pair in pairs(scale):
        greedy, delay = map(scale.lm, pair)
        name = f"{delay.stream.tokens.name} to {greedy.stream.tokens.name}"
        dense.append(
            lower(f"{name}, bytes/token", coded(rows, delay, ratio), coded(rows, greedy, ratio))
        )
        same.append(near(name, trained(rows, scale, delay), trained(rows, scale, greedy), SAME))
    return [
        trend(
            "Delayed windows hold less text",
            "bytes/token are fewer than greedy windows', narrow and wide (95 % intervals, paired"
            " over texts)",
            dense,
        ),
        trend(
            "Delayed windows are learned as well as greedy ones",
            f"bits/byte are within {SAME:.0%} of greedy windows', narrow and wide: the whole"
            f" interval is ({INTERVAL})",
            same,
        ),
    ]


EXPERIMENT = Experiment(
    "fig14",
    "figure 14, table 17",
    "greedy against delayed window ends",
    recipes,
    reduce,
    draw,
    trends,
)
