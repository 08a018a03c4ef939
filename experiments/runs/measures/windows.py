"""A document's windows with the text that each was made of, whether or not it decodes."""

from itertools import pairwise

import numpy as np

from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer


def coder_of(tokenizer: Tokenizer) -> WindowCoder:
    """The coder of equal-info windows. Raises EquinfoError for a tokenizer that has none."""
    coder = getattr(tokenizer, "windows", None)
    if not isinstance(coder, WindowCoder):
        raise EquinfoError(
            f"{tokenizer.name} has no windows over a model: choose equal-info windows"
        )
    return coder


def cut(coder: WindowCoder, documents: list[bytes]) -> list[tuple[np.ndarray, list[bytes]]]:
    """(codes: int64[windows, limbs], each window's text) of each document."""
    return [
        (codes, [document[a:b] for a, b in pairwise(np.cumsum([0, *lengths]))])
        for document, (codes, lengths) in zip(
            documents, coder.encode_lengths(documents), strict=True
        )
    ]
