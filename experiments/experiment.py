"""An experiment is a list of recipes and a reduction of their rows to a table, and perhaps a drawing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.recipes import Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


@dataclass(frozen=True)
class Experiment:
    """name: the Make target's. recipes(scale); reduce(rows, scale); draw(rows, scale, folder) -> files."""

    name: str
    summary: str
    recipes: Callable[[Scale], Sequence[Recipe]]
    reduce: Callable[[list[Row], Scale], Table]
    draw: Callable[[list[Row], Scale, Path], list[Path]] | None = None

    def output(self, rows: list[Row], scale: Scale, folder: Path) -> tuple[Table, list[Path]]:
        """Write the table's forms and the figure; rows only, no model."""
        table = self.reduce(rows, scale)
        made = table.save(folder, self.name)
        return table, made + (self.draw(rows, scale, folder) if self.draw else [])
