"""What came out, in ten sentences: each with its number and interval, computed from rows.

A sentence says what its numbers say, also where they go against the paper or decide nothing.
Intervals are of 95 %: over seeds and texts, or over what the sentence names.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments.analysis import paper
from experiments.analysis.compare import Results
from experiments.analysis.figures import LEVEL
from experiments.analysis.quantities import uniform, uniform_with_ends
from experiments.analysis.statistics import Interval, Sample, contrast, quotient
from experiments.exhibits import blocks, d5, latency, place
from experiments.runs.rows import Row

Told = tuple[str, bool | None] | None  # a sentence, and whether it agrees; None: not run yet
Make = Callable[[Results], Told]
FINDINGS: list[tuple[str, str, Make]] = []
"""(page, subject, what makes the sentence) of each, in order."""


@dataclass(frozen=True)
class Finding:
    """text: one sentence. page: its experiment. agrees: with the paper; None: undecided."""

    text: str
    page: str
    agrees: bool | None


def findings(results: Results) -> list[Finding]:
    """All of them, in order; one whose rows are missing says so."""
    found = []
    for page, subject, make in FINDINGS:
        text, agrees = make(results) or (f"{subject}: not run yet.", None)
        found.append(Finding(text, page, agrees))
    return found


def finding(page: str, subject: str) -> Callable[[Make], Make]:
    """List what makes the next sentence."""

    def listed(make: Make) -> Make:
        FINDINGS.append((page, subject, make))
        return make

    return listed


def compared(left: str, ours: Sample | None, right: str, theirs: Sample | None) -> Told:
    """`left` has less or more bits/byte than `right`; in the paper it has less."""
    if ours is None or theirs is None:
        return None
    gap = contrast([(1, ours), (-1, theirs)])
    agrees = gap.below()
    word = "less" if gap.estimate < 0 else "more"
    return (
        f"{left} has {size(gap, 3)} bits/byte {word} than {right} ({ours.mean:.3f} against"
        f" {theirs.mean:.3f}){': too few runs to decide' if agrees is None else ''}.",
        agrees,
    )


def size(gap: Interval, digits: int, factor: float = 1.0) -> str:
    """The estimate's size with its margin, e.g. "0.268 ± 0.031"."""
    return f"{factor * abs(gap.estimate):.{digits}f} ± {factor * gap.margin:.{digits}f}"


# -- the ten -------------------------------------------------------------------------------------


@finding("fig3", "M2s on bytes against M1 alone")
def bytes_to_m1(results: Results) -> Told:
    scale = results.scale
    ours = results.trained(scale.lm(scale.bytes, scale.base))
    right = f"M1 ({scale.m1_training.size}) alone"
    return compared(f"An M2 of {scale.base.size} on bytes", ours, right, results.m1_alone())


@finding("fig3", "Equal-info windows against bytes, equal ids")
def windows_to_bytes(results: Results) -> Told:
    scale = results.scale
    rival, ours = (results.trained(scale.lm(tokens, scale.base)) for tokens in scale.contest)
    left = f"With as many ids, an M2 of {scale.base.size} on {scale.contest[1].name}"
    return compared(left, ours, "one on bytes", rival)


@finding("equal_bytes", "Equal-info windows against bytes, equal text")
def windows_to_equal_bytes(results: Results) -> Told:
    scale = results.scale
    ours = results.trained(scale.equal_bytes(scale.contest[1], scale.base))
    theirs = results.trained(scale.lm(scale.bytes, scale.base))
    return compared("With as much text, the same", ours, "one on bytes", theirs)


@finding("fig3", "Subwords against equal-info windows")
def subwords_to_windows(results: Results) -> Told:
    scale = results.scale
    subword, windows = (results.trained(scale.lm(tokens, scale.base)) for tokens in scale.claim[1:])
    left = f"With as many ids, an M2 of {scale.base.size} on {scale.claim[1].name}"
    return compared(left, subword, f"one on {scale.claim[2].name}", windows)


@finding("fig3", "Equal-info windows against M1 alone")
def windows_to_m1(results: Results) -> Told:
    scale = results.scale
    windows = results.scale.contest[1]
    ours = results.trained(scale.lm(windows, scale.base))
    right = f"M1 ({scale.m1_training.size}) alone, which made its ids"
    return compared(f"That M2 on {windows.name}", ours, right, results.m1_alone())


