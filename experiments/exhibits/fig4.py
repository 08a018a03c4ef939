"""Fig 4: bits/byte against bytes a decoder step, with the Pareto front. Runs are those of fig 3."""

from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import INTERVAL, Check, Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.figures import Point
from experiments.analysis.panels import PAPER, draw_panels, m1_point, points
from experiments.analysis.quantities import bits_per_byte, ratio
from experiments.analysis.statistics import pareto
from experiments.analysis.tables import Cell, Table
from experiments.exhibits import fig3
from experiments.runs.recipes import LM
from experiments.runs.rows import Row

COLUMNS = [
    "tokenizer", "size", "bytes/step, ours", "bits/byte, ours", "on our front", "paper's",
    "size, paper", "bytes/step, paper", "bits/byte, paper", "on the paper's front",
]  # fmt: skip
NOTE = "On a front: no other run has as many bytes/step at as few bits/byte."
recipes = fig3.recipes


def front(results: Results) -> list[Row]:
    """The runs that no other beats on bytes/step (more) and bits/byte (less), by bytes/step."""
    done = results.all_done(results.scale.lms)
    return [done[i] for i in pareto([(row.ratio, row.bits_per_byte) for row in done])]


def their_front() -> list[tuple[float, float]]:
    """The paper's (bytes/step, bits/byte) on its front."""
    points = [(per_step, bits) for sizes in paper.points().values() for _, bits, per_step in sizes]
    return [points[i] for i in pareto(points)]


def reduce(results: Results) -> Table:
    on_front = {row.key for row in front(results)}

    def theirs(lm: LM) -> list[Cell]:
        """Whether ours is on our front, before the paper's."""
        row = results.done(lm)
        name, size, per_step, bits = results.theirs(lm)
        on_theirs = yes((per_step, bits) in their_front()) if bits else None
        on_ours = yes(row.key in on_front) if row else None
        return [on_ours, name, size, per_step, bits, on_theirs]

    body = results.lines(results.scale.lms, [ratio, bits_per_byte], theirs)
    return results.table("Bits/byte against bytes/step", COLUMNS, body, NOTE)


def yes(whether: bool) -> str:
    return "yes" if whether else "no"


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    ours = points(results, scale.lms, ratio) + m1_point(results, ratio)
    theirs = [
        Point(name, x, bits) for name, found in paper.points().items() for _, bits, x in found
    ]
    edge = [(row.ratio, row.bits_per_byte) for row in front(results)]
    where = f"{scale.corpus}, scale {scale.name}"
    title = "Bits/byte against bytes a step; dashed: the Pareto front"
    label = "bytes / decoder step"
    lacking = results.missing(scale.lms)
    return [
        *draw_panels({where: ours}, title, label, folder, "fig4", edge, lacking),
        *draw_panels({PAPER: theirs}, "", label, folder, "fig4_paper", their_front()),
    ]


def trends(results: Results) -> list[Trend]:
    """Both with the training of single questions, where every run has its seeds."""
    scale = results.scale
    windows = scale.lm(scale.window(scale.windows[0], scale.wide, "paper"))
    subword = scale.lm(scale.subwords[1])
    per_step = {lm: results.coded(lm, ratio) for lm in map(scale.lm, scale.reproduced)}
    mine = per_step[windows]
    longer = lower(f"bytes/step, {subword.label} to {windows.label}", per_step[subword], mine)
    test = (
        f"{windows.stream.tokens.name} has more bytes/step than Unigram, and bits/byte below those"
        f" of every tokenizer of figure 3 (the paper's) with as many bytes/step ({INTERVAL})"
    )
    denser = [
        (windows, lm)
        for lm, one in per_step.items()
        if lm != windows and mine and one and one.mean >= mine.mean
    ]
    missing = [Check("the front: not all run yet", None)] * (None in per_step.values())
    claim = (
        "EqualInfoAC with one id a window beats SentencePiece on bytes/step and is on that front"
    )
    return [trend(claim, test, [longer, *missing, *results.ahead(denser)])]


EXPERIMENT = exhibit(__name__, "figure 4", "bits/byte against bytes/step, with the Pareto front")
