"""Fig 6: narrow ids against wide ones (the paper's v = 256 and 65k). Shares every run with fig
3.
"""

from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import INTERVAL, ahead, draw_costs, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Table
from experiments.exhibits import fig3
from experiments.runs.recipes import LM, Recipe, Tokens
from experiments.runs.rows import Rows
from experiments.scales import Scale


def pairs(scale: Scale) -> dict[str, tuple[Tokens, Tokens]]:
    """Family -> (narrow, wide); GZip's narrow ids are its bytes."""
    first = scale.windows[0]
    return {
        "EqualInfoAC": (scale.window(first, scale.narrow), scale.window(first, scale.wide)),
        "AC": (scale.tokens("ac", scale.narrow), scale.tokens("ac", scale.wide)),
        "GZip": (scale.gzips[0], scale.gzips[1]),
        "StaticAC": (
            scale.tokens("static-ac", scale.narrow),
            scale.tokens("static-ac", scale.wide),
        ),
    }


def lms(scale: Scale) -> list[LM]:
    return [
        scale.lm(tokens, training)
        for pair in pairs(scale).values()
        for tokens in pair
        for training in scale.side
    ]


def crossing(scale: Scale) -> list[tuple[LM, LM]]:
    """Narrow windows and bytes, at the smallest M2 and at the largest; where that is the claim's
    alone, at the next.

    At equal size the paper's lines cross late: its 113m on narrow windows is still behind bytes.
    """
    sizes = scale.m2_trainings
    ends = (sizes[0], sizes[1 if scale.claim_only else -1])
    return [
        (scale.lm(pairs(scale)["EqualInfoAC"][0], size), scale.lm(scale.bytes, size))
        for size in ends
    ]


def recipes(scale: Scale) -> list[Recipe]:
    asked = [
        scale.lm(tokens) for family in ("EqualInfoAC", "GZip") for tokens in pairs(scale)[family]
    ]
    asked += [lm for pair in crossing(scale) for lm in pair]
    return [*lms(scale), *(one for lm in asked for one in scale.seeded(lm))]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = fig3.table_lines(lms(scale), rows, scale)
    return Table(
        f"Narrow and wide ids ({scale.name}, {scale.corpus})", fig3.COLUMNS, body, fig3.NOTE
    )


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    names = {paper.counterpart(tokens, scale) for pair in pairs(scale).values() for tokens in pair}
    theirs = {
        n: [(flops, bits) for flops, bits, _ in found]
        for n, found in paper.points().items()
        if n in names
    }
    return draw_costs(rows, scale, lms(scale), theirs, "Narrow and wide ids", folder, "fig6")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    narrow, wide, gzip, wide_gzip = (
        scale.lm(one) for name in ("EqualInfoAC", "GZip") for one in pairs(scale)[name]
    )
    (small, small_bytes), (large, large_bytes) = crossing(scale)
    return [
        trend(
            "Wider ids help EqualInfoAC",
            f"bits/byte are lower with wide ids than with narrow ones ({INTERVAL})",
            ahead(rows, scale, [(wide, narrow)]),
        ),
        trend(
            "Wider ids do not help GZip",
            f"bits/byte are lower with ids of 8 bits than with wide ones ({INTERVAL})",
            ahead(rows, scale, [(gzip, wide_gzip)]),
        ),
        trend(
            "Narrow windows fall behind bytes at the smallest M2 and overtake them at a larger",
            f"bits/byte are above those of bytes at {small.training.size}, below at"
            f" {large.training.size} ({INTERVAL})",
            ahead(rows, scale, [(small_bytes, small), (large, large_bytes)]),
        ),
    ]


EXPERIMENT = Experiment(
    "fig6", "figure 6", "narrow ids against wide ones", recipes, reduce, draw, trends
)
