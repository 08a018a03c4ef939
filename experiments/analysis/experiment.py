"""An experiment: a list of recipes, and a reduction of their rows to a table, a drawing, and
trends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.analysis.tables import Table
from experiments.runs.recipes import Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale


@dataclass(frozen=True)
class Trend:
    """Something that must come out. claim: in words; test: how the numbers decide; numbers: those
    that did.

    holds: None where runs that decide it are missing, or decide nothing.
    """

    claim: str
    test: str
    holds: bool | None
    numbers: str = ""


@dataclass(frozen=True)
class Experiment:
    """name: the Make target's. paper: what of it this is, e.g. "figure 3, table 15".

    recipes(scale); reduce(rows, scale): a missing row is a line with gaps, never a guess;
    draw(rows, scale, folder) -> files; trends(rows, scale).
    """

    name: str
    paper: str
    summary: str
    recipes: Callable[[Scale], Sequence[Recipe]]
    reduce: Callable[[Rows, Scale], Table]
    draw: Callable[[Rows, Scale, Path], list[Path]] | None = None
    trends: Callable[[Rows, Scale], list[Trend]] | None = None

    def output(self, rows: Rows, scale: Scale, folder: Path) -> tuple[Table, list[Path]]:
        """Write the table (CSV) and, where there is a row at all, the figures (SVG); rows only, no
        model.

        Nothing where the scale has no line of the kind.
        """
        table = self.reduce(rows, scale)
        made = [table.save(folder, self.name)] if table.rows else []
        if self.draw and rows.all_done(self.recipes(scale)):
            made += self.draw(rows, scale, folder)
        return table, made
