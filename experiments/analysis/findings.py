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
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale


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
        missing = Finding(f"{subject}: not run yet.", page, None)
        found.append(make(results) or missing)
    return found


def compared(
    page: str, left: str, ours: Sample | None, right: str, theirs: Sample | None
) -> Finding | None:
    """`left` has less or more bits/byte than `right`; in the paper it has less."""
    if ours is None or theirs is None:
        return None
    gap = contrast([(1, ours), (-1, theirs)])
    word = "less" if gap.estimate < 0 else "more"
    text = (
        f"{left} has {size(gap, 3)} bits/byte {word} than {right} ({ours.mean:.3f} against"
        f" {theirs.mean:.3f})"
    )
    agrees = gap.below()
    return Finding(f"{text}{': too few runs to decide' if agrees is None else ''}.", page, agrees)


def size(gap: Interval, digits: int, factor: float = 1.0) -> str:
    """The estimate's size with its margin, e.g. "0.268 ± 0.031"."""
    return f"{factor * abs(gap.estimate):.{digits}f} ± {factor * gap.margin:.{digits}f}"


# -- the ten -------------------------------------------------------------------------------------


def bytes_to_m1(results: Results) -> Finding | None:
    scale = results.scale
    lm = scale.lm(scale.bytes, scale.base)
    left, right = f"An M2 of {scale.base.size} on bytes", f"M1 ({scale.m1_training.size}) alone"
    return compared("fig3", left, results.trained(lm), right, results.m1_alone())


def windows_to_bytes(results: Results) -> Finding | None:
    scale = results.scale
    windows, rival = (scale.lm(tokens, scale.base) for tokens in reversed(scale.contest))
    left = f"With as many ids, an M2 of {scale.base.size} on {windows.stream.tokens.name}"
    return compared("fig3", left, results.trained(windows), "one on bytes", results.trained(rival))


def windows_to_equal_bytes(results: Results) -> Finding | None:
    scale = results.scale
    ours = results.trained(scale.equal_bytes(scale.contest[1], scale.base))
    theirs = results.trained(scale.lm(scale.bytes, scale.base))
    return compared("equal_bytes", "With as much text, the same", ours, "one on bytes", theirs)


def windows_to_m1(results: Results) -> Finding | None:
    scale = results.scale
    windows = results.trained(scale.lm(scale.contest[1], scale.base))
    right = f"M1 ({scale.m1_training.size}) alone, which made its ids"
    return compared(
        "fig3", f"That M2 on {scale.contest[1].name}", windows, right, results.m1_alone()
    )


def subwords_to_windows(results: Results) -> Finding | None:
    scale = results.scale
    subword, windows = (results.trained(scale.lm(tokens, scale.base)) for tokens in scale.claim[1:])
    left = f"With as many ids, an M2 of {scale.base.size} on {scale.claim[1].name}"
    return compared("fig3", left, subword, f"one on {scale.claim[2].name}", windows)


def place_in_windows(results: Results) -> Finding | None:
    scale = results.scale
    narrow = place.several(scale)[0]
    told, without, wide = (
        results.trained(lm) for lm in (place.told(narrow), narrow, place.wide_of(scale, narrow))
    )
    if told is None or without is None or wide is None:
        return None
    gap = contrast([(1, told), (-1, without)], paired=True)
    share = -gap.estimate / (without.mean - wide.mean)
    word = "less" if gap.estimate < 0 else "more"
    text = (
        f"Told each id's place in its window, an M2 on {narrow.stream.tokens.name} has"
        f" {size(gap, 3)} bits/byte"
    )
    return Finding(
        f"{text} {word}: {100 * share:.0f} % of what it lacks against one id a window.",
        "place",
        gap.below(),
    )


def ac_is_not_learned(results: Results) -> Finding | None:
    scale = results.scale
    lm = scale.lm(scale.tokens("ac", scale.wide))
    ours, line = results.trained(lm), results.coded(lm, uniform_with_ends)
    if ours is None or line is None:
        return None
    gap = contrast([(-1, ours), (1, line)])
    text = f"Of AC's ids, {lm.stream.tokens.name}, an M2 learns {size(gap, 2, 100 / line.mean)} %"
    return Finding(
        f"{text}: so far from a model that knows nothing.", "fig3", gap.within(0.01 * line.mean)
    )


