"""The top of the report: what there is of every experiment at every scale, and the list of contents."""

from collections.abc import Sequence

from experiments.experiment import Experiment, Trend
from experiments.report.markup import Html, join, tag
from experiments.report.outcomes import Outcome
from experiments.report.provenance import count
from experiments.rows import Rows
from experiments.tables import MISSING

VERDICTS = {True: ("holds", "✓", "holds"), False: ("fails", "✗", "does not hold"), None: ("open", "?", "open")}
COUNTED = {True: ("holds", "hold"), False: ("does not", "do not"), None: ("open", "open")}


def badge(holds: bool | None, number: int | None = None) -> Html:
    """A trend's verdict, or how many trends have it: mark and words, not colour alone."""
    kind, mark, word = VERDICTS[holds]
    words = word if number is None else f"{number} {COUNTED[holds][number != 1]}"
    return tag("span", tag("span", mark, aria_hidden="true"), " ", words, class_=f"badge {kind}")


def verdicts(trends: Sequence[Trend]) -> Html:
    """How many trends hold, do not hold, are open."""
    numbers = {holds: sum(trend.holds is holds for trend in trends) for holds in VERDICTS}
    return join([badge(holds, number) for holds, number in numbers.items() if number])


def runs(one: Outcome) -> Html:
    """How many of its runs there are, in figures and as a bar."""
    if not one.wanted:
        return tag("span", "no runs needed", class_="quiet")
    done = len(one.runs)
    share = f"--share: {100 * done / one.wanted:.0f}%"
    state = "full" if one.complete else "part" if done else "none"
    told = f"{done}/{one.wanted}" if done else f"{MISSING}/{one.wanted}"
    spoken = tag("span", f"{done} of {count(one.wanted, 'run')}", class_="unseen")
    return tag("span", tag("span", told, aria_hidden="true"), spoken, class_=f"runs {state}", style=share)


def shown_scales(outcomes: dict[str, list[Outcome]]) -> list[str]:
    """The scales at which anything was run."""
    return list(dict.fromkeys(one.scale.name for ones in outcomes.values() for one in ones if one.there))


def table(experiments: Sequence[Experiment], outcomes: dict[str, list[Outcome]]) -> Html:
    """A line an experiment, a column a scale at which anything was run."""
    order = [one.scale.name for one in next(iter(outcomes.values()), []) if one.scale.name in shown_scales(outcomes)]
    head = tag("tr", tag("th", "Experiment", scope="col"), [tag("th", name, scope="col") for name in order])
    body = [_line(one, [o for o in outcomes[one.name] if o.scale.name in order]) for one in experiments]
    caption = tag("caption", "Runs there are of each experiment, and its trends", class_="unseen")
    whole = tag("table", caption, tag("thead", head), tag("tbody", body), class_="overview")
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Overview of all experiments")


def _line(experiment: Experiment, outcomes: Sequence[Outcome]) -> Html:
    name = tag("a", experiment.name, href=f"#{experiment.name}")
    about = tag("span", experiment.paper, class_="paper"), tag("span", experiment.summary, class_="wide")
    return tag("tr", tag("th", name, *about, scope="row"), [_cell(one) for one in outcomes])


def _cell(one: Outcome) -> Html:
    if not one.there:
        return tag("td", runs(one) if one.wanted else tag("span", "not at this scale", class_="quiet"))
    return tag("td", tag("a", runs(one), href=f"#{one.anchor}"), tag("span", verdicts(one.trends), class_="badges"))


def contents(experiments: Sequence[Experiment], outcomes: dict[str, list[Outcome]]) -> Html:
    """Links to all sections; a dot says how much there is at the scale where there is most."""
    return tag("ol", [_entry(one, outcomes[one.name]) for one in experiments])


def _entry(experiment: Experiment, outcomes: Sequence[Outcome]) -> Html:
    done = [one for one in outcomes if one.there]
    state, words = ("none", "not run") if not done else ("part", "in part")
    if any(one.complete for one in done):
        state, words = "full", "all runs"
    dot = tag("span", tag("span", words, class_="unseen"), class_=f"dot {state}", title=words)
    return tag("li", tag("a", dot, experiment.name, href=f"#{experiment.name}"))


def scales(outcomes: dict[str, list[Outcome]], rows: dict[str, Rows]) -> Html:
    """What each scale is, and what came out at it, all experiments together."""
    by_scale: dict[str, list[Outcome]] = {name: [] for name in rows}
    for ones in outcomes.values():
        for one in ones:
            by_scale[one.scale.name].append(one)
    return tag("dl", [_scale(name, ones, rows[name]) for name, ones in by_scale.items() if ones], class_="scales")


def _scale(name: str, outcomes: Sequence[Outcome], rows: Rows) -> list[Html]:
    complete, begun = sum(o.complete and o.there for o in outcomes), sum(o.there for o in outcomes)
    told = [tag("p", outcomes[0].scale.summary)]
    if begun:
        trends = verdicts([trend for one in outcomes for trend in one.trends])
        state = f"{complete} of {count(len(outcomes), 'experiment')} complete, {begun - complete} in part. "
        told.append(tag("p", state, tag("span", "Trends: ", trends) if trends else None))
    else:
        told.append(tag("p", "Nothing was run at this scale.", class_="quiet"))
    if rows.foreign:
        ignored = f"{count(len(rows.foreign), 'row')} of another recipe version ignored."
        told.append(tag("p", ignored, class_="quiet"))
    return [tag("dt", name), tag("dd", told)]
