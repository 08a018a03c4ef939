"""The report's HTML: an overview of all experiments, then a section each."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template

from experiments.experiment import Experiment
from experiments.report import drawing, overview, section
from experiments.report.outcomes import REMARKS, Outcome, outcome, remarks
from experiments.rows import Rows
from experiments.scales import SCALES, Scale

MOST_INFORMATIVE_FIRST = list(SCALES.values())[::-1]


def page(experiments: Sequence[Experiment], results: Path, scales: Sequence[Scale] = ()) -> str:
    """The whole page. scales: all, most informative first, if not said otherwise; results: holds a folder for each."""
    scales = scales or MOST_INFORMATIVE_FIRST
    said = remarks(results / REMARKS, experiments, scales)
    rows = {scale.name: Rows(results / scale.name / "rows.jsonl") for scale in scales}
    outcomes = {
        experiment.name: [
            outcome(experiment, scale, rows[scale.name], said.get(scale.name, {}).get(experiment.name, ""))
            for scale in scales
        ]
        for experiment in experiments
    }
    return written(experiments, outcomes, rows)


def written(experiments: Sequence[Experiment], outcomes: dict[str, list[Outcome]], rows: dict[str, Rows]) -> str:
    sections, looks = drawing.classes("\n".join(section.section(one, outcomes[one.name]) for one in experiments))
    dark = f"@media (prefers-color-scheme: dark) {{{drawing.palette(looks, 'dark')}}}"
    return Template(_file("page.html")).substitute(
        style="\n".join([drawing.palette(looks, "light"), dark, _file("style.css"), looks]),
        contents=overview.contents(experiments, outcomes),
        scales=overview.scales(outcomes, rows),
        table=overview.table(experiments, outcomes),
        sections=sections,
    )


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