def gzip_is_learned(results: Results) -> Finding | None:
    scale = results.scale
    lm = blocks.lms(scale)[0]
    name, largest = paper.counterpart(scale.gzips[0], scale), paper.SIZES[0]
    per_token = paper.lookup("table12", name, "ratio")
    theirs = 100 * (
        1 - paper.lookup("fig3_table15", name, largest, "bits_per_byte") * per_token / 8
    )
    ours, line = results.trained(lm, alone=True), results.coded(lm, uniform)
    if ours is None or line is None:
        return None
    gap = contrast([(-1, ours), (1, line)])
    ids = f"{lm.training.tokens / 1e6:.0f} M ids"
    text = (
        f"Of GZip's blocks an M2 of {lm.training.size} learns {size(gap, 2, 100 / line.mean)}"
        f" % in {ids}"
    )
    decided = contrast([(1, ours), (-1, line)]).below()
    return Finding(f"{text} (the paper's, {largest}, 26 G ids: {theirs:.0f} %).", "blocks", decided)


def windows_decode(results: Results) -> Finding | None:
    scale = results.scale
    recipes = [d5.decoding(scale, scale.windows[0], rule) for rule in ("paper", "free")]
    decoded = results.all_done(recipes)
    untold = results.all_done([d5.untold(scale, rule) for rule in ("paper", "unflushed")])
    if len(decoded) < 2 or len(untold) < 2:
        return None
    by_rule, by_cell = decoded
    bits, unflushed = (f"{row.values['text_bits']:.3f}" for row in untold)
    text = (
        f"By the paper's rule as section 3.3 has it {share(by_rule)} of documents decode, and"
        " a decoder would have"
    )
    text += (
        f" to be told {bits} bits/byte more ({unflushed} by the rule that its tables"
        " suggest), which no bits/byte"
    )
    text += f" of an M2 count; by the free cell {share(by_cell)} decode"
    return Finding(f"{text}.", "d5", d5.good(by_rule, "documents") > 0.99)


def share(row: Row) -> str:
    """Documents that decode, with Clopper and Pearson's interval."""
    count = row.values["documents"]
    found = stats.binomtest(count - row.values["wrong_documents"], count)
    low, high = found.proportion_ci(LEVEL)
    return f"{100 * found.statistic:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"


def windows_write_faster(results: Results) -> Finding | None:
    scale = results.scale
    row, training = results.done(latency.timings(scale)[0]), latency.trainings(scale)[-1]
    if row is None:
        return None
    speeds = {one["key"]: np.divide(one["bytes"], one["seconds"]) for one in row.values["runs"]}
    lms = [scale.lm(tokens, training) for tokens in latency.tokenizers(scale)]
    base, bpe, _, windows = (speeds[lm.key] for lm in lms)
    found, rival = (contrast([(1, quotient(one, base))]) for one in (windows, bpe))
    text = (
        f"M2s of {training.size} on equal-info windows write {size(found, 1)} times as fast as"
        " on bytes,"
    )
    text += f" on BPE {size(rival, 1)} times (over rounds)"
    decided = contrast([(-1, quotient(windows, base))]).below(-1.0)
    return Finding(f"{text}.", "latency", decided)


FINDINGS: tuple[tuple[str, str, Callable[[Rows, Scale], Finding | None]], ...] = (
    ("fig3", "M2s on bytes against M1 alone", bytes_to_m1),
    ("fig3", "Equal-info windows against bytes, equal ids", windows_to_bytes),
    ("equal_bytes", "Equal-info windows against bytes, equal text", windows_to_equal_bytes),
    ("fig3", "Equal-info windows against M1 alone", windows_to_m1),
    ("fig3", "Subwords against equal-info windows", subwords_to_windows),
    ("place", "What an M2 gains that is told each id's place in its window", place_in_windows),
    ("fig3", "What an M2 learns of AC", ac_is_not_learned),
    ("blocks", "What an M2 learns of GZip", gzip_is_learned),
    ("d5", "How much decodes", windows_decode),
    ("latency", "Bytes a second", windows_write_faster),
)
