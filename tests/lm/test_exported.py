"""Folders of LMs, written by hand: config.json and safetensors as transformers writes them, and
trainings' artefacts. What does not fit is refused before anything of its size is made.
"""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from equinfo.artifacts import Artifact, load_artifact
from equinfo.errors import EquinfoError
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern, paper, shapes
from equinfo.lm.decoder import Decoder
from equinfo.lm.exported import Exported
from equinfo.lm.train import load_lm, load_train_config, train

CONFIG = modern("30k", 259)


def written(folder, decoder, dtype=torch.float32):
    values = {
        **asdict(CONFIG),
        "model_type": "equinfo",
        "context": 64,
        "bos_token_id": 257,
        "dtype": "whatever",
    }
    (folder / "config.json").write_text(json.dumps(values))
    save_file(
        {f"decoder.{n}": t.to(dtype) for n, t in decoder.state_dict().items()},
        folder / "model.safetensors",
    )
    return folder


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_folder_written_by_hand(dtype, tmp_path):
    decoder = Decoder(CONFIG).initialise(2)
    written(tmp_path, decoder, dtype)
    assert load_train_config(tmp_path) == Exported(CONFIG, 64, 257)
    loaded = load_lm(tmp_path)
    assert not loaded.training
    for name, weight in loaded.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, decoder.state_dict()[name].to(dtype).float())


def test_one_folder_is_not_two_models(tmp_path):
    (written(tmp_path, Decoder(CONFIG)) / "weights").mkdir()
    with pytest.raises(EquinfoError, match="a training and what transformers saved"):
        load_lm(tmp_path)


# -- what does not fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(paper("30k", 300), tied=True),
        replace(CONFIG, period=3, bigrams=7, shares=True),
        replace(CONFIG, canonical=5),
    ],
    ids=["modern", "paper", "told", "canonical"],
)
def test_shapes_are_the_decoders(config):
    found = {name: tuple(weight.shape) for name, weight in Decoder(config).state_dict().items()}
    assert dict(shapes(config)) == found


def refused(action, name):
    """In one line that names the folder or file."""
    with pytest.raises(EquinfoError, match=name) as caught:
        action()
    assert "\n" not in str(caught.value)


TRAINED = TrainConfig(CONFIG, OptimizerConfig(), bos_id=257, steps=3, batch_size=1, context=8)
WEIGHTS = {name: t.numpy() for name, t in Decoder(CONFIG).initialise(0).state_dict().items()}
IDS = np.arange(64, dtype=np.uint16)


def trained(folder, model=None, config=None, weights=None):
    """A training's folder with other values, its hash right."""
    values = {**TRAINED.to_dict(), **(config or {})}
    values["model"] = {**values["model"], **(model or {})}
    Artifact("lm", {"config": values}, {**WEIGHTS, **(weights or {})}).save(folder / "weights")
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"vocab_size": "259"}, {"vocab_size": 1 << 40}, {"n_layers": 10**7}, {"n_layers": 1},
        {"n_heads": 0}, {"head_dim": -32}, {"head_dim": 31}, {"d_model": 32.0}, {"d_ff": None},
        {"d_ff": True}, {"d_ff": [[[]]]}, {"norm_eps": "x"}, {"norm_eps": -1}, {"rope_base": 0},
        {"position": "sideways"}, {"position": []}, {"tied": 1}, {"tied": True}, {"period": 2},
        {"bigrams": 2}, {"bigrams": -1}, {"bigrams": 1 << 40}, {"shares": True}, {"shares": 1},
        {"norm_eps": 10**400}, {"relative_clip": -1}, {"position": "relative"}, {"canonical": 2},
        {"canonical": -1},
    ],
    ids=str,
)  # fmt: skip
def test_a_model_that_is_not_that_of_the_weights(change, tmp_path):
    refused(lambda: load_lm(trained(tmp_path / "ours", change)), "ours")
    folder = written(tmp_path, Decoder(CONFIG))
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, **change}))
    refused(lambda: load_lm(folder), tmp_path.name)


@pytest.mark.parametrize(
    "change",
    [
        {"context": 0}, {"context": 1 << 40}, {"bos_id": 259}, {"bos_id": "257"}, {"steps": None},
        {"new\x1b[2J": 1}, {"optimizer": []}, {"optimizer": {"name": "adamw", "x": 1}},
        {"model": {}}, {"model": 7}, {"short_contexts": "8"}, {"short_contexts": [3.5]},
    ],
    ids=ascii,
)  # fmt: skip
def test_a_training_that_nobody_had(change, tmp_path):
    values = {**TRAINED.to_dict(), **change}
    Artifact("lm", {"config": values}, WEIGHTS).save(tmp_path / "weights")
    for load in (load_lm, load_train_config):
        refused(lambda: load(tmp_path), tmp_path.name)  # noqa: B023


