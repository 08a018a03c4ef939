"""Beyond BPE: tokenizers up a ladder of text and of sizes, at equal FLOPs/byte (ours).

Arms are those that the cards left (experiment cards); bits/byte are of validation text, on which
nothing was chosen. A law of loss through each arm's runs says where one arm's lead ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures, laws
from experiments.analysis.compare import Check, Results, Trend, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.figures import Point
from experiments.analysis.quantities import Quantity, mflops_of_all, ratio
from experiments.analysis.scaling import (
    NUM_PARAMETERS,
    Crossing,
    Curve,
    Law,
    Points,
    crossing,
    fit,
    intervals,
    redrawn,
)
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.exhibits.cards import Arm, arms, given, run
from experiments.runs.recipes import LM, Training, seeds
from experiments.scales import Scale, decoder

SEEDS = 5
CLAIMED = -2  # the rung of the ladder at which every seed is run
BEHIND = 0.005  # of the rival's bits/byte: how far above it the interval may reach
FEWER = 0.1  # decoder steps a byte
RESAMPLES = 400
FARTHEST = 1e13  # bytes of text: how far laws are followed
COLUMNS = [
    "arm", "size", "MB of text", "bytes/token", "d_ff", "MFLOPs/byte, every product", "seeds",
    "bits/byte", "law", "imdb", "books",
]  # fmt: skip
Runs = tuple[tuple[float, float, float], ...]
NOTE = (
    "Equal text and equal FLOPs/byte (attention and output layer counted) at each size, so training"
    " FLOPs are equal as well; validation text of all corpora. law: bits/byte by the law of loss"
    " through all of the arm's runs, E + A / N^a + B / D^b: N parameters with the output layer, D"
    " bytes of text. An arm has a run a size and text, twelve at cpu. They say what loss lies"
    " between these rungs, and little more: E, A, B and the powers make up for one another, so that"
    " laws with quite different numbers fit alike, and E is no entropy of text. A power of N rests"
    " on the few sizes, a seed each. Intervals are of redrawn residuals: they count the scatter"
    " about the law and not that losses may follow another one, so where a lead ends beyond the"
    " most text is a guess that no run here has tried."
)


def entrants(scale: Scale) -> list[Arm]:
    """Ours, then its rivals; none until the cards have left them."""
    known = arms(scale)
    return [known[name] for name in given(scale).entrants] if known else []


def rungs(scale: Scale) -> list[tuple[Training, int]]:
    """(M2, bytes of text), the cheapest first."""
    return list(product(scale.m2_trainings, given(scale).ladder)) if scale.beyond else []


def climb(scale: Scale, arm: Arm, training: Training, text: int) -> LM:
    return run(scale, arm, training, text, "validation")


def claimed(scale: Scale, arm: Arm) -> LM:
    """The run that a claim rests on, with all seeds."""
    return climb(scale, arm, scale.base, given(scale).ladder[CLAIMED])


def recipes(scale: Scale) -> list[LM]:
    """The claim's seeds, then the ladder by size and text."""
    all_arms = entrants(scale)
    claims = [lm for arm in all_arms for lm in seeds(claimed(scale, arm), seed_count(scale))]
    return [*claims, *(climb(scale, arm, *rung) for rung in rungs(scale) for arm in all_arms)]


def seed_count(scale: Scale) -> int:
    return SEEDS if scale.seeds > 1 else 1


def points(results: Results, arm: Arm) -> Runs | None:
    """(parameters, bytes of text, bits/byte over seeds) of the arm's runs; None until all are
    there.
    """
    scale = results.scale
    lms = [climb(scale, arm, *rung) for rung in rungs(scale)]
    bits = [over_seeds(results, lm) for lm in lms]
    if None in bits or len(lms) <= NUM_PARAMETERS:
        return None
    found = zip(map(parameters, lms), rungs(scale), bits, strict=True)
    return tuple((size, text, one) for size, (_, text), one in found if one is not None)


def over_seeds(results: Results, lm: LM) -> float | None:
    """Bits/byte, the mean of the seeds that have run."""
    rows = results.all_done(seeds(lm, seed_count(results.scale)))
    return float(np.mean([row.bits_per_byte for row in rows])) if rows else None


def law(results: Results, arm: Arm) -> tuple[Law, list[Law]] | None:
    """The arm's law of loss and its resamples, where its points are."""
    found = points(results, arm)
    return fitted(found) if found else None


@cache
def fitted(runs: Runs) -> tuple[Law, list[Law]]:
    """The law through runs, and its resamples: seconds of work that table, figures and trends
    share.
    """
    columns = Points(*np.array(runs).T)
    found = fit(*columns)
    return found, redrawn(found, columns, RESAMPLES)


