"""Statistics of results: fronts, intervals, entropies and divergences (in bits)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein
from scipy import stats


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (x, y) that no other point beats, more x and less y being better; in the order
    of x.

    A point is beaten by one that is as good on both axes and better on one: equal points stay or go
    together.
    """
    kept = [
        i
        for i, (x, y) in enumerate(points)
        if not any(u >= x and v <= y and (u, v) != (x, y) for u, v in points)
    ]  # fmt: skip
    return sorted(kept, key=lambda i: points[i])


# -- samples and intervals -------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """A quantity as runs measured it that differ in their seed alone, all over the same texts.

    values: float64[seeds], or of what else `of` names. texts: float64[texts], how far each text
    pulls their mean (`influence`); None where that is not known. certain: no training decides the
    quantity, so its one value varies with the texts only. parts: how many texts are of each corpus,
    one corpus after the other; (): all are of one.
    """

    values: np.ndarray
    texts: np.ndarray | None = None
    certain: bool = False
    of: str = "seeds"
    parts: tuple[int, ...] = ()

    @property
    def mean(self) -> float:
        return float(self.values.mean())


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval, estimate ± margin; the margin is infinite where nothing tells it,
    as with one seed.

    over: what was sampled, "seeds and texts", "seeds" or "texts".
    """

    estimate: float
    margin: float
    over: str

    @property
    def low(self) -> float:
        return self.estimate - self.margin

    @property
    def high(self) -> float:
        return self.estimate + self.margin

    def below(self, limit: float = 0.0) -> bool | None:
        """Whether the quantity is below the limit; None where the interval does not decide."""
        return True if self.high < limit else False if self.low > limit else None

    def within(self, tolerance: float) -> bool | None:
        """Whether the quantity is 0 within the tolerance (two one-sided tests); None: undecided."""
        if max(-self.low, self.high) < tolerance:
            return True
        return False if max(self.low, -self.high) > tolerance else None

    def __str__(self) -> str:
        if math.isinf(self.margin):
            return f"{self.estimate:+.3g} (no interval: one seed, or texts that were not kept)"
        return f"{self.estimate:+.3g} ± {self.margin:.2g} over {self.over}"


def contrast(terms: Sequence[tuple[float, Sample]], paired: bool = False) -> Interval:
    """The sum of weight x sample: t-based over seeds, paired over texts, both variances counted
    (Welch-Satterthwaite).

    paired: the samples' seeds are paired too, as where one seed gives all of them the same batches;
    ValueError where their numbers differ. Texts count where every sample has them, and are paired
    where as many are the same ones; those of several corpora are drawn from each by itself, so that
    corpora may differ, and a few long texts of one are a few.
    """
    found = [_mean_variance(weight * one.values) for weight, one in terms if not one.certain]
    if paired and found:
        found = [
            _mean_variance(np.sum([w * one.values for w, one in terms if not one.certain], axis=0))
        ]
    texts: dict[tuple[int, ...], list[np.ndarray]] = {}
    for weight, one in terms:
        if one.texts is not None:
            texts.setdefault(one.parts or (len(one.texts),), []).append(weight * one.texts)
    over = " and ".join(dict.fromkeys(one.of for _, one in terms if not one.certain))
    if sum(map(len, texts.values())) == len(terms):
        for sizes, pulls in texts.items():
            apart = np.split(np.sum(pulls, axis=0), np.cumsum(sizes)[:-1])
            found += [_mean_variance(len(part) * part) for part in apart]
        over += " and texts" if over else "texts"
    estimate = sum(weight * one.mean for weight, one in terms)
    variance = sum(part for part, _ in found)
    if not found or math.isinf(variance):
        return Interval(estimate, math.inf, over)
    freedom = variance**2 / sum(part**2 / df for part, df in found) if variance else 1.0
    return Interval(estimate, float(stats.t.ppf(0.975, freedom)) * math.sqrt(variance), over)


def _mean_variance(values: np.ndarray) -> tuple[float, int]:
    """(variance of the mean, degrees of freedom); infinite where there is one value."""
    return (
        (float(values.var(ddof=1)) / len(values), len(values) - 1)
        if len(values) > 1
        else (math.inf, 1)
    )


