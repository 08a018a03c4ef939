"""Statistics on made-up data whose answers are known."""

import math

import numpy as np
import pytest

from experiments.statistics import (
    bias_bits,
    bootstrap,
    edit_distance,
    entropy_bits,
    kl_uniform,
    miller_madow,
    ngram_counts,
    pareto,
    token_counts,
    welch,
)


def test_the_front_is_what_nothing_beats_in_the_order_of_x():
    assert pareto([(4, 1.5), (1, 1.0), (2, 2.0), (3, 1.2), (2, 1.2)]) == [1, 3, 0]


def test_equal_points_are_on_the_front_together_and_ties_on_one_axis_lose_to_the_other():
    assert sorted(pareto([(2, 1.0), (2, 1.0), (1, 1.0), (2, 1.1)])) == [0, 1]
    assert pareto([]) == []


def test_welch_by_hand():
    """Means 2 and 5, variances 1 and 4 of three each: t = -3 / sqrt(5/3); Welch's degrees of freedom 50/17."""
    t, p = welch([1, 2, 3], [3, 5, 7])
    assert t == pytest.approx(-3 / math.sqrt(5 / 3))
    df, steps = 50 / 17, np.linspace(0, abs(t), 20001)
    density = (1 + steps**2 / df) ** (-(df + 1) / 2) * math.gamma((df + 1) / 2)
    density /= math.sqrt(df * math.pi) * math.gamma(df / 2)
    assert p == pytest.approx(1 - 2 * np.trapezoid(density, steps), abs=1e-6)


def test_the_bootstrap_of_a_constant_is_that_constant():
    assert bootstrap([3.0] * 7, np.mean, seed=0) == (3.0, 3.0)


def test_the_bootstrap_of_a_mean_is_as_wide_as_the_normal_theory_says():
    values = np.random.default_rng(1).normal(10, 2, size=400)
    low, high = bootstrap(values, np.mean, seed=0)
    assert high - low == pytest.approx(2 * 1.645 * values.std() / 20, rel=0.1)
    assert low < values.mean() < high
    assert (low, high) == bootstrap(values, np.mean, seed=0) != bootstrap(values, np.mean, seed=1)


def test_entropies_in_bits():
    assert entropy_bits([5, 5, 5, 5]) == pytest.approx(2)
    assert entropy_bits([1, 3, 0]) == pytest.approx(0.811278)
    assert entropy_bits([7]) == entropy_bits([]) == entropy_bits([0, 0]) == 0
    assert miller_madow([6, 2, 0]) == pytest.approx(0.811278 + 1 / (16 * math.log(2)))
    assert miller_madow([6, 2, 0], symbols=5) == pytest.approx(0.811278 + 4 / (16 * math.log(2)))


def test_a_known_divergence():
    plug_in, corrected = kl_uniform([3, 1, 0, 0], 4)
    assert plug_in == pytest.approx(2 - 0.811278)
    assert plug_in - corrected == pytest.approx(bias_bits(4, 4)) == pytest.approx(3 / (8 * math.log(2)))


def test_the_correction_takes_the_bias_of_uniform_samples_away():
    generator, symbols, m = np.random.default_rng(0), 256, 4000
    samples = [np.bincount(generator.integers(symbols, size=m), minlength=symbols) for _ in range(200)]
    plug_in, corrected = np.mean([kl_uniform(counts, symbols) for counts in samples], axis=0)
    assert plug_in == pytest.approx(bias_bits(symbols, m), rel=0.05)
    assert abs(corrected) < 0.05 * plug_in


def test_edit_distance_over_ids():
    assert edit_distance(list(b"kitten"), list(b"sitting")) == 3
    assert edit_distance(np.array([70000, 2, 3], dtype=np.uint32), np.array([2, 3], dtype=np.uint16)) == 1
    assert edit_distance([], [1, 2]) == 2


def test_runs_of_bits_at_every_place_and_cut_every_n():
    bits = np.array([1, 0, 1, 1, 0], dtype=np.uint8)
    assert ngram_counts(bits, 2).tolist() == [0, 1, 2, 1]  # 10 01 11 10
    assert token_counts(bits, 2).tolist() == [0, 0, 1, 1]  # 10 11
    assert ngram_counts(bits, 1).tolist() == token_counts(bits, 1).tolist() == [2, 3]
    assert ngram_counts(bits, 16).sum() == token_counts(bits, 16).sum() == 0
    assert np.flatnonzero(token_counts(np.ones(33, dtype=np.uint8), 16)).tolist() == [65535]