@pytest.mark.parametrize(
    "change",
    [
        {"context": 0}, {"context": 1 << 40}, {"bos_token_id": 259}, {"bos_token_id": None},
        {"tokenizer_fingerprint": 7}, {"tokenizer_fingerprint": "x" * 64},
        {"norm_eps": float("nan")}, {"rope_base": float("inf")},
        {"tokenizer_fingerprint": "a" * 64},
    ],
    ids=str,
)  # fmt: skip
def test_a_config_that_nobody_saved(change, tmp_path):
    written(tmp_path, Decoder(CONFIG))
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, **change}))
    refused(lambda: load_lm(tmp_path), tmp_path.name)


@pytest.mark.parametrize(
    "weight",
    [
        np.zeros((259, 32), np.float64), np.zeros((32, 259), np.float32), np.zeros(0, np.float32),
        np.full((259, 32), np.nan, np.float32), np.zeros((259, 32), np.int32),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}{array.ravel()[:1]}",
)  # fmt: skip
def test_weights_that_no_training_left(weight, tmp_path):
    folder = trained(tmp_path, weights={"embed.weight": weight})
    refused(lambda: load_lm(folder), tmp_path.name)
    refused(lambda: load_lm(trained(tmp_path, weights={"more": weight})), tmp_path.name)
    tensors = {f"decoder.{name}": torch.from_numpy(a) for name, a in WEIGHTS.items()}
    tensors["decoder.embed.weight"] = torch.from_numpy(weight)
    if weight.dtype != np.float64:  # transformers may save those
        (tmp_path / "hf").mkdir()
        written(tmp_path / "hf", Decoder(CONFIG))
        save_file(tensors, tmp_path / "hf" / "model.safetensors")
        refused(lambda: load_lm(tmp_path / "hf"), "hf")


@pytest.mark.parametrize(
    "names",
    [["../model.safetensors"], ["/etc/passwd"], [7], [], "model.safetensors", [".."], ["a\0b"]],
    ids=ascii,
)
def test_an_index_that_names_other_files(names, tmp_path):
    written(tmp_path, Decoder(CONFIG))
    named = dict(enumerate(names)) if isinstance(names, list) else names
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": named}))
    refused(lambda: load_lm(tmp_path), "index.json")
    index.write_text("[" * 100_000)
    refused(lambda: load_lm(tmp_path), "index.json")


@pytest.mark.parametrize(
    ("config", "tensors"),
    [
        ({"step": "1"}, {}), ({"step": 3}, {}), ({"step": -1}, {}), ({"seconds": None}, {}),
        ({}, {"model.head.weight": np.zeros((2, 2), np.float32)}),
        ({}, {"model.head.weight": np.zeros((259, 32), np.float64)}),
        ({}, {"optimizer.0.exp_avg": np.zeros(1, np.float32)}),
        ({}, {"optimizer.99.step": np.zeros((), np.float32)}), ({}, {"x": np.zeros(1)}),
    ],
    ids=lambda part: "-".join(part),
)  # fmt: skip
def test_a_checkpoint_that_is_not_of_this_training(config, tensors, begun, tmp_path):
    shutil.copytree(begun, tmp_path / "lm")
    (folder,) = (tmp_path / "lm").glob("checkpoint-*")
    found = load_artifact(folder)
    Artifact(found.kind, {**found.config, **config}, {**found.tensors, **tensors}).save(folder)
    refused(lambda: train(TRAINED, IDS, tmp_path / "lm"), "checkpoint")


@pytest.mark.parametrize("line", ["{}", "[]", '{"step": "1"}', "[" * 99_999, '{"step": 1}', "\xff"])
def test_metrics_of_anothers_making(line, begun, tmp_path):
    shutil.copytree(begun, tmp_path / "lm")
    (tmp_path / "lm" / "metrics.jsonl").write_text(line + "\n")
    refused(lambda: train(TRAINED, IDS, tmp_path / "lm"), "metrics.jsonl")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A training's folder after a step."""
    folder = tmp_path_factory.mktemp("begun")
    train(TRAINED, IDS, folder, deadline=0)
    return folder
