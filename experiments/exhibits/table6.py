"""Table 6: is it the wider ids that help, or the text that an M2 sees more of with them?"""

from dataclasses import replace

from experiments.analysis import paper
from experiments.analysis.compare import INTERVAL, Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "matched", "context", "size", "seeds", "bits/byte, ours", "deviation, ours",
    "paper's", "size, paper",
    "bits/byte, paper", "deviation, paper",
]  # fmt: skip
NOTE = (
    "Bytes matched: as many steps, and a context so much shorter as an id is wider, so that a"
    " batch holds as much text as with narrow ids. Tokens matched: the training of figure 3. The"
    " paper's narrow ids have five seeds."
)


def conditions(scale: Scale) -> dict[str, LM]:
    """What is matched -> the run; "" for the narrow ids that both are matched to."""
    first = scale.windows[0]
    base = scale.question
    wide = scale.lm(scale.window(first, scale.wide, "paper"))
    shorter = replace(base, context=base.context * scale.narrow // scale.wide)
    return {
        "": scale.lm(scale.window(first, scale.narrow, "paper")),
        "bytes": scale.lm(wide.stream.tokens, shorter),
        "tokens": wide,
    }


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(*conditions(scale).values())


def reduce(results: Results) -> Table:
    body = [line(results, *condition) for condition in conditions(results.scale).items()]
    return results.table("Wide ids, bytes or tokens matched", COLUMNS, body, NOTE)


def line(results: Results, matched: str, lm: LM) -> list[Cell]:
    name = f"{results.counterpart(lm)[0]}" + f" {matched} matched" * bool(matched)
    theirs = paper.lookup("table6", name) or [None, None]
    run = [lm.stream.tokens.name, matched or "–", lm.training.context, lm.training.size]
    ours = results.spread(results.scale.seeded(lm))
    return [*run, *ours, name, paper.SIZES[0], *theirs]


def trends(results: Results) -> list[Trend]:
    narrow, bytes_matched, tokens_matched = map(results.trained, conditions(results.scale).values())
    test = f"bits/byte of the first are below those of the second ({INTERVAL})"
    return [
        trend(
            "Wide ids help beyond the text they show: bytes matched, they beat narrow ones",
            test,
            [lower("bytes matched to narrow", bytes_matched, narrow)],
        ),
        trend(
            "More text helps wide ids further: tokens matched beats bytes matched",
            test,
            [lower("tokens matched to bytes matched", tokens_matched, bytes_matched)],
        ),
    ]


EXPERIMENT = exhibit(__name__, "table 6", "wide ids with bytes matched and with tokens matched")