def parameters(lm: LM) -> float:
    """Weights that a step multiplies by: layers and output layer."""
    shape = decoder(lm.training.size)
    wide = replace(shape, d_ff=lm.training.d_ff or shape.d_ff)
    return wide.parameters + wide.d_model * lm.vocab_size


def end_of_lead(results: Results, rival: Arm, training: Training) -> Crossing | None:
    """The bytes of text at which our M2s of a size stop being ahead of a rival's."""
    scale = results.scale
    ours = entrants(scale)[0]
    mine, theirs = (law(results, arm) for arm in (ours, rival))
    if mine is None or theirs is None:
        return None
    least = float(rungs(scale)[0][1])

    def curves(arm: Arm, found: tuple[Law, list[Law]]) -> list[Curve]:
        size = parameters(climb(scale, arm, training, int(least)))
        return [partial(one, size) for one in (found[0], *found[1])]

    return crossing(curves(ours, mine), curves(rival, theirs), least, FARTHEST)


def leads(results: Results, rival: Arm) -> list[str]:
    """Up to how much text we lead, by the laws of loss, a sentence a size."""
    said = []
    for training in results.scale.m2_trainings:
        end = end_of_lead(results, rival, training)
        if end is not None:
            low, at, high = (f"{one / 1e6:.3g}" for one in (end.low, end.estimate, end.high))
            reach = f"{at} MB of text ({low} to {high})"
            said.append(
                f"By the laws, the lead over {rival.name} at {training.size} ends at {reach}."
            )
    return said


def reduce(results: Results) -> Table:
    scale = results.scale
    by_arm = {arm.name: law(results, arm) for arm in entrants(scale)}
    body: list[list[Cell]] = []
    for (training, text), arm in product(rungs(scale), entrants(scale)):
        lm = climb(scale, arm, training, text)
        done = results.all_done(seeds(lm, seed_count(scale)))
        known: list[Cell] = [arm.name, training.size, f"{text / 1e6:.3g}"]
        known += [results.number(lm, ratio), lm.training.d_ff or decoder(training.size).d_ff]
        by_law = by_arm[arm.name]
        fitted = float(by_law[0](parameters(lm), text)) if by_law else None
        known += [results.number(lm, mflops_of_all), len(done), over_seeds(results, lm), fitted]
        apart: list[Cell] = [*results.by_corpus(lm, done)] or [None, None]
        body.append([*known, *apart])
    corpus = scale.beyond.corpus if scale.beyond else ""
    return results.table("The ladder", COLUMNS, body, NOTE, corpus)


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    if not entrants(scale):
        return []
    ours, *rivals = entrants(scale)
    names = ", ".join(rival.name for rival in rivals)
    decided = trend(
        f"{ours.name}: at or below {names} in bits/byte",
        f"at {given(scale).ladder[CLAIMED] / 1e6:.3g} MB of text, {scale.base.size}, equal text,"
        f" equal FLOPs/byte with the output layer counted, {SEEDS} seeds: the mean difference is at"
        f" most 0 and its 95 % interval ends at most {BEHIND:.1%} above each rival's; open where"
        " only the interval is too wide",
        [level(results, ours, rival) for rival in rivals],
    )
    ends = [end for one in rivals for end in leads(results, one)]
    numbers = f"{decided.numbers}. {' '.join(ends)}" if ends else decided.numbers
    return [
        replace(decided, numbers=numbers),
        trend(
            f"{ours.name}: fewer decoder steps a byte",
            f"at least {FEWER:.0%} fewer than the rival of the least bits/byte",
            [fewer_steps(results, ours, rivals)],
        ),
    ]


def claims(results: Results, arm: Arm) -> Sample | None:
    """Bits/byte of the run that the claim rests on; None until all its seeds have run."""
    all_seeds = Results(results.rows, replace(results.scale, seeds=seed_count(results.scale)))
    return all_seeds.trained(claimed(results.scale, arm))


def level(results: Results, ours: Arm, rival: Arm) -> Check:
    """Whether ours is level with a rival: not above it, and hardly by the whole interval."""
    mine, theirs = claims(results, ours), claims(results, rival)
    name = f"{ours.name} to {rival.name}"
    if mine is None or theirs is None:
        return not_run(name)
    gap = contrast([(1, mine), (-1, theirs)])
    near = True if gap.high <= BEHIND * theirs.mean else None
    text = f"{name}: {mine.mean:.4f} against {theirs.mean:.4f}, {gap}"
    return Check(text, near if gap.estimate <= 0 else False)


