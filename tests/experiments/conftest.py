"""A scale small enough for tests: a corpus of a few kilobytes, models of a few steps."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest

from experiments.plan import speed
from experiments.runs import runner
from experiments.runs.recipes import Training
from experiments.scales import TINY


@pytest.fixture
def clock(monkeypatch):
    """What runs take for the time: each look at it finds it a second later than the last."""
    from equinfo.lm import train

    tick = itertools.count().__next__
    counting = SimpleNamespace(monotonic=tick, perf_counter=tick)
    for module in (runner, speed, train):
        monkeypatch.setattr(module, "time", counting)
    return counting


@pytest.fixture(scope="session")
def micro(tmp_path_factory):
    """TINY with a corpus of made-up verses, two M2 sizes and hardly any training."""
    corpus = tmp_path_factory.mktemp("corpus") / "verses.jsonl"
    lines = [
        f'{{"text": "{n} green bottles, hanging on the wall; and if {n % 7} should fall,'
        f' {n + 1}."}}'
        for n in range(400)
    ]
    corpus.write_text("\n".join(lines))
    shape = {"size": "30k", "steps": 6, "batch_size": 4, "context": 32}
    training = Training(learning_rate=5e-3, warmup_steps=2, max_epochs=100, **shape)
    return replace(
        TINY,
        name="micro",
        seeds=2,
        corpus=str(corpus),
        measured_bytes=1 << 13,
        m1_training=training,
        long_context=64,
        m2_trainings=(training, replace(training, size="50k")),
        scaled_steps=(3, 6),
        task_training=replace(training, context=64),
        task_bytes=16,
        sample=5,
        smaller=(),
    )
