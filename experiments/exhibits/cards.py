"""Cards: what each idea beyond the paper gives an M2 of the same cost on the same text (ours).

Every arm is a tokenizer and what its M2 is told. All see as much text, through an MLP so wide that
FLOPs/byte, output layer counted, are those of BPE's M2: training FLOPs are equal as well, and
bits/byte alone decide. They are those of the tuning split: what is chosen here is reported
elsewhere (experiment beyond), on other text.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.analysis import figures
from experiments.analysis.compare import INTERVAL, Check, Results, Trend, lower, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, mflops_of_all, ratio
from experiments.analysis.statistics import Interval, Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.plan.cost import forward_flops, widened
from experiments.runs.recipes import LM, Stream, Tokens, Training, with_training
from experiments.scales import Beyond, Kept, Scale, decoder

SIDES = ("superwords", "BPE", "BPE across words", "Unigram")
OURS, RIVAL = SIDES[:2]
LEAST_SIZE = 1 << 9  # of codebooks
RATES = (0.5, 2.0)  # of the rates that the kinds' trials chose, on other text
WARMUP = 0.1  # of the steps, as in those trials
TOGETHER = ", together"  # what ends the name of the arm of a side's kept cards
OTHER_SEEDS = 20  # added, for M2s that differ by chance alone
COLUMNS = [
    "arm", "side", "tokenizer", "against", "bytes/token", "d_ff", "MFLOPs/byte, every product",
    "seeds", "bits/byte", "difference", "%", "imdb", "books",
]  # fmt: skip
NOTE = (
    "Equal text, equal FLOPs/byte (attention and output layer counted), bits/byte of the tuning"
    " split, which is no part of the training text. FLOPs/byte are higher where no MLP is thin"
    " enough (BPE of the most ids, EqualInfoAC, whose M1 is not counted). Weights that cost no"
    " product (bigrams) are not counted, and wider MLPs are more parameters; every arm has its"
    " family's learning rate, but those that are named after another. A batch is as many ids (half"
    " as many where the name says so), so that more bytes an id are fewer steps. A codebook that is"
    " refitted has the steps of the first. Differences have 95 % intervals over seeds and texts (of"
    " each corpus by itself), paired by seed where both M2s see the same ids. The place in a unit"
    " is a card of ids that are several a window (experiment place): a codebook's have none."
)


@dataclass(frozen=True)
class Arm:
    """name: of its line. side: ours, or the rival that it is an arm of; "" of none. told: fields of
    LM. against: the arm that says what the card gives. rate: times its family's learning rate.
    batch: times the scale's sequences a batch. rivals_context: sequences of as many bytes as BPE's,
    not ids. first: its first seed.
    """

    name: str
    tokens: Tokens
    side: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)
    against: str = RIVAL
    rate: float = 1.0
    batch: float = 1.0
    rivals_context: bool = False
    first: int = 0


def given(scale: Scale) -> Beyond:
    """What the scale says of both experiments, where it has them."""
    assert scale.beyond is not None
    return scale.beyond


def tokens(scale: Scale, family: str, size: int = 0, **options: Any) -> Tokens:
    """A tokenizer of their training text, by default of the scale's vocabulary."""
    text = given(scale)
    m1 = scale.beyond_m1 if family == "equalinfo" else None
    return Tokens(family, size or scale.vocabulary, text.corpus, text.fit_bytes, m1=m1, **options)


