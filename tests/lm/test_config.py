"""Sizes are the paper's, and configurations survive a round trip or are refused."""

import pytest

from equinfo.errors import EquinfoError
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern, paper

TABLE_4 = {"3m": 3.15e6, "25m": 25.2e6, "113m": 113.2e6, "403m": 402.7e6, "2b": 1610.6e6}


@pytest.mark.parametrize("size", TABLE_4)
def test_parameter_counts_are_those_of_table_4(size):
    assert paper(size, 256).parameters == pytest.approx(TABLE_4[size], abs=0.06e6)
    assert paper(size, 256).parameters == paper(size, 65_539).parameters


def test_the_count_is_that_of_the_modules():
    from equinfo.lm.decoder import Decoder

    for style in (modern, paper):
        model = Decoder(style("0.4m", 300))
        matrices = sum(
            p.numel()
            for n, p in model.blocks.named_parameters()
            if p.dim() == 2 and ".rel." not in n
        )
        assert matrices == model.config.parameters


def test_unknown_size_names_those_that_exist():
    with pytest.raises(EquinfoError, match=r"7q.*3m.*2b"):
        modern("7q", 256)


def train_config(**changes):
    values = {"bos_id": 0, "steps": 2, "batch_size": 4, "context": 8}
    return TrainConfig(modern("30k", 257), OptimizerConfig(), **values | changes)


def test_round_trip():
    for config in (train_config(seed=3, precision="bfloat16"), train_config(short_contexts=(4, 2))):
        assert TrainConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"short_contexts": (3,)}, "must divide the context, 8"),
        ({"short_contexts": (4, 2, 1)}, "4 sequences do not divide into 6 parts"),
        ({"micro_batches": 3}, "does not divide"),
        ({"bos_id": 257}, "bos_id 257"),
        ({"context": -1}, "context is -1"),
    ],
)
def test_impossible_trainings_are_refused(changes, message):
    with pytest.raises(EquinfoError, match=message):
        train_config(**changes)