def influence(
    over: Sequence[float] | np.ndarray, under: Sequence[float] | np.ndarray
) -> np.ndarray:
    """How far each text pulls sum(over) / sum(under): the delta method's linear terms,
    float64[texts]; their sum is 0.

    n / (n - 1) times the sum of their squares estimates the quotient's variance.
    """
    over = np.asarray(over, dtype=np.float64)
    under = np.asarray(under, dtype=np.float64)
    return (over - over.sum() / under.sum() * under) / under.sum()


def quotient(over: Sequence[float] | np.ndarray, under: Sequence[float] | np.ndarray) -> Sample:
    """sum(over) / sum(under) over texts, where no training decides it."""
    return Sample(np.array([np.sum(over) / np.sum(under)]), influence(over, under), certain=True)


def deviation_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the standard deviation that normal values have (chi-squared)."""
    df = len(values) - 1
    low, high = np.sqrt(df * np.var(values, ddof=1) / stats.chi2.ppf([0.975, 0.025], df))
    return float(low), float(high)


# -- information -----------------------------------------------------------------------------------


def entropy_bits(counts: Sequence[int] | np.ndarray) -> float:
    """The plug-in entropy of counts, that of their frequencies; 0 where nothing was counted."""
    seen = np.asarray(counts, dtype=np.float64)
    seen = seen[seen > 0]
    total = seen.sum()
    return float(np.log2(total) - (seen * np.log2(seen)).sum() / total) if total else 0.0


def miller_madow(counts: Sequence[int] | np.ndarray, symbols: int | None = None) -> float:
    """The entropy plus its first-order bias (V - 1) / (2 m) nats: m observations, V possible
    symbols.

    symbols: V; without it, the number of symbols seen, as Miller and Madow have it where the
    alphabet is not known.
    """
    seen = np.asarray(counts)
    return entropy_bits(seen) + bias_bits(
        int((seen > 0).sum()) if symbols is None else symbols, int(seen.sum())
    )


def bias_bits(symbols: int, observations: int) -> float:
    """By how much m of V equally likely symbols lessen the plug-in entropy, to first order."""
    return float((symbols - 1) / (2 * observations * np.log(2))) if observations else 0.0


def kl_uniform(counts: Sequence[int] | np.ndarray, symbols: int) -> tuple[float, float]:
    """(plug-in, Miller-Madow) KL divergence of what was counted from the uniform distribution over
    `symbols`.

    The alphabet is known, so V is its size, whether all of it was seen or not: the corrected
    divergence of uniform data is zero on average, and may be negative.
    """
    return np.log2(symbols) - entropy_bits(counts), np.log2(symbols) - miller_madow(counts, symbols)


def edit_distance(a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray) -> int:
    """The fewest insertions, deletions and replacements that turn `a` into `b` (Levenshtein)."""
    return Levenshtein.distance(np.asarray(a).tolist(), np.asarray(b).tolist())


# -- bits ------------------------------------------------------------------------------------------


def ngram_counts(bits: np.ndarray, n: int) -> np.ndarray:
    """How often each run of n bits occurs: uint8[m] of 0, 1 -> int64[2**n], first bit highest."""
    return np.bincount(ngrams(bits, n), minlength=1 << n)


def token_counts(bits: np.ndarray, n: int) -> np.ndarray:
    """How often each n-bit token occurs, the bits cut every n, the rest dropped: int64[2**n]."""
    whole = bits[: len(bits) - len(bits) % n].reshape(-1, n)
    codes = np.zeros(len(whole), dtype=np.int32)
    for column in range(n):
        codes = codes << 1 | whole[:, column]
    return np.bincount(codes, minlength=1 << n)


def ngrams(bits: np.ndarray, n: int) -> np.ndarray:
    """The number that each run of n bits makes: uint8[m] -> int32[m - n + 1]; n up to 31."""
    codes = np.zeros(max(len(bits) - n + 1, 0), dtype=np.int32)
    for offset in range(n):
        codes = codes << 1 | bits[offset : offset + len(codes)]
    return codes


def observed_bias(kind: str, n: int, size: int) -> float:
    """`bias_bits` of the "ngrams" or "tokens" of n bits that `size` bits hold."""
    return bias_bits(1 << n, max(size - n + 1, 0) if kind == "ngrams" else size // n)
