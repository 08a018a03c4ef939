"""Fig 14 / table 17: windows that end greedily against windows whose end is delayed, which decode."""

from pathlib import Path

from experiments import figures, paper
from experiments.compare import bits_per_byte, fit, less, lines, mflops, missing, near, number, ratio, trend
from experiments.compare import uniform as uniform_of
from experiments.experiment import Experiment, Trend
from experiments.recipes import LM, Recipe, Tokens
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "MFLOPs/byte, ours", "paper's",
    "size, paper", "bytes/token, paper", "bits/byte, paper", "MFLOPs/byte, paper",
]  # fmt: skip
NOTE = (
    "Greedy is the rule `paper` (section 3.3 as we read it), delayed the rule `delay` (A.5 likewise); beside"
    " both the free cell (no rule's name), which decodes too. The paper's two ratios stand to one another"
    " about as those of `paper` and `unflushed` do: its greedy windows may be the latter."
)
SAME = 0.05
LINES = {"paper": "-", "delay": "--", "free": ":", "unflushed": "-."}


def pairs(scale: Scale) -> list[tuple[Tokens, Tokens]]:
    """(greedy, delayed), for narrow and wide ids."""
    first = scale.windows[0]
    return [(scale.window(first, width), scale.window(first, width, "delay")) for width in scale.widths]


def tokens(scale: Scale) -> list[Tokens]:
    """Both, and the free cell with wide ids."""
    return [one for pair in pairs(scale) for one in pair] + [scale.window(scale.windows[0], scale.wide, "free")]


def unflushed(scale: Scale) -> list[LM]:
    """Greedy windows as the paper's tables suggest them, at the smallest M2."""
    return [scale.lm(scale.window(scale.windows[0], width, "unflushed")) for width in scale.widths]


def lms(scale: Scale) -> list[LM]:
    sizes = [scale.lm(one, training) for one in tokens(scale) for training in scale.m2_trainings]
    return [*sizes, *unflushed(scale)]


def recipes(scale: Scale) -> list[Recipe]:
    return list(lms(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    measures = [ratio, uniform_of, bits_per_byte, mflops]
    body = lines(lms(scale), rows, measures, lambda recipe: theirs(recipe, scale))
    return Table(f"Greedy and delayed window ends ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


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


def their_points(tokens: Tokens, scale: Scale) -> list[tuple[float, float]]:
    """The paper's (MFLOPs/byte, bits/byte), smallest M2 first; none for the free cell."""
    name = paper.counterpart(tokens, scale)
    found = {
        "paper": paper.lookup("fig3_table15", name),
        "delay": paper.lookup("table17", f"{name} delay"),
    }.get(tokens.rule)
    return [(found[size]["mflops_per_byte"], found[size]["bits_per_byte"]) for size in paper.SIZES] if found else []


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    with figures.figure() as (drawn, axes):
        axes.set_xlabel("inference MFLOPs / byte (M1's included)")
        axes.set_ylabel("bits / byte")
        axes.set_title(
            f"Where windows end — {scale.corpus} corpus, {scale.name} scale\n"
            "solid: greedily (paper); dashed: delayed; dotted: free cell; alone: unflushed; faint: Lester et al. 2024",
            fontsize=10,
            loc="left",
        )
        ours = {one: [(mflops(row), row.bits_per_byte) for row in done(rows, one, scale)] for one in tokens(scale)}
        ours |= {
            lm.stream.tokens: [(mflops(row), row.bits_per_byte) for row in rows.all_done([lm])]
            for lm in unflushed(scale)
        }
        theirs = {one: their_points(one, scale) for one in tokens(scale)}
        fit(axes, [point for some in (ours, theirs) for pairs in some.values() for point in pairs])
        for alpha, lines_of in ((figures.PAPER_ALPHA, theirs), (1.0, ours)):
            for one, pairs in lines_of.items():
                colour, mark = figures.style_of(one.name)
                style = {"color": colour, "alpha": alpha, "ms": 7, "mfc": figures.face_of(one.name)}
                axes.plot([x for x, _ in pairs], [y for _, y in pairs], mark + LINES[one.rule], **style)
        figures.label_points(axes, [(*pairs[-1], one.name) for one, pairs in ours.items() if pairs])
        figures.name_missing(axes, missing(lms(scale), rows))
        return figures.save(drawn, folder, "fig14")


def done(rows: Rows, tokens: Tokens, scale: Scale) -> list[Row]:
    return rows.all_done([scale.lm(tokens, training) for training in scale.m2_trainings])


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    dense, same = [], []
    for greedy, delay in pairs(scale):
        for training in scale.m2_trainings:
            a, b = scale.lm(greedy, training), scale.lm(delay, training)
            name = f"{delay.name} to {greedy.name}, {training.size}"
            same.append(near(name, number(rows, b), number(rows, a), SAME))
            dense.append(less(f"{name}, bytes/token", number(rows, b, ratio), number(rows, a, ratio)))
    return [
        trend("Delayed windows hold less text", "bytes/token are fewer than greedy windows', narrow and wide", dense),
        trend(
            "Delayed windows are learned as well as greedy ones",
            f"bits/byte are within {SAME:.0%} of greedy windows' at every size, narrow and wide",
            same,
        ),
    ]


EXPERIMENT = Experiment(
    "fig14", "figure 14, table 17", "greedy against delayed window ends", recipes, reduce, draw, trends
)
