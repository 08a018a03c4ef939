"""The protocol every tokenizer obeys: text <-> ids, one folder format, ids that never collide."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from equinfo.artifacts import Artifact, load_artifact
from equinfo.errors import EquinfoError, needing
from equinfo.tokenizers.incremental import Decoder, Encoder, WholeDecoder, WholeEncoder
from equinfo.tokenizers.spans import Span, spans

if TYPE_CHECKING:
    from equinfo.hf.tokenizer import EquinfoTokenizer

NUM_SPECIAL = 3
Text = bytes | bytearray | memoryview | str


def id_dtype(size: int) -> type[np.uint16] | type[np.uint32]:
    """The narrowest of uint16 and uint32 that holds ids 0 .. size-1."""
    return np.uint16 if size <= 1 << 16 else np.uint32


def as_bytes(text: Text) -> bytes:
    """UTF-8 of a str (lone surrogates are refused), the bytes of any buffer."""
    if type(text) is bytes:
        return text
    if not isinstance(text, str):
        try:
            return bytes(memoryview(text))  # bytes(text) alone would take an int for a length
        except TypeError as error:
            raise EquinfoError(
                f"a document must be bytes or str, not {type(text).__name__}"
            ) from error
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EquinfoError(
            f"the text has a lone surrogate at character {error.start}: pass bytes"
        ) from error


def all_as_bytes(documents: list[Text]) -> list[bytes]:
    """`as_bytes` of each; a call a document would take as long as many an encoder."""
    try:
        return list(map(str.encode, documents))  # type: ignore[arg-type]
    except (
        TypeError,
        UnicodeEncodeError,
    ):  # not all of them are str, or as_bytes says what is wrong
        return [as_bytes(document) for document in documents]


def vocabulary_label(code_size: int) -> str:
    """ "v=256", "v=4096", and "v=65k" as the paper writes 65,536."""
    return "v=65k" if code_size == 1 << 16 else f"v={code_size}"


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
    unit: int | None = None
    """Each run of `unit` ids stands for bytes of its own, wherever it occurs. None: only a whole
    stream does.
    """
    period: int = 1
    """Ids play another part at each place in a run of `period` ids, counted from a document's
    beginning, whether or not such a run decodes by itself. An M2 can be told the place
    (lm.config.DecoderConfig.period).
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
    def m1_parameters(self) -> int:
        """Parameters (without embeddings) of the byte LM that runs at inference; 0 where none
        does.
        """
        return 0

    # -- what a family implements ------------------------------------------------------------------

    @abstractmethod
    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        """Ids (any integer dtype) of each of one or more documents, whatever else is in the
        batch.
        """

    @abstractmethod
    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        """Bytes of each of one or more id streams; ids are already known to be 0 .. code_size-1
        (int64).
        """

    @abstractmethod
    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(config of JSON values, tensors): all that `_from_parts` needs to make an equal
        tokenizer.
        """

    @classmethod
    @abstractmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self: ...

    # -- what users call ---------------------------------------------------------------------------

    def encode(self, data: Text) -> np.ndarray:
        """Ids of one document: shape [num_ids], dtype `self.dtype`, no special ids."""
        return self.encode_batch([data])[0]

    def encode_batch(self, documents: Iterable[Text]) -> list[np.ndarray]:
        """Ids of each document, equal to `[self.encode(d) for d in documents]` and faster."""
        if isinstance(documents, str | bytes):
            raise EquinfoError("encode_batch takes a list of documents; use encode for one")
        data, dtype = all_as_bytes(list(documents)), np.dtype(self.dtype)
        return (
            [
                i if i.dtype is dtype else i.astype(dtype, copy=False)
                for i in self._encode_batch(data)
            ]
            if data
            else []
        )

    def decode(self, ids: Sequence[int] | np.ndarray) -> bytes:
        """The bytes that `ids` came from. Raises EquinfoError for ids this tokenizer cannot have
        written.
        """
        return self.decode_batch([ids])[0]

    def decode_batch(self, streams: Iterable[Sequence[int] | np.ndarray]) -> list[bytes]:
        """The bytes of each id stream, equal to `[self.decode(s) for s in streams]`."""
        checked = [self.checked(ids) for ids in streams]
        return self._decode_batch(checked) if checked else []

    def encoder(self) -> Encoder:
        """For one document fed in pieces; see incremental.py."""
        return WholeEncoder(self)

    def decoder(self) -> Decoder:
        """For one document's ids fed in pieces."""
        return WholeDecoder(self)

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """The codes that may follow `ids` so that the stream still decodes: bool[code_size], or
        None for all of them.

        Streams of which only the whole decodes (AC, GZip) cannot say: all.
        """
        return None

    def may_end(self, ids: np.ndarray) -> bool:
        """Whether `ids` could be a whole document as far as windows and characters go."""
        return self.unit is None or len(ids) % self.unit == 0

    def may_follow(self, ids: np.ndarray) -> np.ndarray:
        """bool[vocab_size]: what generation may draw after a document's `ids`.

        Codes that still decode, and EOS where the document may end; never PAD or BOS.
        """
        mask, allowed = np.zeros(self.vocab_size, dtype=np.bool_), self.allowed(ids)
        mask[: self.code_size] = True if allowed is None else allowed
        mask[self.eos_id] = self.may_end(ids)
        return mask

    def spans(self, text: Text) -> list[Span]:
        """`text`'s ids in the shortest runs that decode by themselves, with what each stands for;
        see spans.py.

        One id for bytes and subwords (more where a character is cut), one window for equal-info
        windows. Ids that have no bytes of their own (`unit` is None: AC, GZip) come as one span:
        only all of them stand for anything.
        """
        return spans(self, as_bytes(text))

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a code stands for wherever it occurs.

        Raises EquinfoError for tokenizers whose single ids stand for none, and for ids that no text
        has.
        """
        if self.unit != 1:
            raise EquinfoError(f"a single id of {self.name} has no bytes of its own: see `spans`")
        return self._token_bytes(int(self.checked([id])[0]))

    def _token_bytes(self, code: int) -> bytes:
        return self.decode([code])

    def checked(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """int64[n]. Raises EquinfoError for what is not a flat sequence of this tokenizer's
        codes.
        """
        array = np.asarray(ids)
        if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
            raise EquinfoError("ids must be a flat sequence of integers")
        wrong = (array < 0) | (array >= self.code_size)
        if wrong.any():
            at = int(wrong.argmax())
            raise EquinfoError(
                f"id {array[at]} at position {at} is out of range: {self.name} decodes ids 0 to"
                f" {self.code_size - 1} (split at special ids first)"
            )
        return array.astype(np.int64)

    @cached_property
    def artifact(self) -> Artifact:
        config, tensors = self._parts()
        return Artifact(self.kind, config, tensors)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that decides the ids. Equal fingerprints mean equal ids."""
        return self.artifact.hash

    def save(self, path: Path | str) -> None:
        """Write the folder `path` (JSON + safetensors + hash), whole or not at all."""
        self.artifact.save(path)

    def as_hf(self, **options: Any) -> "EquinfoTokenizer":
        """This tokenizer as transformers has one: the same ids, BOS in front where special tokens
        are asked for.

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
        """The tokenizer of an artefact of this kind. Raises EquinfoError where a part is
        missing.
        """
        try:
            return cls._from_parts(artifact.config, artifact.tensors)
        except (KeyError, TypeError) as error:
            raise EquinfoError(
                f"the stored {cls.kind!r} lacks a part ({error}): rebuild it"
            ) from error

    def __repr__(self) -> str:
        return f"<{self.name} {self.fingerprint[:12]}>"
