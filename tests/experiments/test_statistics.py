"""Statistics on made-up data whose answers are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from experiments.analysis.statistics import (
    Interval,
    Sample,
    bias_bits,
    contrast,
    deviation_interval,
    edit_distance,
    entropy_bits,
    influence,
    kl_uniform,
    miller_madow,
    ngram_counts,
    pareto,
    quotient,
    token_counts,
)


def test_the_front_is_what_nothing_beats_in_the_order_of_x():
    assert pareto([(4, 1.5), (1, 1.0), (2, 2.0), (3, 1.2), (2, 1.2)]) == [1, 3, 0]


def test_equal_points_are_on_the_front_together_and_ties_on_one_axis_lose_to_the_other():
    assert sorted(pareto([(2, 1.0), (2, 1.0), (1, 1.0), (2, 1.1)])) == [0, 1]
    assert pareto([]) == []


# -- intervals -------------------------------------------------------------------------------------

A, B = np.array([2.31, 2.36, 2.29, 2.33]), np.array([2.40, 2.43, 2.35])


def test_seeds_alone_give_welchs_interval():
    found = contrast([(1, Sample(A)), (-1, Sample(B))])
    theirs = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert found.over == "seeds"


def test_paired_seeds_give_the_paired_interval():
    found = contrast([(1, Sample(A[:3])), (-1, Sample(B))], paired=True)
    theirs = stats.ttest_rel(A[:3], B).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    with pytest.raises(ValueError, match="shape"):
        contrast([(1, Sample(A)), (-1, Sample(B))], paired=True)


def test_a_quotients_interval_is_the_bootstraps():
    """Bits and bytes of 400 documents: the delta method beside scipy's bootstrap over documents."""
    generator = np.random.default_rng(2)
    under = generator.lognormal(7, 0.6, 400)
    over = under * generator.normal(2.2, 0.3, 400)
    found = contrast([(1, quotient(over, under))])
    theirs = stats.bootstrap(
        (over, under), lambda a, b, axis: a.sum(axis) / b.sum(axis), paired=True, vectorized=True,
        rng=1,
        method="basic", n_resamples=2000,
    ).confidence_interval  # fmt: skip
    assert found.estimate == pytest.approx(over.sum() / under.sum())
    assert found.high - found.low == pytest.approx(theirs.high - theirs.low, rel=0.1)
    assert influence(over, under).sum() == pytest.approx(0)


def test_texts_are_paired():
    """Two tokenizers that find the same documents hard: the difference is far surer than either
    number.
    """
    generator = np.random.default_rng(3)
    under = np.full(200, 1000.0)
    hard = generator.normal(2.0, 0.4, 200)
    one, other = (
        quotient(under * (hard + shift), under)
        for shift in (0.0, generator.normal(0.01, 0.01, 200))
    )
    gap = contrast([(1, one), (-1, other)])
    assert gap.below()
    assert gap.margin < contrast([(1, one)]).margin / 10
    apart = contrast(
        [(1, one), (-1, quotient(under[1:] * hard[1:], under[1:]))]
    )  # others, so not paired
    assert apart.margin == pytest.approx(2**0.5 * contrast([(1, one)]).margin, rel=0.05)


def test_variances_of_seeds_and_texts_add_up():
    """Welch and Satterthwaite by hand: seeds 0.04 / 3 with 2 degrees, texts 0.02 with 1."""
    texts = np.array([0.1, -0.1])
    found = contrast([(1, Sample(np.array([0.8, 1.0, 1.2]), texts))])
    parts = {2: 0.04 / 3, 1: 2 * (texts**2).sum()}
    variance = sum(parts.values())
    freedom = variance**2 / sum(part**2 / df for df, part in parts.items())
    assert found.margin == pytest.approx(stats.t.ppf(0.975, freedom) * math.sqrt(variance))
    assert found.over == "seeds and texts"


