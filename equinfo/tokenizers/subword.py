"""What the subword tokenizers share: text must be UTF-8, and every code stands for fixed bytes.

Text is encoded in parts, so that memory does not grow with a document and a stream's ids are a
whole document's. A part ends before the first space or line feed that follows another kind of
character, once it has PART characters; or, where none comes, at 2 * PART. At the former no piece of
either family is cut. GPT-2's pretokens hold white space only at their start or nothing but white
space, so one of them ends there, whatever follows. SentencePiece's pieces hold a space only as
their first character, so that its best segmentation is those of the parts side by side (but for the
rounding of the scores it adds up, which the rule takes out of the ids). Where pieces cross words,
a part ends between two characters of ASCII that stand side by side inside no piece instead. A text
of 2 * PART characters without such a place costs a piece at its cut, and no more.

Training sees parts of TRAINED characters, for its time grows with the square of a run's length.
"""

import codecs
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from equinfo.compress.parallel import num_threads
from equinfo.errors import EquinfoError, foreign
from equinfo.stored import word
from equinfo.tokenizers import utf8
from equinfo.tokenizers.base import Tokenizer, vocabulary_label
from equinfo.tokenizers.incremental import NO_IDS, IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.utf8 import NOT_TEXT

PART = 1 << 14
TRAINED = 1 << 10
GROUP = 32  # parts a thread: of what it has encoded, a library holds 75 bytes a byte
RUN = 1 << 16  # ids
PRETOKENS = ("words", "superwords", "free")
"""What pieces may cross. words: nothing that cuts words. superwords: spaces. free: anything."""
# Python's \s and U+180E hold all that any Unicode calls white space.
PLACE = re.compile("[^\\s\u180e](?=[ \n])")


def parts_of(text: str, size: int | None = None, where: re.Pattern[str] = PLACE) -> Iterator[str]:
    """The parts of a whole text, at least one. Of a beginning all but the last may be encoded.

    size: characters a part, PART if not given. where: finds a character that one may end with.
    """
    size = size or PART
    at = 0
    while True:
        place = where.search(text, at + size - 1, at + 2 * size)
        if not place and len(text) < at + 2 * size:  # what follows must decide
            break
        end = place.end() if place else at + 2 * size
        yield text[at:end]
        at = end
    yield text[at:]


def place_outside(pieces: list[bytes]) -> re.Pattern[str]:
    """Finds a character of ASCII with another after it, if no piece holds the two side by side."""
    inside = np.zeros((256, 256), dtype=np.bool_)
    for piece in pieces:
        data = np.frombuffer(piece, dtype=np.uint8)
        inside[data[:-1], data[1:]] = True
    ends = [
        f"{re.escape(chr(one))}(?=[{re.escape(bytes(after).decode())}])"
        for one in range(128)
        if (after := np.flatnonzero(~inside[one, :128]).tolist())
    ]
    return re.compile("|".join(ends) or "(?!)")


def texts_in_parts(
    documents: list[bytes], where: re.Pattern[str] = PLACE
) -> Iterator[tuple[int, str]]:
    """(a document's number, a part of it), in order.

    Raises EquinfoError naming document and byte of what is no UTF-8.
    """
    for number, document in enumerate(documents):
        rest = ""
        try:
            if len(document) <= PART:  # most are
                rest = document.decode()
            else:
                for piece in utf8.pieces_of(document):
                    *parts, rest = parts_of(rest + piece, where=where)
                    yield from ((number, part) for part in parts)
        except UnicodeDecodeError as error:
            raise EquinfoError(f"document {number} {NOT_TEXT % error.start}") from error
        yield number, rest


