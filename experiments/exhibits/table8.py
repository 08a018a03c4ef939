"""Table 8 / table 14: the text behind an id at each place in a window."""

import numpy as np

from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample, quotient
from experiments.analysis.tables import Cell, Table, visible
from experiments.runs.recipes import Measure
from experiments.runs.rows import Row
from experiments.scales import Scale

COLUMNS = [
    "place in the window", "id", "windows", "texts of these windows, most frequent first",
    "bits of the first byte",
    "bits of the text",
]  # fmt: skip
NOTE = (
    "bits: the (plug-in) entropy left of a window's first byte, or of its text, where the id at"
    " this place is known; at the top, where none is. ␣ is a space. The paper lists texts alone:"
    " an id at the first place begins words alike, the same id at a later place means little. In"
    " the line of all windows, appendix C: how many begin inside a character (few where text is"
    " nearly ASCII, as English is), and how often two windows with the same word have the same"
    " first id."
)


def recipes(scale: Scale) -> list[Measure]:
    """Windows of several ids: the paper's 16 bits, by the free cell too, and the next longer."""
    first, second = scale.windows[:2]
    windows = [(first, "paper"), (first, "free"), (second, "paper")]
    streams = [scale.short_stream(scale.window(bits, scale.narrow, rule)) for bits, rule in windows]
    return [Measure("window texts", stream, scale.sample) for stream in streams]


def reduce(results: Results) -> Table:
    narrow = results.scale.narrow
    body: list[list[Cell]] = []
    for recipe in recipes(results.scale):
        row = results.done(recipe)
        tokens = recipe.stream.tokens
        top: list[Cell] = [None] * 4
        if row:
            values = row.values
            top = [values["windows"], appendix_c(row), values["byte_bits"], values["text_bits"]]
        body.append([tokens.name, "any", *top])
        places = row.values["positions"] if row else [None] * ((tokens.bits or 0) // narrow)
        for number, place in enumerate(places, 1):
            body += place_lines(number, place)
    return results.table("Text behind ids by place in the window", COLUMNS, body, NOTE)


def place_lines(number: int, place: dict | None) -> list[list[Cell]]:
    """A place's line of entropies, and one for each of its most frequent ids."""
    if place is None:
        return [[str(number), "known", *[None] * 4]]
    lines: list[list[Cell]] = [
        [str(number), "known", None, None, place["byte_bits"], place["text_bits"]]
    ]
    for code, count, texts in place["ids"]:
        listed = ", ".join(f"{visible(text)} ({n})" for text, n in texts)
        lines.append([str(number), code, count, listed, None, None])
    return lines


def trends(results: Results) -> list[Trend]:
    first = second = later = begins = None
    if row := results.done(recipes(results.scale)[0]):
        first, second = map(left_of_byte, row.values["positions"][:2])
        later, begins = (each(row, place) for place in (1, 0))
    return [
        trend(
            "a window's first id says how its text begins, the second hardly",
            "less is left of the first byte's entropy where the first id is known than where the"
            " second is (95 % interval, jackknife over parts of the documents)",
            [lower("bits left, first to second", first, second)],
        ),
        trend(
            "a word at a window's beginning has more often the same id than one further on"
            " (appendix C)",
            "of two windows, the share that agrees in the first id is larger where both begin"
            " with the word than where"
            " both hold its beginning further on (95 % interval, paired over words)",
            [lower("agreement, further on to at the beginning", later, begins)],
        ),
    ]


def left_of_byte(place: dict) -> Sample:
    """The first byte's entropy where an id is known; each part's pull by what is without it."""
    without = np.array(place["without"])
    pulls = (1 - 1 / len(without)) * (without.mean() - without)
    return Sample(np.array([place["byte_bits"]]), pulls, certain=True)


def each(row: Row, place: int) -> Sample | None:
    """The mean of a column of `words`; None where no word was frequent enough."""
    shares = [word[place] for word in row.values["words"]]
    return quotient(shares, np.ones(len(shares))) if shares else None


def appendix_c(row: Row) -> str:
    """What the text's cell says of all windows."""
    split = f"{row.values['split']:,} begin inside a character"
    if not row.values["words"]:
        return split
    begins, later = np.mean(row.values["words"], axis=0)
    return (
        f"{split}; the same word, the same first id: {begins:.0%} where it begins the window,"
        f" {later:.0%} further on"
    )


EXPERIMENT = exhibit(__name__, "tables 8 and 14", "the text behind an id at each place in a window")
