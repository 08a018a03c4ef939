"""A law of loss through the published runs of Hoffmann et al. 2022, beside others' laws.

The row and the figure are made by experiments/chinchilla.py, which reads the points; these are not
ours to keep.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats

from experiments.analysis.compare import Check, Results, Trend, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.scaling import NUM_PARAMETERS, SYMBOLS, Law, Points
from experiments.analysis.statistics import Interval, Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import Recipe
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

FOLDER = "chinchilla"  # of results
NEAR = 0.1  # of an interval's end: how far ours may be from theirs
RESAMPLES = 4000


@dataclass(frozen=True)
class Printed:
    """A law as others printed it. errors, intervals: standard, and of 95 %, by names in `Law`."""

    law: Law
    errors: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


BESIROGLU = Printed(
    Law(1.8169, 482.01, 0.3478, 2085.43, 0.3659),
    {"by_size": 124.5, "by_text": 1293.3, "floor": 0.0257, "size_power": 0.0154,
     "text_power": 0.0206},
    {"by_size": (285, 744), "by_text": (1042, 5810), "floor": (1.769, 1.871),
     "size_power": (0.317, 0.373), "text_power": (0.331, 0.415)},
)  # fmt: skip
HOFFMANN = Printed(Law(1.69, 406.4, 0.34, 410.7, 0.28))
UNROUNDED = Printed(Law(1.69337368, 406.401018, 0.33917084, 410.722827, 0.2849083))
OTHERS = {
    "Besiroglu et al.": BESIROGLU,
    "Hoffmann et al.": HOFFMANN,
    "Hoffmann et al., unrounded": UNROUNDED,
}
COLUMNS = [
    "", "ours", "from", "to", "Besiroglu et al.", "standard error", "from, theirs", "to, theirs",
    "Hoffmann et al.", "Hoffmann et al., unrounded",
]  # fmt: skip
NOTE = (
    "L = E + A / N^alpha + B / D^beta, D = training FLOP / (6 N) tokens, L in nats a token, by the"
    " least Huber loss of log L (delta 0.001); intervals of 95 %, points drawn with replacement."
    " Unrounded: as in the source of Hoffmann et al.'s paper, after Besiroglu et al."
    "\n\nSuch a fit says what the loss of runs like these is, between the smallest and the largest;"
    " its five numbers make up for one another, and A and B above all are hardly known one by one."
    " Beyond the runs it is a guess that the form goes on, and no interval here counts that it may"
    " not. The losses were read off the colours of a printed figure, to about a hundredth, so that"
    " what a law leaves is mostly that reading; and runs along one budget share what is off. That"
    " some law fits best says nothing of other data, tokenizers, or ways to train."
)


def recipes(scale: Scale) -> list[Recipe]:
    """None: its one run is of no scale."""
    return []


def row(results: Results) -> Row | None:
    """The last, where the points or what is done with them have changed."""
    found = Rows(results.rows.path.parents[1] / FOLDER / "rows.jsonl").by_key
    return list(found.values())[-1] if found else None


def judged(ours: Law, points: Points) -> dict[str, dict[str, float]]:
    """Of ours and each other law, by name: Huber loss (mean), and what it leaves of log L.

    gap, gap_margin: how far its Huber loss a point is above ours, with a 95 % interval over points.
    chi2: of the likelihood ratio to ours, were what is left normal noise of one size.
    """
    found = {}
    for name, law in {"ours": ours, **{name: one.law for name, one in OTHERS.items()}}.items():
        left = law.residuals(points)
        gap = contrast([(1, Sample(law.misfit(points) - ours.misfit(points), of="points"))])
        squares = np.mean(left**2) / np.mean(ours.residuals(points) ** 2)
        found[name] = {
            "huber": float(law.misfit(points).mean()),
            "mean": float(left.mean()),
            "median": float(np.median(left)),
            "gap": gap.estimate,
            "gap_margin": gap.margin,
            "chi2": float(len(left) * np.log(squares)),
        }
    return found


def reduce(results: Results) -> Table:
    """The five numbers, then what the laws leave."""
    found = row(results)
    body: list[list[Cell]] = []
    note = NOTE
    if found:
        values = found.values
        for name, symbol in SYMBOLS.items():
            ours, theirs = values["law"][name], getattr(BESIROGLU.law, name)
            known = [BESIROGLU.errors[name], *BESIROGLU.intervals[name]]
            others = [getattr(one.law, name) for one in (HOFFMANN, UNROUNDED)]
            body.append([symbol, ours, *values["intervals"][name], theirs, *known, *others])
        for what, factor, label in (
            ("huber", 1e6, "Huber loss of log L a point, millionths"),
            ("mean", 100, "log L - log law, mean, %"),
            ("median", 100, "log L - log law, median, %"),
        ):
            ours, theirs, *others = (factor * one[what] for one in values["judged"].values())
            body.append([label, ours, None, None, theirs, None, None, None, *others])
        recipe = found.recipe
        note += (
            f"\n\n{values['points']} points, the {recipe['left_out']} of the highest loss left out;"
            f" {recipe['resamples']:,} resamples, seed {found.seed}. By `{found.command}`, commit"
            f" {found.commit}, {found.device}."
        )
    return Table("A law through 245 published runs", COLUMNS, body, note)


def trends(results: Results) -> list[Trend]:
    found = row(results)
    if found is None:
        numbers = ends = worse = [not_run("the fit")]
    else:
        values = found.values
        numbers = [near(name, values["law"][name]) for name in SYMBOLS]
        ends = [ends_near(name, values["intervals"][name]) for name in SYMBOLS]
        worse = [misfit(name, values["judged"][name]) for name in list(OTHERS)[1:]]
    return [
        trend(
            "The fit gives Besiroglu et al.'s law",
            "each number within one standard error of theirs",
            numbers,
        ),
        trend(
            "Its intervals are theirs",
            f"each end within {NEAR:.0%} of theirs",
            ends,
        ),
        trend(
            "Hoffmann et al.'s numbers do not fit the points, as printed or unrounded",
            "their Huber loss a point is above that of ours, which was fitted to these points (95 %"
            " interval over points, paired)",
            worse,
        ),
    ]


def near(name: str, ours: float) -> Check:
    theirs, error = getattr(BESIROGLU.law, name), BESIROGLU.errors[name]
    off = (ours - theirs) / error
    text = f"{SYMBOLS[name]}: {ours:.4g} against {theirs:.4g}, {off:+.2f} standard errors"
    return Check(text, abs(off) <= 1)


def ends_near(name: str, ours: tuple[float, float]) -> Check:
    theirs = BESIROGLU.intervals[name]
    off = [mine / other - 1 for mine, other in zip(ours, theirs, strict=True)]
    to = [f"{low:.4g} to {high:.4g}" for low, high in (ours, theirs)]
    text = f"{SYMBOLS[name]}: {to[0]} against {to[1]} ({off[0]:+.1%}, {off[1]:+.1%})"
    return Check(text, max(map(abs, off)) <= NEAR)


def misfit(name: str, found: dict[str, float]) -> Check:
    gap = Interval(1e6 * found["gap"], 1e6 * found["gap_margin"], "points")
    log_p = stats.chi2.logsf(found["chi2"], NUM_PARAMETERS) / np.log(10)
    below = gap.below()
    text = (
        f"{name}, in millionths: {gap}; mean of what is left {found['mean']:+.2%}; were that"
        f" normal noise, chi-squared {found['chi2']:.0f} for {NUM_PARAMETERS} numbers,"
        f" p about 1e{log_p:.0f}"
    )
    return Check(text, None if below is None else not below)


def draw(results: Results, folder: Path) -> list[Path]:
    """The one that was drawn with the points at hand."""
    drawn = folder.parent / FOLDER / "laws.svg"
    return [drawn] if drawn.exists() else []


EXPERIMENT = exhibit(
    __name__, "ours", "the published points of Hoffmann et al. 2022: a law of loss, fitted again"
)
