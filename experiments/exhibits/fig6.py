"""Fig 6: narrow ids against wide ones (the paper's v = 256 and 65k). Runs are those of fig 3."""

from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import INTERVAL, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.panels import draw_costs
from experiments.analysis.tables import Table
from experiments.exhibits import fig3
from experiments.runs.recipes import LM, Tokens
from experiments.scales import Scale


def pairs(scale: Scale) -> dict[str, list[Tokens]]:
    """Family -> [narrow, wide]; GZip's narrow ids are its bytes."""
    return {
        "EqualInfoAC": [scale.window(scale.windows[0], width, "paper") for width in scale.widths],
        "AC": [scale.tokens("ac", width) for width in scale.widths],
        "GZip": scale.gzips,
        "StaticAC": [scale.tokens("static-ac", width) for width in scale.widths],
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
    narrow = pairs(scale)["EqualInfoAC"][0]
    return [(scale.lm(narrow, size), scale.lm(scale.bytes, size)) for size in ends]


def recipes(scale: Scale) -> list[LM]:
    asked = [scale.lm(one) for family in ("EqualInfoAC", "GZip") for one in pairs(scale)[family]]
    runs = [lm for pair in crossing(scale) for lm in pair]
    return [*lms(scale), *scale.seeded(*asked), *runs]


def reduce(results: Results) -> Table:
    body = fig3.lines(results, lms(results.scale))
    return results.table("Narrow and wide ids", fig3.COLUMNS, body, fig3.NOTE)


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    names = {paper.counterpart(tokens, scale) for pair in pairs(scale).values() for tokens in pair}
    theirs = {
        name: [(flops, bits) for flops, bits, _ in found]
        for name, found in paper.points().items()
        if name in names
    }
    return draw_costs(results, lms(scale), theirs, "Narrow and wide ids", folder, "fig6")


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    narrow, wide = map(scale.lm, pairs(scale)["EqualInfoAC"])
    gzip, wide_gzip = map(scale.lm, scale.gzips)
    (small, small_bytes), (large, large_bytes) = crossing(scale)
    return [
        trend(
            "Wider ids help EqualInfoAC",
            f"bits/byte are lower with wide ids than with narrow ones ({INTERVAL})",
            results.ahead([(wide, narrow)]),
        ),
        trend(
            "Wider ids do not help GZip",
            f"bits/byte are lower with ids of 8 bits than with wide ones ({INTERVAL})",
            results.ahead([(gzip, wide_gzip)]),
        ),
        trend(
            "Narrow windows fall behind bytes at the smallest M2 and overtake them at a larger",
            f"bits/byte of these runs, a seed each, are above those of bytes at"
            f" {small.training.size}, below at {large.training.size} (95 % intervals over texts)",
            results.ahead([(small_bytes, small), (large, large_bytes)], alone=True),
        ),
    ]


EXPERIMENT = exhibit(__name__, "figure 6", "narrow ids against wide ones")
