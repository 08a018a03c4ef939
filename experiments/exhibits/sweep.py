"""Learning rates: every tokenizer's own, chosen by training loss in short runs, so that nothing is
tuned on what is reported; and whether the rate may be carried to other sizes by width.

Ours: the paper has one rate for every run, which its reviewers call a mistake.
"""

from dataclasses import replace

from equinfo.lm.config import dimensions
from experiments.analysis.compare import bits_per_byte, measured, training_nats
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs import recipes as r
from experiments.runs.recipes import LM, Recipe, Tokens
from experiments.runs.rows import Rows
from experiments.scales import Scale

FACTORS = (
    1 / 2,
    1.0,
    2.0,
)  # of the rate by width, at the largest size; of a scale's own rate where it has no trials
CARRIED_STEPS = 1 / 2  # of a trial's, at the largest size
COLUMNS = [
    "tokenizer", "size", "steps", "learning rate", "training nats/token, ours", "chosen",
    "bits/byte, ours",
    "the paper's rate",
]  # fmt: skip
NOTE = (
    "Chosen by the mean training loss of the last tenth of the steps, once every rate has run;"
    " bits/byte is that of the validation text. Windows of narrow and of wide ids stand for all"
    " coded streams of such ids. The paper gives all runs one rate, 1 / sqrt(max(step, 10,000))"
    " with Adafactor."
)
PAPER_RATE = "1.0, for all"


def kinds(scale: Scale) -> dict[str, Tokens]:
    """A tokenizer of each kind that has a rate of its own."""
    first = scale.windows[0]
    codebook = Tokens("codebook", scale.vocabulary, scale.corpus, scale.train_bytes)
    narrow = scale.window(first, scale.narrow, "free")
    tokens = [*scale.claim, narrow, scale.subwords[1], scale.gzips[0], codebook]
    return {scale.kind_of(one): one for one in tokens}


def trials(scale: Scale, tokens: Tokens) -> list[LM]:
    """One tokenizer at the smallest size, every rate."""
    base = scale.base
    short = replace(base, steps=scale.trial_steps or base.steps)
    rates = scale.trial_rates or [base.learning_rate * factor for factor in FACTORS]
    return r.sweep(LM(scale.stream(tokens), short), rates)


def carried(scale: Scale, tokens: Tokens) -> list[LM]:
    """One tokenizer at the largest size, around the rate that its width asks for."""
    largest = scale.m2_trainings[-1]
    steps = max(round((scale.trial_steps or largest.steps) * CARRIED_STEPS), 1)
    by_width = scale.lm(tokens, replace(largest, steps=steps))
    return r.sweep(by_width, [by_width.training.learning_rate * factor for factor in FACTORS])


def groups(scale: Scale) -> list[list[LM]]:
    """The trials among which a rate is chosen."""
    largest = (
        [carried(scale, tokens) for tokens in (scale.bytes, scale.claim[-1])] if scale.rates else []
    )
    return [*(trials(scale, tokens) for tokens in kinds(scale).values()), *largest]


def recipes(scale: Scale) -> list[Recipe]:
    return [lm for group in groups(scale) for lm in group]


def chosen(rows: Rows, lms: list[LM]) -> LM | None:
    """The one with the lowest training loss; None until all have run."""
    found = [(training_nats(row), lm) for lm in lms if (row := rows.done(lm)) is not None]
    return min(found, key=lambda one: one[0])[1] if len(found) == len(lms) else None


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [
        line(rows, lm, best)
        for group in groups(scale)
        for best in [chosen(rows, group)]
        for lm in group
    ]
    return Table(f"Learning rates ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


def line(rows: Rows, lm: LM, best: LM | None) -> list[Cell]:
    nats, bits = measured(rows.done(lm), [training_nats, bits_per_byte])
    training = lm.training
    mark = "yes" if lm == best else ""
    rate = f"{training.learning_rate:.3g}"
    return [
        lm.stream.tokens.name,
        training.size,
        training.steps,
        rate,
        nats,
        mark,
        bits,
        PAPER_RATE,
    ]


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    if not scale.rates:
        return []
    return [used(rows, scale), by_width(rows, scale)]


def used(rows: Rows, scale: Scale) -> Trend:
    best = {kind: chosen(rows, trials(scale, tokens)) for kind, tokens in kinds(scale).items()}
    there = {kind: lm.training.learning_rate for kind, lm in best.items() if lm is not None}
    wrong = [kind for kind, rate in there.items() if scale.rates.get(kind) != rate]
    return Trend(
        "Each tokenizer is trained at the rate that its trials chose",
        "of the trial rates, the one with the lowest training loss is the scale's, for every kind"
        " of tokenizer",
        False if wrong else True if len(there) == len(best) else None,
        ", ".join(
            f"{kind} {rate:.3g}{' (not used)' * (kind in wrong)}" for kind, rate in there.items()
        ),
    )


def by_width(rows: Rows, scale: Scale) -> Trend:
    groups = [carried(scale, tokens) for tokens in (scale.bytes, scale.claim[-1])]
    best = [chosen(rows, group) for group in groups]
    right = [lm and lm == group[FACTORS.index(1.0)] for lm, group in zip(best, groups, strict=True)]
    first, largest = (
        dimensions(one.size)[0] for one in (scale.m2_trainings[0], scale.m2_trainings[-1])
    )
    return Trend(
        "Rates carry over to other sizes by width",
        f"at {scale.m2_trainings[-1].size}, the rate times {first}/{largest} has a lower training"
        " loss than half and twice of it, for bytes and for windows of one id",
        None if None in right else all(right),
        ", ".join(f"{lm.stream.tokens.name} {lm.training.learning_rate:.3g}" for lm in best if lm),
    )


EXPERIMENT = Experiment(
    "sweep", "ours", "learning rates, chosen by training loss", recipes, reduce, trends=trends
)
