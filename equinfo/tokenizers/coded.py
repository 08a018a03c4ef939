"""Range[v], ANS[v], Huffman[v]: documents through other coders over the same models as AC[v]."""

from typing import ClassVar

import numpy as np

from equinfo.compress.bits import Packer, Unpacker
from equinfo.compress.coder import rivals
from equinfo.compress.models.base import EOD, ByteModel
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.incremental import NO_IDS, IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.modelled import ModelledTokenizer


class CodedTokenizer(ModelledTokenizer):
    """Range, ANS and Huffman: ids of `width` (1 to 16) bits from a rival coder driven by `model`.

    A document ends itself with EOD. It is cut into messages of rivals.BLOCK symbols, each a
    number of words and the words; the last id is padded with zero bits. So both directions take
    memory for one message.
    """

    coder: ClassVar[rivals.RivalCoder]

    def __init__(self, model: ByteModel, width: int) -> None:
        super().__init__(model, width)
        label = self.coder.name if model.row is None else f"Static{self.coder.name}"
        self.name = f"{label}[{vocabulary_label(self.code_size)}]"

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return [self.encoder().feed(document, last=True) for document in documents]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return [_Messages(self).decode_part(ids, last=True)[0] for ids in streams]

    def encoder(self) -> IncrementalEncoder:
        rows = rivals.Rows(self.model)
        packer = Packer(self.width)

        def message(symbols: np.ndarray | list[int]) -> np.ndarray:
            coded = rivals.encode_message(self.coder, rows, np.asarray(symbols))
            return np.frombuffer(coded, dtype=np.uint8)

        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            symbols = np.frombuffer(data, dtype=np.uint8)
            whole = len(data) - len(data) % rivals.BLOCK
            ids = [
                packer.feed(message(symbols[at : at + rivals.BLOCK]))
                for at in range(0, whole, rivals.BLOCK)
            ]
            if last:
                ending = message([*data[whole:], EOD])
                ids.append(packer.finish(ending, 8 * len(ending)))
            return np.concatenate([NO_IDS, *ids]), len(data) if last else whole

        return IncrementalEncoder(part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        return IncrementalDecoder(_Messages(self).decode_part, self.checked)


class _Messages:
    """The messages of one stream, each decoded once all of it is in; holds one message's words."""

    def __init__(self, tokenizer: CodedTokenizer) -> None:
        self.tokenizer = tokenizer
        self.rows = rivals.Rows(tokenizer.model)
        self.unpacker = Unpacker(tokenizer.width)
        self.held = bytearray()
        self.taken = 0  # bytes of the messages decoded
        self.ended = False

    def decode_part(self, ids: np.ndarray, last: bool) -> tuple[bytes, int]:
        self.held += self.unpacker.feed(ids).tobytes()
        out = list(iter(self._message, None))
        if self.ended:
            # After the end there may be the zero bits that fill the last id.
            most = -(-8 * self.taken // self.tokenizer.width)
            if any(self.held) or self.unpacker.finish().any() or self.unpacker.count > most:
                raise self._refused("goes on after its end: it was altered, or two were joined")
        elif last:
            raise self._refused("was cut short")
        return b"".join(out), len(ids)

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
        coded = rivals.words_of(bytes(self.held[2:size]))
        symbols = rivals.decode_message(self.tokenizer.coder, self.rows, coded)
        del self.held[:size]
        self.taken += size
        self.ended = symbols[-1] == EOD
        return symbols[: len(symbols) - self.ended].astype(np.uint8).tobytes()

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
