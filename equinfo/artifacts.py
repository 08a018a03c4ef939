"""One folder format for all that is trained: `artifact.json`, `tensors.safetensors`, hash checked.

`artifact.json` holds {format, version, kind, config, tensors, hash}; `tensors` maps each tensor's
name to the SHA-256 of its dtype, shape and little-endian bytes, and `hash` is the SHA-256 of the
canonical JSON of all the rest. So the hash is that of the content, whatever library wrote the file,
and can be had without writing it.
"""

import hashlib
import json
import warnings
from collections.abc import Container
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from equinfo.errors import EquinfoError, naming
from equinfo.files import as_path, atomic_folder, check_empty, content_hash, whole
from equinfo.stored import digest

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
    if shipped.parent != PRETRAINED or not shipped.is_dir():
        return Path(name_or_path)
    if not Path(name_or_path).is_dir() or Path(name_or_path) == shipped:
        return shipped
    warnings.warn(
        f"the folder {name_or_path} is taken, not the ready-made {name_or_path}, which it hides:"
        f" rename it, or name it as {Path(name_or_path).absolute()}",
        stacklevel=3,
    )
    return Path(name_or_path)


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
    path: Path | None = field(default=None, compare=False)
    """The folder that it was read from."""

    def reading(self) -> AbstractContextManager[None]:
        """Around what makes an object of it: whatever is raised becomes one line with its name."""
        return naming(self.path or f"the stored {self.kind!r}")

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

    def save(self, path: Path | str, overwrite: bool = False) -> None:
        """Write the folder `path`, whole or not at all, in place of nothing or of an artefact.

        overwrite: or of anything else that equinfo wrote. Raises EquinfoError where `path` is a
        file, or holds other things and they are not to be overwritten, and where the disk is full.
        """
        check_empty(path, overwrite, (JSON_NAME, TENSORS_NAME))
        with atomic_folder(path, overwrite) as folder:
            self.write(folder, path)

    def write(self, folder: Path, path: Path | str) -> None:
        """The two files, in a folder that will be `path`, which an EquinfoError names."""
        head = folder / JSON_NAME
        text = json.dumps({**self.head, "hash": self.hash}, indent=1, sort_keys=True)
        head.write_text(text + "\n", encoding="utf-8")
        arrays = {name: np.asarray(array, order="C") for name, array in self.tensors.items()}
        try:
            save_file(arrays, folder / TENSORS_NAME)
        except SafetensorError as error:
            raise EquinfoError(f"{path} cannot be written: {error}") from error
        # the library writes for its user alone
        (folder / TENSORS_NAME).chmod(head.stat().st_mode)


def load_artifact(path: Path | str) -> Artifact:
    """Read and verify the folder `path`.

    Raises EquinfoError when it is missing, of another format or version, damaged or altered.
    """
    path = as_path(path)
    stored = _read_head(path)
    file = path / TENSORS_NAME
    try:
        tensors = load_file(_regular(file))
    except Exception as error:  # also SafetensorError, and KeyErrors of dtypes that NumPy has not
        raise EquinfoError(f"{file} cannot be read ({error!r}); restore or rebuild it") from error
    artifact = Artifact(stored["kind"], stored["config"], tensors, path)
    with artifact.reading():
        if {**artifact.head, "hash": artifact.hash} == stored:
            return artifact
    raise EquinfoError(
        f"{path} does not match its own hash: it was damaged or altered; restore or rebuild it"
    )


def read_kind(path: Path | str) -> str:
    """The kind of the artefact in folder `path`, without reading its tensors."""
    return _read_head(Path(path))["kind"]


def read_config(path: Path | str) -> dict[str, Any]:
    """Its configuration, without reading its tensors, whose hashes are not checked."""
    return _read_head(Path(path))["config"]


@dataclass(frozen=True)
class Identity:
    """A tokenizer as what was made with it remembers it: a name to show, a hash to compare."""

    name: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint[:12]}"

    @classmethod
    def read(cls, stored: Any) -> "Identity":
        """Of the JSON object {name, fingerprint}. Raises EquinfoError for anything else."""
        if not isinstance(stored, dict) or not isinstance(stored.get("name"), str):
            raise EquinfoError("it does not name its tokenizer")
        return cls(stored["name"], digest(stored, "fingerprint"))

    def check(self, other: "Identity", what: object, made: str = "written by") -> None:
        """Raises EquinfoError, which names both, where `other` is not what `what` was made with."""
        if other.fingerprint != self.fingerprint:
            raise EquinfoError(
                f"{what} was {made} {self}, not {made.split()[-1]} {other}: name that tokenizer"
            )


def _read_head(path: Path) -> dict[str, Any]:
    file = path / JSON_NAME
    try:
        stored = json.loads(_regular(file).read_text(encoding="utf-8"))
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


def _regular(file: Path) -> Path:
    """Where `file` is, and a file: opening a pipe would wait for ever."""
    file = whole(file)
    if file.exists() and not file.is_file():
        raise OSError("it is no regular file")
    return file
