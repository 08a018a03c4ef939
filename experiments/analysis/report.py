"""The results as pages of the site: an index with findings and trends, and a page an experiment.

Text is written from rows alone, in the Markdown that MkDocs and GitHub share. Tables (CSV) and
figures (SVG) lie beside the rows, and the pages show them from there.
"""

import json
import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from equinfo.errors import EquinfoError
from equinfo.files import atomic_file
from experiments.analysis.compare import Results, Trend
from experiments.analysis.experiment import Experiment
from experiments.analysis.findings import Finding, findings
from experiments.analysis.tables import Cell, Table, escaped, grid
from experiments.runs.recipes import Recipe
from experiments.runs.rows import Row, Rows
from experiments.scales import SCALES, Scale

SHOWN = "cpu"
"""The scale that the pages show."""

VERDICTS = {True: "✓ holds", False: "✗ fails", None: "? open"}
AGREES = {True: "✓ as in the paper", False: "✗ not as in the paper", None: "? open"}
OURS = "ours"
"""Where an experiment stands in the paper that has nothing like it."""
FOR_README = 4
"""Of the findings: who is ahead of whom."""
CLIPPED = 160
"""Characters of a trend's numbers that the index shows."""
ALL = "all"
"""The name under which changes.md has what concerns every experiment."""


@dataclass(frozen=True)
class Outcome:
    """An experiment at a scale: its runs, each recipe once, and what is made of them.

    table: None where nothing was run. figures: files, seen from the folder of rows. remark,
    changes: Markdown by people.
    """

    experiment: Experiment
    scale: Scale
    runs: Sequence[tuple[Recipe, Row | None]]
    table: Table | None = None
    figures: Sequence[str] = ()
    trends: Sequence[Trend] = ()
    remark: str = ""
    changes: str = ""

    @property
    def done(self) -> list[tuple[Recipe, Row]]:
        return [(recipe, row) for recipe, row in self.runs if row is not None]


@dataclass(frozen=True)
class Whole:
    """All outcomes of a scale. changes: Markdown by people, of what concerns all."""

    results: Results
    outcomes: Sequence[Outcome]
    findings: Sequence[Finding]
    changes: str

    @cached_property
    def done(self) -> dict[str, Row]:
        return {row.key: row for one in self.outcomes for _, row in one.done}

    @cached_property
    def wanted(self) -> set[str]:
        return {recipe.key for one in self.outcomes for recipe, _ in one.runs}


