"""Table 6: is it the wider ids that help, or the text that an M2 sees more of with them?"""

from dataclasses import replace

from experiments.analysis import paper
from experiments.analysis.compare import INTERVAL, lower, spread, trained, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
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
    first, base = scale.windows[0], scale.question
    wide = scale.lm(scale.window(first, scale.wide))
    shorter = replace(base, context=base.context * scale.narrow // scale.wide)
    return {
        "": scale.lm(scale.window(first, scale.narrow)),
        "bytes": scale.lm(wide.stream.tokens, shorter),
        "tokens": wide,
    }


def recipes(scale: Scale) -> list[Recipe]:
    return [lm for one in conditions(scale).values() for lm in scale.seeded(one)]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(matched, lm, rows, scale) for matched, lm in conditions(scale).items()]
    return Table(
        f"Wide ids, bytes or tokens matched ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def line(matched: str, lm: LM, rows: Rows, scale: Scale) -> list[Cell]:
    training, tokens = lm.training, lm.stream.tokens
    name = f"{paper.counterpart(tokens, scale)}" + (f" {matched} matched" if matched else "")
    theirs = paper.lookup("table6", name) or [None, None]
    ours = spread(rows, scale.seeded(lm))
    return [
        tokens.name,
        matched or "–",
        training.context,
        training.size,
        *ours,
        name,
        paper.SIZES[0],
        *theirs,
    ]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    found = {matched: trained(rows, scale, lm) for matched, lm in conditions(scale).items()}
    test = f"bits/byte of the first are below those of the second ({INTERVAL})"
    bytes_help = lower("bytes matched to narrow", found["bytes"], found[""])
    tokens_help = lower("tokens matched to bytes matched", found["tokens"], found["bytes"])
    return [
        trend(
            "Wide ids help beyond the text they show: bytes matched, they beat narrow ones",
            test,
            [bytes_help],
        ),
        trend(
            "More text helps wide ids further: tokens matched beats bytes matched",
            test,
            [tokens_help],
        ),
    ]


EXPERIMENT = Experiment(
    "table6",
    "table 6",
    "wide ids with bytes matched and with tokens matched",
    recipes,
    reduce,
    None,
    trends,
)
