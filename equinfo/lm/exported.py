"""A decoder that `equinfo.hf` wrote (config.json, model.safetensors), without transformers."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from equinfo.errors import EquinfoError
from equinfo.lm.config import DecoderConfig
from equinfo.lm.decoder import Decoder

MODEL_TYPE = "equinfo"
PREFIX = "decoder."  # of the decoder's weights in equinfo.hf.model.EquinfoForCausalLM


@dataclass(frozen=True)
class Exported:
    """What it takes to run a decoder: architecture, ids a sequence, the id that begins one."""

    model: DecoderConfig
    context: int
    bos_id: int


def is_exported(folder: Path | str) -> bool:
    """Whether transformers saved a model of ours in `folder`.

    Raises EquinfoError for a model of another kind, and where a training is in the folder as well.
    """
    file = Path(folder) / "config.json"
    if not file.is_file():
        return False
    kind = _json(file).get("model_type")
    if kind != MODEL_TYPE:
        raise EquinfoError(
            f"{folder} holds a {kind!r} model, not an {MODEL_TYPE!r} one: name another folder"
        )
    if (Path(folder) / "weights").is_dir():
        raise EquinfoError(
            f"{folder} holds a training and what transformers saved: keep each in a folder of its"
            " own"
        )
    return True


def read_exported(folder: Path | str) -> Exported:
    """Raises EquinfoError where config.json lacks a part."""
    values = {"period": 1, **_json(Path(folder) / "config.json")}
    try:
        known = {field.name: values[field.name] for field in fields(DecoderConfig)}
        return Exported(DecoderConfig(**known), values["context"], values["bos_token_id"])
    except KeyError as error:
        raise EquinfoError(f"{folder}/config.json lacks {error}: save the model again") from error


def load_exported(folder: Path | str) -> Decoder:
    """The decoder, on the CPU, float32. Raises EquinfoError for weights other than the config's."""
    model = Decoder(read_exported(folder).model)
    weights: dict[str, Tensor] = {}
    try:
        for file in _weight_files(Path(folder)):
            for name, tensor in load_file(file).items():
                weights[name.removeprefix(PREFIX)] = tensor.float()
    except (OSError, SafetensorError) as error:
        raise EquinfoError(
            f"the weights in {folder} cannot be read ({error}): save the model again"
        ) from error
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise EquinfoError(
            f"the weights in {folder} do not fit its config.json: save the model again"
        ) from error
    return model.eval()


def _weight_files(folder: Path) -> list[Path]:
    """One file, or those that an index names."""
    index = folder / "model.safetensors.index.json"
    names = set(_json(index)["weight_map"].values()) if index.exists() else {"model.safetensors"}
    return [folder / name for name in sorted(names)]


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EquinfoError(f"{file} cannot be read as JSON: save the model again") from error
    if not isinstance(values, dict):
        raise EquinfoError(f"{file} holds no JSON object: save the model again")
    return values
