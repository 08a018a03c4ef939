"""What of a tokenizer is kept: in a pickle, in a hash, in a folder. Never a cache."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from transformers import PreTrainedTokenizer

from equinfo.artifacts import JSON_NAME, TENSORS_NAME, Artifact, load_artifact
from equinfo.errors import EquinfoError
from equinfo.files import atomic_file, canonical_json
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import KEPT_BY_HF, KINDS, tokenizer_class

FOLDER = KEPT_BY_HF  # the artefact's, inside that of save_pretrained
MODULE = "tokenization_equinfo"
CODE = "from equinfo.hf.tokenizer import EquinfoTokenizer  # noqa: F401"
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
PLAIN = (
    "add_bos_token", "add_eos_token", "padding_side", "truncation_side", "model_max_length",
    "model_input_names", "split_special_tokens", "clean_up_tokenization_spaces", "chat_template",
    "response_template", "chat_control_tokens",
)  # fmt: skip
OPTIONS = (*NAMED, *PLAIN, "additional_special_tokens", "extra_special_tokens")


def settings(tokenizer: PreTrainedTokenizer) -> dict[str, Any]:
    """What makes an equal tokenizer of the same native one: JSON values, constructor arguments."""
    extra: Any = vars(tokenizer).get("_extra_special_tokens")  # transformers 5
    if extra is None:
        extra = tokenizer._special_tokens_map["additional_special_tokens"]
    kept: dict[str, Any] = {}
    for name in NAMED:
        token = getattr(tokenizer, name)
        kept[name] = None if token is None else str(token)
    plain = {name: getattr(tokenizer, name, None) for name in PLAIN}
    kept |= {name: value for name, value in plain.items() if value is not None}
    added = {str(i): token.__getstate__() for i, token in tokenizer.added_tokens_decoder.items()}
    kept["additional_special_tokens"] = list(map(str, extra))
    return {**kept, "added_tokens_decoder": added}


def state(native: Tokenizer, tokenizer: PreTrainedTokenizer) -> tuple[bytes, bytes]:
    """The artefact's content and the settings; equal tokenizers have equal bytes."""
    artifact = native.artifact
    head = canonical_json([artifact.kind, artifact.config, settings(tokenizer)])
    tensors = {n: np.asarray(array, order="C") for n, array in sorted(artifact.tensors.items())}
    return head, safetensors.numpy.save(tensors)


def from_state(head: bytes, tensors: bytes) -> tuple[Tokenizer, dict[str, Any]]:
    """(the native tokenizer, the settings)."""
    kind, config, kept = json.loads(head)
    artifact = Artifact(kind, config, safetensors.numpy.load(tensors))
    return tokenizer_class(kind).from_artifact(artifact), kept


def write(
    native: Tokenizer, tokenizer: PreTrainedTokenizer, folder: Path, auto_map: dict[str, Any]
) -> list[str]:
    """Write what transformers does not write in `folder` and complete its config; the files."""
    config = folder / "tokenizer_config.json"
    written = json.loads(config.read_text(encoding="utf-8"))
    names = ("tokenizer_class", "processor_class", "chat_template")
    theirs = {name: written[name] for name in names if name in written}
    ours = {key: value for key, value in settings(tokenizer).items() if key != "chat_template"}
    with atomic_file(config) as file:
        text = json.dumps({**ours, **theirs, "auto_map": auto_map}, indent=2, sort_keys=True)
        file.write_text(text + "\n", encoding="utf-8")
    native.save(folder / FOLDER)
    code = folder / f"{MODULE}.py"
    code.write_text(f"{CODE}  (pip install 'equinfo[hf]')\n", encoding="utf-8")
    return list(map(str, [code, folder / FOLDER / JSON_NAME, folder / FOLDER / TENSORS_NAME]))


def check_folder(folder: Path) -> None:
    """Raises EquinfoError for a folder that is there and that `write` has not written."""
    if folder.is_dir() and not (folder / FOLDER / JSON_NAME).is_file():
        raise EquinfoError(
            f"{folder} was not written by save_pretrained of an equinfo tokenizer (it has no"
            f" {FOLDER}/{JSON_NAME}); a tokenizer's folder of equinfo's own is read by"
            " equinfo.load(folder).as_hf()"
        )


def read(artifact_file: str | None) -> Tokenizer:
    """The native tokenizer of a folder, its hash checked."""
    if artifact_file is None:
        raise EquinfoError(
            f"there is no {FOLDER}/{JSON_NAME}: write the folder with save_pretrained of this class"
        )
    folder = Path(artifact_file).parent
    artifact = load_artifact(folder)
    if artifact.kind not in KINDS:
        raise EquinfoError(
            f"{folder} holds a {artifact.kind!r}, which is no tokenizer: write it with"
            " save_pretrained"
        )
    return tokenizer_class(artifact.kind).from_artifact(artifact)
