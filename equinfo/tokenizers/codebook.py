"""Codebook[v]: 2**k strings, an id each; a text is cut into the longest, fewest or likeliest."""

from itertools import pairwise
from typing import Any, Self

import numpy as np

from equinfo.compress.codebook.fit import check_size, fit
from equinfo.compress.codebook.pretokens import MODES, check_mode
from equinfo.compress.codebook.segments import dictionary_of
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.parse import MAX_COST, PARSES, check_parse, parse
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

    strings: 2**k, k = 9 to 18, or 3 less; distinct, all 256 bytes among them. mode: where pieces
    may begin and end ("free", "aligned", "superword", "strict"; codebook/pretokens.py). parse:
    "longest", "fewest" or "likeliest" (dictionary/parse.py). source: the strings are "fitted" to a
    text or "grown" from a byte model. costs: uint16[strings], of the likeliest alone.
    """

    kind = "codebook"
    unit = 1
    dictionary: Dictionary

    def __init__(
        self,
        strings: list[bytes],
        mode: str,
        parse: str = "longest",
        source: str = "fitted",
        costs: np.ndarray | None = None,
    ) -> None:
        self.mode = check_mode(mode)
        self.parse = check_parse(parse)
        self.source = source
        self.strings = strings
        self.code_size = check_size(len(strings))
        self.dictionary = dictionary_of(strings, mode)
        masks = self.dictionary.masks
        if not masks.all():
            wrong = strings[int(masks.argmin())]
            raise EquinfoError(f"{wrong!r} crosses a boundary: no piece of an aligned codebook")
        self.costs = costs if parse == "likeliest" else None
        if parse == "likeliest" and (costs is None or len(costs) != len(strings)):
            raise EquinfoError(f"the likeliest pieces need {len(strings)} costs, one a string")
        labels = [vocabulary_label(self.code_size), mode, *[parse] * (parse != "longest")]
        self.name = f"Codebook[{','.join(labels)}]"

    @classmethod
    def train(
        cls,
        documents: list[bytes],
        size: int,
        mode: str = "superword",
        parse: str = "longest",
        weights: list[np.ndarray] | None = None,
    ) -> Self:
        """Fit `size` strings to documents. weights: of their bytes, see codebook/fit.py.

        Raises EquinfoError where these have too few.
        """
        made = fit(documents, size, mode, parse, weights=weights)
        return cls(made.strings, mode, parse, "fitted", made.costs)

    @classmethod
    def grow(
        cls, model: ByteModel, size: int, mode: str = "superword", parse: str = "longest"
    ) -> Self:
        """The `size` strings of `model`. Raises EquinfoError where it expects too few."""
        from equinfo.compress.codebook.grow import grow

        made = grow(model, size, mode)
        return cls(made.strings, mode, parse, "grown", made.costs)

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        if self.parse == "longest":
            return super()._encode_batch(documents)
        self.dictionary.trie  # noqa: B018 (built before the threads ask for it)
        return map_groups(
            lambda group: [self._best(document, last=True)[0] for document in group], documents
        )

    def _best(self, data: bytes, last: bool, before: bytes = b"") -> tuple[np.ndarray, int]:
        text = np.frombuffer(data, dtype=np.uint8)
        amid = self.dictionary.trie.begins_amid(before, data)
        return parse(text, last, amid, *self.dictionary.for_parse(self.costs))

    def encoder(self) -> IncrementalEncoder:
        """Holds less than the longest string and a byte, or a block of dictionary/parse.py."""
        certain = self.dictionary.part if self.parse == "longest" else self._best
        before = b""

        def part(held: bytes, last: bool) -> tuple[np.ndarray, int]:
            nonlocal before
            codes, used = certain(held, last, before)
            before = held[used - 1 : used] or before
            return codes, used

        return IncrementalEncoder(part, self.dtype)

    def _token_bytes(self, code: int) -> bytes:
        return self.strings[code]

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {"mode": self.mode, "parse": self.parse, "source": self.source}
        strings = np.frombuffer(b"".join(self.strings), dtype=np.uint8)
        lengths = np.array([len(string) for string in self.strings], dtype=np.uint8)
        tensors = {"strings": strings, "lengths": lengths}
        return config, tensors if self.costs is None else tensors | {"costs": self.costs}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        lengths = tensor(tensors, "lengths", np.uint8, (None,), low=1)
        whole = tensor(tensors, "strings", np.uint8, (int(lengths.sum(dtype=np.int64)),)).tobytes()
        ends = np.cumsum(lengths, dtype=np.int64).tolist()
        strings = [whole[begin:end] for begin, end in pairwise([0, *ends])]
        mode, parse = word(config, "mode", MODES), word(config, "parse", PARSES)
        costs = None
        if parse == "likeliest":
            costs = tensor(tensors, "costs", np.uint16, (len(strings),), low=1, high=MAX_COST)
        return cls(strings, mode, parse, word(config, "source", SOURCES), costs)
