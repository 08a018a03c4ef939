"""Table 10: GZip with and without its header and footer."""

from experiments.analysis import paper
from experiments.analysis.compare import (
    BESIDE,
    DENSITY,
    INTERVAL,
    Results,
    Trend,
    lower,
    near,
    trend,
)
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import ratio
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM
from experiments.scales import Scale

SAME = 0.03


def pairs(scale: Scale) -> list[tuple[LM, LM]]:
    """(with header and footer, without), for ids of 8 bits and wide ones."""
    bare = [scale.tokens("gzip", width, raw=True) for width in (8, scale.wide)]
    return list(zip(map(scale.lm, scale.gzips), map(scale.lm, bare), strict=True))


def lms(scale: Scale) -> list[LM]:
    return [lm for pair in pairs(scale) for lm in pair]


def recipes(scale: Scale) -> list[LM]:
    return [*lms(scale), *scale.seeded(*pairs(scale)[0])]


def reduce(results: Results) -> Table:
    def theirs(lm: LM) -> list[Cell]:
        name = f"{results.counterpart(lm)[0]}" + " bare" * lm.stream.tokens.raw
        return [name, paper.SIZES[0], *(paper.lookup("table10_25m", name) or [None, None])]

    body = results.lines(lms(results.scale), DENSITY, theirs)
    return results.table("GZip without header and footer", BESIDE, body)


def trends(results: Results) -> list[Trend]:
    found = pairs(results.scale)
    whole, bare = found[0]
    name = f"{bare.label} to {whole.label}"
    same = near(name, results.trained(bare), results.trained(whole), SAME)
    denser = [
        lower(
            f"bytes/token, {a.label} to {b.label}", results.coded(a, ratio), results.coded(b, ratio)
        )
        for a, b in found
    ]
    test = (
        f"without them bits/byte are within {SAME:.0%} with ids of 8 bits (the whole interval is),"
        f" and bytes/token more with both ({INTERVAL})"
    )
    return [trend("Header and footer hardly matter to GZip", test, [same, *denser])]


EXPERIMENT = exhibit(__name__, "table 10", "GZip with and without header and footer")
