"""transformers' streamers for windows of several ids: text appears as soon as it is certain.

Its own keep the last id of a line as context (version 5) and drop the others, which leaves no whole
window. They do for tokenizers whose single ids have bytes of their own; these do for all.
"""

from itertools import takewhile
from typing import Any

import transformers


class _Whole:
    """Puts text out up to the last complete character; keeps ids until their units are complete."""

    tokenizer: Any
    token_cache: list[int]
    print_len: int

    def put(self: Any, value: Any) -> None:
        """value: the prompt's ids, then each new one, as `generate` gives them, of one sample."""
        if self.skip_prompt and self.next_tokens_are_prompt:
            self.next_tokens_are_prompt = False
            return
        (ids,) = value.reshape(-1, value.shape[-1]).tolist()
        self.token_cache += ids
        text = self.tokenizer.decode(self.token_cache, **self.decode_kwargs)
        sure = text.rstrip("\ufffd")
        if len(sure) > self.print_len:
            self.on_finalized_text(sure[self.print_len :])
            self.print_len = len(sure)
        if sure == text and self._complete():
            self.token_cache = []
            self.print_len = 0

    def _complete(self) -> bool:
        """Whether the ids end where a unit does."""
        native = self.tokenizer.native
        codes = takewhile(lambda code: code < native.code_size, reversed(self.token_cache))
        return len(list(codes)) % (native.unit or 1) == 0


class TextStreamer(_Whole, transformers.TextStreamer):
    """As transformers' own: prints."""


class TextIteratorStreamer(_Whole, transformers.TextIteratorStreamer):
    """As transformers' own: an iterator, for another thread."""
