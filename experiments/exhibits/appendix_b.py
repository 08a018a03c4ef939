"""Appendix B: what the paper names and nobody ran: equal-text windows, Huffman and ANS coding."""

from dataclasses import replace

from experiments.analysis.compare import BESIDE, DENSITY, INTERVAL, Results, Trend, near, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import ratio
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM
from experiments.scales import Scale

LEAST = 1 << 18  # bytes
TEXTS = (4, 8, 16)  # bytes a window
NOTE = (
    "All with wide ids. Equal-text windows hold so many bytes (t) in as many ids as they need;"
    " Huffman codes one byte at a time, by M1 or by static frequencies; ANS codes as AC does,"
    " backwards. The paper ran none of these."
)


def texts(scale: Scale) -> list[LM]:
    return [scale.lm(scale.tokens("equaltext", scale.wide, text=text)) for text in TEXTS]


def coders(scale: Scale) -> dict[str, LM]:
    """Huffman and ANS coding go symbol by symbol, so a quarter of the text (or LEAST) must do."""
    kinds = ("huffman", "static-huffman", "ans", "ac")
    found = {kind: scale.lm(scale.tokens(kind, scale.wide)) for kind in kinds}
    for kind in ("huffman", "ans"):
        stream = found[kind].stream
        few = replace(stream, train_bytes=max(stream.train_bytes // 4, LEAST))
        found[kind] = replace(found[kind], stream=few)
    return found


def lms(scale: Scale) -> list[LM]:
    first = scale.windows[0]
    windows = [scale.lm(scale.window(first, scale.wide, rule)) for rule in ("paper", "free")]
    return [*texts(scale), *coders(scale).values(), *windows]


def recipes(scale: Scale) -> list[LM]:
    return [*lms(scale), *scale.seeded(texts(scale)[0], coders(scale)["ans"])]


def reduce(results: Results) -> Table:
    def theirs(lm: LM) -> list[Cell]:
        name, size, *numbers = results.theirs(lm)
        return [name, size if name else None, *numbers]

    body = results.lines(lms(results.scale), DENSITY, theirs)
    return results.table("Other windows and coders", BESIDE, body, NOTE)


def trends(results: Results) -> list[Trend]:
    ans, ac = (coders(results.scale)[kind] for kind in ("ans", "ac"))
    density = (results.coded(ans, ratio), results.coded(ac, ratio))
    return [
        trend(
            "ANS is to M2 what AC is: as dense, and nothing to learn",
            "bytes/token are within 5 % of AC's, bits/byte within 1 % of the uniform line (and"
            f" the ends of documents): the whole intervals are ({INTERVAL})",
            [near("bytes/token to AC's", *density, 0.05), results.at_uniform(ans)],
        ),
        trend(
            "Windows of equal text can be learned, as those of equal information",
            f"with {TEXTS[0]} bytes a window bits/byte end below the uniform line and below what"
            f" the ids' frequencies give ({INTERVAL})",
            [results.learned(texts(results.scale)[0])],
        ),
    ]


EXPERIMENT = exhibit(__name__, "appendix B", "equal-text windows, Huffman and ANS coding")
