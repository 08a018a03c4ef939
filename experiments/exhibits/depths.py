"""Mixture of depths against dense M2s of equal FLOPs/byte (ours, after Raposo et al. 2024)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import (
    INTERVAL,
    WORTH,
    Check,
    Results,
    Trend,
    lower,
    not_run,
    trend,
)
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import Quantity, bits_per_byte, mflops_of_all
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.plan.cost import forward_flops, widened
from experiments.runs.recipes import LM, Training
from experiments.runs.rows import Row
from experiments.scales import Scale, decoder

SHARES = (0.125, 0.5)  # the first is the paper's best
ONE = 1 / 256  # a position of a sequence: what is left of M2 without the block
AT_LARGEST = SHARES[:1]  # the others have the size below
SIZES = 2  # the largest
SHORTER = 2  # is the training of the very largest, which takes the hours of all others
MORE = 0.02  # FLOPs/byte
LOSS = 0.01  # of bits/byte: what decisions that see no later id may cost
COLUMNS = [
    "M2", "size", "d_ff", "MFLOPs/byte, every product", "seeds", "bits/byte", "difference",
    "with the top k", "positions computed, %", "predictor agrees, %",
]  # fmt: skip
NOTE = (
    "Every other block, from the second on, computes a share of a sequence's positions; MLPs are"
    " so much wider that a token's training FLOPs are those of the dense M2, which sees the same"
    " ids at the same rate. The largest size has one share alone; the size below has an M2 whose"
    " block computes one position of a sequence, which says what the wider MLPs are worth by"
    " themselves. bits/byte are those of causal"
    " decisions, by a predictor; the top k of a whole sequence, which training takes, stand"
    " beside them and are no probabilities. FLOPs/byte are of the positions that evaluation"
    " computed. Differences from the dense M2, with 95 % intervals over seeds and texts."
)


def trainings(scale: Scale) -> list[Training]:
    """Of the dense M2s; none at scales of the paper's style: relative attention has no depths."""
    if not scale.has_routes:
        return []
    *others, largest = [
        scale.apart(replace(one, steps=scale.question_steps or one.steps))
        for one in scale.m2_trainings[-SIZES:]
    ]
    return [*others, replace(largest, steps=max(largest.steps // SHORTER, 1))]


def dense(scale: Scale, training: Training) -> LM:
    return scale.lm(scale.subwords[0], training)


def routed(scale: Scale, training: Training, share: float) -> LM:
    """At the dense M2's FLOPs a token."""
    tokens = scale.subwords[0]
    flops = forward_flops(training, tokens.vocab_size)
    shallow = replace(training, depth_capacity=share)
    return scale.lm(tokens, widened(shallow, tokens.vocab_size, flops))


def choices(scale: Scale, training: Training) -> list[LM]:
    """The routed M2s of a size."""
    largest = training.size == scale.m2_trainings[-1].size
    shares = AT_LARGEST if largest else (*SHARES, ONE)
    return [routed(scale, training, share) for share in shares]


def lms(scale: Scale) -> list[LM]:
    """A size's dense M2, then its routed ones."""
    return [lm for one in trainings(scale) for lm in (dense(scale, one), *choices(scale, one))]


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(*lms(scale))


def name_of(training: Training) -> str:
    share = training.depth_capacity
    named = {1: "dense", ONE: "depths, one position"}
    return named.get(share, f"depths, {share:.3g} of the positions")


def ahead(row: Row) -> float:
    """bits/byte with the top k of whole sequences."""
    return bits_per_byte(replace(row, sum_nats=row.values["routing"]["ahead_nats"]))


def over_seeds(results: Results, lm: LM, quantity: Quantity) -> float | None:
    rows = results.all_done(results.scale.seeded(lm))
    return float(np.mean([quantity(row) for row in rows])) if rows else None


def told(name: str) -> Quantity:
    """What rows say of routing."""
    return lambda row: row.values["routing"][name]


def reduce(results: Results) -> Table:
    return results.table(
        "Mixture of depths at equal FLOPs/byte",
        COLUMNS,
        [line(results, lm) for lm in lms(results.scale)],
        NOTE,
    )


def line(results: Results, lm: LM) -> list[Cell]:
    scale = results.scale
    training = lm.training
    cells: list[Cell] = [name_of(training), training.size]
    cells += [training.d_ff or decoder(training.size).d_ff, over_seeds(results, lm, mflops_of_all)]
    cells += results.spread(scale.seeded(lm))[:2]
    if training.depth_capacity == 1:
        return [*cells, *[None] * 4]
    gap = difference(results, lm)
    shares = [over_seeds(results, lm, told(name)) for name in ("taken", "agreed")]
    top = over_seeds(results, lm, ahead)
    percent = [None if share is None else 100 * share for share in shares]
    return [*cells, str(gap) if gap else None, top, *percent]


def difference(results: Results, lm: LM) -> Any:
    """An Interval of bits/byte above the dense M2's; None until all seeds have run."""
    plain = replace(lm.training, depth_capacity=1.0, d_ff=0)
    ours, theirs = map(results.trained, (lm, dense(results.scale, plain)))
    return contrast([(1, ours), (-1, theirs)]) if ours and theirs else None


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    if not trainings(scale):
        return []
    better, causal = [], []
    for training in trainings(scale):
        known = {lm.training.depth_capacity: lm for lm in choices(scale, training)}
        ours, plain = known[SHARES[0]], dense(scale, training)
        better += [against(results, ours, plain), spent(results, ours, plain)]
        if ONE in known:
            better.append(against(results, ours, known[ONE]))
        causal += [decided(results, lm) for share, lm in known.items() if share != ONE]
    return [
        trend(
            "Mixture of depths is better than a dense M2 of the same FLOPs/byte",
            f"at {SHARES[0]:.1%} of the positions: bits/byte of its causal decisions are"
            f" {WORTH:.1%} below the dense M2's, and at the smaller size below those of an M2 whose"
            f" block computes one position ({INTERVAL}); open where evaluation's FLOPs/byte differ"
            f" by more than {MORE:.0%}",
            better,
        ),
        trend(
            "Decisions that see no later id cost little",
            f"bits/byte by the predictor are at most {LOSS:.0%} above those with the top k of whole"
            " sequences (95 % interval over seeds, paired)",
            causal,
        ),
    ]


def against(results: Results, lm: LM, other: LM) -> Check:
    ours, theirs = (name_of(one.training) for one in (lm, other))
    name = f"{ours} to {theirs} at {lm.training.size}"
    return lower(name, results.trained(lm), results.trained(other), by=WORTH)


def spent(results: Results, lm: LM, plain: LM) -> Check:
    """Whether a predictor takes as many positions as make FLOPs/byte the dense M2's."""
    ours, theirs = (over_seeds(results, one, mflops_of_all) for one in (lm, plain))
    if ours is None or theirs is None:
        return not_run("FLOPs/byte")
    equal = abs(ours - theirs) <= MORE * theirs
    return Check(f"{ours:.3f} against {theirs:.3f} MFLOPs/byte", equal or None)


def decided(results: Results, lm: LM) -> Check:
    name = f"{lm.training.size}, {name_of(lm.training)}"
    rows = results.all_done(results.scale.seeded(lm))
    if len(rows) < results.scale.seeds:
        return not_run(name)
    found, top = (Sample(np.array([each(row) for row in rows])) for each in (bits_per_byte, ahead))
    gap = contrast([(1, found), (-1, top)], paired=True)
    text = f"{name}: {found.mean:.4f} against {top.mean:.4f}, {gap}"
    return Check(text, gap.below(LOSS * top.mean))


def draw(results: Results, folder: Path) -> list[Path]:
    """Differences from the dense M2 of each size."""
    there = [(lm, gap) for lm in lms(results.scale) if (gap := difference(results, lm))]
    there = [(lm, gap) for lm, gap in there if lm.training.depth_capacity < 1]
    with figures.figure(8.6, 1.6 + 0.4 * max(len(there), 1)) as (drawn, axes):
        names = [f"{lm.training.size}, {name_of(lm.training)}" for lm, _ in there]
        gaps = [(name, gap, "BPE") for name, (_, gap) in zip(names, there, strict=True)]
        figures.draw_gaps(axes, gaps)
        axes.set_xlabel("bits / byte above the dense M2's, at equal FLOPs / byte")
        figures.title(axes, f"Mixture of depths — {results.scale.corpus}, BPE; bars: 95 %")
        figures.name_missing(axes, results.missing(lms(results.scale)))
        return figures.save(drawn, folder, "depths")


EXPERIMENT = exhibit(__name__, "ours", "mixture of depths against dense M2s of equal FLOPs/byte")
