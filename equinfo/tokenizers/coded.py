"""Range[v], ANS[v], Huffman[v]: documents through other entropy coders over the same byte models as
AC[v].
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from equinfo.compress.bits import NO_IDS, Packer, Unpacker
from equinfo.compress.coder import rivals
from equinfo.compress.models.base import EOD, ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import as_bytes, vocabulary_label
from equinfo.tokenizers.modelled import ModelledTokenizer


class CodedTokenizer(ModelledTokenizer):
    """Ids of `width` (1 to 16) bits from a rival coder driven by `model`.

    A document ends itself with EOD. It is cut into messages of rival_coders.BLOCK symbols, each a
    number of words and the words; the last id is padded with zero bits. So both directions take
    memory for one message.
    """

    coder: ClassVar[rivals.RivalCoder]

    def __init__(self, model: ByteModel, width: int) -> None:
        super().__init__(model, width)
        label = self.coder.name if model.row is None else f"Static{self.coder.name}"
        self.name = f"{label}[{vocabulary_label(self.code_size)}]"

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return map_groups(lambda group: [self._encode(document) for document in group], documents)

    def _encode(self, document: bytes) -> np.ndarray:
        encoder = CodedEncoder(self)
        return np.concatenate([encoder.feed(document), encoder.finish()])

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return map_groups(lambda group: [self._decode(stream) for stream in group], ids)

    def _decode(self, ids: np.ndarray) -> bytes:
        decoder = CodedDecoder(self)
        return decoder.feed(ids) + decoder.finish()

    def encoder(self) -> "CodedEncoder":
        return CodedEncoder(self)

    def decoder(self) -> "CodedDecoder":
        return CodedDecoder(self)


class CodedEncoder:
    """Ids a message; see incremental.py. Holds less than a message."""

    def __init__(self, tokenizer: CodedTokenizer) -> None:
        self.tokenizer, self.rows = tokenizer, rivals.Rows(tokenizer.model)
        self.held, self.packer = bytearray(), Packer(tokenizer.width)

    def feed(self, data: bytes) -> np.ndarray:
        self.held += as_bytes(data)
        whole = len(self.held) - len(self.held) % rivals.BLOCK
        symbols = np.frombuffer(bytes(self.held[:whole]), dtype=np.uint8)
        del self.held[:whole]
        ids = [
            self.packer.feed(
                np.frombuffer(self._message(symbols[at : at + rivals.BLOCK]), dtype=np.uint8)
            )
            for at in range(0, whole, rivals.BLOCK)
        ]
        return np.concatenate([NO_IDS, *ids]).astype(self.tokenizer.dtype)

    def _message(self, symbols: np.ndarray) -> bytes:
        return rivals.encode_message(self.tokenizer.coder, self.rows, symbols)

    def finish(self) -> np.ndarray:
        data = self._message(np.array([*self.held, EOD], dtype=np.int32))
        ids = self.packer.finish(np.frombuffer(data, dtype=np.uint8), 8 * len(data))
        return ids.astype(self.tokenizer.dtype)


class CodedDecoder:
    """A message's bytes once all of it is in. Holds one message's words."""

    def __init__(self, tokenizer: CodedTokenizer) -> None:
        self.tokenizer, self.rows = tokenizer, rivals.Rows(tokenizer.model)
        self.held, self.unpacker = bytearray(), Unpacker(tokenizer.width)
        self.ended, self.taken = False, 0  # bytes of the messages decoded

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        self.held += self.unpacker.feed(self.tokenizer.checked(ids)).tobytes()
        out = list(iter(self._message, None))
        if self.ended:
            self._check_padding()
        return b"".join(out)

    def _message(self) -> bytes | None:
        """The text of the next message, where all of it is held."""
        if self.ended or len(self.held) < 2:
            return None
        words = int.from_bytes(self.held[:2], "big")
        if words > rivals.MAX_WORDS:
            raise self._refused(f"has a message of {words} words")
        size = 2 + 4 * words
        if len(self.held) < size:
            return None
        symbols = rivals.decode_message(
            self.tokenizer.coder, self.rows, rivals.words_of(bytes(self.held[2:size]))
        )
        del self.held[:size]
        self.taken += size
        self.ended = symbols[-1] == EOD
        return symbols[: len(symbols) - self.ended].astype(np.uint8).tobytes()

    def _check_padding(self) -> None:
        """After the end there may be the zero bits that fill the last id."""
        most = -(-8 * self.taken // self.tokenizer.width)
        if any(self.held) or self.unpacker.finish().any() or self.unpacker.count > most:
            raise self._refused("goes on after its end: it was altered, or two were joined")

    def finish(self) -> bytes:
        if not self.ended:
            raise self._refused("was cut short")
        return b""

    def _refused(self, reason: str) -> EquinfoError:
        return EquinfoError(f"a {self.tokenizer.name} stream {reason}")


class RangeTokenizer(CodedTokenizer):
    kind = "range"
    coder = rivals.RangeCoder()


class ANSTokenizer(CodedTokenizer):
    kind = "ans"
    coder = rivals.ANSCoder()


class HuffmanTokenizer(CodedTokenizer):
    kind = "huffman"
    coder = rivals.HuffmanCoder()
