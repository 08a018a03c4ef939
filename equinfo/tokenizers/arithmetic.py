"""AC[v] and StaticAC[v]: documents through the arithmetic coder, its bits cut into ids (§3.3)."""

import numpy as np

from equinfo.compress import bits
from equinfo.compress.coder import streams
from equinfo.compress.models.base import ByteModel
from equinfo.compress.pieces import Packer, Unpacker
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder
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
        label = "AC" if model.row is None else "StaticAC"
        self.name = f"{label}[{vocabulary_label(self.code_size)}]"

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        coded = streams.encode(self.model, documents)
        packed = [bits.pack(data, num_bits, self.width) for data, num_bits in coded]
        return [ids[: len(np.trim_zeros(ids, "b"))] for ids in packed]

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return streams.decode(self.model, [bits.unpack(stream, self.width) for stream in ids])

    def encoder(self) -> IncrementalEncoder:
        """Over a static row ids come at once, over other models a context at a time.

        Holds at most one context's bytes, and counts of the zero ids (a stream never ends in one)
        and of the bytes of 255 (a carry may pass through them) that came last.
        """
        stream = streams.StreamEncoder(self.model)
        packer = Packer(self.width)
        zeros = 0

        def part(data: bytes, last: bool) -> tuple[np.ndarray, int]:
            nonlocal zeros
            ids = packer.feed(stream.feed(data))
            if last:
                ids = np.concatenate([ids, packer.finish(*stream.finish())])
            kept = ids[: len(np.trim_zeros(ids, "b"))]
            held = zeros if len(kept) else 0
            zeros += len(ids) - len(kept) - held
            return np.concatenate([np.zeros(held, dtype=np.int64), kept]), len(data)

        return IncrementalEncoder(part, self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """A byte comes out once the bits that decide it are in: a few ids later."""
        stream = streams.StreamDecoder(self.model)
        unpacker = Unpacker(self.width)

        def part(ids: np.ndarray, last: bool) -> tuple[bytes, int]:
            data = stream.feed(unpacker.feed(ids))
            if last:
                data += stream.feed(unpacker.finish()) + stream.finish()
            return data, len(ids)

        return IncrementalDecoder(part, self.checked)
