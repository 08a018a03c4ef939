"""A decoder that `equinfo.hf` wrote (config.json, model.safetensors), without transformers."""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from equinfo.artifacts import Identity
from equinfo.errors import EquinfoError, naming
from equinfo.lm.config import INTEGERS, LATER, LONGEST_CONTEXT, DecoderConfig, check_shapes, shapes
from equinfo.lm.decoder import Decoder
from equinfo.stored import check_bounds, check_types, made

MODEL_TYPE = "equinfo"
INDEX = "model.safetensors.index.json"
PLAIN = re.compile(r"[\w.-]*\w\.safetensors")
FLOATS = ("F16", "BF16", "F32", "F64")
PREFIX = "decoder."  # of the decoder's weights in equinfo.hf.model.EquinfoForCausalLM


@dataclass(frozen=True)
class Exported:
    """What it takes to run a decoder: architecture, ids a sequence, the id that begins one.

    tokenizer: whose ids it was trained on, if that is known.
    """

    model: DecoderConfig
    context: int
    bos_id: int
    tokenizer: Identity | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, 1, "context", most=LONGEST_CONTEXT)
        check_bounds(self, 0, "bos_id", most=self.model.vocab_size - 1)


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
    """Raises EquinfoError where config.json lacks a part or has what no model of ours has."""
    file = Path(folder) / "config.json"
    values = {**LATER, **_json(file)}
    names = [field.name for field in fields(DecoderConfig)]
    for lacking in (name for name in (*names, "context", "bos_token_id") if name not in values):
        raise EquinfoError(f"{file} lacks {lacking!r}: save the model again")
    with naming(file):
        model = made(DecoderConfig, {name: values[name] for name in names})
        tokenizer = None
        if values.get("tokenizer_fingerprint") is not None:
            parts = ("name", "fingerprint")
            tokenizer = Identity.read({part: values.get(f"tokenizer_{part}") for part in parts})
        return Exported(model, values["context"], values["bos_token_id"], tokenizer)


def check_exported(folder: Path | str) -> list[Path]:
    """The files of weights. Raises EquinfoError, before they are read, where they do not fit."""
    model = read_exported(folder).model
    files = _weight_files(Path(folder))
    found: dict[str, tuple[int, ...]] = {}
    try:
        for file in files:
            with safe_open(file, "pt") as weights:
                for name in weights.keys():  # noqa: SIM118  # not a dict
                    part, short = weights.get_slice(name), name.removeprefix(PREFIX)
                    known = INTEGERS[short][1:] if short in INTEGERS else FLOATS
                    if part.get_dtype() not in known:
                        raise EquinfoError(
                            f"the weights in {file} are {part.get_dtype()}, not one of"
                            f" {', '.join(known)}: save the model again"
                        )
                    found[short] = tuple(part.get_shape())
    except (OSError, SafetensorError) as error:
        raise EquinfoError(
            f"the weights in {folder} cannot be read ({error}): save the model again"
        ) from error
    check_shapes(shapes(model), found, folder)
    return files


def load_exported(folder: Path | str) -> Decoder:
    """The decoder, on the CPU, float32. Raises EquinfoError for weights other than the config's."""
    weights: dict[str, Tensor] = {}
    for file in check_exported(folder):
        for name, tensor in load_file(file).items():
            short = name.removeprefix(PREFIX)
            weights[short] = tensor if short in INTEGERS else tensor.float()
    model = Decoder(read_exported(folder).model)
    model.load_state_dict(weights)
    return model


def _weight_files(folder: Path) -> list[Path]:
    """One file, or those that an index names, all in the folder itself."""
    index = folder / INDEX
    if not index.exists():
        return [folder / "model.safetensors"]
    named = _json(index).get("weight_map")
    names = list(named.values()) if isinstance(named, dict) else []
    if not names or not all(isinstance(name, str) and PLAIN.fullmatch(name) for name in names):
        raise EquinfoError(f"{index} names other things than files beside it: save the model again")
    return [folder / name for name in sorted(set(names))]


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EquinfoError(f"{file} cannot be read as JSON: save the model again") from error
    if not isinstance(values, dict):
        raise EquinfoError(f"{file} holds no JSON object: save the model again")
    return values
