"""What tokenizers over a dictionary share: one look-up a code, and no second look at ids that are
already arrays.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Text, Tokenizer, all_as_bytes


class LookedUpTokenizer(Tokenizer):
    """Ids are the codes of `dictionary`, where there is one."""

    dictionary: Dictionary | None
    parse: str = (
        "longest"  # see compress/parse.py; the other one needs more than the dictionary's walk
    )

    def encode_batch(self, documents: Iterable[Text]) -> list[np.ndarray]:
        """Ids of each document. A str becomes bytes just before its walk: to keep all is memory
        never used before.
        """
        if isinstance(documents, str | bytes):
            return super().encode_batch(documents)
        documents = list(documents)
        if (
            self.dictionary
            and self.parse == "longest"
            and {str, bytes}.issuperset(map(type, documents))
        ):
            return self.dictionary.encode(documents, self.dtype, all_as_bytes)
        return super().encode_batch(documents)

    def decode_batch(self, streams: Iterable[Sequence[int] | np.ndarray]) -> list[bytes]:
        """The bytes of each id stream. Arrays of `dtype` are read as they are: checking each costs
        more than that.
        """
        streams = list(streams)
        plain = [
            s
            for s in streams
            if isinstance(s, np.ndarray) and s.dtype == self.dtype and s.ndim == 1
        ]
        if self.dictionary and len(plain) == len(streams) > 0:
            try:
                return self.dictionary.decode(plain)
            except EquinfoError:
                pass  # the long way says which id of which stream is wrong
        return super().decode_batch(streams)
