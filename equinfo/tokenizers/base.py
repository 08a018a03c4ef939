"""The protocol every tokenizer obeys: text <-> ids, one folder format, ids that never collide."""

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from equinfo.artifacts import Artifact, Identity, load_artifact
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError, foreign, needing
from equinfo.tokenizers.incremental import NO_IDS, IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.spans import Span, spans_of
from equinfo.tokenizers.utf8 import Text, all_as_bytes, as_bytes

if TYPE_CHECKING:
    from equinfo.hf.tokenizer import EquinfoTokenizer

NUM_SPECIAL = 3
T = TypeVar("T")


def id_dtype(size: int) -> type[np.uint16] | type[np.uint32]:
    """The narrowest of uint16 and uint32 that holds ids 0 .. size-1."""
    return np.uint16 if size <= 1 << 16 else np.uint32


def vocabulary_label(code_size: int) -> str:
    """ "v=256", "v=4096", and "v=65k" as the paper writes 65,536."""
    return "v=65k" if code_size == 1 << 16 else f"v={code_size}"


def listed(streams: Iterable[T]) -> list[T]:
    """Of what `decode_batch` is given. Raises EquinfoError for what is none."""
    try:
        return list(iter(streams))
    except TypeError as error:  # also NumPy's, of an array without dimensions
        raise EquinfoError("decode_batch takes a list of id streams; use decode for one") from error


