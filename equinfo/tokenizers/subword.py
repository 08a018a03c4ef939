"""What the subword tokenizers share: text must be UTF-8, and every code stands for fixed bytes."""

from functools import cached_property

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers import utf8
from equinfo.tokenizers.base import Tokenizer


def utf8_texts(documents: list[bytes]) -> list[str]:
    """The documents as str. Raises EquinfoError naming document and byte where one is not valid UTF-8."""
    texts = []
    for number, document in enumerate(documents):
        try:
            texts.append(document.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise EquinfoError(
                f"document {number} is not valid UTF-8 at byte {error.start}: subword tokenizers take text"
                " only; choose bytes, gzip, ac or equalinfo for any bytes"
            ) from error
    return texts


class SubwordTokenizer(Tokenizer):
    """A tokenizer of UTF-8 text whose code i stands for the bytes `pieces[i]`, wherever it occurs."""

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

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return [self._decode(ids, number) for number, ids in enumerate(streams)]

    def _decode(self, ids: np.ndarray, number: int) -> bytes:
        pieces = self.pieces
        data = b"".join([pieces[i] for i in ids.tolist()])
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EquinfoError(
                f"stream {number} decodes to invalid UTF-8 at byte {error.start}: {self.name} never wrote it"
            ) from error
        return data
