"""Schedules and optimisers are the ones named."""

import itertools
from dataclasses import replace

import pytest
import torch

from equinfo.lm.config import OptimizerConfig, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.optimize import learning_rate, make_optimizer


def test_the_papers_schedule():
    config = OptimizerConfig("adafactor", "rsqrt", learning_rate=1.0, warmup_steps=10_000)
    assert [learning_rate(config, step, 200_000) for step in (1, 10_000, 40_000)] == [
        0.01,
        0.01,
        0.005,
    ]


def test_warm_up_then_decay_to_a_tenth():
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(config, step, 100) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert all(a > b for a, b in itertools.pairwise(rates[9:]))
    assert rates[-1] == pytest.approx(0.1)


def test_a_warm_up_longer_than_the_run_only_warms_up():
    config = OptimizerConfig(learning_rate=1.0, warmup_steps=1000)
    assert learning_rate(config, 5, 5) == 1.0


def test_every_parameter_is_optimised_once_and_only_matrices_decay():
    model = Decoder(replace(modern("30k", 257), period=2, bigrams=9, shares=True))
    optimizer = make_optimizer(OptimizerConfig(), model)
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert sorted(map(id, held)) == sorted(map(id, model.parameters()))
    blocks = {p for p in model.blocks.parameters() if p.dim() == 2}
    assert set(optimizer.param_groups[0]["params"]) == blocks | {model.head.weight}
    assert isinstance(
        make_optimizer(OptimizerConfig("adafactor", "rsqrt"), model), torch.optim.Adafactor
    )
