"""Sparse upcycling against going on dense, and against experts from nothing (ours, after
Komatsuzaki et al. 2023).
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import INTERVAL, WORTH, Check, Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Interval, contrast
from experiments.analysis.tables import Cell, Table
from experiments.plan.cost import cost, forward_flops
from experiments.runs.recipes import LM, Tokens, Training, with_training
from experiments.scales import Scale

EXPERTS = 8
OTHER_ORDER = 50  # added to the seed: what goes on sees the text in another order
DENSE, DENSE_ANEW = "dense, gone on with", "dense, optimiser anew"
UPCYCLED, UPCYCLED_ANEW = "upcycled, optimiser carried on", "upcycled, optimiser anew"
SCRATCH = "experts from nothing, the extra FLOPs alone"
WHOLE = ("experts from nothing, all FLOPs", "dense from nothing, all FLOPs")
CARRIED = {DENSE_ANEW: DENSE, UPCYCLED_ANEW: UPCYCLED}
SHORTER = 2  # than the question's: as long again, they are as long
COLUMNS = [
    "M2", "starts as", "steps", "PFLOPs in all", "seeds", "bits/byte", "difference",
    "carried on less anew", "lost, %",
]  # fmt: skip
NOTE = (
    f"{EXPERTS} experts in every other block, of which a position takes two; here that is the"
    " last of two blocks. What starts as the dense M2 gets as many training FLOPs again as that"
    " one had, in another order of the text (about a fifth of which the start has seen: the rivals"
    " from nothing see none twice), with a warm-up of its own; what starts from nothing"
    " has one schedule for all of its FLOPs. All have the dense M2's rate, which was not tuned"
    " for experts. lost: the share of choices that found no room with an expert, at the end of"
    " training. Differences are from the dense M2 that went on with its optimiser's state, with"
    " 95 % intervals over seeds and texts; every seed has a start of its own, and what starts as"
    " the same M2 and sees the same batches is compared seed by seed."
)


def start(scale: Scale, tokens: Tokens) -> LM:
    """The dense M2 that others begin as."""
    steps = max(scale.question.steps // SHORTER, 1)
    return replace(scale.lm(tokens, replace(scale.question, steps=steps)), kept=True)


def gone_on(begun: LM, share: float = 1.0, *, carried: bool = True, experts: int = 1) -> LM:
    """What starts as an LM, for that share of its training FLOPs."""
    training = replace(begun.training, experts=experts)
    training = with_flops(training, begun, share * cost(begun).flops)
    lm = with_training(begun, **vars(training))
    lm = with_training(lm, seed=begun.training.seed + OTHER_ORDER)
    return replace(lm, start=begun, carried=carried, kept=False)


def with_flops(training: Training, lm: LM, flops: float) -> Training:
    """The training with as many steps as take these FLOPs, on an LM's ids."""
    step = 3 * training.batch_size * training.context * forward_flops(training, lm.vocab_size)
    return replace(training, steps=max(round(flops / step), 1))


def arms(scale: Scale) -> Mapping[str, LM]:
    """By name; the start first."""
    if not scale.has_routes:
        return {}
    begun = start(scale, scale.subwords[0])
    plain = replace(begun, kept=False)
    sparse = replace(begun.training, experts=EXPERTS)
    budget = cost(begun).flops
    return {
        "dense, the start": begun,
        DENSE: gone_on(begun),
        DENSE_ANEW: gone_on(begun, carried=False),
        UPCYCLED: gone_on(begun, experts=EXPERTS),
        UPCYCLED_ANEW: gone_on(begun, carried=False, experts=EXPERTS),
        SCRATCH: replace(plain, training=with_flops(sparse, begun, budget)),
        WHOLE[0]: replace(plain, training=with_flops(sparse, begun, 2 * budget)),
        WHOLE[1]: replace(plain, training=with_flops(begun.training, begun, 2 * budget)),
    }


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(*arms(scale).values())


def gap(results: Results, name: str, other: str = DENSE) -> Interval | None:
    """The difference of an arm's bits/byte from another's; None until all seeds have run."""
    known = arms(results.scale)
    ours, theirs = (results.trained(known[one]) for one in (name, other))
    if name == other or ours is None or theirs is None:
        return None
    return contrast([(1, ours), (-1, theirs)], paired(known, name, other))


def paired(known: Mapping[str, LM], name: str, other: str) -> bool:
    """Whether two arms' seeds begin as the same M2s and see the same batches."""
    return known[name].start is not None and known[name].start == known[other].start


def reduce(results: Results) -> Table:
    body: list[list[Cell]] = []
    for name, lm in arms(results.scale).items():
        rows = results.all_done(results.scale.seeded(lm))
        flops = cost(lm).flops + (cost(lm.start).flops if lm.start else 0.0)
        lost = [row.values["routing"].get("lost") for row in rows if "routing" in row.values]
        apart = gap(results, name)
        numbers: list[Cell] = [lm.training.steps, flops / 1e15]
        numbers += results.spread(results.scale.seeded(lm))[:2]
        anew = gap(results, CARRIED[name], name) if name in CARRIED else None
        numbers += [str(one) if one else None for one in (apart, anew)]
        numbers.append(100 * float(np.mean(lost)) if lost else None)
        body.append([name, "the dense M2" if lm.start else "nothing", *numbers])
    return results.table("Sparse upcycling at equal extra FLOPs", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    known = arms(results.scale)
    if not known:
        return []

    def below(name: str, other: str) -> Check:
        ours, theirs = (results.trained(known[one]) for one in (name, other))
        return lower(f"{name} to {other}", ours, theirs, paired(known, name, other), WORTH)

    return [
        trend(
            "Upcycling is better than going on dense with a new warm-up",
            f"at equal extra FLOPs, bits/byte are {WORTH:.1%} below ({INTERVAL}, paired by start)",
            [below(UPCYCLED, DENSE)],
        ),
        trend(
            "Upcycling is better than experts from nothing",
            f"at equal extra FLOPs, bits/byte are {WORTH:.1%} below ({INTERVAL}); those have half"
            " of the training in all",
            [below(UPCYCLED, SCRATCH)],
        ),
        trend(
            "Upcycling is better than what had all of the FLOPs from the first step",
            f"dense or with experts, one schedule: bits/byte are {WORTH:.1%} below ({INTERVAL})",
            [below(UPCYCLED, other) for other in WHOLE],
        ),
        trend(
            "The optimiser's state is worth carrying on",
            f"dense and upcycled: bits/byte are {WORTH:.1%} below those of one anew ({INTERVAL},"
            " paired by start)",
            [below(carried, anew) for anew, carried in CARRIED.items()],
        ),
    ]


def draw(results: Results, folder: Path) -> list[Path]:
    """Every arm's difference from the dense M2 that went on."""
    known = arms(results.scale)
    found = [(name, gap(results, name)) for name in known]
    there = [(name, one) for name, one in found if one]
    with figures.figure(8.6, 1.6 + 0.35 * max(len(there), 1)) as (drawn, axes):
        figures.draw_gaps(axes, [(name, one, "BPE") for name, one in there])
        axes.set_xlabel("bits / byte above the dense M2's that went on")
        figures.title(axes, f"Sparse upcycling — {results.scale.corpus}, BPE; bars: 95 %")
        figures.name_missing(axes, results.missing(known.values()))
        return figures.save(drawn, folder, "upcycled")


EXPERIMENT = exhibit(__name__, "ours", "sparse upcycling: experts that begin as a dense M2's MLPs")
