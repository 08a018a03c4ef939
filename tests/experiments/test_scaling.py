"""Laws of loss: found again where they are known, and where they cross."""

import numpy as np
import pytest

from experiments.analysis.scaling import Law, Points, crossing, fit, intervals, redrawn

LAW = Law(1.2, 40.0, 0.34, 900.0, 0.5)
SIZES = np.repeat([4e5, 1e6, 3e6], 4)
TEXTS = np.tile([3e6, 1e7, 3.5e7, 1.2e8], 3)


def test_a_law_without_noise_is_found_again():
    found = fit(SIZES, TEXTS, LAW(SIZES, TEXTS))
    assert found(SIZES, TEXTS) == pytest.approx(LAW(SIZES, TEXTS), abs=1e-6)
    assert (found.size_power, found.text_power) == pytest.approx((0.34, 0.5), rel=0.02)
    assert found.floor == pytest.approx(1.2, rel=0.02)


def test_resamples_of_a_noisy_law_hold_it():
    noise = np.random.default_rng(1).normal(0, 0.004, len(SIZES))
    losses = LAW(SIZES, TEXTS) + noise
    drawn = redrawn(fit(SIZES, TEXTS, losses), Points(SIZES, TEXTS, losses), 40)
    at = [float(one(1e6, 3.5e7)) for one in drawn]
    assert np.std(at) < 0.01
    assert min(at) - 0.004 < LAW(1e6, 3.5e7) < max(at) + 0.004


def test_too_few_points_are_no_law():
    with pytest.raises(ValueError, match="4 points"):
        fit(SIZES[:4], TEXTS[:4], TEXTS[:4])


def test_curves_cross_where_they_meet_or_not_at_all():
    early = [lambda x: 2.0 - 0.1 * np.log(x)] * 3
    late = [lambda x: 3.0 - 0.2 * np.log(x)] * 3
    found = crossing(early, late, 1.0, 1e9)
    assert found.estimate == pytest.approx(np.exp(10.0))
    assert found.low == found.high == pytest.approx(np.exp(10.0))
    assert crossing(late, early, 1.0, 1e4) == (0.0, 0.0, 0.0)
    assert crossing(early, late, 1.0, 1e4) == (np.inf, np.inf, np.inf)
