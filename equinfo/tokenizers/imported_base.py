"""What the tokenizers of other libraries share, which serve as baselines.

Their ids stay what they are; the special ids of the protocol come after them. Special tokens of
their own ([CLS], <s>) are codes that `encode` never yields: none are added, and a text that spells
one is text. A document is encoded whole.
"""

import contextlib
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from equinfo.errors import EquinfoError, foreign
from equinfo.stored import flag, label, tensor
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.subword import RUN, groups_of
from equinfo.tokenizers.utf8 import utf8_texts

PROBES = (
    " ", "a", " a", "a ", "  a  b   c  ", "\n", "\n\na\n b\t\tc\r\nd\r", "A b É Ω",
    "é e\u0301 Å A\u030a 각 가\u1161",
    "ﬁ ½ ² Ａ …", "a , b . c ! d ? it 's do n't", "1234567 -- ''''", "▁a ▁", "a\0b",
    "\u00a0\u2028\u3000\ufeff\u200d\ufffd", "İ ı ß ǆ", "👩‍🚀 🇩🇪 e\ufe0f",
    "".join(map(chr, range(0x21, 0x800))),
    "".join(chr(point) for point in range(0x800, 0x110000, 251) if not 0xD800 <= point < 0xE000),
)  # fmt: skip
"""Texts that normalisers, prefix spaces, clean-up and vocabularies without all bytes alter."""


class ImportedTokenizer(Tokenizer):
    """Another library's tokenizer; takes any valid UTF-8.

    model: the library's own file, kept byte for byte. name: as tables show it. lossless: found out
    when None, and stored: whether it is `proven`, or PROBES come back, each by itself. Many do not:
    an LM's bits/byte are per byte of the text that went in, whatever was lost. Where they do and
    nothing is proven, every text that is encoded is decoded again, and refused where it changed;
    False keeps such a tokenizer from that, and token files from it. Nobody's True is believed.

    Most ids stand for bytes of their own (`unit` is 1), but the first of a stream may lose its
    space, and clean-up may close gaps: `decode` gives what the library does for the whole stream.
    """

    unit = 1

    def __init__(self, model: bytes, name: str, lossless: bool | None = None) -> None:
        self.model = model
        self.name = name = "".join(filter(str.isprintable, name))[:200]
        with foreign(f"{name} cannot be read", "is it a whole tokenizer of that kind?"):
            self.known = self._open()
            self.code_size = len(self.known)
            self.proven = self._is_proven()
        self.lossless = False
        self.lossless = lossless is not False and (self.proven or self._probes_come_back())
        if lossless and not self.lossless:
            raise EquinfoError(f"{name} is said to be lossless and is not: import it again")

    @abstractmethod
    def _open(self) -> np.ndarray:
        """Load `self.model`; which ids exist: bool[code_size]."""

    @abstractmethod
    def encode_texts(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text."""

    @abstractmethod
    def _cuts(self, text: str) -> tuple[list[int], list[int]]:
        """(ids, the byte of the text that each one's part ends before)."""

    def _is_proven(self) -> bool:
        """Whether the parts that it is made of bring every text back."""
        return False

    def _probes(self) -> list[str]:
        return list(PROBES)

    def _probes_come_back(self) -> bool:
        probes = self._probes()
        with contextlib.suppress(EquinfoError):
            found = self.decode_batch(self.encode_batch(probes))
            return found == [probe.encode() for probe in probes]
        return False

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        encoded = []
        for group in groups_of(enumerate(utf8_texts(documents))):
            with foreign(f"{self.name} cannot encode this text"):
                found = self.encode_texts([text for _, text in group])
            encoded += [np.array(ids, dtype=self.dtype) for ids in found]
        if self.lossless and not self.proven:
            for number, (document, ids) in enumerate(zip(documents, encoded, strict=True)):
                self._check(number, document, ids)
        return encoded

    def _check(self, number: int, document: bytes, ids: np.ndarray) -> None:
        """Raises EquinfoError where `ids` do not decode to the document that they are of."""
        remedy = "choose another tokenizer, or import it with lossless=False"
        try:
            (found,) = self._decode_batch([ids])
        except EquinfoError as error:
            raise EquinfoError(
                f"document {number} does not come back from {self.name} ({error}): {remedy}"
            ) from error
        if found != document:
            pairs = enumerate(zip(document, found, strict=False))
            at = next((n for n, (a, b) in pairs if a != b), min(len(document), len(found)))
            was, became = (t[at : at + 20].decode("utf-8", "replace") for t in (document, found))
            raise EquinfoError(
                f"{self.name} changes document {number} at byte {at}, {was!r} to {became!r}:"
                f" {remedy}"
            )

    def checked(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """As of any tokenizer; ids that the vocabulary leaves out are refused, too."""
        array = super().checked(ids)
        for begin in range(0, 0 if self.known.all() else len(array), RUN):
            missing = ~self.known[array[begin : begin + RUN]]
            if missing.any():
                at = begin + int(missing.argmax())
                raise EquinfoError(
                    f"id {array[at]} at position {at} is none of {self.name}: its vocabulary"
                    " leaves it out"
                )
        return array

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """All ids that exist."""
        return None if self.known.all() else self.known

    def _runs(self, text: bytes) -> list[tuple[list[int], int]]:
        """Each id with its part of the text, as the library tells; ids that share one together.

        What no id stands for (white space that is dropped) belongs to the id after it, or the last.
        """
        with foreign(f"{self.name} cannot encode this text"):
            ids, ends = self._cuts(utf8_texts([text])[0])
        found: list[tuple[list[int], int]] = []
        held: list[int] = []
        start = reached = 0
        for number, code in enumerate(ids):
            held.append(code)
            reached = max(reached, ends[number])
            if number + 1 < len(ids) and start < reached < ends[number + 1]:
                found.append((held, reached - start))
                held = []
                start = reached
        return [*found, (held, len(text) - start)] if held else []

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {"name": self.name, "lossless": self.lossless}
        return config, {"model": np.frombuffer(self.model, dtype=np.uint8)}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        model = tensor(tensors, "model", np.uint8, (None,)).tobytes()
        return cls(model, label(config, "name"), flag(config, "lossless"))