def groups_of(texts: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Runs of texts with their numbers: of as many characters as a library is given at once."""
    group: list[tuple[int, str]] = []
    room = most = GROUP * PART * num_threads()
    for number, text in texts:
        group.append((number, text))
        room -= len(text)
        if room <= 0:
            yield group
            group = []
            room = most
    yield group


class PiecesTokenizer(Tokenizer):
    """One of UTF-8 text whose code i stands for the bytes `pieces[i]`, wherever it occurs."""

    pieces: list[bytes]
    unit = 1

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """The pieces that go on where the last character stands."""
        return self._fitting[self._utf8_state(ids)]

    def may_end(self, ids: np.ndarray) -> bool:
        return self._utf8_state(ids) == utf8.START

    @cached_property
    def _fitting(self) -> np.ndarray:
        return utf8.fitting(self.pieces)

    def _utf8_state(self, ids: np.ndarray) -> int:
        return utf8.state_at_end(b"".join(self.pieces[i] for i in ids[-utf8.LONGEST + 1 :]))

    def _token_bytes(self, code: int) -> bytes:
        return self.pieces[code]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        pieces = self.pieces
        decoded = []
        for number, ids in enumerate(streams):
            runs = (ids[at : at + RUN].tolist() for at in range(0, len(ids), RUN))
            decoded.append(b"".join([b"".join([pieces[i] for i in run]) for run in runs]))
            try:
                if len(decoded[-1]) <= utf8.PIECE:  # most are
                    decoded[-1].decode()
                else:
                    for _ in utf8.pieces_of(decoded[-1]):
                        pass
            except UnicodeDecodeError as error:
                raise EquinfoError(
                    f"stream {number} decodes to invalid UTF-8 at byte {error.start}: {self.name}"
                    " never wrote it"
                ) from error
        return decoded

    def decoder(self) -> IncrementalDecoder:
        """A code's bytes come out with it. Refuses what is no UTF-8, as whole decoding does."""
        pieces = self.pieces
        text = codecs.getincrementaldecoder("utf-8")()

        def part(ids: np.ndarray, last: bool) -> tuple[bytes, int]:
            data = b"".join([pieces[i] for i in ids.tolist()])
            try:
                text.decode(data, last)
            except UnicodeDecodeError as error:
                raise EquinfoError(
                    f"the stream decodes to invalid UTF-8: {self.name} never wrote it"
                ) from error
            return data, len(ids)

        return IncrementalDecoder(part, self.checked)


class SubwordTokenizer(PiecesTokenizer):
    """One that encodes text in parts, by a library.

    model: the library's own `file`, byte for byte: hashed as it is, for other programs to read.
    pretokens: of PRETOKENS.
    """

    label: ClassVar[str]
    file: ClassVar[str]

    def __init__(self, model: bytes, pretokens: str = "words") -> None:
        self.model = model
        self.pretokens = check_pretokens(pretokens)
        with foreign(f"the stored {self.label} model cannot be read", "rebuild it"):
            self.pieces = self._open()
        self.code_size = len(self.pieces)
        label = self.label[0].upper() + self.label[1:]
        labels = [vocabulary_label(self.code_size), *[pretokens] * (pretokens != "words")]
        self.name = f"{label}[{','.join(labels)}]"

    @abstractmethod
    def _open(self) -> list[bytes]:
        """Load `self.model`; its codes' pieces.

        Raises where it is not proven that the pieces of any text's codes are the text: whatever a
        folder says, this is what `lossless` means.
        """

    @abstractmethod
    def encode_texts(self, texts: list[str]) -> list[np.ndarray]:
        """Ids, of `dtype`, of each text, none longer than a part."""

    @cached_property
    def place(self) -> re.Pattern[str]:
        """Finds where a part may end."""
        return PLACE if self.pretokens == "words" else place_outside(self.pieces)

    def encoded_parts(self, documents: list[bytes]) -> Iterator[tuple[int, np.ndarray]]:
        """(a document's number, the ids of a part of it), in order."""
        for group in groups_of(texts_in_parts(documents, self.place)):
            encoded = self.encode_texts([part for _, part in group])
            yield from zip([number for number, _ in group], encoded, strict=True)

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        encoded: list[list[np.ndarray]] = [[] for _ in documents]
        for number, ids in self.encoded_parts(documents):
            encoded[number].append(ids)
        return [ids[0] if len(ids) == 1 else np.concatenate(ids) for ids in encoded]

    def encoder(self) -> IncrementalEncoder:
        """Ids a part; holds two parts at most, whatever the text."""

        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            text, used = codecs.utf_8_decode(data, "strict", last)
            *parts, rest = parts_of(text, where=self.place)
            if last:
                parts.append(rest)
            else:
                used -= len(rest.encode())
            encoded = self.encode_texts(parts) if parts else []
            return np.concatenate([NO_IDS, *encoded]), used

        return IncrementalEncoder(part, self.dtype)

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {} if self.pretokens == "words" else {"pretokens": self.pretokens}
        return config, {self.file: np.frombuffer(self.model, dtype=np.uint8)}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        crossing = word(config, "pretokens", PRETOKENS[1:]) if config else "words"
        return cls(tensors[cls.file].tobytes(), crossing)


def check_pretokens(pretokens: str) -> str:
    if pretokens not in PRETOKENS:
        raise EquinfoError(f"pretokens that are {pretokens!r}: choose {', '.join(PRETOKENS)}")
    return pretokens