class Tokenizer(ABC):
    """Text <-> token ids.

    Ids 0 .. code_size-1 are codes: `encode` yields only these, `decode` takes only these. The
    special ids PAD, BOS and EOS follow them, so they can never collide with a code, and vocab_size
    = code_size + 3. A vocabulary of 65,536 codes therefore needs uint32 ids (`dtype`); everything
    smaller is uint16.

    Every tokenizer is lossless, decode(encode(data)) == data for all data that encode accepts, but
    for those that reproduce what is not (`lossless` is False).
    """

    kind: ClassVar[str]
    name: str  # as in the paper's tables, e.g. "EqualInfoAC[b=16,v=256]"
    code_size: int
    lossless: bool = True
    in_groups: bool = False
    """Whether batches are coded in groups, a thread each: pays where kernels hold no GIL."""
    unit: int | None = None
    """Each run of `unit` ids has bytes of its own, wherever it occurs. None: a whole stream has."""
    period: int = 1
    """Ids play another part at each place in a run of `period` ids, counted from a document's
    begin, whether or not such a run decodes. An M2 can be told it (lm.config.DecoderConfig.period).
    """

    @property
    def vocab_size(self) -> int:
        return self.code_size + NUM_SPECIAL

    @property
    def pad_id(self) -> int:
        return self.code_size

    @property
    def bos_id(self) -> int:
        return self.code_size + 1

    @property
    def eos_id(self) -> int:
        return self.code_size + 2

    @property
    def dtype(self) -> type[np.uint16] | type[np.uint32]:
        return id_dtype(self.vocab_size)

    @property
    def ends_itself(self) -> bool:
        """Whether the ids of a whole document say that it ends, so that none can go on with it."""
        return self.unit is None

    @property
    def m1_parameters(self) -> int:
        """Parameters (without embeddings) of the byte LM that runs at inference, or 0."""
        return 0

    # -- what a family implements ------------------------------------------------------------------

    @abstractmethod
    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        """Ids (any integer dtype) of each of one or more documents, each by itself."""

    @abstractmethod
    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        """Bytes of each of one or more id streams: of `dtype`, known to be 0 .. code_size-1."""

    @abstractmethod
    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(config of JSON values, tensors): all of which `_from_parts` makes an equal tokenizer."""

    @classmethod
    @abstractmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self: ...

    # -- what users call ---------------------------------------------------------------------------

    def encode(self, data: Text) -> np.ndarray:
        """Ids of one document: shape [num_ids], dtype `self.dtype`, no special ids."""
        return self._encode_batch([as_bytes(data)])[0].astype(self.dtype, copy=False)

    def encode_batch(self, documents: Iterable[Text]) -> list[np.ndarray]:
        """Ids of each document, equal to `[self.encode(d) for d in documents]` and faster."""
        if isinstance(documents, str | bytes) or not isinstance(documents, Iterable):
            raise EquinfoError("encode_batch takes a list of documents; use encode for one")
        data = all_as_bytes(list(documents))
        if not data:
            return []
        dtype = np.dtype(self.dtype)
        encoded = (
            map_groups(self._encode_batch, data) if self.in_groups else self._encode_batch(data)
        )
        return [ids if ids.dtype is dtype else ids.astype(dtype, copy=False) for ids in encoded]

    def decode(self, ids: Sequence[int] | np.ndarray) -> bytes:
        """The bytes that `ids` came from. Raises EquinfoError for ids that no text has."""
        return self._decode_batch([self.checked(ids)])[0]

    def decode_batch(self, streams: Iterable[Sequence[int] | np.ndarray]) -> list[bytes]:
        """The bytes of each id stream, equal to `[self.decode(s) for s in streams]`."""
        checked = [self.checked(ids) for ids in listed(streams)]
        if not checked:
            return []
        return (
            map_groups(self._decode_batch, checked)
            if self.in_groups
            else self._decode_batch(checked)
        )

    def encoder(self) -> IncrementalEncoder:
        """For one document fed in pieces; see incremental.py. By default all of it is held."""
        held = bytearray()

        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            held.extend(data)
            return self._encode_batch([bytes(held)])[0] if last else NO_IDS, len(data)

        return IncrementalEncoder(part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """For one document's ids fed in pieces. By default all of them are held."""
        held = []

        def part(ids: np.ndarray, last: bool) -> tuple[bytes, int]:
            held.append(ids)
            return self._decode_batch([np.concatenate(held)])[0] if last else b"", len(ids)

        return IncrementalDecoder(part, self.checked)

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """The codes that may follow `ids` so that the stream still decodes: bool[code_size].

        None: all. Streams of which only the whole decodes (AC, GZip) cannot say: all.
        """
        return None

    def may_end(self, ids: np.ndarray) -> bool:
        """Whether `ids` could be a whole document as far as windows and characters go."""
        return self.unit is None or len(ids) % self.unit == 0

    def may_follow(self, ids: np.ndarray) -> np.ndarray:
        """bool[vocab_size]: what generation may draw after a document's `ids`.

        Codes that still decode, and EOS where the document may end; never PAD or BOS.
        """
        allowed = self.allowed(ids)
        mask = np.zeros(self.vocab_size, dtype=np.bool_)
        mask[: self.code_size] = True if allowed is None else allowed
        mask[self.eos_id] = self.may_end(ids)
        return mask

    def canonical_mask(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The ids that `encode` never writes after each id; None where that is not known.

        (offsets int64[vocab_size + 1], ranges int32[n, 2]): [low, high), ascending, apart; row i's
        are ranges[offsets[i] : offsets[i + 1]]. The row of PAD, which is never read, holds what
        follows nothing and is a part of every row: PAD, BOS, and codes that are never written.
        """
        return None

    def _over_vocabulary(
        self, ranges: tuple[np.ndarray, np.ndarray], never: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `canonical_mask`, of the codes' rows and the codes that are never written."""
        from equinfo.compress.dictionary.follow import runs

        offsets, found = ranges
        nothing = runs(np.append(never, [True, True, False])[None])[1]  # PAD and BOS, not EOS
        ends = np.full(NUM_SPECIAL, offsets[-1] + len(nothing))
        return np.append(offsets, ends), np.concatenate([found, nothing])

    def spans(self, text: Text) -> list[Span]:
        """`text`'s ids in the shortest runs that decode by themselves, with what each stands for.

        One id for bytes and subwords (more where a character is cut), one window for equal-info
        windows. Ids that have no bytes of their own (`unit` is None: AC, GZip) come as one span:
        only all of them stand for anything. Spans cover text and ids without a gap.
        """
        data = as_bytes(text)
        return spans_of(self._runs(data), data, math.log2(self.code_size))

    def _runs(self, text: bytes) -> list[tuple[Any, int]]:
        """(ids, bytes that they stand for) of each span."""
        ids = self.encode(text)
        if self.unit is None or not self.lossless:  # ids that decode to another text than `text`
            return [(ids, len(text))] if len(ids) else []
        units = [ids[at : at + self.unit] for at in range(0, len(ids), self.unit)]
        with contextlib.suppress(EquinfoError):
            return list(zip(units, map(len, self.decode_batch(units)), strict=True))
        runs, held = [], ids[:0]
        for unit in units:  # of subwords, some are a part of a character
            held = np.concatenate([held, unit])
            with contextlib.suppress(EquinfoError):
                runs.append((held, len(self.decode(held))))
                held = held[:0]
        return runs

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a code stands for wherever it occurs.

        Raises EquinfoError where single ids stand for none, and for ids that no text has.
        """
        if self.unit != 1:
            raise EquinfoError(f"a single id of {self.name} has no bytes of its own: see `spans`")
        return self._token_bytes(int(self.checked([id])[0]))

    def _token_bytes(self, code: int) -> bytes:
        return self.decode([code])

    def checked(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """`dtype`[n]. Raises EquinfoError for what is no flat sequence of this tokenizer's codes.

        An array of `dtype` comes back as it is.
        """
        with foreign("ids must be a flat sequence of integers"):
            array = np.asarray(ids)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise EquinfoError("ids must be a flat sequence of integers")
        if array.size and (array.min() < 0 or array.max() >= self.code_size):
            at = int(((array < 0) | (array >= self.code_size)).argmax())
            raise EquinfoError(
                f"id {array[at]} at position {at} is out of range: {self.name} decodes ids 0 to"
                f" {self.code_size - 1} (split at special ids first)"
            )
        return array.astype(self.dtype, copy=False)

    @cached_property
    def artifact(self) -> Artifact:
        config, tensors = self._parts()
        return Artifact(self.kind, config, tensors)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that decides the ids. Equal fingerprints mean equal ids."""
        return self.artifact.hash

    @property
    def identity(self) -> Identity:
        """What is made with it remembers it by."""
        return Identity(self.name, self.fingerprint)

    def save(self, path: Path | str) -> None:
        """Write the folder `path` (JSON + safetensors + hash), whole or not at all."""
        self.artifact.save(path)

    def as_hf(self, **options: Any) -> "EquinfoTokenizer":
        """This tokenizer as transformers has one: the same ids, BOS in front on request, and
        special and added tokens found in a text, but for split_special_tokens=True.

        options: add_bos_token, add_eos_token, padding_side, model_max_length, split_special_tokens,
        ... as transformers names them. Raises EquinfoError for streams of which only the whole
        decodes, for an unknown option, and where transformers is not installed.
        """
        with needing("hf", "as_hf"):
            from equinfo.hf.tokenizer import as_hf
        return as_hf(self, options)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read the folder `path`. `equinfo.load` does the same for any kind."""
        artifact = load_artifact(path)
        if artifact.kind != cls.kind:
            raise EquinfoError(
                f"{path} holds a {artifact.kind!r} tokenizer, not a {cls.kind!r}; use equinfo.load"
            )
        return cls.from_artifact(artifact)

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Self:
        """The tokenizer of an artefact of this kind.

        Raises EquinfoError for one of which a kernel could read beyond its arrays, whose text would
        not come back, or which is damaged otherwise. `_from_parts` may let any exception through.
        """
        with artifact.reading():
            return cls._from_parts(artifact.config, artifact.tensors)

    def __len__(self) -> int:
        """vocab_size: the special ids count, as in transformers."""
        return self.vocab_size

    def __repr__(self) -> str:
        return f"<{self.name} {self.fingerprint[:12]}>"

    def _repr_html_(self) -> str:
        """For notebooks: a small table."""
        facts = {
            "ids": f"{self.code_size:,}, then PAD, BOS, EOS",
            "decodes by itself": {None: "a whole text only", 1: "each id"}.get(
                self.unit, f"each run of {self.unit} ids"
            ),
            "any text comes back": "yes" if self.lossless else "no",
            "fingerprint": self.fingerprint[:12],
        }
        rows = "".join(f"<tr><td>{name}</td><td>{fact}</td></tr>" for name, fact in facts.items())
        return f"<table><tr><th colspan=2>{escape(self.name)}</th></tr>{rows}</table>"
