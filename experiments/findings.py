"""What came out, in ten sentences: each with its number and interval, computed from rows.

A sentence says what its numbers say, also where they go against the paper or decide nothing.
Intervals are of 95 %: over seeds, or over what the sentence names.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments import d5, latency, paper, table5
from experiments.compare import ignorant
from experiments.figures import LEVEL, mean_interval
from experiments.recipes import LM, Tokens, seeds
from experiments.rows import Row, Rows
from experiments.scales import Scale


@dataclass(frozen=True)
class Finding:
    """text: one sentence. page: its experiment. agrees: with the paper; None: undecided."""

    text: str
    page: str
    agrees: bool | None


@dataclass(frozen=True)
class Interval:
    """estimate ± margin, of 95 %; the margin is infinite where one run cannot tell it."""

    estimate: float
    margin: float

    def said(self, digits: int, unit: str) -> str:
        """The estimate's size with its margin, e.g. "0.268 ± 0.031 bits/byte"."""
        size = f"{abs(self.estimate):.{digits}f}"
        if math.isinf(self.margin):
            return f"{size} {unit} (one seed)"
        return f"{size} ± {self.margin:.{digits}f} {unit}"


def findings(rows: Rows, scale: Scale) -> list[Finding]:
    """All of them, in order; one whose rows are missing says so."""
    found = []
    for page, subject, make in FINDINGS:
        missing = Finding(f"{subject}: not run yet.", page, None)
        found.append(make(rows, scale) or missing)
    return found


# -- intervals -----------------------------------------------------------------------------------


def runs(rows: Rows, scale: Scale, lm: LM) -> list[Row]:
    """Of the scale's seeds, as many as there are."""
    return rows.all_done(seeds(lm, scale.seeds))


def interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """Of the mean; None of nothing."""
    if not len(values):
        return None
    mean, half = mean_interval(list(values))
    return Interval(mean, half if len(values) > 1 else math.inf)


def difference(rows: Rows, scale: Scale, left: LM, right: LM) -> Interval | None:
    """Of mean bits/byte over seeds, left less right; the interval is Welch's."""
    a, b = ([row.bits_per_byte for row in runs(rows, scale, lm)] for lm in (left, right))
    if not a or not b:
        return None
    margin = math.inf
    if min(len(a), len(b)) > 1:
        low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(LEVEL)
        margin = float(high - low) / 2
    return Interval(sum(a) / len(a) - sum(b) / len(b), margin)


def compared(page: str, found: Interval | None, left: str, right: str) -> Finding | None:
    """`left` has less or more bits/byte than `right`; in the paper it has less."""
    if found is None:
        return None
    word = "less" if found.estimate < 0 else "more"
    text = f"{left} has {found.said(3, 'bits/byte')} {word} than {right}"
    if abs(found.estimate) <= found.margin:
        return Finding(f"{text}: too few runs to decide.", page, None)
    return Finding(f"{text}.", page, found.estimate < 0)


# -- the ten -------------------------------------------------------------------------------------


def windows_to_bytes(rows: Rows, scale: Scale) -> Finding | None:
    windows, rival = scale.lm(free_windows(scale)), scale.lm(scale.bytes)
    found = difference(rows, scale, windows, rival)
    left = f"With as many ids, an M2 of {windows.training.size} on {windows.stream.tokens.name}"
    return compared("fig3", found, left, "one on bytes")


def windows_to_m1(rows: Rows, scale: Scale) -> Finding | None:
    m1, windows = rows.done(scale.m1), scale.lm(free_windows(scale))
    if m1 is None:
        return None
    found = interval([row.bits_per_byte - m1.bits_per_byte for row in runs(rows, scale, windows)])
    left = f"That M2 on {windows.stream.tokens.name}"
    return compared("fig3", found, left, f"M1 ({m1.size}) alone, which made its ids")


def subwords_to_windows(rows: Rows, scale: Scale) -> Finding | None:
    subword, windows = scale.lm(scale.subwords[0]), scale.lm(free_windows(scale))
    found = difference(rows, scale, subword, windows)
    left = f"An M2 of {subword.training.size} on {subword.stream.tokens.name}"
    return compared("fig3", found, left, f"one on {windows.stream.tokens.name}")


def wide_to_narrow(rows: Rows, scale: Scale) -> Finding | None:
    narrow, wide = (scale.window(scale.windows[0], width) for width in scale.widths)
    found = difference(rows, scale, scale.lm(wide), scale.lm(narrow))
    return compared("fig6", found, f"One id a window, {wide.name},", f"two, {narrow.name}")


def ac_is_not_learned(rows: Rows, scale: Scale) -> Finding | None:
    tokens = scale.tokens("ac", scale.narrow)
    done = runs(rows, scale, scale.lm(tokens))
    found = interval([100 * (1 - row.bits_per_byte / ignorant(row)) for row in done])
    if found is None:
        return None
    text = f"Of AC's ids, {tokens.name}, an M2 learns {found.said(2, '%')}"
    return Finding(f"{text}: so far from a model that knows nothing.", "fig3", found.estimate < 1)


