"""How loss falls with a model's size and its text: L = E + A / N**a + B / D**b (Hoffmann et al.
2022, §3.3), and where two such laws cross.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, least_squares, minimize, nnls
from scipy.special import huber

POWERS = (0.1, 0.3, 0.6, 1.0)  # where a search for both powers begins
LEAST, MOST = 0.01, 3.0
TINY = 1e-6  # of a term that is 0: its logarithm is searched
HUBER = 1e-3  # of log L: what is further off counts by its distance, not by its square
SYMBOLS = {
    "by_size": "A",
    "by_text": "B",
    "floor": "E",
    "size_power": "alpha",
    "text_power": "beta",
}
NUM_PARAMETERS = len(SYMBOLS)


class Points(NamedTuple):
    """Runs: parameters, text (in whatever unit) and loss, float64[n] each."""

    sizes: np.ndarray
    texts: np.ndarray
    losses: np.ndarray


@dataclass(frozen=True)
class Law:
    """L(N, D) = floor + by_size / N**size_power + by_text / D**text_power, all of them >= 0.

    N: parameters; D: bytes of text; L: bits/byte; or as the points that it was fitted to have them.
    """

    floor: float
    by_size: float
    size_power: float
    by_text: float
    text_power: float

    def __call__(self, size: Any, text: Any) -> Any:
        """At float64[n] or floats."""
        size_term = self.by_size * np.power(size, -self.size_power)
        return self.floor + size_term + self.by_text * np.power(text, -self.text_power)

    def residuals(self, points: Points) -> np.ndarray:
        """log L - log L(N, D) of each point: float64[n]."""
        return np.log(points.losses) - np.log(self(points.sizes, points.texts))

    def misfit(self, points: Points) -> np.ndarray:
        """The Huber loss of each residual, whose sum a fit makes least: float64[n]."""
        return huber(HUBER, self.residuals(points))


def fit(sizes: np.ndarray, texts: np.ndarray, losses: np.ndarray) -> Law:
    """The law through float64[n] points, n >= 5: the least Huber loss of log L, as Hoffmann et al.

    Given both powers the law is linear, so a search over these two alone begins it (variable
    projection, least squares). ValueError for fewer points than the law has numbers.
    """
    if len(losses) < NUM_PARAMETERS:
        raise ValueError(f"{len(losses)} points for a law of {NUM_PARAMETERS} numbers")
    # in units of their middle, so that no power makes a column vanish beside another
    units = [float(np.exp(np.log(one).mean())) for one in (sizes, texts)]
    n, d = sizes / units[0], texts / units[1]

    def projected(powers: np.ndarray) -> tuple[np.ndarray, float]:
        a, b = np.clip(powers, LEAST, MOST)
        return nnls(np.column_stack([np.ones_like(losses), n**-a, d**-b]), losses)

    def residuals(numbers: np.ndarray) -> np.ndarray:
        floor, by_size, by_text = np.exp(numbers[:3])
        a, b = numbers[3:]
        return np.log(floor + by_size * n**-a + by_text * d**-b) - np.log(losses)

    starts = [np.array([a, b]) for a in POWERS for b in POWERS]
    start = min(starts, key=lambda powers: projected(powers)[1])
    found = minimize(lambda powers: projected(powers)[1], start, method="Nelder-Mead").x
    powers = np.clip(found, 1.01 * LEAST, 0.99 * MOST)
    begin = [*np.log(np.maximum(projected(powers)[0], TINY)), *powers]
    bounds = [-np.inf] * 3 + [LEAST] * 2, [np.inf] * 3 + [MOST] * 2
    close = {"xtol": 1e-12, "ftol": 1e-12, "loss": "huber", "f_scale": HUBER}
    polished = least_squares(residuals, begin, bounds=bounds, **close)
    floor, by_size, by_text = np.exp(polished.x[:3]).tolist()
    a, b = polished.x[3:].tolist()
    return Law(floor, by_size * units[0] ** a, a, by_text * units[1] ** b, b)


def redrawn(law: Law, points: Points, count: int, seed: int = 0, pairs: bool = False) -> list[Law]:
    """Laws through redrawn points, `law` being that through the points themselves: a bootstrap.

    Residuals of log L are drawn with replacement, larger by sqrt(n / (n - 5)): a fit leaves less
    than the noise that it was fitted to. So few points keep their sizes and texts. pairs: of many,
    whole points are drawn, whose noise may differ from place to place.
    """
    sizes, texts, losses = points
    random = np.random.default_rng(seed)
    if pairs:
        draws = random.integers(len(losses), size=(count, len(losses)))
        return [fit(sizes[at], texts[at], losses[at]) for at in draws]
    freedom = max(len(losses) - NUM_PARAMETERS, 1)
    residuals = law.residuals(points) * np.sqrt(len(losses) / freedom)
    draws = random.choice(residuals, size=(count, len(losses)))
    return [fit(sizes, texts, law(sizes, texts) * np.exp(draw)) for draw in draws]


def intervals(laws: Sequence[Law]) -> dict[str, tuple[float, float]]:
    """Of each number of resampled laws, by its name in `Law`: its 95 % interval (percentiles)."""
    found = {name: [getattr(law, name) for law in laws] for name in SYMBOLS}
    bounds = {name: np.quantile(values, [0.025, 0.975]) for name, values in found.items()}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


class Crossing(NamedTuple):
    """Where one quantity stops being below another: estimate, and a 95 % interval.

    Infinite where it is below all the way, 0 where it is above.
    """

    estimate: float
    low: float
    high: float


Curve = Callable[[float], Any]


def crossing(first: Sequence[Curve], second: Sequence[Curve], low: float, high: float) -> Crossing:
    """Where first's loss rises above second's between two budgets: of their laws, which come first,
    and of their resamples, paired by number.

    Curves take a budget (of whatever unit) and give bits/byte.
    """
    found = [_meeting(one, other, low, high) for one, other in zip(first, second, strict=True)]
    bounds = np.quantile(found[1:] or found, [0.025, 0.975], method="inverted_cdf")
    return Crossing(found[0], float(bounds[0]), float(bounds[1]))


def _meeting(first: Curve, second: Curve, low: float, high: float) -> float:
    def gap(log_budget: float) -> float:
        budget = float(np.exp(log_budget))
        return float(first(budget) - second(budget))

    grid = np.linspace(np.log(low), np.log(high), 65)
    ahead = np.array([gap(at) < 0 for at in grid])
    if ahead[-1]:
        return np.inf
    if not ahead.any():
        return 0.0
    last = int(np.flatnonzero(ahead)[-1])  # it may begin behind
    return float(np.exp(brentq(gap, grid[last], grid[last + 1])))
