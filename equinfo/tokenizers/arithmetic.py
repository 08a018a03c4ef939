"""AC[v] and StaticAC[v]: documents through the arithmetic coder, its bits cut into N-bit ids (§3.3)."""

import numpy as np

from equinfo.compress import bits, streams
from equinfo.compress.models import ByteModel
from equinfo.compress.parallel import map_groups
from equinfo.tokenizers.base import vocabulary_label
from equinfo.tokenizers.modelled import ModelledTokenizer


class ArithmeticTokenizer(ModelledTokenizer):
    """Ids of `width` = 8, 12 or 16 bits from an arithmetic coder driven by `model`.

    Each document is coded by itself, ends itself with EOD, and takes the fewest ids whose zero padding decodes (so no
    stream ends in id 0). Named AC[v] over a network and StaticAC[v] over one fixed row of frequencies.
    """

    kind = "ac"

    def __init__(self, model: ByteModel, width: int) -> None:
        super().__init__(model, width)
        self.name = f"{'AC' if model.row is None else 'StaticAC'}[{vocabulary_label(self.code_size)}]"

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        return map_groups(self._encode_group, documents)

    def _encode_group(self, documents: list[bytes]) -> list[np.ndarray]:
        packed = [bits.pack(data, num_bits, self.width) for data, num_bits in streams.encode(self.model, documents)]
        return [ids[: len(np.trim_zeros(ids, "b"))] for ids in packed]

    def _decode_batch(self, ids: list[np.ndarray]) -> list[bytes]:
        return map_groups(self._decode_group, ids)

    def _decode_group(self, ids: list[np.ndarray]) -> list[bytes]:
        return streams.decode(self.model, [bits.unpack(stream, self.width) for stream in ids])
