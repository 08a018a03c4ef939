"""A tokenizer of one's own: the 256 bytes, and the pairs of bytes that a text has most often."""

import re
from collections import Counter

import numpy as np

from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import KINDS


class PairTokenizer(Tokenizer):
    kind = name = "pairs"
    unit = 1  # every single id stands for bytes of its own

    def __init__(self, pairs: list[bytes]) -> None:
        self.pieces = [bytes([byte]) for byte in range(256)] + pairs
        self.codes = {piece: code for code, piece in enumerate(self.pieces)}
        self.code_size = len(self.codes)
        self.cut = re.compile(b"|".join([*map(re.escape, pairs), b"."]), re.DOTALL)

    @classmethod
    def train(cls, documents: list[bytes], size: int) -> "PairTokenizer":
        pairs = Counter(p for one in documents for p in re.findall(b"(?s)(?=(..))", one))
        return cls([pair for pair, _ in pairs.most_common(size)])

    def _encode_batch(self, documents):
        return [np.array([*map(self.codes.get, self.cut.findall(d))], np.int64) for d in documents]

    def _decode_batch(self, streams):
        return [b"".join(self.pieces[code] for code in codes) for codes in streams]

    def _parts(self):  # all that is stored: JSON values, tensors
        return {}, {"pairs": np.frombuffer(b"".join(self.pieces[256:]), dtype=np.uint8)}

    @classmethod
    def _from_parts(cls, config, tensors):
        return cls(re.findall(b"..", tensors["pairs"].tobytes(), re.DOTALL))


KINDS["pairs"] = f"{__name__}:PairTokenizer"  # equinfo.load reads its folders from here on