def test_a_few_long_texts_of_another_corpus_are_a_few():
    """Two corpora whose differences are other ones, of 500 and 6 texts: by hand, each apart."""
    generator = np.random.default_rng(6)
    short, long = generator.normal(0.01, 0.001, 500), generator.normal(-0.3, 0.05, 6)
    texts = np.concatenate([short, long])
    gap = contrast([(1, Sample(np.array([0.0]), texts, certain=True, parts=(500, 6)))])
    parts = {499: 500 * short.var(ddof=1), 5: 6 * long.var(ddof=1)}
    variance = sum(parts.values())
    freedom = variance**2 / sum(part**2 / df for df, part in parts.items())
    assert gap.margin == pytest.approx(stats.t.ppf(0.975, freedom) * math.sqrt(variance))
    assert freedom < 7


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Three seeds each, crossed with 60 texts: 95 % of intervals hold the difference of 0.05."""
    generator, hits, trials = np.random.default_rng(4), 0, 800
    for _ in range(trials):
        common = generator.normal(2, 0.3, 60)
        samples = []
        for mean in (0.0, 0.05):
            seeds, texts = generator.normal(0, 0.02, (3, 1)), generator.normal(0, 0.05, 60)
            found = common + mean + seeds + texts + generator.normal(0, 0.02, (3, 60))
            samples.append(Sample(found.mean(1), influence(found.mean(0), np.ones(60))))
        gap = contrast([(1, samples[1]), (-1, samples[0])])
        hits += gap.low < 0.05 < gap.high
    assert 0.93 < hits / trials < 0.985


def test_one_seed_decides_nothing():
    found = contrast([(1, Sample(np.array([1.0]), np.array([0.0, 0.0]))), (-1, Sample(B))])
    assert found.margin == math.inf
    assert found.below() is found.within(100) is None
    assert "no interval" in str(found)


def test_what_no_training_decides_varies_with_texts_alone():
    line = Sample(np.array([3.0]), np.array([0.1, -0.1, 0.0]), certain=True)
    assert contrast([(1, line)]).over == "texts"
    assert contrast([(1, Sample(A)), (-1, replace(line, texts=None))]).over == "seeds"
    assert contrast([(1, replace(line, texts=None))]).margin == math.inf


@pytest.mark.parametrize(
    ("estimate", "below", "within"),
    [
        (-0.3, True, False), (-0.2, True, None), (-0.05, None, True), (0.0, None, True),
        (0.2, False, None),
        (0.3, False, False),
    ],
)  # fmt: skip
def test_an_interval_decides_where_all_of_it_lies_on_one_side(estimate, below, within):
    """A margin of 0.1; the tolerance is 0.19."""
    found = Interval(estimate, 0.1, "seeds")
    assert (found.below(), found.within(0.19)) == (below, within)
    assert found.below(estimate + 0.11) is True
    assert found.below(estimate - 0.11) is False


def test_the_interval_of_a_deviation():
    """Five values: 0.599 and 2.874 times the deviation, as tables have it."""
    values = np.array([-2, -1, 0, 1, 2]) / math.sqrt(2.5)
    assert deviation_interval(values) == pytest.approx((0.5991, 2.8735), abs=1e-4)


# -- information -----------------------------------------------------------------------------------


def test_entropies_in_bits():
    assert entropy_bits([5, 5, 5, 5]) == pytest.approx(2)
    assert entropy_bits([1, 3, 0]) == pytest.approx(0.811278)
    assert entropy_bits([7]) == entropy_bits([]) == entropy_bits([0, 0]) == 0
    assert miller_madow([6, 2, 0]) == pytest.approx(0.811278 + 1 / (16 * math.log(2)))
    assert miller_madow([6, 2, 0], symbols=5) == pytest.approx(0.811278 + 4 / (16 * math.log(2)))


def test_a_known_divergence():
    plug_in, corrected = kl_uniform([3, 1, 0, 0], 4)
    assert plug_in == pytest.approx(2 - 0.811278)
    assert (
        plug_in - corrected
        == pytest.approx(bias_bits(4, 4))
        == pytest.approx(3 / (8 * math.log(2)))
    )


def test_the_correction_takes_the_bias_of_uniform_samples_away():
    generator, symbols, m = np.random.default_rng(0), 256, 4000
    samples = [
        np.bincount(generator.integers(symbols, size=m), minlength=symbols) for _ in range(200)
    ]
    plug_in, corrected = np.mean([kl_uniform(counts, symbols) for counts in samples], axis=0)
    assert plug_in == pytest.approx(bias_bits(symbols, m), rel=0.05)
    assert abs(corrected) < 0.05 * plug_in


def test_edit_distance_over_ids():
    assert edit_distance(list(b"kitten"), list(b"sitting")) == 3
    assert (
        edit_distance(np.array([70000, 2, 3], dtype=np.uint32), np.array([2, 3], dtype=np.uint16))
        == 1
    )
    assert edit_distance([], [1, 2]) == 2


def test_runs_of_bits_at_every_place_and_cut_every_n():
    bits = np.array([1, 0, 1, 1, 0], dtype=np.uint8)
    assert ngram_counts(bits, 2).tolist() == [0, 1, 2, 1]  # 10 01 11 10
    assert token_counts(bits, 2).tolist() == [0, 0, 1, 1]  # 10 11
    assert ngram_counts(bits, 1).tolist() == token_counts(bits, 1).tolist() == [2, 3]
    assert ngram_counts(bits, 16).sum() == token_counts(bits, 16).sum() == 0
    assert np.flatnonzero(token_counts(np.ones(33, dtype=np.uint8), 16)).tolist() == [65535]
