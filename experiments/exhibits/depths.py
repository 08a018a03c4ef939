"""Mixture of depths against dense M2s of equal FLOPs/byte (ours, after Raposo et al. 2024)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import INTERVAL, Check, Results, Trend, lower, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, mflops_of_all
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.plan.cost import forward_flops, widened
from experiments.runs.recipes import LM, Training
from experiments.runs.rows import Row
from experiments.scales import Scale, decoder

SHARES = (0.125, 0.5)
AT_LARGEST = SHARES[:1]  # the others are decided at the size below
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
    " ids at the same rate. The largest size has one share alone. bits/byte are those of causal"
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
    shares = AT_LARGEST if training.size == scale.m2_trainings[-1].size else SHARES
    return [routed(scale, training, share) for share in shares]


def lms(scale: Scale) -> list[LM]:
    """A size's dense M2, then its routed ones."""
    return [lm for one in trainings(scale) for lm in (dense(scale, one), *choices(scale, one))]


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(*lms(scale))


def name_of(training: Training) -> str:
    share = training.depth_capacity
    return "dense" if share == 1 else f"depths, {share:.3g} of the positions"


def ahead(row: Row) -> float:
    """bits/byte with the top k of whole sequences."""
    return bits_per_byte(replace(row, sum_nats=row.values["routing"]["ahead_nats"]))


def told(results: Results, lm: LM, name: str) -> float | None:
    """The mean over seeds of what rows say of routing."""
    rows = results.all_done(results.scale.seeded(lm))
    return float(np.mean([row.values["routing"][name] for row in rows])) if rows else None


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
    rows = results.all_done(scale.seeded(lm))
    cells: list[Cell] = [name_of(training), training.size]
    cells += [training.d_ff or decoder(training.size).d_ff, results.number(lm, mflops_of_all)]
    cells += results.spread(scale.seeded(lm))[:2]
    if training.depth_capacity == 1:
        return [*cells, *[None] * 4]
    gap = difference(results, lm)
    shares = [told(results, lm, name) for name in ("taken", "agreed")]
    top = float(np.mean([ahead(row) for row in rows])) if rows else None
    percent = [None if share is None else 100 * share for share in shares]
    return [*cells, str(gap) if gap else None, top, *percent]


def difference(results: Results, lm: LM) -> Any:
    """An Interval of bits/byte above the dense M2's; None until all seeds have run."""
    plain = replace(lm.training, depth_capacity=1.0, d_ff=0)
    ours, theirs = map(results.trained, (lm, dense(results.scale, plain)))
    return contrast([(1, ours), (-1, theirs)]) if ours and theirs else None


def best(results: Results, training: Training) -> LM | None:
    """Of the shares, that of the lower training loss: not chosen by what is reported."""
    scale = results.scale
    losses = []
    for lm in choices(scale, training):
        rows = results.all_done(scale.seeded(lm))
        if len(rows) < scale.seeds:
            return None
        losses.append(float(np.mean([row.last_nats for row in rows])))
    return choices(scale, training)[int(np.argmin(losses))]


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    if not trainings(scale):
        return []
    better, causal = [], []
    for training in trainings(scale):
        lm = best(results, training)
        plain = dense(scale, training)
        name = f"{name_of(lm.training) if lm else 'depths'} to dense at {training.size}"
        ours = results.trained(lm) if lm else None
        better.append(lower(name, ours, results.trained(plain)))
        better += [spent(results, lm, plain)] if lm else []
        causal += [decided(results, one) for one in choices(scale, training)]
    return [
        trend(
            "Mixture of depths is better than a dense M2 of the same FLOPs/byte",
            "of the shares, the one of the lower loss in training (by the top k): bits/byte of its"
            f" causal decisions are below the dense M2's ({INTERVAL}), and evaluation computes no"
            f" more than {MORE:.0%} more FLOPs/byte",
            better,
        ),
        trend(
            "Decisions that see no later id cost little",
            f"bits/byte by the predictor are at most {LOSS:.0%} above those with the top k of whole"
            " sequences (95 % interval over seeds, paired)",
            causal,
        ),
    ]


def spent(results: Results, lm: LM, plain: LM) -> Check:
    """Whether a predictor takes as few positions as make FLOPs/byte the dense M2's."""
    ours, theirs = (results.number(one, mflops_of_all) for one in (lm, plain))
    if ours is None or theirs is None:
        return not_run("FLOPs/byte")
    return Check(f"{ours:.3f} against {theirs:.3f} MFLOPs/byte", ours <= (1 + MORE) * theirs)


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