def gzip_is_learned(rows: Rows, scale: Scale) -> Finding | None:
    name, size = paper.counterpart(scale.gzips[0], scale), paper.SIZES[0]
    per_token = paper.lookup("table12", name, "ratio")
    theirs = 100 * (1 - paper.lookup("fig3_table15", name, size, "bits_per_byte") * per_token / 8)
    done = runs(rows, scale, scale.lm(scale.gzips[0]))
    found = interval([100 * (1 - row.bits_per_byte / row.uniform) for row in done])
    if found is None:
        return None
    text = f"Of GZip's ids of 8 bits it learns {found.said(2, '%')}"
    return Finding(f"{text} (the paper's, {size}: {theirs:.0f} %).", "fig3", found.estimate >= 5)


def windows_decode(rows: Rows, scale: Scale) -> Finding | None:
    recipes = [d5.decoding(scale, scale.windows[0], rule) for rule in ("paper", "free")]
    found = rows.all_done(recipes)
    if len(found) < 2:
        return None
    text = f"By the paper's rule as section 3.3 has it {share(found[0])} of documents decode"
    agrees = d5.good(found[0], "documents") > 0.99
    return Finding(f"{text}, by the free cell {share(found[1])}.", "d5", agrees)


def share(row: Row) -> str:
    """Documents that decode, with Clopper and Pearson's interval."""
    count = row.values["documents"]
    found = stats.binomtest(count - row.values["wrong_documents"], count)
    low, high = found.proportion_ci(LEVEL)
    return f"{100 * found.statistic:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"


def bytes_a_step(rows: Rows, scale: Scale) -> Finding | None:
    pair = free_windows(scale), scale.subwords[1]
    found = rows.all_done([scale.lm(tokens) for tokens in pair])
    if len(found) < 2:
        return None
    windows, subword = found
    text = f"{windows.tokenizer} has {windows.ratio:.2f} bytes a decoder step"
    text += f", {subword.tokenizer} {subword.ratio:.2f} (counted, on {windows.num_bytes:,} bytes)"
    return Finding(f"{text}.", "fig4", windows.ratio > subword.ratio)


def ac_is_not_decompressed(rows: Rows, scale: Scale) -> Finding | None:
    pair = [table5.transducers(scale)["AC", task] for task in ("decompress", "control")]
    done = rows.all_done(pair)
    if len(done) < len(pair):
        return None
    task, control = (np.array(row.values["losses"]) for row in done)
    found = interval(100 * (1 - task / control))
    if found is None:
        return None
    word = "less" if found.estimate > 0 else "more"
    text = f"Having read AC's ids, an M2 needs {found.said(1, '%')} {word} bits for their bytes"
    agrees = abs(found.estimate) < 5
    return Finding(f"{text} than without (paired over batches).", "table5", agrees)


def windows_write_faster(rows: Rows, scale: Scale) -> Finding | None:
    row, training = rows.done(latency.timings(scale)[0]), latency.trainings(scale)[-1]
    if row is None:
        return None
    speeds = {one["key"]: np.divide(one["bytes"], one["seconds"]) for one in row.values["runs"]}
    lms = [scale.lm(tokens, training) for tokens in latency.tokenizers(scale)]
    base, bpe, _, windows = (speeds[lm.key] for lm in lms)
    found, rival = interval(windows / base), interval(bpe / base)
    if found is None or rival is None:
        return None
    text = f"M2s of {training.size} on equal-info windows write {found.said(1, 'times')} as fast"
    text += f" as on bytes, on BPE {rival.said(1, 'times')} (over rounds)"
    return Finding(f"{text}.", "latency", found.estimate - found.margin > 1)


def free_windows(scale: Scale) -> Tokens:
    """One id a window, by the rule that decodes."""
    return scale.window(scale.windows[0], scale.wide, "free")


FINDINGS: tuple[tuple[str, str, Callable[[Rows, Scale], Finding | None]], ...] = (
    ("fig3", "Equal-info windows against bytes", windows_to_bytes),
    ("fig3", "Equal-info windows against M1 alone", windows_to_m1),
    ("fig3", "Subwords against equal-info windows", subwords_to_windows),
    ("fig6", "Wide ids against narrow ones", wide_to_narrow),
    ("fig3", "What an M2 learns of AC", ac_is_not_learned),
    ("fig3", "What an M2 learns of GZip", gzip_is_learned),
    ("d5", "How much decodes", windows_decode),
    ("fig4", "Bytes a decoder step", bytes_a_step),
    ("table5", "Reading AC's ids", ac_is_not_decompressed),
    ("latency", "Bytes a second", windows_write_faster),
)
