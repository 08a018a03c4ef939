"""Fig 6: narrow ids against wide ones (the paper's v = 256 and 65k). Shares every run with fig 3."""

from pathlib import Path

from experiments import fig3, paper
from experiments.compare import draw_costs, per_size, trend
from experiments.experiment import Experiment, Trend
from experiments.recipes import LM, Recipe, Tokens
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Table


def pairs(scale: Scale) -> dict[str, tuple[Tokens, Tokens]]:
    """Family -> (narrow, wide); GZip's narrow ids are its bytes."""
    first = scale.windows[0]
    return {
        "EqualInfoAC": (scale.window(first, scale.narrow), scale.window(first, scale.wide)),
        "AC": (scale.tokens("ac", scale.narrow), scale.tokens("ac", scale.wide)),
        "GZip": (scale.gzips[0], scale.gzips[1]),
        "StaticAC": (scale.tokens("static-ac", scale.narrow), scale.tokens("static-ac", scale.wide)),
    }


def lms(scale: Scale) -> list[LM]:
    return [
        scale.lm(tokens, training)
        for pair in pairs(scale).values()
        for tokens in pair
        for training in scale.m2_trainings
    ]


def recipes(scale: Scale) -> list[Recipe]:
    return list(lms(scale))


def reduce(rows: Rows, scale: Scale) -> Table:
    body = fig3.table_lines(lms(scale), rows, scale)
    return Table(f"Narrow and wide ids ({scale.name}, {scale.corpus})", fig3.COLUMNS, body, fig3.NOTE)


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    names = {paper.counterpart(tokens, scale) for pair in pairs(scale).values() for tokens in pair}
    theirs = {n: [(flops, bits) for flops, bits, _ in found] for n, found in paper.points().items() if n in names}
    return draw_costs(rows, scale, lms(scale), theirs, "Narrow and wide ids", folder, "fig6")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    windows, gzips = pairs(scale)["EqualInfoAC"], pairs(scale)["GZip"]
    return [
        trend(
            "Wider ids help EqualInfoAC",
            "bits/byte are lower with wide ids than with narrow ones at every M2 size",
            per_size(rows, scale, windows[1], windows[0], scale.m2_trainings),
        ),
        trend(
            "Wider ids do not help GZip",
            "bits/byte are lower with ids of 8 bits than with wide ones at every M2 size",
            per_size(rows, scale, gzips[0], gzips[1], scale.m2_trainings),
        ),
    ]


EXPERIMENT = Experiment("fig6", "figure 6", "narrow ids against wide ones", recipes, reduce, draw, trends)
