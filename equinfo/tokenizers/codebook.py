"""Codebook[v]: 2**k strings, one id each; a text is cut into the longest that fit, or into as few
as can be.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from equinfo.compress.codebook.fit import Codebook, check_size, fit
from equinfo.compress.codebook.pretokens import CLASS, check_mode, masks_of
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.parse import check_parse, fewest
from equinfo.compress.models.base import ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import as_bytes, vocabulary_label
from equinfo.tokenizers.looked_up import LookedUpTokenizer


class CodebookTokenizer(LookedUpTokenizer):
    """Code i stands for `strings[i]`, wherever it occurs. Takes any bytes; any ids decode.

    strings: 2**9 to 2**18, distinct, all 256 bytes among them. mode: where pieces may end ("free",
    "aligned", "superword"; compress/pretokens.py). parse: "longest" or "fewest"
    (compress/parse.py). source: what the strings come from, "fitted" to a text or "grown" from a
    byte model.
    """

    kind = "codebook"
    unit = 1
    dictionary: Dictionary

    def __init__(
        self, strings: list[bytes], mode: str, parse: str = "longest", source: str = "fitted"
    ) -> None:
        self.mode, self.parse, self.source = check_mode(mode), check_parse(parse), source
        self.strings = strings
        self.code_size = check_size(len(strings))
        masks = masks_of(strings, mode)
        if not masks.all():
            raise EquinfoError(
                f"{strings[int(masks.argmin())]!r} crosses a boundary: no piece of an aligned"
                " codebook"
            )
        self.dictionary = Dictionary(strings, np.arange(len(strings)), masks, CLASS)
        labels = [vocabulary_label(self.code_size), mode, *["fewest"] * (parse == "fewest")]
        self.name = f"Codebook[{','.join(labels)}]"

    @classmethod
    def train(
        cls, documents: list[bytes], size: int, mode: str = "superword", parse: str = "longest"
    ) -> Self:
        """Fit `size` strings to documents. Raises EquinfoError where these have too few."""
        return cls._of(fit(documents, size, mode, parse), mode, parse, "fitted")

    @classmethod
    def grow(
        cls, model: ByteModel, size: int, mode: str = "superword", parse: str = "longest"
    ) -> Self:
        """The `size` strings of `model`. Raises EquinfoError where it expects too few."""
        from equinfo.compress.codebook.grow import grow

        return cls._of(grow(model, size, mode), mode, parse, "grown")

    @classmethod
    def _of(cls, codebook: Codebook, mode: str, parse: str, source: str) -> Self:
        return cls(codebook.strings, mode, parse, source)

    def encoder(self) -> "LongestEncoder | FewestEncoder":
        return LongestEncoder(self) if self.parse == "longest" else FewestEncoder(self)

    def decoder(self) -> "CodebookDecoder":
        return CodebookDecoder(self)

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        if self.parse == "longest":
            return self.dictionary.encode(documents, self.dtype)
        return map_groups(
            lambda group: [self.fewest(document, last=True)[0] for document in group], documents
        )

    def fewest(self, data: bytes, last: bool) -> tuple[np.ndarray, int]:
        """(ids, bytes that they stand for); without `last`, only what no further byte can
        change.
        """
        trie, text = self.dictionary.trie, np.frombuffer(data, dtype=np.uint8)
        codes, used = fewest(text, last, trie.table, trie.root, self.dictionary.classes)
        return codes.astype(self.dtype), used

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return self.dictionary.decode(streams)

    def _token_bytes(self, code: int) -> bytes:
        return self.strings[code]

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {"mode": self.mode, "parse": self.parse, "source": self.source}
        lengths = np.array([len(string) for string in self.strings], dtype=np.uint8)
        return config, {
            "strings": np.frombuffer(b"".join(self.strings), dtype=np.uint8),
            "lengths": lengths,
        }

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        strings = _stored_strings(tensors["strings"], tensors["lengths"])
        return cls(strings, config["mode"], config["parse"], config["source"])


def _stored_strings(data: np.ndarray, lengths: np.ndarray) -> list[bytes]:
    """The strings of an artefact, whoever wrote it. Raises EquinfoError for what is no codebook."""
    shaped = data.dtype == lengths.dtype == np.uint8 and data.ndim == lengths.ndim == 1
    if not shaped or lengths.sum(dtype=np.int64) != len(data) or not lengths.all():
        raise EquinfoError("the stored codebook's lengths do not fit its strings: rebuild it")
    whole, ends = data.tobytes(), np.cumsum(lengths, dtype=np.int64).tolist()
    strings = [whole[begin:end] for begin, end in pairwise([0, *ends])]
    distinct = set(strings)
    if len(distinct) < len(strings) or not distinct.issuperset(
        bytes([byte]) for byte in range(256)
    ):
        raise EquinfoError("the stored codebook repeats a string or lacks a byte: rebuild it")
    return strings


class LongestEncoder:
    """One document in pieces; holds less than the longest string and a byte."""

    def __init__(self, tokenizer: CodebookTokenizer) -> None:
        self.pieces, self.dtype = tokenizer.dictionary.encoder(), tokenizer.dtype

    def feed(self, data: bytes) -> np.ndarray:
        return self.pieces.feed(as_bytes(data)).astype(self.dtype)

    def finish(self) -> np.ndarray:
        return self.pieces.feed(b"", last=True).astype(self.dtype)


class FewestEncoder:
    """One document in pieces; holds a block of parse.py."""

    def __init__(self, tokenizer: CodebookTokenizer) -> None:
        self.tokenizer, self.held = tokenizer, bytearray()

    def feed(self, data: bytes) -> np.ndarray:
        self.held += as_bytes(data)
        ids, used = self.tokenizer.fewest(bytes(self.held), last=False)
        del self.held[:used]
        return ids

    def finish(self) -> np.ndarray:
        return self.tokenizer.fewest(bytes(self.held), last=True)[0]


class CodebookDecoder:
    """A code's bytes come out with it."""

    def __init__(self, tokenizer: CodebookTokenizer) -> None:
        self.tokenizer = tokenizer

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        return self.tokenizer.decode(ids)

    def finish(self) -> bytes:
        return b""
