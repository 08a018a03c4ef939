"""Fig 3 / table 15: bits/byte against inference FLOPs/byte, every tokenizer, every size."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from experiments.analysis import paper
from experiments.analysis.compare import DENSITY, INTERVAL, Check, Results, Trend, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.panels import draw_costs
from experiments.analysis.quantities import Quantity, mflops, mflops_alone, mflops_of_all
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.exhibits import overfit
from experiments.runs.recipes import LM, Recipe, Tokens, with_training
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token", "uniform", "bits/byte, ours", "MFLOPs/byte", "without M1",
    "every product", "paper's", "size, paper", "bits/byte, paper", "MFLOPs/byte, paper",
]  # fmt: skip
NOTE = (
    "uniform: bits/byte of a model that knows nothing. MFLOPs/byte as the paper counts it:"
    " parameters without embeddings, M1's added where it runs; every product: attention and output"
    " layer included. The paper's windows (rule `paper`) do not all decode; those without a rule's"
    " name do."
)


def recipes(scale: Scale) -> list[Recipe]:
    """The figure's runs, the main claim's seeds at every size, and the single questions'."""
    claim = [scale.lm(tokens, scale.base) for tokens in scale.claim]
    claim += [scale.lm(tokens, size) for size in scale.m2_trainings[1:] for tokens in scale.contest]
    claim += [lm for pair in equal_bytes(scale) for lm in pair] if scale.bytes_a_token else []
    questions = map(scale.lm, [*scale.reproduced, scale.tokens("gzip", 8, raw=True)])
    return [scale.m1, *scale.lms, *scale.seeded(*claim, *questions), *slower(scale)]


def slower(scale: Scale) -> list[LM]:
    """AC's M2s at the lowest rate of the trials, which were of other streams: GZip, as hard to
    learn, learns most there.
    """
    if not scale.trial_rates:
        return []
    lms = [scale.lm(scale.tokens("ac", width)) for width in scale.widths]
    return [with_training(lm, learning_rate=scale.trial_rates[0]) for lm in lms]


def reduce(results: Results) -> Table:
    body = lines(results, results.scale.lms)
    return results.table("Bits/byte against inference FLOPs/byte", COLUMNS, body, NOTE)


def lines(results: Results, lms: Sequence[LM]) -> list[list[Cell]]:
    """A line a run, under COLUMNS."""

    def theirs(lm: LM) -> list[Cell]:
        fields = ("bits_per_byte", "mflops_per_byte")
        return [*results.counterpart(lm), *(results.their_number(lm, field) for field in fields)]

    return results.lines(lms, [*DENSITY, mflops, mflops_alone, mflops_of_all], theirs)


def draw(results: Results, folder: Path) -> list[Path]:
    theirs = {
        name: [(flops, bits) for flops, bits, _ in found] for name, found in paper.points().items()
    }
    title = "Bits/byte against inference cost"
    return draw_costs(results, results.scale.lms, theirs, title, folder, "fig3")


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    text = [beats_bytes(results, "bytes of text", equal_bytes(scale))]
    return [
        ahead_of_m1(results),
        windows_beat_bytes(results),
        beats_bytes(results, "ids", equal_ids(scale)),
        *(text if scale.bytes_a_token else []),
        nothing_to_learn(results),
        subwords_lead(results),
        *gzip_trends(results),
    ]


def ahead_of_m1(results: Results) -> Trend:
    """What all else rests on: M2s no better than M1 show only what M1 has learned."""
    scale = results.scale
    lms = [scale.lm(scale.bytes, size) for size in scale.m2_trainings]
    test = f"bits/byte are below M1's by itself at every M2 size ({INTERVAL})"
    return trend("An M2 on bytes is ahead of M1 alone", test, results.below_m1(lms))


def windows_beat_bytes(results: Results) -> Trend:
    scale = results.scale
    tokens = results.scale.claim[-1]
    test = (
        f"{tokens.name}: bits/byte are below M1's by itself, and below those of bytes,"
        " interpolated linearly in the logarithm of FLOPs/byte between M2 sizes, at every size"
        " whose FLOPs/byte (every product, M1's included) lie within those of bytes; where none"
        " does, below those of the bytes run with the next more FLOPs/byte, which favours bytes"
        f" ({INTERVAL})"
    )
    alone = results.below_m1([scale.lm(tokens, size) for size in scale.m2_trainings])
    decided = trend(
        "EqualInfoAC with one id a window beats bytes at equal FLOPs/byte, and M1 alone",
        test,
        [*at_equal_flops(results, tokens, mflops_of_all), *alone],
    )
    theirs = "; ".join(check.text for check in at_equal_flops(results, tokens, mflops))
    numbers = f"{decided.numbers}. By FLOPs as the paper counts them: {theirs}"
    return replace(decided, numbers=numbers)


def at_equal_flops(results: Results, tokens: Tokens, flops: Quantity) -> list[Check]:
    """Whether a tokenizer's runs are below bytes at their FLOPs/byte."""
    curve, points = (on_axis(results, one, flops) for one in (results.scale.bytes, tokens))
    if min(len(curve), len(points)) < len(results.scale.m2_trainings):
        return [not_run(f"{tokens.name} to bytes")]
    least = curve[0][0]
    most = curve[-1][0]
    inside = [point for point in points if least <= point[0] <= most]
    checks = []
    for at, ours in inside or [point for point in points if point[0] < least]:
        rival = between(curve, max(at, least))
        gap = contrast([(1, ours), *((-weight, one) for weight, one in rival)])
        name = f"{tokens.name} at {at:.3g} MFLOPs/byte"
        name += f" (bytes at {least:.3g})" * (at < least)
        theirs = sum(weight * one.mean for weight, one in rival)
        checks.append(Check(f"{name}: {ours.mean:.3f} against {theirs:.3f}, {gap}", gap.below()))
    return checks


