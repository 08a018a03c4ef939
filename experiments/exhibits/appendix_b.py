"""Appendix B: what the paper names and nobody ran: equal-text windows, Huffman and ANS coding, at
the smallest M2.
"""

from dataclasses import replace

from experiments.analysis import paper
from experiments.analysis.compare import (
    INTERVAL,
    at_uniform,
    bits_per_byte,
    coded,
    learned,
    lines,
    near,
    ratio,
    their_number,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale

LEAST = 1 << 18  # bytes
TEXTS = (4, 8, 16)  # bytes a window
COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "paper's",
    "size, paper",
    "bytes/token, paper", "bits/byte, paper",
]  # fmt: skip
NOTE = (
    "All with wide ids. Equal-text windows hold so many bytes (t) in as many ids as they need;"
    " Huffman codes one byte at a time, by M1 or by static frequencies; ANS codes as AC does,"
    " backwards. The paper ran none of these."
)


def texts(scale: Scale) -> list[LM]:
    return [scale.lm(scale.tokens("equaltext", scale.wide, text=text)) for text in TEXTS]


def coders(scale: Scale) -> dict[str, LM]:
    """Huffman and ANS coding over M1 go symbol by symbol, so a quarter of the text (or LEAST) has
    to do.
    """
    found = {
        kind: scale.lm(scale.tokens(kind, scale.wide))
        for kind in ("huffman", "static-huffman", "ans", "ac")
    }
    for kind in ("huffman", "ans"):
        stream = found[kind].stream
        found[kind] = replace(
            found[kind], stream=replace(stream, train_bytes=max(stream.train_bytes // 4, LEAST))
        )
    return found


def lms(scale: Scale) -> list[LM]:
    windows = [
        scale.lm(scale.window(scale.windows[0], scale.wide, rule)) for rule in ("paper", "free")
    ]
    return [*texts(scale), *coders(scale).values(), *windows]


def recipes(scale: Scale) -> list[Recipe]:
    return [*lms(scale), *scale.seeded(texts(scale)[0]), *scale.seeded(coders(scale)["ans"])]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = lines(
        lms(scale), rows, [ratio, uniform, bits_per_byte], lambda recipe: theirs(recipe, scale)
    )
    return Table(f"Other windows and coders ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    per_token, bits = (
        paper.lookup("table12", name, "ratio"),
        their_number(recipe, scale, "bits_per_byte"),
    )
    return [name, size if name else None, per_token, bits]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    ans, ac = coders(scale)["ans"], coders(scale)["ac"]
    return [
        trend(
            "ANS is to M2 what AC is: as dense, and nothing to learn",
            "bytes/token are within 5 % of AC's, bits/byte within 1 % of the uniform line (and"
            f" the ends of documents): the whole intervals are ({INTERVAL})",
            [
                near("bytes/token to AC's", coded(rows, ans, ratio), coded(rows, ac, ratio), 0.05),
                at_uniform(rows, scale, ans),
            ],
        ),
        trend(
            "Windows of equal text can be learned, as those of equal information",
            f"with {TEXTS[0]} bytes a window bits/byte end below the uniform line and below what"
            f" the ids' frequencies give ({INTERVAL})",
            [learned(rows, scale, texts(scale)[0])],
        ),
    ]


EXPERIMENT = Experiment(
    "appendix_b",
    "appendix B",
    "equal-text windows, Huffman and ANS coding",
    recipes,
    reduce,
    None,
    trends,
)
