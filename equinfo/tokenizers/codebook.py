"""Codebook[v]: 2**k strings, one id each; a text is cut into the longest, or into the fewest."""

from itertools import pairwise
from typing import Any, Self

import numpy as np

from equinfo.compress.codebook.fit import check_size, fit
from equinfo.compress.codebook.pretokens import CLASS, MODES, check_mode, masks_of
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.parse import PARSES, check_parse, fewest
from equinfo.compress.models.base import ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.stored import tensor, word
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.incremental import IncrementalEncoder
from equinfo.tokenizers.looked_up import LookedUpTokenizer

SOURCES = ("fitted", "grown")


class CodebookTokenizer(LookedUpTokenizer):
    """Code i stands for `strings[i]`, wherever it occurs. Takes any bytes; any ids decode.

    strings: 2**9 to 2**18, distinct, all 256 bytes among them. mode: where pieces may end ("free",
    "aligned", "superword"; codebook/pretokens.py). parse: "longest" or "fewest"
    (dictionary/parse.py). source: the strings are "fitted" to a text or "grown" from a byte model.
    """

    kind = "codebook"
    unit = 1
    dictionary: Dictionary

    def __init__(
        self, strings: list[bytes], mode: str, parse: str = "longest", source: str = "fitted"
    ) -> None:
        self.mode = check_mode(mode)
        self.parse = check_parse(parse)
        self.source = source
        self.strings = strings
        self.code_size = check_size(len(strings))
        masks = masks_of(strings, mode)
        if not masks.all():
            wrong = strings[int(masks.argmin())]
            raise EquinfoError(f"{wrong!r} crosses a boundary: no piece of an aligned codebook")
        self.dictionary = Dictionary(strings, np.arange(len(strings)), masks, CLASS)
        labels = [vocabulary_label(self.code_size), mode, *["fewest"] * (parse == "fewest")]
        self.name = f"Codebook[{','.join(labels)}]"

    @classmethod
    def train(
        cls, documents: list[bytes], size: int, mode: str = "superword", parse: str = "longest"
    ) -> Self:
        """Fit `size` strings to documents. Raises EquinfoError where these have too few."""
        return cls(fit(documents, size, mode, parse).strings, mode, parse, "fitted")

    @classmethod
    def grow(
        cls, model: ByteModel, size: int, mode: str = "superword", parse: str = "longest"
    ) -> Self:
        """The `size` strings of `model`. Raises EquinfoError where it expects too few."""
        from equinfo.compress.codebook.grow import grow

        return cls(grow(model, size, mode).strings, mode, parse, "grown")

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        if self.parse == "longest":
            return super()._encode_batch(documents)
        return map_groups(
            lambda group: [self._fewest(document, last=True)[0] for document in group], documents
        )

    def _fewest(self, data: bytes, last: bool) -> tuple[np.ndarray, int]:
        trie = self.dictionary.trie
        text = np.frombuffer(data, dtype=np.uint8)
        return fewest(text, last, trie.table, trie.root, self.dictionary.classes)

    def encoder(self) -> IncrementalEncoder:
        """Holds less than the longest string and a byte, or a block of dictionary/parse.py."""
        if self.parse == "longest":
            return super().encoder()
        return IncrementalEncoder(self._fewest, self.dtype)

    def _token_bytes(self, code: int) -> bytes:
        return self.strings[code]

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {"mode": self.mode, "parse": self.parse, "source": self.source}
        strings = np.frombuffer(b"".join(self.strings), dtype=np.uint8)
        lengths = np.array([len(string) for string in self.strings], dtype=np.uint8)
        return config, {"strings": strings, "lengths": lengths}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        lengths = tensor(tensors, "lengths", np.uint8, (None,), low=1)
        whole = tensor(tensors, "strings", np.uint8, (int(lengths.sum(dtype=np.int64)),)).tobytes()
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        strings = [whole[begin:end] for begin, end in pairwise([0, *ends])]
        mode, parse = word(config, "mode", MODES), word(config, "parse", PARSES)
        return cls(strings, mode, parse, word(config, "source", SOURCES))
