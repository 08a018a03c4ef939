"""Table 8 / table 14: the text behind an id at each place in a window."""

from experiments.experiment import Experiment, Trend
from experiments.recipes import Measure
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table, visible

COLUMNS = [
    "place in the window", "id", "windows", "texts of these windows, most frequent first", "bits of the first byte",
    "bits of the text",
]  # fmt: skip
NOTE = (
    "bits: the (plug-in) entropy left of a window's first byte, or of its text, where the id at this place is known;"
    " at the top, where none is. ␣ is a space. The paper lists texts alone: an id at the first place begins words"
    " alike, the same id at a later place means little."
)


def recipes(scale: Scale) -> list[Measure]:
    """Windows of several ids: the paper's 16 bits in two, with the free cell beside it, and the next longer ones."""
    first, second = scale.windows[:2]
    windows = [(first, "paper"), (first, "free"), (second, "paper")]
    streams = [scale.short_stream(scale.window(bits, scale.narrow, rule)) for bits, rule in windows]
    return [Measure("window texts", stream, scale.sample) for stream in streams]


def reduce(rows: Rows, scale: Scale) -> Table:
    body: list[list[Cell]] = []
    for recipe in recipes(scale):
        row, tokens = rows.done(recipe), recipe.stream.tokens
        top: list[Cell] = [None] * 3
        if row:
            top = [row.values["windows"], row.values["byte_bits"], row.values["text_bits"]]
        body.append([tokens.name, "any", top[0], None, *top[1:]])
        places = row.values["positions"] if row else [None] * ((tokens.bits or 0) // scale.narrow)
        for number, place in enumerate(places, 1):
            body += place_lines(number, place)
    return Table(f"Text behind ids by place in the window ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


def place_lines(number: int, place: dict | None) -> list[list[Cell]]:
    """A place's line of entropies, and one for each of its most frequent ids."""
    if place is None:
        return [[str(number), "known", *[None] * 4]]
    head: list[Cell] = [str(number), "known", None, None, place["byte_bits"], place["text_bits"]]
    lines: list[list[Cell]] = [
        [str(number), code, count, ", ".join(f"{visible(text)} ({n})" for text, n in texts), None, None]
        for code, count, texts in place["ids"]
    ]
    return [head, *lines]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    row = rows.done(recipes(scale)[0])
    return [
        Trend(
            "a window's first id says how its text begins, the second hardly",
            "less is left of the first byte's entropy where the first id is known than where the second is",
            row.values["positions"][0]["byte_bits"] < row.values["positions"][1]["byte_bits"] if row else None,
            numbers(row) if row else "",
        )
    ]


def numbers(row: Row) -> str:
    first, second = (place["byte_bits"] for place in row.values["positions"][:2])
    return f"of {row.values['byte_bits']:.2f} bits, {first:.2f} are left and {second:.2f}"


EXPERIMENT = Experiment(
    "table8", "tables 8 and 14", "the text behind an id at each place in a window", recipes, reduce, trends=trends
)
