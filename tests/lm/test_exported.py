"""Folders of config.json and safetensors, as transformers writes them: written here by hand."""

import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from equinfo.errors import EquinfoError
from equinfo.lm.config import modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.exported import Exported
from equinfo.lm.train import load_lm, load_train_config

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
