"""Statistics of results: fronts, tests, intervals, and information measures. Entropies and divergences are in bits."""

from collections.abc import Callable, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from scipy import stats

RESAMPLES = 2000


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (x, y) that no other point beats, more x and less y being better; in the order of x.

    A point is beaten by one that is as good on both axes and better on one: equal points stay or go together.
    """
    kept = [
        i
        for i, (x, y) in enumerate(points)
        if not any(u >= x and v <= y and (u, v) != (x, y) for u, v in points)
    ]  # fmt: skip
    return sorted(kept, key=lambda i: points[i])


def welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """(t, two-sided p) of Welch's test that two samples, whose variances may differ, have one mean."""
    found = stats.ttest_ind(a, b, equal_var=False)
    return float(found.statistic), float(found.pvalue)


def bootstrap(
    values: Sequence[float] | np.ndarray,
    statistic: Callable[[np.ndarray], float],
    seed: int,
    level: float = 0.9,
) -> tuple[float, float]:
    """The percentile interval of `statistic` over RESAMPLES samples drawn from `values` with replacement.

    values: [n, ...], drawn along the first axis. level: the interval's probability, its tails being equal.
    """
    values, generator = np.asarray(values), np.random.default_rng(seed)
    draws = (generator.integers(len(values), size=len(values)) for _ in range(RESAMPLES))
    low, high = np.quantile([statistic(values[draw]) for draw in draws], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def entropy_bits(counts: Sequence[int] | np.ndarray) -> float:
    """The plug-in entropy of counts: that of the observed frequencies. 0 where nothing was counted."""
    seen = np.asarray(counts, dtype=np.float64)
    seen = seen[seen > 0]
    total = seen.sum()
    return float(np.log2(total) - (seen * np.log2(seen)).sum() / total) if total else 0.0


def miller_madow(counts: Sequence[int] | np.ndarray, symbols: int | None = None) -> float:
    """The entropy plus its first-order bias (V - 1) / (2 m) nats: m observations, V possible symbols.

    symbols: V; without it, the number of symbols seen, as Miller and Madow have it where the alphabet is not known.
    """
    seen = np.asarray(counts)
    return entropy_bits(seen) + bias_bits(int((seen > 0).sum()) if symbols is None else symbols, int(seen.sum()))


def bias_bits(symbols: int, observations: int) -> float:
    """By how many bits m observations of V equally likely symbols make the plug-in entropy too small (first order)."""
    return float((symbols - 1) / (2 * observations * np.log(2))) if observations else 0.0


def kl_uniform(counts: Sequence[int] | np.ndarray, symbols: int) -> tuple[float, float]:
    """(plug-in, Miller-Madow) KL divergence of what was counted from the uniform distribution over `symbols`.

    The alphabet is known, so V is its size, whether all of it was seen or not: the corrected divergence of uniform
    data is zero on average, and may be negative.
    """
    return np.log2(symbols) - entropy_bits(counts), np.log2(symbols) - miller_madow(counts, symbols)


def edit_distance(a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray) -> int:
    """The fewest insertions, deletions and replacements of ids that turn `a` into `b` (Levenshtein)."""
    return Levenshtein.distance(np.asarray(a).tolist(), np.asarray(b).tolist())


# -- bits ----------------------------------------------------------------------------------------------------


def ngram_counts(bits: np.ndarray, n: int) -> np.ndarray:
    """How often each run of n bits occurs at every place. uint8[m] of 0 and 1 -> int64[2**n], first bit highest."""
    return np.bincount(ngrams(bits, n), minlength=1 << n)


def token_counts(bits: np.ndarray, n: int) -> np.ndarray:
    """How often each n-bit token occurs when the bits are cut every n of them; the rest is dropped. int64[2**n]."""
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
