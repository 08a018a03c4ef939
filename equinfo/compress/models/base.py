"""Byte models: exact integer frequencies of the next byte, for coder and windows."""

import math
from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from typing import Any, Protocol

import numpy as np

from equinfo.errors import EquinfoError, naming
from equinfo.files import content_hash
from equinfo.stored import number, tensor

EOD = 256
SYMBOLS = 257
PRECISION = 16
MIN_PRECISION, MAX_PRECISION = 9, 20  # 257 symbols need 9 bits; the coders' products hold 20
KINDS = {  # module:class, imported when it is first used
    "static": "equinfo.compress.models.base:StaticModel",
    "counts": "equinfo.compress.models.counts:CountModel",
    "integer": "equinfo.compress.network.integer:IntegerByteModel",
}


class ByteModel(Protocol):
    """Next-symbol frequencies over 257 symbols: the bytes, and EOD (256), the end of a document.

    A state holds `lanes` independent streams. What a lane yields depends on its own symbols since
    its last restart and on nothing else: not on the other lanes, their number, or the thread.
    Encoder and decoder rely on it. Members with a value here are what a model of one's own, a
    subclass, need not have.
    """

    kind: str
    precision: int
    max_context: int
    parameters: int = 0  # without embeddings; 0 where no network runs
    row: np.ndarray | None = None  # u32[257] where it is the same everywhere: then coding is fast
    width: int = 1  # symbols of a lane that it likes to be fed at once
    # u32[n, 257], the rows of known symbols (int64[n]), which stand context after context (ends:
    # int64[contexts]): what stepping gives, sooner. None: it is stepped there too.
    along: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    @property
    def lanes(self) -> int:
        """How many streams it likes to run side by side."""
        return 64

    @property
    def restarting(self) -> "ByteModel":
        """The same frequencies, sooner where contexts often begin anew (windows)."""
        return self

    def start(self, lanes: int) -> Any:
        """A state whose lanes have seen nothing."""

    def frequencies(self, state: Any) -> np.ndarray:
        """u32[lanes, 257], each >= 1, rows of sum 2**precision. The next call may overwrite it."""

    def advance(self, state: Any, symbols: np.ndarray, restart: np.ndarray) -> None:
        """Set lanes with `restart` back to the start, then feed each its symbol (int64[lanes], -1:
        none). A lane that has taken `max_context` symbols since its start restarts by itself.
        """

    def feed(
        self, state: Any, symbols: np.ndarray, restart: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """As `advance`, several symbols at once: int64[lanes], how many each lane took, at least 1
        where there is one. symbols: int64[lanes, width], -1 after a lane's last. out: u32[lanes,
        width, 257], set to the row after each symbol taken.
        """
        self.advance(state, np.ascontiguousarray(symbols[:, 0]), restart)
        out[:, 0] = self.frequencies(state)
        return (symbols[:, 0] >= 0).astype(np.int64)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(config, tensors) to store; `from_parts` of the same class reads them."""


def rows_after(model: ByteModel, strings: list[bytes]) -> np.ndarray:
    """The model's rows after strings of one length: u32[n, 257]."""
    if model.row is not None:
        return np.broadcast_to(model.row, (len(strings), len(model.row)))
    rows = []
    for at in range(0, len(strings), model.lanes):
        batch = np.array([list(s) for s in strings[at : at + model.lanes]], dtype=np.int64)
        state = model.start(len(batch))
        restart = np.zeros(len(batch), dtype=np.bool_)
        for symbols in batch.T:
            model.frequencies(state)
            model.advance(state, np.ascontiguousarray(symbols), restart)
        rows.append(model.frequencies(state).copy())
    return np.concatenate(rows)


def byte_bits(model: ByteModel, text: bytes, starts: Iterable[int] = ()) -> list[float]:
    """-log2 p of each byte under a model that begins anew at `starts`, and where it must."""
    state = model.start(1)
    anew = set(starts)
    found = []
    for at, byte in enumerate(text):
        if at in anew:
            model.advance(state, np.array([-1]), np.array([True]))
        found.append(model.precision - math.log2(model.frequencies(state)[0][byte]))
        model.advance(state, np.array([byte]), np.array([False]))
    return found


def normalise(counts: np.ndarray, precision: int = PRECISION) -> np.ndarray:
    """Integer frequencies from counts: u32[n], each >= 1, summing to 2**precision.

    Rule: 1 + floor(count * (2**precision - n) / total), the remainder to the (first) most frequent
    symbol. counts: non-negative integers, not all zero. Exact: Python integers.
    """
    values = [int(c) for c in counts]
    total = sum(values)
    room = (1 << precision) - len(values)
    if total <= 0 or min(values) < 0 or room < 0:
        raise EquinfoError("counts must be non-negative, not all zero, and fit the precision")
    freqs = [1 + value * room // total for value in values]
    freqs[values.index(max(values))] += (1 << precision) - sum(freqs)
    return np.array(freqs, dtype=np.uint32)


def check_precision(precision: int) -> int:
    if not MIN_PRECISION <= precision <= MAX_PRECISION:
        raise EquinfoError(
            f"frequencies of {precision} bits: choose {MIN_PRECISION} to {MAX_PRECISION}"
        )
    return precision


class StaticModel(ByteModel):
    """The same frequencies everywhere: `uniform()`, or a text's byte counts (`unigram`, §3.3)."""

    kind = "static"
    max_context = 1 << 30

    def __init__(self, row: np.ndarray, precision: int = PRECISION) -> None:
        self.precision = check_precision(precision)
        self.row: np.ndarray = np.ascontiguousarray(row, dtype=np.uint32)
        total = int(self.row.sum())
        if self.row.shape != (SYMBOLS,) or total != 1 << precision or int(self.row.min()) < 1:
            raise EquinfoError(
                f"a byte model's row needs {SYMBOLS} frequencies >= 1 that sum to 2**{precision}"
            )

    @classmethod
    def uniform(cls, precision: int = PRECISION) -> "StaticModel":
        """Every byte equally likely, end of document as rare as can be."""
        return cls(normalise(np.array([1] * 256 + [0]), precision), precision)

    @classmethod
    def unigram(cls, documents: Any, precision: int = PRECISION) -> "StaticModel":
        """Byte frequencies of `documents` (an iterable of bytes), one EOD each."""
        counts = np.zeros(SYMBOLS, dtype=np.int64)
        for document in documents:
            counts[:256] += np.bincount(np.frombuffer(document, dtype=np.uint8), minlength=256)
            counts[EOD] += 1
        if not counts.any():
            raise EquinfoError("no documents to count bytes in: the corpus is empty")
        return cls(normalise(counts, precision), precision)

    def start(self, lanes: int) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(self.row, (lanes, SYMBOLS)))

    def frequencies(self, state: np.ndarray) -> np.ndarray:
        return state

    def advance(self, state: np.ndarray, symbols: np.ndarray, restart: np.ndarray) -> None:
        pass

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"precision": self.precision}, {"row": self.row}

    @classmethod
    def from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> "StaticModel":
        return cls(tensor(tensors, "row", np.uint32, (SYMBOLS,)), stored_precision(config))


