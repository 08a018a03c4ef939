"""An experiment: a list of recipes, and a reduction of their rows to a table, a drawing, trends."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.analysis.compare import Results, Trend
from experiments.analysis.tables import Table
from experiments.runs.recipes import Recipe
from experiments.scales import Scale


@dataclass(frozen=True)
class Experiment:
    """name: the Make target's. paper: what of it this is, e.g. "figure 3, table 15".

    recipes(scale); reduce(results): a missing row is a line with gaps, never a guess;
    draw(results, folder) -> files; trends(results).
    """

    name: str
    paper: str
    summary: str
    recipes: Callable[[Scale], Sequence[Recipe]]
    reduce: Callable[[Results], Table]
    draw: Callable[[Results, Path], list[Path]] | None = None
    trends: Callable[[Results], list[Trend]] | None = None

    def output(self, results: Results, folder: Path) -> tuple[Table, list[Path]]:
        """Write the table (CSV) and, where there is a row at all, the figures (SVG).

        Nothing where the scale has no line of the kind.
        """
        table = self.reduce(results)
        made = [table.save(folder, self.name)] if table.rows else []
        recipes = self.recipes(results.scale)
        if self.draw and table.rows and (not recipes or results.all_done(recipes)):
            made += self.draw(results, folder)
        return table, made


def exhibit(module: str, paper: str, summary: str) -> Experiment:
    """A file's (its `__name__`): its recipes, reduce and, where it has them, draw and trends."""
    name = module.rpartition(".")[2]
    found = vars(sys.modules[module])
    asked = found["recipes"], found["reduce"], found.get("draw"), found.get("trends")
    return Experiment(name, paper, summary, *asked)