def arms(scale: Scale) -> dict[str, Arm]:
    """Every arm by its name, a base before what is compared with it."""
    if not scale.beyond:
        return {}
    size = scale.vocabulary
    ours = tokens(scale, "codebook")
    rivals = [
        tokens(scale, "bpe"),
        tokens(scale, "bpe", pretokens="superwords"),
        tokens(scale, "unigram"),
    ]
    bases = dict(zip(SIDES, [ours, *rivals], strict=True))
    found = [Arm(side, base, side) for side, base in bases.items()]
    for side, base in bases.items():
        found += told_arms(side, base, side)
        found.append(Arm(f"{side}, case", replace(base, case=True), side, against=side))
        larger = replace(base, size=2 * size)
        found.append(Arm(f"{side} of {2 * size:,}", larger, side, against=side))
        for factor in RATES:
            found.append(Arm(rated(side, factor), base, side, against=side, rate=factor))
        found.append(Arm(halved(side), base, side, against=side, batch=0.5))
    for mode in ("strict", "aligned"):
        found.append(Arm(mode, tokens(scale, "codebook", mode=mode), OURS, against=OURS))
    strict = tokens(scale, "codebook", mode="strict")
    found += told_arms("strict", strict, OURS)
    likeliest = replace(strict, parse="likeliest")
    found.append(Arm("strict, likeliest", likeliest, OURS, against="strict"))
    for parse in ("fewest", "likeliest"):
        one = replace(ours, parse=parse)
        found.append(Arm(f"{OURS}, {parse}", one, OURS, against=OURS))
    for other in (size // 8, size // 4, size // 2):
        if other >= LEAST_SIZE:
            smaller = replace(bases[RIVAL], size=other)
            found.append(Arm(f"{RIVAL} of {other:,}", smaller, RIVAL))
            smaller = replace(ours, size=other)
            found.append(Arm(f"{OURS} of {other:,}", smaller, OURS, against=OURS))
    half = replace(ours, size=size // 2, parse="fewest")
    found.append(Arm(f"{OURS} of {size // 2:,}, fewest", half, OURS, against=OURS))
    # its ratio is taken for that of the first codebook
    hard = replace(ours, hard=card(scale, found[0]))
    found.append(Arm(f"{OURS}, refitted to what is hard", hard, OURS, against=OURS))
    free = tokens(scale, "bpe", pretokens="free")
    found.append(Arm("BPE without pretokens", free, RIVAL))
    across = tokens(scale, "unigram", pretokens="superwords")
    found.append(Arm("Unigram across words", across, "Unigram", against="Unigram"))
    found.append(Arm(f"{OURS}, BPE's context in bytes", ours, against=OURS, rivals_context=True))
    found.append(Arm(f"{OURS}, other seeds", ours, against=OURS, first=OTHER_SEEDS))
    windows = tokens(scale, "equalinfo", 1 << scale.wide, bits=scale.windows[0])
    found += [Arm("EqualInfoAC", windows), Arm("bytes", tokens(scale, "bytes", 256))]
    known = {one.name: one for one in found}
    return known | {one.name: one for one in together(scale, known)}


def together(scale: Scale, known: Mapping[str, Arm]) -> list[Arm]:
    """What the cards left, an arm a side."""
    found = []
    for side, left in given(scale).kept.items():
        base = known[left.tokenizer].tokens
        told = all_told(base, left.told)
        found.append(Arm(side + TOGETHER, base, side, told, left.tokenizer, left.rate, left.batch))
    return found


def rated(side: str, factor: float) -> str:
    return f"{side}, rate x {factor:g}"


def halved(side: str) -> str:
    return f"{side}, half the batch"


def told_arms(name: str, base: Tokens, side: str) -> list[Arm]:
    """What M2 can be told of a tokenizer's ids: each card by itself, then all."""
    cards = told_cards(base)
    found = [Arm(f"{name}, {card}", base, side, told, name) for card, told in cards.items()]
    return [*found, Arm(f"{name}, {', '.join(cards)}", base, side, all_told(base, cards), name)]


def told_cards(base: Tokens) -> dict[str, dict[str, Any]]:
    """Fields of LM by the card's name."""
    cards: dict[str, dict[str, Any]] = {
        "canonical": {"canonical": True}, "bigrams": {"bigrams": 5 * base.size},
        "shares": {"shares": True},
    }  # fmt: skip
    if base.family == "unigram" or base.parse != "longest":  # what they never write is not known
        del cards["canonical"]
    return cards


def all_told(base: Tokens, names: Iterable[str]) -> dict[str, Any]:
    """The fields of some cards, where the tokenizer has them."""
    cards = told_cards(base)
    return {key: value for name in names for key, value in cards.get(name, {}).items()}


def at_rivals_cost(scale: Scale, arm: Arm, training: Training) -> Training:
    """The training with an MLP that makes FLOPs/byte those of BPE's M2 of this size."""
    rival = tokens(scale, "bpe")
    whole = replace(training, context=scale.base.context)
    theirs = forward_flops(whole, rival.vocab_size) / bytes_a_token(scale, rival)
    return widened(training, arm.tokens.vocab_size, theirs * bytes_a_token(scale, arm.tokens))


def bytes_a_token(scale: Scale, tokens: Tokens) -> float:
    """Of training text; 1 at scales that do not say, where arms are not made equal."""
    ratios = given(scale).ratios
    return ratios[tokens.name] if ratios else 1.0


def run(scale: Scale, arm: Arm, training: Training, text: int, split: str) -> LM:
    """An arm's M2 on so many bytes of text, at the rival's FLOPs/byte, evaluated on a split."""
    where = given(scale)
    stream = Stream(
        arm.tokens, where.corpus, where.train_bytes, where.validation_bytes, split=split
    )
    density = bytes_a_token(scale, arm.tokens)
    training = replace(training, batch_size=round(training.batch_size * arm.batch))
    if arm.rivals_context:
        share = bytes_a_token(scale, tokens(scale, "bpe")) / density
        batch_size = round(training.batch_size / share)
        context = round(training.context * share)
        training = replace(training, batch_size=batch_size, context=context)
    per_step = training.batch_size * training.context * density
    steps = max(round(text / per_step), 1)
    warmup_steps = max(round(WARMUP * steps), 1)
    training = scale.apart(replace(training, steps=steps, warmup_steps=warmup_steps))
    lm = scale.lm(arm.tokens, at_rivals_cost(scale, arm, training) if where.ratios else training)
    rate = lm.training.learning_rate * arm.rate
    lm = with_training(lm, learning_rate=rate, seed=lm.training.seed + arm.first)
    return replace(lm, stream=stream, **arm.told)


def card(scale: Scale, arm: Arm) -> LM:
    return run(scale, arm, scale.base, given(scale).card_bytes, "tuning")


def recipes(scale: Scale) -> list[LM]:
    """Every arm's first seed before the others'."""
    firsts = [card(scale, arm) for arm in arms(scale).values()]
    return sorted(scale.seeded(*firsts), key=lambda lm: lm.training.seed % OTHER_SEEDS)


def against(results: Results, arm: Arm) -> Interval | None:
    """The difference of an arm's bits/byte from those of the arm that it is compared with."""
    scale = results.scale
    other = arms(scale)[arm.against]
    ours, theirs = (results.trained(card(scale, one)) for one in (arm, other))
    if arm.name == RIVAL or ours is None or theirs is None:
        return None
    paired = arm.tokens == other.tokens and arm.first == other.first
    return contrast([(1, ours), (-1, theirs)], paired)


def trained_of_side(results: Results, side: str) -> dict[str, Sample | None]:
    """Bits/byte of a side's arms by name."""
    scale = results.scale
    ours = [arm for arm in arms(scale).values() if arm.side == side]
    return {arm.name: results.trained(card(scale, arm)) for arm in ours}


def kept(results: Results, side: str) -> Kept | None:
    """What a side plays together by the rule of docs/beyond.md; None until its cards have run."""
    known = arms(results.scale)
    bits = trained_of_side(results, side)
    bits.pop(side + TOGETHER, None)
    there = {name: one.mean for name, one in bits.items() if one}
    if len(there) < len(bits):
        return None
    gaps = {name: against(results, known[name]) for name in there}
    below = {name: gap.estimate for name, gap in gaps.items() if gap and gap.below()}
    plain = [arm for name, arm in known.items() if name in there and not arm.told]
    best = min((arm.name for arm in plain if arm.rate == arm.batch == 1), key=there.__getitem__)
    # as told of the best tokenizer, where that was played; else of the side's own
    of = best if any(arm.told and arm.against == best for arm in known.values()) else side
    told = tuple(one for one in told_cards(known[best].tokens) if f"{of}, {one}" in below)
    rates = [factor for factor in RATES if rated(side, factor) in below]
    rate = min(rates, key=lambda factor: below[rated(side, factor)], default=1.0)
    return Kept(best, told, rate, 0.5 if halved(side) in below else 1.0)


def of_the_rule(results: Results, side: str) -> Check:
    """Whether what the scale names of a side is what the rule of docs/beyond.md leaves."""
    found, named = kept(results, side), given(results.scale)
    if found is None:
        return not_run(side)
    if named.kept.get(side, Kept(found.tokenizer)) != found:
        return Check(f"{side}: {found} are left to be played together", False)
    bits = trained_of_side(results, side)
    if None in bits.values():
        return not_run(side + TOGETHER)
    least = min((one.mean, name) for name, one in bits.items() if one)[1]
    return Check(f"{side}: {least} is best", least in named.entrants)


def reduce(results: Results) -> Table:
    """The best first, then what has not run."""
    scale = results.scale
    body: list[list[Cell]] = []
    for arm in arms(scale).values():
        lm = card(scale, arm)
        done, trained, gap = results.done(lm), results.trained(lm), against(results, arm)
        rows = results.all_done(scale.seeded(lm))
        bits = trained.mean if trained else results.number(lm, bits_per_byte)
        width = (lm.training.d_ff or decoder(lm.training.size).d_ff) if done else None
        known = [arm.name, arm.side, arm.tokens.name, arm.against if arm.name != RIVAL else ""]
        numbers = [results.number(lm, ratio), width, results.number(lm, mflops_of_all)]
        share = 100 * gap.estimate / (bits - gap.estimate) if gap and bits else None
        apart: list[Cell] = [*results.by_corpus(lm, rows)] or [None, None]
        told: list[Cell] = [len(rows), bits, str(gap) if gap else None, share]
        body.append([*known, *numbers, *told, *apart])
    at = COLUMNS.index("bits/byte")
    body.sort(key=lambda line: float(line[at] or math.inf))
    corpus = scale.beyond.corpus if scale.beyond else ""
    return results.table("Cards at equal text and FLOPs/byte", COLUMNS, body, NOTE, corpus)


def trends(results: Results) -> list[Trend]:
    """That cards can fail, and do not by themselves; and what they left."""
    scale = results.scale
    if not scale.beyond:
        return []
    known = arms(scale)
    bpe, plain = (results.trained(card(scale, known[name])) for name in (RIVAL, "bytes"))
    null = against(results, known[f"{OURS}, other seeds"])
    name = f"{OURS}, other seeds"
    checks = [lower("BPE to bytes", bpe, plain)]
    checks.append(
        Check(f"{name}: {null}", abs(null.estimate) <= null.margin) if null else not_run(name)
    )
    return [
        trend(
            "The comparison tells what is worse, and nothing where there is nothing",
            f"bits/byte of BPE are below those of bytes; those of the same arm with other seeds are"
            f" not told apart ({INTERVAL})",
            checks,
        ),
        trend(
            "What is on the ladder is what the rule leaves",
            "of each side, the cards whose interval lies below 0 are what is played together, and"
            " the arm of the least bits/byte is on the ladder",
            [of_the_rule(results, side) for side in SIDES],
        ),
    ]


def draw(results: Results, folder: Path) -> list[Path]:
    """Every arm's difference from BPE."""
    scale = results.scale
    all_arms = arms(scale)
    rival = results.trained(card(scale, all_arms[RIVAL]))
    found = [(arm, results.trained(card(scale, arm))) for arm in all_arms.values()]
    there = [(arm, one) for arm, one in found if one and arm.name != RIVAL]
    if rival is None or not there:
        return []
    there.sort(key=lambda pair: -pair[1].mean)
    with figures.figure(8.6, 1.6 + 0.27 * len(there)) as (drawn, axes):
        gaps = [(arm, contrast([(1, one), (-1, rival)])) for arm, one in there]
        drawable = [(arm.name, gap, arm.tokens.name) for arm, gap in gaps]
        figures.draw_gaps(axes, drawable, figures.style_of(RIVAL)[0])
        axes.set_xlabel("bits / byte above BPE's, at equal text and FLOPs / byte")
        title = f"{given(scale).card_bytes / 1e6:.3g} MB of text, M2 {scale.base.size}"
        figures.title(axes, f"Cards — {title}; bars: 95 % over seeds and texts")
        figures.name_missing(axes, [arm.name for arm, one in found if one is None])
        return figures.save(drawn, folder, "cards")


EXPERIMENT = exhibit(__name__, "ours", "cards beyond the paper, at equal text and FLOPs/byte")
