"""Fig 14 / table 17: windows that end greedily against delayed ends, which decode."""

from dataclasses import replace
from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import DENSITY, INTERVAL, Results, Trend, lower, near, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.panels import Points, draw_costs
from experiments.analysis.quantities import mflops, ratio
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Cell, Table
from experiments.exhibits import d5
from experiments.runs.recipes import LM, Recipe, Tokens
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "MFLOPs/byte, ours",
    "paper's", "size, paper", "bytes/token, paper", "bits/byte, paper", "MFLOPs/byte, paper",
]  # fmt: skip
NOTE = (
    "Greedy is the rule `paper` (section 3.3 as we read it), delayed the rule `delay` (A.5"
    " likewise); beside both the free cell (no rule's name), which decodes too. The paper's two"
    " ratios stand to one another about as those of `paper` and `unflushed` do: its greedy windows"
    " may be the latter. Greedy windows leave text untold (d5), which bits/byte here leave out and"
    " the trends count."
)
SAME = 0.05


def pairs(scale: Scale) -> list[tuple[Tokens, Tokens]]:
    """(greedy, delayed), for narrow and wide ids."""
    first = scale.windows[0]
    return [
        (scale.window(first, width, "paper"), scale.window(first, width, "delay"))
        for width in scale.widths
    ]


def lms(scale: Scale) -> list[LM]:
    """Both, the free cell in wide ids and, at the smallest M2, greedy ones by `unflushed`."""
    first = scale.windows[0]
    tokens = [one for pair in pairs(scale) for one in pair]
    tokens.append(scale.window(first, scale.wide, "free"))
    unflushed = [scale.window(first, width, "unflushed") for width in scale.widths]
    sizes = [scale.lm(one, training) for one in tokens for training in scale.side]
    return [*sizes, *map(scale.lm, unflushed)]


def recipes(scale: Scale) -> list[Recipe]:
    asked = scale.seeded(*(scale.lm(one) for pair in pairs(scale) for one in pair))
    return [*lms(scale), *asked, d5.untold(scale, "paper")]


def reduce(results: Results) -> Table:
    def theirs(lm: LM) -> list[Cell]:
        rule = lm.stream.tokens.rule
        (name, size) = results.counterpart(lm)
        if rule == "free":
            return [None, size, None, None, None]
        if rule == "delay":
            name = f"{name} delay"
            table = "table17"
            per_token = paper.lookup(table, name, "ratio")
        else:
            table = "fig3_table15"
            per_token = paper.lookup("table12", name, "ratio")
        found = paper.lookup(table, name, size) or {}
        return [name, size, per_token, found.get("bits_per_byte"), found.get("mflops_per_byte")]

    body = results.lines(lms(results.scale), [*DENSITY, mflops], theirs)
    return results.table("Greedy and delayed window ends", COLUMNS, body, NOTE)


def their_points(scale: Scale) -> Points:
    """The paper's (MFLOPs/byte, bits/byte), smallest M2 first, by our form of its names."""
    found = {}
    for greedy, _ in pairs(scale):
        name = paper.counterpart(greedy, scale) or ""
        found[name] = paper.lookup("fig3_table15", name)
        found[f"{name[:-1]},delay]"] = paper.lookup("table17", f"{name} delay")
    flops = "mflops_per_byte"
    bits = "bits_per_byte"
    return {
        name: [(sizes[size][flops], sizes[size][bits]) for size in paper.SIZES]
        for name, sizes in found.items()
    }


def draw(results: Results, folder: Path) -> list[Path]:
    title = "Where windows end: greedily (paper), delayed (dashed), free cell"
    scale = results.scale
    return draw_costs(results, lms(scale), their_points(scale), title, folder, "fig14")


def told(results: Results, greedy: LM) -> Sample | None:
    """Its bits/byte and those of what its codes leave untold."""
    trained = results.trained(greedy)
    left = results.done(d5.untold(results.scale, "paper"))
    if trained is None or left is None:
        return None
    return replace(trained, values=trained.values + left.values["text_bits"])


def trends(results: Results) -> list[Trend]:
    dense = []
    same = []
    for pair in pairs(results.scale):
        greedy, delay = map(results.scale.lm, pair)
        name = f"{delay.stream.tokens.name} to {greedy.stream.tokens.name}"
        density = results.coded(delay, ratio), results.coded(greedy, ratio)
        dense.append(lower(f"{name}, bytes/token", *density))
        same.append(near(name, results.trained(delay), told(results, greedy), SAME))
    return [
        trend(
            "Delayed windows hold less text",
            "bytes/token are fewer than greedy windows', narrow and wide (95 % intervals, paired"
            " over texts)",
            dense,
        ),
        *(
            trend(
                f"Delayed windows are learned as well as greedy ones, in {width} ids",
                f"bits/byte are within {SAME:.0%} of greedy windows', what those leave untold"
                f" counted: the whole interval is ({INTERVAL})",
                [check],
            )
            for width, check in zip(("narrow", "wide"), same, strict=True)
        ),
    ]


EXPERIMENT = exhibit(__name__, "figure 14, table 17", "greedy against delayed window ends")
