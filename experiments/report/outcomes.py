"""What there is of an experiment at a scale: its rows, table, figure and trends, and the runs that are missing."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError
from experiments.experiment import Experiment, Trend
from experiments.recipes import Recipe
from experiments.rows import Row, Rows
from experiments.scales import Scale
from experiments.tables import Table

REMARKS = "remarks.json"
KINDS = {"M1": "", "LM": "", "Stream": "encoding"}


@dataclass(frozen=True)
class Outcome:
    """An experiment at one scale. wanted: how many runs; runs: those there are, each once.

    missing: names of recipes not run; failed: of those whose every attempt failed. table is None, and drawings (SVG)
    and trends are empty, where there is no row at all. remark: what people say of it.
    """

    experiment: Experiment
    scale: Scale
    wanted: int
    runs: list[tuple[Recipe, Row]]
    missing: list[str]
    failed: list[str]
    table: Table | None
    drawings: list[str]
    trends: list[Trend]
    remark: str

    @property
    def anchor(self) -> str:
        return f"{self.experiment.name}-{self.scale.name}"

    @property
    def there(self) -> bool:
        """Whether there is anything to show."""
        return self.table is not None

    @property
    def complete(self) -> bool:
        return len(self.runs) == self.wanted


def outcome(experiment: Experiment, scale: Scale, rows: Rows, remark: str = "") -> Outcome:
    """Reduce, draw and judge what there is; an error names the experiment it comes from."""
    try:
        recipes = list({recipe.key: recipe for recipe in experiment.recipes(scale)}.values())
        runs = [(recipe, row) for recipe in recipes if (row := rows.done(recipe)) is not None]
        named = zip(names(recipes), recipes, strict=True)
        shown = bool(runs or (not recipes and rows.by_key))  # a table of no runs is there where anything is
        lacking = [(name, recipe) for name, recipe in named if rows.done(recipe) is None]
        return Outcome(
            experiment,
            scale,
            len(recipes),
            runs,
            missing=[name for name, recipe in lacking if rows.next_attempt(recipe) is not None],
            failed=[name for name, recipe in lacking if rows.next_attempt(recipe) is None],
            table=experiment.reduce(rows, scale) if shown else None,
            drawings=drawings(experiment, scale, rows) if shown else [],
            trends=experiment.trends(rows, scale) if shown and experiment.trends else [],
            remark=remark,
        )
    except Exception as error:
        error.add_note(f"in experiment {experiment.name} at scale {scale.name}")
        raise


def drawings(experiment: Experiment, scale: Scale, rows: Rows) -> list[str]:
    """The experiment's figures as SVG."""
    if experiment.draw is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        made = experiment.draw(rows, scale, Path(folder))
        return [path.read_text(encoding="utf-8") for path in made if path.suffix == ".svg"]


def remarks(path: Path, experiments: Sequence[Experiment], scales: Sequence[Scale]) -> dict[str, dict[str, str]]:
    """{scale: {experiment: text}}; EquinfoError where it names what does not exist."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        said = {scale: dict(texts) for scale, texts in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise EquinfoError(f"{path} is not {{scale: {{experiment: text}}}}: {error}") from error
    known = {one.name for one in scales}, {one.name for one in experiments}
    for scale, texts in said.items():
        for name, text in texts.items():
            if scale not in known[0] or name not in known[1] or not isinstance(text, str):
                raise EquinfoError(f"{path}: no text, or no such scale or experiment: {scale}, {name}")
    return said


# -- names of recipes ----------------------------------------------------------------------------------------


def names(recipes: Sequence[Recipe]) -> list[str]:
    """A name each; recipes that would share one are told apart by the fields in which they differ."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for recipe in recipes:
        groups[plain(recipe)].append(dict(flat(recipe.to_dict())))
    apart = {name: differing(group) for name, group in groups.items()}
    return [_named(recipe, apart[plain(recipe)]) for recipe in recipes]


def plain(recipe: Recipe) -> str:
    """What a recipe is about, e.g. "EqualInfoAC[b=12,v=4096], M2 0.4m"."""
    kind = type(recipe).__name__
    inner = getattr(recipe, "lm", None) or recipe
    stream = getattr(inner, "stream", None) or inner
    tokens, training = getattr(stream, "tokens", None), getattr(inner, "training", None)
    what = getattr(recipe, "what", None) or getattr(recipe, "task", None) or KINDS.get(kind, kind.lower())
    model = f"{'M1' if kind == 'M1' else 'M2'} {training.size}" if training else ""
    return ", ".join(part for part in (tokens.name if tokens else "", model, what) if part)


def _named(recipe: Recipe, fields: Sequence[str]) -> str:
    values = dict(flat(recipe.to_dict()))
    told = [f"{_short(field, fields)} {values[field]}" for field in fields if field in values]
    return ", ".join([plain(recipe), *told])


def _short(field: str, among: Sequence[str]) -> str:
    """The field's last name where it is the only one of that name."""
    last = field.rsplit(".", 1)[-1]
    return last.replace("_", " ") if [one.rsplit(".", 1)[-1] for one in among].count(last) == 1 else field


def differing(group: Sequence[dict[str, Any]]) -> list[str]:
    """The fields that are not the same in all of `group`, in order."""
    fields = {field: None for values in group for field in values}
    return [field for field in fields if any(values.get(field) != group[0].get(field) for values in group)]


def flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested fields under dotted names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value
