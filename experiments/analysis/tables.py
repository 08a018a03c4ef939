"""A table in three forms: Markdown, CSV, and aligned text for the terminal."""

import csv
import io
import re
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
        """A heading, the table, the note. Cells are shown as they are, not read as Markdown."""
        cells = [
            [escaped(cell) if isinstance(cell, str) else cell for cell in row] for row in self.rows
        ]
        parts = [f"## {self.title}", grid(self.columns, cells), self.note]
        return "\n\n".join(filter(None, parts)) + "\n"

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if cell is None else cell for cell in row] for row in self.rows])
        return out.getvalue()

    def text(self) -> str:
        cells = [list(self.columns), *[[shown(cell) for cell in row] for row in self.rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in cells
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def save(self, folder: Path, name: str) -> Path:
        """Write folder/name.csv."""
        path = folder / f"{name}.csv"
        with atomic_file(path) as beside:
            beside.write_text(self.csv(), encoding="utf-8")
        return path


def grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table; string cells are Markdown. Columns of numbers are aligned on the right."""
    texts = [any(isinstance(row[at], str) for row in rows) for at in range(len(columns))]
    lines = [columns, ["---" if text else "---:" for text in texts]]
    lines += [[shown(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escaped(text: str) -> str:
    """Text for Markdown that stays text, in a cell of a table as well."""
    return re.sub(r"[&<>|*_`$~\\]|(?<=\])\(", lambda found: f"&#{ord(found[0])};", text)


def visible(text: str) -> str:
    """Text in a cell of one line: spaces as open boxes, line ends and bars escaped."""
    return "".join(
        "␣" if c == " " else c if c.isprintable() and c != "|" else repr(c)[1:-1] for c in text
    )


def shown(cell: Cell) -> str:
    """A cell for people: four significant digits, thousands separated, a dash for a gap."""
    if cell is None:
        return MISSING
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        if abs(cell) >= 1000:
            return f"{cell:,.0f}"
        return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.2f}"
    return cell