def on_axis(results: Results, tokens: Tokens, flops: Quantity) -> list[tuple[float, Sample]]:
    """(FLOPs/byte, bits/byte) of a tokenizer's M2s that have run with all seeds, by FLOPs."""
    lms = [results.scale.lm(tokens, size) for size in results.scale.m2_trainings]
    found = [(lm, one) for lm in lms if (one := results.trained(lm)) is not None]
    points = [(flops(results.all_done([lm])[0]), one) for lm, one in found]
    return sorted(points, key=lambda point: point[0])


def between(curve: Sequence[tuple[float, Sample]], at: float) -> list[tuple[float, Sample]]:
    """(weight, sample) of the curve's points beside `at` (which lies on it), by its logarithm."""
    for (x, left), (y, right) in pairwise(curve):
        if x <= at <= y:
            share = math.log(at / x) / math.log(y / x)
            return [(1 - share, left), (share, right)]
    raise ValueError(f"{at} lies outside the curve")


def equal_ids(scale: Scale) -> list[tuple[LM, LM]]:
    """(windows, bytes) at every size."""
    windows = scale.claim[-1]
    return [(scale.lm(windows, size), scale.lm(scale.bytes, size)) for size in scale.m2_trainings]


def equal_bytes(scale: Scale) -> list[tuple[LM, LM]]:
    """The same at the smallest size, each on as much text."""
    return [(scale.equal_bytes(scale.claim[-1], scale.base), scale.lm(scale.bytes, scale.base))]


def beats_bytes(results: Results, what: str, pairs: Sequence[tuple[LM, LM]]) -> Trend:
    """The main claim at equal M2 size, trained on as many ids, or on as many bytes."""
    checks = [*results.ahead(pairs), *results.below_m1([ours for ours, _ in pairs])]
    claim = (
        "EqualInfoAC with one id a window beats bytes, and M1 alone, at equal M2 size and"
        f" equal {what} seen"
    )
    test = f"bits/byte are below those of bytes and of M1 by itself ({INTERVAL})"
    return trend(claim, test, checks)


def nothing_to_learn(results: Results) -> Trend:
    """AC's trend, with what shows that the same training does learn, and does memorise."""
    scale = results.scale
    streams = [scale.tokens(one, width) for one in ("ac", "static-ac") for width in scale.widths]
    at_line = [results.at_uniform(scale.lm(tokens)) for tokens in streams]
    at_line += [results.at_uniform(lm, alone=True) for lm in slower(scale)]
    control = scale.window(scale.windows[0], scale.narrow, "paper")
    test = (
        "bits/byte are within 1 % of the uniform line (and what the ends of documents cost), at"
        " both widths, AC at the trials' lowest rate too (a seed each): the whole interval is. It"
        f" counts only if {control.name}, two ids a window,"
        " ends below its own line in the same training, and the M2 memorises a few batches of AC"
        " (experiment overfit)"
    )
    checks = [results.learned(scale.lm(control)), overfit.memorised(results)]
    controls = trend("", "", checks)
    decided = trend("AC and StaticAC stay at the uniform line", test, at_line)
    found = {True: "hold", None: "are open", False: "fail, so it is open"}[controls.holds]
    numbers = f"{decided.numbers}; controls {found}: {controls.numbers}"
    return replace(decided, holds=decided.holds if controls.holds else None, numbers=numbers)


def subwords_lead(results: Results) -> Trend:
    """Unigram is the paper's SentencePiece, BPE ours."""
    scale = results.scale
    bpe, pieces = scale.subwords
    rivals = [tokens for tokens in scale.reproduced if tokens not in scale.subwords]
    pairs = [(scale.lm(pieces), scale.lm(rival)) for rival in rivals]
    pairs += [(scale.lm(bpe, scale.base), scale.lm(rival, scale.base)) for rival in scale.contest]
    test = (
        "Unigram's are below those of bytes, GZip, StaticAC, AC and EqualInfoAC (the paper's"
        f" rule) at {scale.question.size}, BPE's below bytes' and EqualInfoAC's with one id a"
        f" window in figure 3's training ({INTERVAL})"
    )
    return trend("Subwords lead on bits/byte", test, results.ahead(pairs))


def gzip_trends(results: Results) -> list[Trend]:
    """Header and footer are alike everywhere: GZip without them says if text is learned."""
    scale = results.scale
    gzip = scale.gzips[0]
    bare = scale.tokens("gzip", 8, raw=True)
    behind = [(scale.lm(scale.bytes), scale.lm(one)) for one in scale.gzips]
    test = (
        "ids of 8 bits, with and without header and footer: bits/byte are below the uniform line"
        f" and below what the ids' frequencies give ({INTERVAL})"
    )
    return [
        trend(
            "GZip can be learned",
            test,
            [results.learned(scale.lm(tokens)) for tokens in (gzip, bare)],
        ),
        trend(
            "GZip does not compete",
            f"its bits/byte, 8 bits and wide, are above those of bytes ({INTERVAL})",
            results.ahead(behind),
        ),
    ]


EXPERIMENT = exhibit(
    __name__, "figure 3, table 15", "bits/byte against inference FLOPs/byte: the main result"
)
