"""A table in three forms: Markdown, CSV, and aligned text for the terminal."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from equinfo.files import atomic_file

Cell = str | int | float | None
MISSING = "–"


@dataclass(frozen=True)
class Table:
    """title; one header a column; rows of cells (None: missing); a note below the Markdown form."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", _line(self.columns), _line(["---", *["---:"] * (len(self.columns) - 1)])]
        lines += [_line([shown(cell) for cell in row]) for row in self.rows]
        return "\n".join([*lines, "", *([self.note, ""] if self.note else [])])

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if cell is None else cell for cell in row] for row in self.rows])
        return out.getvalue()

    def text(self) -> str:
        cells = [list(self.columns), *[[shown(cell) for cell in row] for row in self.rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def save(self, folder: Path, name: str) -> list[Path]:
        """Write folder/name.md and folder/name.csv."""
        made = []
        for suffix, content in ((".md", self.markdown()), (".csv", self.csv())):
            path = folder / (name + suffix)
            with atomic_file(path) as beside:
                beside.write_text(content, encoding="utf-8")
            made.append(path)
        return made


def visible(text: str) -> str:
    """Text in a cell of one line: spaces as open boxes, line ends and bars escaped."""
    return "".join("␣" if c == " " else c if c.isprintable() and c != "|" else repr(c)[1:-1] for c in text)


def shown(cell: Cell) -> str:
    """A cell for people: four significant digits, thousands separated, a dash for what is missing."""
    if cell is None:
        return MISSING
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.2f}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return cell


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
