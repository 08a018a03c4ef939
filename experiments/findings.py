"""What came out, in ten sentences: each with its number and interval, computed from rows.

A sentence says what its numbers say, also where they go against the paper or decide nothing.
Intervals are of 95 %: over seeds, or over what the sentence names.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments import d5, latency, paper, table5
from experiments.compare import ignorant
from experiments.figures import LEVEL, mean_interval
from experiments.recipes import Tokens, seeds
from experiments.rows import Row, Rows
from experiments.scales import Scale


@dataclass(frozen=True)
class Finding:
    """text: one sentence. page: the experiment it is of. agrees: with the paper; None: undecided."""

    text: str
    page: str
    agrees: bool | None


@dataclass(frozen=True)
class Estimate:
    """A mean, and half of its interval: nan where there was one run."""

    value: float
    half: float

    @property
    def decided(self) -> bool:
        """Whether zero lies outside."""
        return abs(self.value) > self.half

    def __format__(self, digits: str) -> str:
        """The size and its interval, e.g. "0.268 ± 0.031 bits/byte" by f"{found:.3f bits/byte}"."""
        form, _, unit = digits.partition(" ")
        size = f"{abs(self.value):{form}}"
        if math.isnan(self.half):
            return f"{size} {unit} (one seed)"
        return f"{size} ± {self.half:{form}} {unit}".rstrip()


def findings(rows: Rows, scale: Scale) -> list[Finding]:
    """All of them, in order; one whose rows are missing says so."""
    return [make(rows, scale) or Finding(f"{subject}: not run yet.", page, None) for page, subject, make in FINDINGS]


# -- estimates -----------------------------------------------------------------------------------


def runs(rows: Rows, scale: Scale, tokens: Tokens) -> list[Row]:
    """The smallest M2's, of all seeds there are."""
    return rows.all_done(seeds(scale.lm(tokens, scale.base), scale.seeds))


def estimate(values: list[float]) -> Estimate | None:
    if not values:
        return None
    mean, half = mean_interval(values)
    return Estimate(mean, half if len(values) > 1 else math.nan)


def difference(left: list[Row], right: list[Row]) -> Estimate | None:
    """Of mean bits/byte, left less right; the interval is Welch's."""
    if not left or not right:
        return None
    a, b = ([row.bits_per_byte for row in found] for found in (left, right))
    half = math.nan
    if min(len(a), len(b)) > 1:
        low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(LEVEL)
        half = float(high - low) / 2
    return Estimate(sum(a) / len(a) - sum(b) / len(b), half)


def compared(page: str, found: Estimate | None, left: str, right: str) -> Finding | None:
    """`left` has less or more bits/byte than `right`; the paper has less."""
    if found is None:
        return None
    word = "less" if found.value < 0 else "more"
    text = f"{left} has {found:.3f bits/byte} {word} than {right}"
    if not found.decided:
        return Finding(f"{text}: too few runs to decide.", page, None)
    return Finding(f"{text}.", page, found.value < 0)


# -- the ten -------------------------------------------------------------------------------------


def windows_to_bytes(rows: Rows, scale: Scale) -> Finding | None:
    windows = free_windows(scale)
    found = difference(runs(rows, scale, windows), runs(rows, scale, scale.bytes))
    left = f"With as many ids, an M2 ({scale.base.size}) on {windows.name}"
    return compared("fig3", found, left, "one on bytes")


def windows_to_m1(rows: Rows, scale: Scale) -> Finding | None:
    row, windows = rows.done(scale.m1), free_windows(scale)
    if row is None:
        return None
    found = estimate([one.bits_per_byte - row.bits_per_byte for one in runs(rows, scale, windows)])
    left = f"That M2 on {windows.name}"
    return compared("fig3", found, left, f"M1 ({scale.m1_training.size}) alone, which made its ids")


def subwords_to_windows(rows: Rows, scale: Scale) -> Finding | None:
    windows, subword = free_windows(scale), scale.subwords[1]
    found = difference(runs(rows, scale, subword), runs(rows, scale, windows))
    left = f"An M2 ({scale.base.size}) on {subword.name}"
    return compared("fig3", found, left, f"one on {windows.name}")


def wide_to_narrow(rows: Rows, scale: Scale) -> Finding | None:
    narrow, wide = (scale.window(scale.windows[0], width) for width in scale.widths)
    found = difference(runs(rows, scale, wide), runs(rows, scale, narrow))
    return compared("fig6", found, f"One id a window, {wide.name},", f"two, {narrow.name}")


def ac_is_not_learned(rows: Rows, scale: Scale) -> Finding | None:
    tokens = scale.tokens("ac", scale.narrow)
    below = [1 - row.bits_per_byte / ignorant(row) for row in runs(rows, scale, tokens)]
    found = estimate([100 * share for share in below])
    if found is None:
        return None
    text = f"Of AC's ids, {tokens.name}, an M2 learns next to nothing: it ends {found:.2f %}"
    return Finding(f"{text} below a model that knows nothing.", "fig3", found.value < 1)


def gzip_is_learned(rows: Rows, scale: Scale) -> Finding | None:
    name, size = paper.counterpart(scale.gzips[0], scale), paper.SIZES[0]
    per_token = paper.lookup("table12", name, "ratio")
    theirs = 100 * (1 - paper.lookup("fig3_table15", name, size, "bits_per_byte") * per_token / 8)
    below = [1 - row.bits_per_byte / row.uniform for row in runs(rows, scale, scale.gzips[0])]
    found = estimate([100 * share for share in below])
    if found is None:
        return None
    text = f"Of GZip's ids of 8 bits it learns {found:.2f %} (the paper's, {size}: {theirs:.0f} %)"
    return Finding(f"{text}.", "fig3", found.value >= 5)


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
    found = rows.all_done([scale.lm(one, scale.base) for one in (free_windows(scale), scale.subwords[1])])
    if len(found) < 2:
        return None
    windows, subword = found
    text = f"{windows.tokenizer} has {windows.ratio:.2f} bytes a decoder step"
    text += f", {subword.tokenizer} {subword.ratio:.2f} (counted, on {windows.num_bytes:,} bytes)"
    return Finding(f"{text}.", "fig4", windows.ratio > subword.ratio)


def ac_is_not_decompressed(rows: Rows, scale: Scale) -> Finding | None:
    pair = table5.beside_control("AC", rows, scale)
    if pair is None:
        return None
    task, control = (row.values["losses"] for row in pair)
    found = estimate([100 * (1 - a / b) for a, b in zip(task, control, strict=True)])
    if found is None:
        return None
    word = "less" if found.value > 0 else "more"
    text = f"Having read AC's ids, an M2 needs {found:.1f %} {word} bits for their bytes than without"
    return Finding(f"{text} (paired over batches).", "table5", abs(found.value) < 5)


def windows_write_faster(rows: Rows, scale: Scale) -> Finding | None:
    row, training = rows.done(latency.timings(scale)[0]), latency.trainings(scale)[-1]
    if row is None:
        return None
    speeds = {one["key"]: np.divide(one["bytes"], one["seconds"]) for one in row.values["runs"]}
    lms = [scale.lm(tokens, training) for tokens in latency.tokenizers(scale)]
    base, bpe, _, windows = (speeds[lm.key] for lm in lms)
    found, rival = estimate(list(windows / base)), estimate(list(bpe / base))
    if found is None:
        return None
    text = f"M2s of {training.size} on equal-info windows write {found:.1f times} as fast as on bytes"
    return Finding(f"{text}, on BPE {rival:.1f times} (rounds).", "latency", found.value - found.half > 1)


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