def fewer_steps(results: Results, ours: Arm, rivals: Sequence[Arm]) -> Check:
    """Whether ours takes fewer than the best rival; what it saves against each is told."""
    found = [claims(results, arm) for arm in rivals]
    steps = [results.number(claimed(results.scale, arm), ratio) for arm in (ours, *rivals)]
    if None in found or None in steps:
        return not_run("decoder steps")
    mine, *theirs = (one for one in steps if one)
    saved = [1 - one / mine for one in theirs]
    best = int(np.argmin([one.mean for one in found if one]))
    told = ", ".join(f"{arm.name} {one:.1%}" for arm, one in zip(rivals, saved, strict=True))
    return Check(f"fewer than {told}; the best is {rivals[best].name}", saved[best] >= FEWER)


def draw(results: Results, folder: Path) -> list[Path]:
    """Bits/byte against FLOPs/byte and against bytes a step on the most text, and against text."""
    scale = results.scale
    if not entrants(scale):
        return []
    text = max(given(scale).ladder)
    most = [
        climb(scale, arm, training, text)
        for arm, training in product(entrants(scale), scale.m2_trainings)
    ]
    with figures.figure(14.5, 5.4) as (drawn, axes):
        axes.remove()
        by_cost, by_steps, by_text = drawn.subplots(1, 3)
        for panel, quantity, label in (
            (by_cost, mflops_of_all, "inference MFLOPs / byte, every product"),
            (by_steps, ratio, "bytes / decoder step"),
        ):
            figures.draw_runs(panel, points_of(most, results, quantity))
            panel.set_xlabel(label)
            figures.title(panel, f"{text / 1e6:.3g} MB of text; sizes joined")
        by_cost.set_xscale("log")
        figures.plain_ticks(by_cost.xaxis, subs=(1, 2, 5))
        draw_ladder(by_text, results)
        by_cost.set_ylabel("bits / byte")
        for arm in entrants(scale):
            colour, mark = figures.style_of(arm.tokens.name)
            by_cost.plot([], [], mark + "-", color=colour, label=arm.tokens.name)
        by_cost.legend(frameon=False, fontsize=8)
        figures.name_missing(by_cost, results.missing(most))
        figures.heading(
            drawn, f"Equal text, equal FLOPs/byte — {given(scale).corpus}, {scale.name}"
        )
        made = figures.save(drawn, folder, "beyond")
    return [*made, *draw_laws(results, folder)]


def draw_laws(results: Results, folder: Path) -> list[Path]:
    """Every law there is, in one figure; none where there is none."""
    shown = []
    for arm in entrants(results.scale):
        runs = points(results, arm)
        if runs:
            found, again = fitted(runs)
            name, columns = arm.tokens.name, Points(*np.array(runs).T)
            style = figures.style_of(name)
            shown.append(laws.Fitted(name, found, style, columns, intervals(again)))
    if not shown:
        return []
    with figures.figure(14.5, 5.4) as (drawn, axes):
        axes.remove()
        laws.draw(drawn, shown, text="bytes of text", loss="bits / byte")
        figures.heading(drawn, f"Laws of loss — {given(results.scale).corpus}")
        return figures.save(drawn, folder, "beyond_laws")


def points_of(lms: Sequence[LM], results: Results, quantity: Quantity) -> list[Point]:
    found = [(lm.stream.tokens.name, row) for lm in lms if (row := results.done(lm))]
    return [Point(name, quantity(row), row.bits_per_byte) for name, row in found]


def draw_ladder(axes: Any, results: Results) -> None:
    """Bits/byte of the smallest and largest M2s by text, and their laws up to ten times as much."""
    scale = results.scale
    ladder = given(scale).ladder
    ahead = np.geomspace(ladder[0], 10 * ladder[-1], 60)
    for arm in entrants(scale):
        colour, mark = figures.style_of(arm.tokens.name)
        by_law = law(results, arm)
        for training in (scale.base, scale.m2_trainings[-1]):
            lms = [climb(scale, arm, training, text) for text in ladder]
            found = [(text, results.number(lm)) for text, lm in zip(ladder, lms, strict=True)]
            there = [(text / 1e6, bits) for text, bits in found if bits is not None]
            axes.plot(*zip(*there, strict=True) if there else ([], []), mark, color=colour)
            if by_law:
                line = by_law[0](parameters(lms[0]), ahead)
                axes.plot(ahead / 1e6, line, color=colour, lw=1)
    axes.set_xscale("log")
    figures.plain_ticks(axes.xaxis, subs=(1, 3))
    axes.set_xlabel("MB of text")
    sizes = f"{scale.base.size} (above) and {scale.m2_trainings[-1].size}"
    figures.title(axes, f"M2s of {sizes}; lines: the laws of loss")


EXPERIMENT = exhibit(
    __name__, "ours", "the best tokenizers for a budget: a ladder of text and size"
)
