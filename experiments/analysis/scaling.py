"""How loss falls with a model's size and its text: L = E + A / N**a + B / D**b (Hoffmann et al.
2022, §3.3), and where two such laws cross.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize, nnls

POWERS = (0.1, 0.3, 0.6, 1.0)  # where a search for both powers begins
MOST = 3.0
NUM_PARAMETERS = 5


@dataclass(frozen=True)
class Law:
    """L(N, D) = floor + by_size / N**size_power + by_text / D**text_power, all of them >= 0.

    N: parameters; D: bytes of text; L: bits/byte.
    """

    floor: float
    by_size: float
    size_power: float
    by_text: float
    text_power: float

    def __call__(self, size: float | np.ndarray, text: float | np.ndarray) -> np.ndarray:
        size_term = self.by_size * np.power(size, -self.size_power)
        return self.floor + size_term + self.by_text * np.power(text, -self.text_power)


def fit(sizes: np.ndarray, texts: np.ndarray, losses: np.ndarray) -> Law:
    """The law of least squares through float64[n] points, n >= 5, by variable projection.

    Given both powers the rest is linear, so the search is over these two alone. ValueError for
    fewer points than the law has numbers.
    """
    if len(losses) < NUM_PARAMETERS:
        raise ValueError(f"{len(losses)} points for a law of {NUM_PARAMETERS} numbers")
    # in units of their middle, so that no power makes a column vanish beside another
    size_unit, text_unit = (float(np.exp(np.log(one).mean())) for one in (sizes, texts))

    def columns(powers: np.ndarray) -> np.ndarray:
        a, b = powers
        terms = np.ones_like(losses), (sizes / size_unit) ** -a, (texts / text_unit) ** -b
        return np.column_stack(terms)

    def residual(powers: np.ndarray) -> float:
        return float(nnls(columns(np.clip(powers, 0.01, MOST)), losses)[1])

    starts = [(a, b) for a in POWERS for b in POWERS]
    best = min(starts, key=lambda powers: residual(np.array(powers)))
    options = {"xatol": 1e-6, "fatol": 1e-10, "maxiter": 4000}
    found = minimize(residual, best, method="Nelder-Mead", options=options).x
    a, b = np.clip(found, 0.01, MOST)
    floor, by_size, by_text = nnls(columns(np.array([a, b])), losses)[0]
    return Law(floor, by_size * size_unit**a, a, by_text * text_unit**b, b)


def resampled(
    law: Law, sizes: np.ndarray, texts: np.ndarray, losses: np.ndarray, count: int, seed: int = 0
) -> list[Law]:
    """Laws through the fitted points and drawn residuals: a bootstrap of the fit.

    Residuals are drawn anew with replacement, larger by sqrt(n / (n - 5)): a fit leaves less than
    the noise that it was fitted to.
    """
    fitted = law(sizes, texts)
    freedom = max(len(losses) - NUM_PARAMETERS, 1)
    residuals = (losses - fitted) * np.sqrt(len(losses) / freedom)
    rng = np.random.default_rng(seed)
    draws = rng.choice(residuals, size=(count, len(losses)))
    return [fit(sizes, texts, fitted + draw) for draw in draws]


class Crossing(NamedTuple):
    """Where one quantity stops being below another: estimate, and a 95 % interval.

    share: of the resamples in which they cross at all within the range; estimate None: they do not.
    """

    estimate: float | None
    low: float
    high: float
    share: float


Curve = Callable[[float], float]


def crossing(first: Sequence[Curve], second: Sequence[Curve], low: float, high: float) -> Crossing:
    """Where first's loss rises above second's between two budgets: of their laws, which come first,
    and of their resamples, paired by number.

    Curves take a budget (of whatever unit) and give bits/byte. Where first is below all the way,
    its crossing is infinite, and where it is above all the way, 0.
    """
    found = [_meeting(one, other, low, high) for one, other in zip(first, second, strict=True)]
    drawn = np.array(found[1:] or found)
    inside = (drawn > 0) & np.isfinite(drawn)
    bounds = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    estimate = found[0] if 0 < found[0] < np.inf else None
    return Crossing(estimate, float(bounds[0]), float(bounds[1]), float(inside.mean()))


def _meeting(first: Curve, second: Curve, low: float, high: float) -> float:
    def gap(log_budget: float) -> float:
        budget = float(np.exp(log_budget))
        return first(budget) - second(budget)

    grid = np.linspace(np.log(low), np.log(high), 65)
    ahead = np.array([gap(at) < 0 for at in grid])
    if ahead.all():
        return np.inf
    if not ahead.any():
        return 0.0
    last = int(np.flatnonzero(ahead)[-1])  # it may begin behind
    if last == len(grid) - 1:
        return np.inf
    return float(np.exp(brentq(gap, grid[last], grid[last + 1])))