def stored_precision(config: dict[str, Any]) -> int:
    """What a stored byte model says of it, or EquinfoError."""
    return number(config, "precision", MIN_PRECISION, MAX_PRECISION)


def fingerprint(model: ByteModel) -> str:
    """SHA-256 (hex) of all that decides a model's frequencies."""
    from equinfo.artifacts import tensor_hash

    config, tensors = model.parts()
    hashes = {name: tensor_hash(tensor) for name, tensor in tensors.items()}
    return content_hash({"kind": model.kind, "config": config, "tensors": hashes})


def to_artifact(model: ByteModel) -> Any:
    """The model as an `Artifact` of kind "byte-model"."""
    from equinfo.artifacts import Artifact

    config, tensors = model.parts()
    return Artifact("byte-model", {"model": model.kind, **config}, tensors)


def from_artifact(config: dict[str, Any], tensors: dict[str, np.ndarray]) -> ByteModel:
    """The model of a "byte-model" artefact. Raises EquinfoError for a kind that is not in KINDS."""
    if config.get("model") == "neural":
        raise EquinfoError(
            "this byte model is a float32 network of an earlier equinfo: rebuild it with equinfo"
            " train-m1"
        )
    if not isinstance(config.get("model"), str) or config["model"] not in KINDS:
        raise EquinfoError(f"unknown byte model {config.get('model')!r}; known: {', '.join(KINDS)}")
    with naming(f"the stored byte model {config['model']!r}"):
        return resolve_name(KINDS[config["model"]]).from_parts(config, tensors)


def load_model(path: Any) -> ByteModel:
    """Read a byte model: a folder of `equinfo train-m1`, or the name of one in the package."""
    from equinfo.artifacts import load_artifact, located

    artifact = load_artifact(located(path))
    if artifact.kind != "byte-model":
        raise EquinfoError(
            f"{path} holds a {artifact.kind!r}, not a byte model: name the folder train-m1 wrote"
        )
    with artifact.reading():
        return from_artifact(artifact.config, artifact.tensors)
