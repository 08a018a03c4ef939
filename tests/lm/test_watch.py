"""The watch rings for lost runs and for no others."""

import math

import numpy as np
import pytest

from equinfo.lm.watch import Watch

UNIFORM = math.log(256)


def verdict(losses):
    watch = Watch(256, len(losses))
    for step, loss in enumerate(losses, 1):
        found = watch.see(float(loss))
        if found:
            return found, step
    return None, len(losses)


def noisy(means, noise=0.05):
    return np.asarray(means) + np.random.default_rng(0).normal(0, noise, len(means))


def test_a_fall_back_to_uniform_is_a_collapse_and_is_seen_early():
    learning = np.linspace(UNIFORM + 0.1, 3, 400)
    found, step = verdict(noisy([*learning, *[UNIFORM] * 600]))
    assert found == "collapsed"
    assert 400 < step < 450


@pytest.mark.parametrize("noise", [0.01, 0.2])
def test_learning_and_unlearnable_streams_are_let_be(noise):
    assert verdict(noisy(np.linspace(UNIFORM, 2, 1000), noise)) == (None, 1000)
    assert verdict(noisy([UNIFORM] * 1000, noise)) == (None, 1000)
    plateau = [*np.linspace(UNIFORM, 3, 300), *[3] * 700]
    assert verdict(noisy(plateau, noise)) == (None, 1000)


def test_a_short_spike_is_no_collapse():
    losses = noisy([*np.linspace(UNIFORM, 2, 500), *[2] * 500])
    losses[700:705] = UNIFORM + 2
    assert verdict(losses)[0] is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_has_diverged(value):
    assert verdict([5.0, value]) == ("diverged", 2)
