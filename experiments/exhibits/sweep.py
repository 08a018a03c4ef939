"""Learning rates: every tokenizer's own, chosen by training loss in short runs, so that nothing is
tuned on what is reported; and whether the rate may be carried to other sizes by width.

Ours: the paper has one rate for every run, which its reviewers call a mistake.
"""

from dataclasses import replace

from experiments.analysis.compare import Results, Trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, training_nats
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Tokens, sweep
from experiments.scales import Scale

# of the rate by width, at the largest size; of a scale's own rate where it has no trials
FACTORS = (0.5, 1.0, 2.0)
CARRIED_STEPS = 1 / 2  # of a trial's, at the largest size
COLUMNS = [
    "tokenizer", "size", "steps", "products", "learning rate", "training nats/token, ours",
    "chosen", "bits/byte, ours", "the paper's rate",
]  # fmt: skip
NOTE = (
    "Chosen by the mean training loss of the last tenth of the steps, once every rate has run;"
    " bits/byte is that of the validation text. Windows of narrow and of wide ids stand for all"
    " coded streams of such ids. Last, where single questions have other products: the chosen runs"
    " of the main claim's tokenizers with these. The paper gives all runs one rate,"
    " 1 / sqrt(max(step, 10,000)) with Adafactor."
)
PAPER_RATE = "1.0, for all"


def kinds(scale: Scale) -> dict[str, Tokens]:
    """A tokenizer of each kind that has a rate of its own."""
    narrow = scale.window(scale.windows[0], scale.narrow, "free")
    tokens = [*scale.claim, narrow, scale.subwords[1], *scale.gzips, scale.codebook]
    return {scale.kind_of(one): one for one in tokens}


def trials(scale: Scale, tokens: Tokens) -> list[LM]:
    """One tokenizer at the smallest size, every rate."""
    base = scale.base
    short = replace(base, steps=scale.trial_steps or base.steps)
    rates = scale.trial_rates or [base.learning_rate * factor for factor in FACTORS]
    if scale.trial_rates and tokens.family == "gzip":
        rates = [rates[0] / 2, *rates]  # whose bytes learned best at the lowest
    return sweep(LM(scale.stream(tokens), short), rates)


def carried(scale: Scale, tokens: Tokens) -> list[LM]:
    """One tokenizer at the largest size, around the rate that its width asks for."""
    largest = scale.m2_trainings[-1]
    steps = max(round((scale.trial_steps or largest.steps) * CARRIED_STEPS), 1)
    by_width = scale.lm(tokens, replace(largest, steps=steps))
    return sweep(by_width, [by_width.training.learning_rate * factor for factor in FACTORS])


def carried_groups(scale: Scale) -> list[list[LM]]:
    return [carried(scale, tokens) for tokens in scale.contest] if scale.rates else []


def groups(scale: Scale) -> list[list[LM]]:
    """The trials among which a rate is chosen."""
    return [*(trials(scale, one) for one in kinds(scale).values()), *carried_groups(scale)]


def products(scale: Scale) -> list[LM]:
    """The claim's tokenizers at their rates, with the products that single questions have."""
    if not scale.products:
        return []
    rates = {tokens: scale.rates[scale.kind_of(tokens)] for tokens in scale.claim}
    used = [
        lm
        for tokens, rate in rates.items()
        for lm in trials(scale, tokens)
        if lm.training.learning_rate == rate
    ]
    return [replace(lm, training=scale.apart(lm.training)) for lm in used]


def recipes(scale: Scale) -> list[LM]:
    return [*(lm for group in groups(scale) for lm in group), *products(scale)]


def chosen(results: Results, lms: list[LM]) -> LM | None:
    """The one with the lowest training loss; None until all have run."""
    rows = results.all_done(lms)
    if len(rows) < len(lms):
        return None
    return min(zip(lms, rows, strict=True), key=lambda pair: training_nats(pair[1]))[0]


def reduce(results: Results) -> Table:
    body: list[list[Cell]] = []
    tables = [(chosen(results, group), group) for group in groups(results.scale)]
    for best, group in [*tables, (None, products(results.scale))]:
        for lm in group:
            nats, bits = results.numbers(lm, [training_nats, bits_per_byte])
            training = lm.training
            run: list[Cell] = [lm.stream.tokens.name, training.size, training.steps]
            run += [training.precision, f"{training.learning_rate:.3g}", nats]
            body.append([*run, "yes" if lm == best else "", bits, PAPER_RATE])
    return results.table("Learning rates", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    if not results.scale.rates:
        return []
    return [used(results), by_width(results)]


def used(results: Results) -> Trend:
    scale = results.scale
    best = {kind: chosen(results, trials(scale, one)) for kind, one in kinds(scale).items()}
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


def by_width(results: Results) -> Trend:
    groups = carried_groups(results.scale)
    best = [chosen(results, group) for group in groups]
    right = [lm and lm == group[FACTORS.index(1.0)] for lm, group in zip(best, groups, strict=True)]
    size = results.scale.m2_trainings[-1].size
    first, largest = results.scale.widths_of(size)
    return Trend(
        "Rates carry over to other sizes by width",
        f"at {size}, the rate times {first}/{largest} has a lower training"
        " loss than half and twice of it, for bytes and for windows of one id",
        None if None in right else all(right),
        ", ".join(f"{lm.stream.tokens.name} {lm.training.learning_rate:.3g}" for lm in best if lm),
    )


EXPERIMENT = exhibit(__name__, "ours", "learning rates, chosen by training loss")
