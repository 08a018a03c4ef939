"""Token strings: one a code, all distinct, none that could be a special token."""

import re
from functools import cached_property

from equinfo.hf.units import code_bytes
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.bpe import byte_of_letter
from equinfo.tokenizers.modelled import ModelledTokenizer

RESERVED = re.compile(r"<(0x[0-9a-f]+|\|.*\|)>", re.DOTALL)


class Names:
    """The string of each code, and the code of each string.

    A code's bytes in GPT-2's letters, where ids have bytes of their own; "<0x01f4>" for code 500
    where they have not, a byte model would have to run to know them, another code has the same, or
    the letters look like a reserved string.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @cached_property
    def strings(self) -> list[str]:
        tokenizer = self.tokenizer
        numbers = [f"<{code:#06x}>" for code in range(tokenizer.code_size)]
        if tokenizer.unit != 1 or isinstance(tokenizer, ModelledTokenizer):
            return numbers
        letters = {byte: letter for letter, byte in byte_of_letter().items()}
        pieces = code_bytes(tokenizer)
        spelled = [(data or b"").decode("latin-1").translate(letters) for data in pieces]
        first = dict(zip(reversed(spelled), range(len(spelled) - 1, -1, -1), strict=True))
        return [
            text if text and first[text] == code and not RESERVED.fullmatch(text) else numbers[code]
            for code, text in enumerate(spelled)
        ]

    @cached_property
    def codes(self) -> dict[str, int]:
        return {string: code for code, string in enumerate(self.strings)}
