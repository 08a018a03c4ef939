"""One experiment's section: at every scale where it was run its figure, table, trends, and where they come from."""

from collections.abc import Sequence

from experiments.experiment import Experiment, Trend
from experiments.report.drawing import inline
from experiments.report.markup import Html, breakable, coded, join, tag
from experiments.report.outcomes import Outcome
from experiments.report.overview import badge, runs, verdicts
from experiments.report.provenance import count, facts
from experiments.tables import Cell, Table, shown

LONG = 40
"""Characters from which a cell's text is broken into lines."""


def section(experiment: Experiment, outcomes: Sequence[Outcome]) -> Html:
    """outcomes: at every scale, most informative first."""
    name = tag("a", experiment.name, href=f"#{experiment.name}")
    title = tag("h2", name, tag("span", experiment.paper, class_="paper"))
    told = [one for one in outcomes if one.there or one.remark]
    body = [at_scale(one) for one in told]
    lacking = [one for one in outcomes if one not in told and one.wanted]
    return tag(
        "section",
        title,
        tag("p", experiment.summary, class_="summary"),
        None if any(one.there for one in outcomes) else tag("p", "Not run at any scale yet.", class_="gap"),
        body,
        to_run(experiment, lacking) if lacking else None,
        id=experiment.name,
    )


def at_scale(one: Outcome) -> Html:
    title = tag("h3", f"{one.scale.name} scale ", runs(one), verdicts(one.trends))
    if one.table is None:
        return tag("section", title, remark(one.remark), class_="scale", id=one.anchor)
    figures = [figure(svg, one, number) for number, svg in enumerate(one.drawings)]
    parts = [
        gaps(one),
        figures,
        table(one.table, one.complete),
        trends(one.trends),
        remark(one.remark),
        provenance(one) if one.runs else None,
    ]
    return tag("section", title, parts, class_="scale", id=one.anchor)


def figure(svg: str, one: Outcome, number: int) -> Html:
    label = f"Figure: {one.table.title if one.table else one.anchor}"
    drawn = inline(svg, f"{one.anchor}-{number}", label)
    return tag("figure", drawn, class_="scroll", tabindex="0", role="region", aria_label=label)


# -- the table -----------------------------------------------------------------------------------------------


def table(content: Table, complete: bool) -> Html:
    """Ours and the paper's side by side; in a box that scrolls. complete: what lacks a number lacks no run."""
    kinds = [column_class(name, [row[at] for row in content.rows]) for at, name in enumerate(content.columns)]
    columns = zip(content.columns, kinds, strict=True)
    head = [tag("th", name, scope="col", class_=kind or None) for name, kind in columns]
    whole = tag(
        "table",
        tag("thead", tag("tr", head)),
        tag("tbody", [table_row(row, kinds) for row in content.rows]),
        class_="results complete" if complete else "results",
    )
    box = tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=content.title)
    note = tag("p", coded(content.note), class_="note") if content.note else None
    return join(tag("p", content.title, class_="caption"), box, note)


def column_class(name: str, cells: Sequence[Cell]) -> str:
    """ "number" where numbers stand in it (or nothing), "long" for texts; "theirs" where its header names the paper."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    number = not texts or any(isinstance(cell, int | float) for cell in cells)
    long = any(len(text) > LONG for text in texts)
    kinds = {"number": number, "long": long and not number, "theirs": "paper" in name.lower()}
    return " ".join(kind for kind, so in kinds.items() if so)


def table_row(row: Sequence[Cell], kinds: Sequence[str]) -> Html:
    cells = []
    for at, (cell, kind) in enumerate(zip(row, kinds, strict=True)):
        classes = f"{kind} missing".strip() if cell is None else kind
        text = breakable(shown(cell))
        cells.append(tag("td" if at else "th", text, class_=classes or None, scope=None if at else "row"))
    return tag("tr", cells)


# -- words ---------------------------------------------------------------------------------------------------


def trends(found: Sequence[Trend]) -> Html | None:
    """Every trend, whether it holds or not, with its test and numbers."""
    if not found:
        return None
    return join(tag("h4", "Trends"), tag("ul", [trend(one) for one in found], class_="trends"))


def trend(one: Trend) -> Html:
    words = [tag("p", badge(one.holds), " ", tag("strong", one.claim)), tag("p", "Test: ", one.test)]
    numbers = tag("p", "Numbers: ", one.numbers, class_="numbers") if one.numbers else None
    return tag("li", words, numbers)


def remark(text: str) -> Html | None:
    """What people say of it; blank lines part paragraphs."""
    if not text:
        return None
    paragraphs = [tag("p", paragraph.strip()) for paragraph in text.split("\n\n") if paragraph.strip()]
    return tag("div", tag("h4", "Why"), paragraphs, class_="remark")


def gaps(one: Outcome) -> Html | None:
    """The runs that are missing, by name, under one line that says how many."""
    parts = [
        (f"of {count(one.wanted, 'run')} not run yet", one.missing),
        (f"of {count(one.wanted, 'run')} failed at every attempt", one.failed),
    ]
    told = [_names(f"{len(names)} {what}", names) for what, names in parts if names]
    if not told:
        return None
    more = tag("p", "To run what is missing: ", command(one)) if one.missing else None
    return tag("div", told, more, class_="gap")


def _names(summary: str, names: Sequence[str]) -> Html:
    return tag("details", tag("summary", summary), tag("ul", [tag("li", breakable(name)) for name in names]))


def command(one: Outcome) -> Html:
    return tag("code", f"make {one.experiment.name} SCALE={one.scale.name}")


def to_run(experiment: Experiment, outcomes: Sequence[Outcome]) -> Html:
    """How to run it at the scales where it was not."""
    lines = [tag("li", command(one), f" ({count(one.wanted, 'run')})") for one in outcomes]
    names = ", ".join(one.scale.name for one in outcomes)
    return tag("details", tag("summary", f"Not run at: {names}"), tag("ul", lines), class_="torun")


def provenance(one: Outcome) -> Html:
    lines = [(tag("dt", name), tag("dd", [tag("p", text) for text in texts])) for name, texts in facts(one)]
    title = tag("summary", "What was run on what")
    return tag("details", title, tag("dl", [part for line in lines for part in line]), class_="provenance")