@finding("place", "What an M2 gains that is told each id's place in its window")
def place_in_windows(results: Results) -> Told:
    narrow, *longer = place.several(results.scale)
    _, without, wide = map(results.trained, place.compared(results.scale, narrow))
    gap = place.gained(results, narrow)
    if gap is None or without is None or wide is None:
        return None
    share = -gap.estimate / (without.mean - wide.mean)
    word = "less" if gap.estimate < 0 else "more"
    harmed = "".join(
        f", and on {lm.stream.tokens.name} {size(other, 3)} more"
        for lm in longer
        if (other := place.gained(results, lm)) and other.below() is False
    )
    return (
        f"Told each id's place in its window, an M2 on {narrow.stream.tokens.name} has"
        f" {size(gap, 3)} bits/byte {word}, {100 * share:.0f} % of what it lacks against one id a"
        f" window{harmed}.",
        gap.below(),
    )


@finding("fig3", "What an M2 learns of AC")
def ac_is_not_learned(results: Results) -> Told:
    lm = results.scale.lm(results.scale.tokens("ac", results.scale.wide))
    ours = results.trained(lm)
    line = results.coded(lm, uniform_with_ends)
    if ours is None or line is None:
        return None
    gap = contrast([(-1, ours), (1, line)])
    return (
        f"Of AC's ids, {lm.stream.tokens.name}, an M2 learns {size(gap, 2, 100 / line.mean)} %:"
        " so far from a model that knows nothing.",
        gap.within(0.01 * line.mean),
    )


@finding("blocks", "What an M2 learns of GZip")
def gzip_is_learned(results: Results) -> Told:
    lm = blocks.recipes(results.scale)[0]
    ours = results.trained(lm, alone=True)
    line = results.coded(lm, uniform)
    if ours is None or line is None:
        return None
    gap = contrast([(-1, ours), (1, line)])
    name = paper.counterpart(results.scale.gzips[0], results.scale)
    largest = paper.SIZES[0]
    bits = paper.lookup("fig3_table15", name, largest, "bits_per_byte")
    theirs = 100 * (1 - bits * paper.lookup("table12", name, "ratio") / 8)
    return (
        f"Of GZip's blocks an M2 of {lm.training.size} learns {size(gap, 2, 100 / line.mean)}"
        f" % in {lm.training.tokens / 1e6:.0f} M ids (the paper's, {largest}, 26 G ids:"
        f" {theirs:.0f} %).",
        contrast([(1, ours), (-1, line)]).below(),
    )


@finding("d5", "How much decodes")
def windows_decode(results: Results) -> Told:
    scale = results.scale
    recipes = [d5.decoding(scale, scale.windows[0], rule) for rule in ("paper", "free")]
    decoded = results.all_done(recipes)
    untold = results.all_done([d5.untold(scale, rule) for rule in ("paper", "unflushed")])
    if len(decoded) < 2 or len(untold) < 2:
        return None
    by_rule, by_cell = decoded
    bits, unflushed = (f"{row.values['text_bits']:.3f}" for row in untold)
    return (
        f"By the paper's rule as section 3.3 has it {share(by_rule)} of documents decode, and"
        f" a decoder would have to be told {bits} bits/byte more ({unflushed} by the rule that its"
        " tables suggest), which no bits/byte of an M2 count; by the free cell"
        f" {share(by_cell)} decode.",
        d5.good(by_rule, "documents") > 0.99,
    )


def share(row: Row) -> str:
    """Documents that decode, with Clopper and Pearson's interval."""
    count = row.values["documents"]
    found = stats.binomtest(count - row.values["wrong_documents"], count)
    low, high = found.proportion_ci(LEVEL)
    return f"{100 * found.statistic:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"


@finding("latency", "Bytes a second")
def windows_write_faster(results: Results) -> Told:
    scale = results.scale
    row = results.done(latency.timings(scale)[0])
    training = latency.trainings(scale)[-1]
    if row is None:
        return None
    speeds = {one["key"]: np.divide(one["bytes"], one["seconds"]) for one in row.values["runs"]}
    lms = [scale.lm(tokens, training) for tokens in latency.tokenizers(scale)]
    base, bpe, _, windows = (speeds[lm.key] for lm in lms)
    ours, rival = (contrast([(1, quotient(one, base))]) for one in (windows, bpe))
    return (
        f"M2s of {training.size} on equal-info windows write {size(ours, 1)} times as fast as"
        f" on bytes, on BPE {size(rival, 1)} times (over rounds).",
        contrast([(-1, quotient(windows, base))]).below(-1.0),
    )