def write(
    experiments: Sequence[Experiment],
    folder: Path,
    pages: Path,
    scale: Scale = SCALES[SHOWN],
    readme: Path | None = None,
) -> list[Path]:
    """Write tables and figures beside the rows of `scale`, all `pages`, and a quote into `readme`.

    Returns the pages; pages there of experiments that are no more are deleted, and tables and
    figures without rows.

    folder: holds SCALE/rows.jsonl and, where people had something to say, remarks.json
    ({scale: {experiment: text}}) and changes.md (see `read_changes`).
    """
    beside = folder / scale.name
    results = Results(Rows(beside / "rows.jsonl"), scale)
    names = [one.name for one in experiments]
    remarks = read_remarks(folder / "remarks.json", names).get(scale.name, {})
    changes = read_changes(folder / "changes.md", names)
    outcomes = []
    made = set()
    for one in experiments:
        said = remarks.get(one.name, ""), changes.get(one.name, "")
        outcomes.append(outcome(one, results, beside, *said))
        if outcomes[-1].table:
            made |= {f"{one.name}.csv", *outcomes[-1].figures}
    for old in [*beside.glob("*.csv"), *beside.glob("*.svg")]:
        if old.name not in made:
            old.unlink()  # of rows that are gone
    link = Path(os.path.relpath(beside, pages)).as_posix()
    whole = Whole(results, outcomes, findings(results), changes.get(ALL, ""))
    texts = {f"{one.experiment.name}.md": page(one, link) for one in outcomes}
    texts["index.md"] = index(whole, link)
    pages.mkdir(parents=True, exist_ok=True)
    for old in pages.glob("*.md"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        with atomic_file(pages / name) as path:
            path.write_text(text, encoding="utf-8")
    if readme:
        quote(readme, headline(whole))
    return [pages / name for name in texts]


def outcome(
    experiment: Experiment, results: Results, folder: Path, remark: str = "", changes: str = ""
) -> Outcome:
    """Reduce, draw and judge what there is; an error names the experiment it comes from."""
    scale = results.scale
    recipes = {recipe.key: recipe for recipe in experiment.recipes(scale)}.values()
    runs = [(recipe, results.done(recipe)) for recipe in recipes]
    empty = Outcome(experiment, scale, runs, remark=remark, changes=changes)
    # An experiment without runs of its own is there where anything is.
    if not (empty.done or (not runs and results.rows.by_key)):
        return empty
    try:
        table, made = experiment.output(results, folder)
        trends = experiment.trends(results) if experiment.trends else []
    except Exception as error:
        error.add_note(f"in experiment {experiment.name} at scale {scale.name}")
        raise
    drawn = [path for path in made if path.suffix == ".svg"]
    figures = [Path(os.path.relpath(path, folder)).as_posix() for path in drawn]
    shown = table if table.rows else None
    return replace(empty, table=shown, figures=figures, trends=trends)


def read_remarks(path: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """{scale: {experiment: text}}; EquinfoError where it names what does not exist."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        said = [(scale, *said) for scale, texts in found.items() for said in texts.items()]
    except (ValueError, AttributeError) as error:
        raise EquinfoError(f"{path} is not {{scale: {{experiment: text}}}}: {error}") from error
    for scale, name, text in said:
        if scale not in SCALES or name not in names or not isinstance(text, str):
            raise EquinfoError(f"{path}: no text, or no such scale or experiment: {scale}, {name}")
    return found


def read_changes(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The lines of a Markdown table of experiment, date, what, why, commit, as lists by experiment.

    EquinfoError for a line of no experiment.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found: dict[str, list[str]] = {}
    for line in [line for line in lines if line.startswith("| ")][1:]:
        name, date, what, why, commit = (cell.strip() for cell in line.strip("|").split("|"))
        if name not in (*names, ALL):
            raise EquinfoError(f"{path}: a change of no experiment: {name}")
        found.setdefault(name, []).append(f"- {date}: {what}. Why: {why} ({commit}).")
    return {name: "\n".join(changes) for name, changes in found.items()}


# -- a page an experiment ------------------------------------------------------------------------


def page(one: Outcome, link: str) -> str:
    """An experiment's page. link: from there to the folder of its figures and table."""
    name = one.experiment.name
    command = f"`make {name} SCALE={one.scale.name}`"
    there = f"Scale `{one.scale.name}`: {len(one.done)} of {len(one.runs)} runs; {command}"
    parts = [
        f"# {name}: {one.experiment.summary}",
        f"{sentence(one.experiment.paper)}. {there}. [All results](index.md)",
    ]
    if one.table is None:
        parts.append("Not run yet.")
    else:
        alt = escaped(one.table.title)
        parts += [f"![{alt}]({posixpath.normpath(f'{link}/{figure}')})" for figure in one.figures]
        parts += [
            one.table.markdown(),
            f"[The table as CSV]({link}/{name}.csv), in full precision.",
        ]
    if one.trends:
        parts += ["## Trends", *map(trend, one.trends)]
    for heading, text in (("## Remarks", one.remark), ("## Changes", one.changes)):
        parts += [heading, text] if text else []
    parts.append(provenance(one))
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def trend(one: Trend) -> str:
    lines = [f"- **{VERDICTS[one.holds]}:** {escaped(one.claim)}"]
    lines += [f"    - Test: {escaped(one.test)}"]
    lines += [f"    - Numbers: {escaped(one.numbers)}"] if one.numbers else []
    return "\n".join(lines)


def provenance(one: Outcome) -> str:
    """What was run on what, and what is missing; folded."""
    missing = [recipe.title for recipe, row in one.runs if row is None]
    parts = []
    if missing:
        names = "\n".join(f"- {escaped(name)}" for name in missing)
        parts.append(folded(f"{len(missing)} of {len(one.runs)} runs have no row", names))
    if one.done:
        columns = ["run", "ids trained on", "rate", "seed", "commit", "minutes", "recipe"]
        lines = [run(recipe, row) for recipe, row in one.done]
        facts = summary([row for _, row in one.done])
        parts.append(folded("What was run", f"{facts}\n\n{grid(columns, lines)}"))
    return "\n\n".join(parts)


def run(recipe: Recipe, row: Row) -> list[Cell]:
    rate = f"{recipe.trained.learning_rate:.3g}" if recipe.trained else None
    ids = row.trained_tokens or None
    return [escaped(recipe.title), ids, rate, row.seed, row.commit, row.seconds / 60, row.key]


def folded(heading: str, text: str) -> str:
    return f'<details markdown="1">\n<summary>{heading}</summary>\n\n{text}\n\n</details>'


def summary(rows: Sequence[Row]) -> str:
    """Devices, seeds, commits, software and hours of rows, as a list."""
    seeds = sorted({row.seed for row in rows if row.seed is not None})
    software = {", ".join(" ".join(one) for one in row.versions.items()) for row in rows}
    facts = {
        "Devices": sorted({row.device for row in rows}),
        "Seeds": [", ".join(map(str, seeds))],
        "Commits": sorted({row.commit for row in rows}),
        "Software": sorted(software),
        "Commands": sorted({row.command for row in rows}),
        "Time": [f"{sum(row.seconds for row in rows) / 3600:.2f} hours in {len(rows)} runs"],
    }
    told = {name: "; ".join(filter(None, values)) for name, values in facts.items()}
    return "\n".join(f"- {name}: {escaped(text)}" for name, text in told.items() if text)


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- the index -----------------------------------------------------------------------------------


def index(whole: Whole, link: str) -> str:
    scale = whole.results.scale
    foreign = len(whole.results.rows.foreign)
    trends = [(one, trend) for one in whole.outcomes for trend in one.trends]
    ours = {one.experiment.name for one in whole.outcomes if one.experiment.paper == OURS}
    listed = [
        f"{n}. **{(VERDICTS if one.page in ours else AGREES)[one.agrees]}.** {escaped(one.text)}"
        f" [{one.page}]({one.page}.md)"
        for n, one in enumerate(whole.findings, 1)
    ]
    about = f"""\
What this code measures, beside what Lester et al. 2024 printed. Every number is computed
from [rows]({link}/rows.jsonl), which hold their commit, device, seed and command; `make report`
writes these pages from them. [How they are made](../experiments.md).

Scale `{scale.name}`: {scale.summary}. Models as small say little about large ones by themselves:
what can be compared are the trends."""
    parts = [
        "# Results",
        about,
        "## Ten findings",
        "Intervals are of 95 %. What goes against the paper stands here like anything else.",
        "\n".join(listed),
        "## Trends",
        f"{verdicts([trend for _, trend in trends])} ({', '.join(VERDICTS.values())}); the pages"
        " have their tests.",
        grid(["", "claim", "numbers", "page"], [trend_line(*pair) for pair in trends]),
        *(["## Changes of all tests", whole.changes] if whole.changes else []),
        "## What was run",
        sizes(scale),
        f"{len(whole.done)} of {len(whole.wanted)} runs are there.",
        summary(list(whole.done.values())),
        grid(["page", "in the paper", "what", "runs", "trends"], [*map(line, whole.outcomes)]),
    ]
    if foreign:
        parts.append(f"{foreign} rows of another recipe version are left out.")
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def headline(whole: Whole) -> str:
    """The first findings and what was run for them, for the README."""
    told = " ".join(escaped(one.text) for one in whole.findings[:FOR_README])
    count = len(whole.wanted)
    left = len(whole.wanted) - len(whole.done)
    missing = f" Of {count} runs {left} are still to be made." if left else ""
    return f"{told} {sizes(whole.results.scale)}{missing}"


def quote(path: Path, text: str) -> None:
    """Put a text between the lines "<!-- results -->" and "<!-- end -->" of a file."""
    before, mark, rest = path.read_text(encoding="utf-8").partition("<!-- results -->\n")
    _, end, after = rest.partition("<!-- end -->\n")
    if not end:
        lines = '"<!-- results -->" and "<!-- end -->"'
        raise EquinfoError(f"{path} has no lines {lines} for findings")
    with atomic_file(path) as beside:
        beside.write_text(f"{before}{mark}{text}\n{end}{after}", encoding="utf-8")


def trend_line(one: Outcome, trend: Trend) -> list[Cell]:
    numbers = trend.numbers
    if len(numbers) > CLIPPED:
        numbers = numbers[: numbers.rfind(" ", 0, CLIPPED)] + " …"
    name = one.experiment.name
    return [VERDICTS[trend.holds], escaped(trend.claim), escaped(numbers), f"[{name}]({name}.md)"]


def line(one: Outcome) -> list[Cell]:
    """An experiment in the list of pages; the site's navigation has this order."""
    name = one.experiment.name
    runs = f"{len(one.done)} of {len(one.runs)}"
    told = [escaped(one.experiment.paper), escaped(one.experiment.summary)]
    return [f"[{name}]({name}.md)", *told, runs, verdicts(one.trends)]


def verdicts(trends: Sequence[Trend]) -> str:
    """How many of them hold, fail, are open."""
    counts = {holds: sum(one.holds is holds for one in trends) for holds in VERDICTS}
    return ", ".join(f"{count} {VERDICTS[holds][0]}" for holds, count in counts.items() if count)


def sizes(scale: Scale) -> str:
    """What was trained on how much."""
    m2s = ", ".join(f"{one.size} ({one.tokens:,} ids)" for one in scale.m2_trainings)
    m1 = scale.m1_training
    apart = f" Single questions: products in {scale.products}." if scale.products else ""
    return (
        f"M1: {m1.size} ({m1.tokens:,} bytes). M2s: {m2s}; {scale.seeds} seeds where an interval is"
        f" given, else one. Text: {scale.corpus}, {scale.train_bytes:,} bytes to train on,"
        f" {scale.validation_bytes:,} to be judged by.{apart}"
    )
