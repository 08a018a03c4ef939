"""What a call of a transformers tokenizer asks for."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from transformers.tokenization_utils_base import TruncationStrategy
from transformers.utils import PaddingStrategy

from equinfo.errors import EquinfoError


@dataclass(frozen=True)
class Request:
    """The options of one call, by the names that transformers gives them."""

    add_special_tokens: bool = True
    padding_strategy: PaddingStrategy = PaddingStrategy.DO_NOT_PAD
    truncation_strategy: TruncationStrategy = TruncationStrategy.DO_NOT_TRUNCATE
    max_length: int | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    return_tensors: Any = None
    return_token_type_ids: bool | None = None
    return_attention_mask: bool | None = None
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    verbose: bool = True
    split_special_tokens: bool | None = None
    sanitize_control_tokens: bool = False

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Raises EquinfoError for an option that is unknown or not supported."""
        unknown = set(options) - set(cls.__dataclass_fields__)
        if unknown:
            raise EquinfoError(
                f"unknown option {min(unknown)!r}: known are {', '.join(cls.__dataclass_fields__)}"
            )
        request = cls(**options)
        if request.return_overflowing_tokens or request.stride:
            raise EquinfoError(
                "overflowing tokens are not supported: encode without truncation and cut the ids"
            )
        if request.is_split_into_words:
            raise EquinfoError(
                "words are not supported, spaces are a part of the text: join them into one str"
            )
        if request.sanitize_control_tokens and request.return_offsets_mapping:
            raise EquinfoError("sanitize_control_tokens leaves no offsets: ask for one of the two")
        return request


def columns_of(text: Any, text_pair: Any) -> tuple[list[list[str]], bool]:
    """([firsts] or [firsts, seconds], whether it is a batch). Raises EquinfoError for all else."""
    batched = not isinstance(text, str)
    given = [text] if text_pair is None else [text, text_pair]
    columns = given if batched else [[one] for one in given]
    if isinstance(text, list | tuple) and text_pair is None and text and all(map(_is_pair, text)):
        columns = list(zip(*text, strict=True))
    for column in columns:
        listed = isinstance(column, list | tuple)
        if not listed or not {str}.issuperset(map(type, column)):
            wrong = [one for one in column if not isinstance(one, str)] if listed else [column]
            if wrong:  # subclasses of str may pass
                raise EquinfoError(
                    "text is a str, a list of str or of pairs of str, not"
                    f" {type(wrong[0]).__name__}: decode bytes, keep ids as ids"
                )
    if len(columns) == 2 and len(columns[0]) != len(columns[1]):
        raise EquinfoError(f"{len(columns[0])} texts cannot be paired with {len(columns[1])}")
    return [list(column) for column in columns], batched


def marked_ids(tokenizer: Any, texts: list[str]) -> list[np.ndarray]:
    """int64[n] of each text of which transformers has marked what must stay text.

    Raises EquinfoError where the installed transformers does not mark.
    """
    try:
        from transformers.utils.chat_template_utils import encode_marked_chat
    except ImportError as error:
        raise EquinfoError("sanitize_control_tokens needs a newer transformers") from error
    return [np.array(encode_marked_chat(tokenizer, text), dtype=np.int64) for text in texts]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def room(lengths: tuple[int, ...], most: int, strategy: TruncationStrategy) -> list[int]:
    """How many ids of each of one or two texts to keep so that they are at most `most` together."""
    over = sum(lengths) - most
    if over <= 0 or strategy is TruncationStrategy.DO_NOT_TRUNCATE:
        return list(lengths)
    if strategy is TruncationStrategy.LONGEST_FIRST:
        most = max(most, 0)
        if len(lengths) == 1:
            return [most]
        short = min(*lengths, most // 2)
        return [short, most - short] if lengths[0] <= lengths[1] else [most - short, short]
    cut = 0 if strategy is TruncationStrategy.ONLY_FIRST else 1
    if cut >= len(lengths) or lengths[cut] < over:
        raise EquinfoError(
            f"truncation={strategy.value!r} cannot remove {over} ids: choose 'longest_first'"
        )
    return [length - over * (n == cut) for n, length in enumerate(lengths)]


def length_of(sizes: np.ndarray, request: Request) -> int:
    """To what length rows of int64[rows] ids are to be padded; 0 for not at all."""
    if request.padding_strategy is PaddingStrategy.DO_NOT_PAD:
        return 0
    longest = request.padding_strategy is PaddingStrategy.LONGEST
    length = int(sizes.max()) if longest else request.max_length or 0
    multiple = request.pad_to_multiple_of or 1
    return -(-length // multiple) * multiple
