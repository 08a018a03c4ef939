"""Tokenizers of others as baselines: any Hugging Face tokenizer with a `tokenizer.json`, any
SentencePiece model.

Their ids stay what they are; the special ids of the protocol come after them. Special tokens of
their own ([CLS], <s>) are codes that `encode` never yields: none are added, and a text that spells
one is text. A document is encoded whole.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from equinfo.artifacts import JSON_NAME
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Text, Tokenizer, as_bytes
from equinfo.tokenizers.spans import Span
from equinfo.tokenizers.subword import utf8_texts

MODEL_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
)
PROBES = (
    " ", "a", " a", "a ", "  a  b   c  ", "\n", "\n\na\n b\t\tc\r\nd\r", "A b É Ω",
    "é e\u0301 Å A\u030a 각 가\u1161",
    "ﬁ ½ ² Ａ …", "a , b . c ! d ? it 's do n't", "1234567 -- ''''", "▁a ▁", "a\0b",
    "\u00a0\u2028\u3000\ufeff\u200d\ufffd", "İ ı ß ǆ", "👩‍🚀 🇩🇪 e\ufe0f",
    "".join(map(chr, range(0x21, 0x800))),
    "".join(chr(point) for point in range(0x800, 0x110000, 251) if not 0xD800 <= point < 0xE000),
)  # fmt: skip
"""Texts that normalisers, prefix spaces, clean-up and vocabularies without a way to write every
byte alter.
"""


class ImportedTokenizer(Tokenizer):
    """Another library's tokenizer; takes any valid UTF-8.

    model: the library's own file, kept byte for byte. name: as tables show it. lossless: whether
    PROBES come back, each by itself; tried when None, and stored. That is a finding, not a proof,
    and many fail it: the bits/byte of an LM over their ids are per byte of the text that went in,
    and say nothing of what was lost.

    An id of most stands for bytes of its own (`unit` is 1), but where a word's space belongs to it
    the first one of a stream loses that space, and clean-up may close gaps: `decode` gives what the
    library does for the whole stream.
    """

    unit = 1

    def __init__(self, model: bytes, name: str, lossless: bool | None = None) -> None:
        self.model, self.name = model, name
        try:
            self.known = self._open()
        except EquinfoError:
            raise
        except Exception as error:  # the libraries raise bare ones
            raise EquinfoError(
                f"{name} cannot be read ({_line(error)}): is it a whole tokenizer of that kind?"
            ) from error
        self.code_size = len(self.known)
        self.lossless = self._probed() if lossless is None else lossless

    @abstractmethod
    def _open(self) -> np.ndarray:
        """Load `self.model`; which ids exist: bool[code_size]."""

    @abstractmethod
    def encode_texts(self, texts: list[str]) -> list[list[int]]:
        """Ids of each text."""

    @abstractmethod
    def _cuts(self, text: str) -> tuple[list[int], list[int]]:
        """(ids, the byte of the text that each one's part ends before)."""

    def _probes(self) -> list[str]:
        return list(PROBES)

    def _probed(self) -> bool:
        probes = self._probes()
        try:
            return self.decode_batch(self.encode_batch(probes)) == [
                probe.encode() for probe in probes
            ]
        except EquinfoError:
            return False

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        texts = utf8_texts(documents)
        try:
            return [np.array(ids, dtype=np.int64) for ids in self.encode_texts(texts)]
        except (
            Exception
        ) as error:  # an unknown character, for vocabularies that have no id for such
            raise EquinfoError(f"{self.name} cannot encode this text: {_line(error)}") from error

    def checked(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """As of any tokenizer; ids that the vocabulary leaves out are refused, too."""
        array = super().checked(ids)
        missing = ~self.known[array]
        if missing.any():
            at = int(missing.argmax())
            raise EquinfoError(
                f"id {array[at]} at position {at} is none of {self.name}: its vocabulary leaves"
                " it out"
            )
        return array

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """All ids that exist."""
        return None if self.known.all() else self.known

    def spans(self, text: Text) -> list[Span]:
        """Each id with its part of the text, as the library tells; ids that share one (a
        character's bytes) together.

        What no id stands for (white space that is dropped) belongs to the id after it, at the end
        to the last one.
        """
        data = as_bytes(text)
        ids, ends = self._cuts(utf8_texts([data])[0])
        begins = (np.frombuffer(data, dtype=np.uint8) & 0xC0) != 0x80
        before = np.concatenate([[0], np.cumsum(begins)]).tolist()  # characters before each byte
        found, start, each = [], 0, float(np.log2(self.code_size))
        for run, end in _runs(ids, ends, len(data)):
            found.append(Span(tuple(run), start, end, before[start], before[end], len(run) * each))
            start = end
        return found

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {"name": self.name, "lossless": self.lossless}
        return config, {"model": np.frombuffer(self.model, dtype=np.uint8)}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        return cls(tensors["model"].tobytes(), config["name"], config["lossless"])


def _runs(ids: list[int], ends: list[int], size: int) -> list[tuple[list[int], int]]:
    """Ids in runs, and where each run's part ends: beyond the one before, the last at `size`."""
    found: list[tuple[list[int], int]] = []
    held: list[int] = []
    start = reached = 0
    for number, code in enumerate(ids):
        held.append(code)
        reached = max(reached, ends[number])
        if number + 1 < len(ids) and start < reached < ends[number + 1]:
            found.append((held, reached))
            held, start = [], reached
    return [*found, (held, size)] if held else []


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# -- import ----------------------------------------------------------------------------------------


def from_pretrained(source: Any, name: str | None = None) -> ImportedTokenizer:
    """A Hugging Face or SentencePiece tokenizer as one of ours; `save` writes a folder that needs
    the source no more.

    source: a folder or file (`tokenizer.json`, SentencePiece's `.model`), a `tokenizers.Tokenizer`,
    a `SentencePieceProcessor`, a fast tokenizer of transformers, or a name on the Hugging Face hub
    (with transformers installed). name: for tables; by default that of file or folder, and "(HF)"
    or "(SentencePiece)". Raises EquinfoError where there is none, and for tokenizers written in
    Python alone, which have no file to keep.
    """
    model, found = _read(source) if isinstance(source, str | Path) else _taken(source)
    return _made(model, name, found)


def _read(source: str | Path) -> tuple[bytes, str]:
    """(a tokenizer's file, name) of a path or name."""
    path = Path(source)
    if (path / JSON_NAME).exists():
        raise EquinfoError(f"{path} is a tokenizer of equinfo: open it with equinfo.load")
    if path.is_dir():
        files = [path / file for file in MODEL_FILES if (path / file).is_file()]
        if files:
            return files[0].read_bytes(), path.resolve().name
    elif path.is_file():
        generic = path.name in MODEL_FILES
        return path.read_bytes(), path.resolve().parent.name if generic else path.stem
    from equinfo.hf.baseline import pretrained

    return _taken(pretrained(str(source)))


def _taken(source: Any) -> tuple[bytes, str]:
    """(a tokenizer's file, name) of another library's object; its methods tell whose it is, so none
    is imported.
    """
    if hasattr(source, "serialized_model_proto"):
        return source.serialized_model_proto(), ""
    backend = getattr(source, "backend_tokenizer", source)  # a fast tokenizer of transformers
    if hasattr(backend, "to_str"):
        return backend.to_str().encode(), Path(str(getattr(source, "name_or_path", ""))).name
    raise EquinfoError(
        f"{type(source).__name__} has no tokenizer.json and is no SentencePiece model: name its"
        " .model file, if it has one, or a tokenizer whose transformers class is a fast one"
    )


def _made(model: bytes, name: str | None, found: str) -> ImportedTokenizer:
    """By what the file holds: JSON, or SentencePiece's protocol buffer."""
    if model.lstrip()[:1] == b"{":
        from equinfo.tokenizers.huggingface import HFTokenizer

        return HFTokenizer.of(model, name or f"{found or 'tokenizer'} (HF)")
    from equinfo.tokenizers.sentencepieces import SentencePieceTokenizer

    return SentencePieceTokenizer(model, name or f"{found or 'tokenizer'} (SentencePiece)")
