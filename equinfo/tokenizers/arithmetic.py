"""AC[v] and StaticAC[v]: documents through the arithmetic coder, its bits cut into N-bit ids
(§3.3).
"""

from collections.abc import Sequence

import numpy as np

from equinfo.compress import bits
from equinfo.compress.bits import Packer, Unpacker
from equinfo.compress.coder import streams
from equinfo.compress.models.base import ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.tokenizers.base import as_bytes, vocabulary_label
from equinfo.tokenizers.modelled import ModelledTokenizer


class ArithmeticTokenizer(ModelledTokenizer):
    """Ids of `width` (1 to 16) bits from an arithmetic coder driven by `model`.

    Each document is coded by itself, ends itself with EOD, and takes the fewest ids whose zero
    padding decodes (so no stream ends in id 0). Named AC[v] over a network and StaticAC[v] over one
    fixed row of frequencies.
    """

    kind = "ac"

    def __init__(self, model: ByteModel, width: int) -> None:
        super().__init__(model, width)
        self.name = (
            f"{'AC' if model.row is None else 'StaticAC'}[{vocabulary_label(self.code_size)}]"
        )

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return map_groups(self._encode_group, documents)

    def _encode_group(self, documents: list[bytes]) -> list[np.ndarray]:
        packed = [
            bits.pack(data, num_bits, self.width)
            for data, num_bits in streams.encode(self.model, documents)
        ]
        return [ids[: len(np.trim_zeros(ids, "b"))] for ids in packed]

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return map_groups(self._decode_group, ids)

    def _decode_group(self, ids: list[np.ndarray]) -> list[bytes]:
        return streams.decode(self.model, [bits.unpack(stream, self.width) for stream in ids])

    def encoder(self) -> "ArithmeticEncoder":
        return ArithmeticEncoder(self)

    def decoder(self) -> "ArithmeticDecoder":
        return ArithmeticDecoder(self)


class ArithmeticEncoder:
    """See incremental.py. Over a static row ids come at once, over other models a context at a
    time.

    Holds at most one context's bytes, and counts of the zero ids (a stream never ends in one) and
    of the bytes of 255 (a carry may pass through them) that came last.
    """

    def __init__(self, tokenizer: ArithmeticTokenizer) -> None:
        self.stream, self.packer = streams.StreamEncoder(tokenizer.model), Packer(tokenizer.width)
        self.dtype, self.zeros = tokenizer.dtype, 0

    def feed(self, data: bytes) -> np.ndarray:
        return self._out(self.packer.feed(self.stream.feed(as_bytes(data))))

    def finish(self) -> np.ndarray:
        return self._out(self.packer.finish(*self.stream.finish()))

    def _out(self, ids: np.ndarray) -> np.ndarray:
        """The zeros held back and `ids`, but for the zeros that they end in."""
        kept = ids[: len(np.trim_zeros(ids, "b"))]
        if not len(kept):
            self.zeros += len(ids)
            return kept.astype(self.dtype)
        held, self.zeros = self.zeros, len(ids) - len(kept)
        return np.concatenate([np.zeros(held, dtype=self.dtype), kept.astype(self.dtype)])


class ArithmeticDecoder:
    """See incremental.py. A byte comes out once the bits that decide it are in: a few ids later."""

    def __init__(self, tokenizer: ArithmeticTokenizer) -> None:
        self.tokenizer = tokenizer
        self.stream, self.unpacker = (
            streams.StreamDecoder(tokenizer.model),
            Unpacker(tokenizer.width),
        )

    def feed(self, ids: Sequence[int] | np.ndarray) -> bytes:
        return self.stream.feed(self.unpacker.feed(self.tokenizer.checked(ids)))

    def finish(self) -> bytes:
        return self.stream.feed(self.unpacker.finish()) + self.stream.finish()
