"""One folder format for all that is trained: `artifact.json`, `tensors.safetensors`, hash checked.

`artifact.json` holds {format, version, kind, config, tensors, hash}; `tensors` maps each tensor's
name to the SHA-256 of its dtype, shape and little-endian bytes, and `hash` is the SHA-256 of the
canonical JSON of all the rest. So the hash is that of the content, whatever library wrote the file,
and can be had without writing it.
"""

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from equinfo.errors import EquinfoError
from equinfo.files import as_path, atomic_folder, content_hash

FORMAT = "equinfo"
VERSION = 1
JSON_NAME = "artifact.json"
TENSORS_NAME = "tensors.safetensors"
PRETRAINED = Path(__file__).parent / "pretrained"
"""Artefacts that ship with the package, a folder each."""


def pretrained(kinds: Container[str] | None = None) -> list[str]:
    """Names of the artefacts that ship with the package: all, or those of some kinds."""
    names = sorted(file.parent.name for file in PRETRAINED.glob(f"*/{JSON_NAME}"))
    return [name for name in names if kinds is None or read_kind(PRETRAINED / name) in kinds]


def located(name_or_path: Path | str) -> Path:
    """The folder of an artefact: the one at this path, or else that which ships by this name."""
    shipped = PRETRAINED / name_or_path
    ships = shipped.parent == PRETRAINED and shipped.is_dir()
    return shipped if ships and not Path(name_or_path).exists() else Path(name_or_path)


def tensor_hash(array: np.ndarray) -> str:
    """SHA-256 (hex) over dtype, shape and little-endian bytes."""
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    head = f"{array.dtype.name}{list(array.shape)}".encode()
    return hashlib.sha256(head + little.tobytes()).hexdigest()


@dataclass(frozen=True)
class Artifact:
    """What is stored of a trained thing; `kind` says which class reads it ("bpe", "lm", ...)."""

    kind: str
    config: dict[str, Any]
    """JSON values."""
    tensors: dict[str, np.ndarray]

    @cached_property
    def head(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "config": self.config,
            "tensors": {name: tensor_hash(array) for name, array in sorted(self.tensors.items())},
        }

    @cached_property
    def hash(self) -> str:
        return content_hash(self.head)

    def save(self, path: Path | str) -> None:
        """Write the folder `path`, whole or not at all, in place of nothing or of an artefact.

        Raises EquinfoError where anything else is at `path`: replacing the folder would delete it.
        """
        path = as_path(path)
        there = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
        others = [name for name in there if name not in (JSON_NAME, TENSORS_NAME)]
        if path.exists() and not path.is_dir():
            others = ["a file's content"]
        if others:
            raise EquinfoError(
                f"{path} is no equinfo artefact (it holds {others[0]}): name a new folder"
            )
        with atomic_folder(path) as folder:
            head = folder / JSON_NAME
            text = json.dumps({**self.head, "hash": self.hash}, indent=1, sort_keys=True)
            head.write_text(text + "\n", encoding="utf-8")
            arrays = {name: np.asarray(array, order="C") for name, array in self.tensors.items()}
            save_file(arrays, folder / TENSORS_NAME)
            # the library writes for its user alone
            (folder / TENSORS_NAME).chmod(head.stat().st_mode)


def load_artifact(path: Path | str) -> Artifact:
    """Read and verify the folder `path`.

    Raises EquinfoError when it is missing, of another format or version, damaged or altered.
    """
    path = as_path(path)
    stored = _read_head(path)
    try:
        tensors = load_file(path / TENSORS_NAME)
    except (OSError, SafetensorError) as error:
        raise EquinfoError(
            f"{path / TENSORS_NAME} cannot be read ({error}); restore or rebuild it"
        ) from error
    artifact = Artifact(stored["kind"], stored["config"], tensors)
    if {**artifact.head, "hash": artifact.hash} != stored:
        raise EquinfoError(
            f"{path} does not match its own hash: it was damaged or altered; restore or rebuild it"
        )
    return artifact


def read_kind(path: Path | str) -> str:
    """The kind of the artefact in folder `path`, without reading its tensors."""
    return _read_head(Path(path))["kind"]


def _read_head(path: Path) -> dict[str, Any]:
    file = path / JSON_NAME
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EquinfoError(f"{path} is not an equinfo artefact: {file} cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise EquinfoError(f"{file} is not valid JSON: restore or rebuild the artefact") from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise EquinfoError(f"{file} is not an equinfo artefact (no format: {FORMAT!r})")
    if stored.get("version") != VERSION:
        raise EquinfoError(
            f"{file} has format version {stored.get('version')}; this equinfo reads version"
            f" {VERSION}: rebuild the artefact or install the equinfo that wrote it"
        )
    if not isinstance(stored.get("kind"), str) or not isinstance(stored.get("config"), dict):
        raise EquinfoError(f"{file} lacks its kind or config: restore or rebuild the artefact")
    return stored
