"""GZip[v]: documents through Deflate, the zlib stream's bits cut into N-bit ids."""

import hashlib
import zlib
from functools import cache
from typing import Any, Self

import deflate
import numpy as np

from equinfo.compress import bits as bitstream
from equinfo.compress.parallel import map_groups
from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer, vocabulary_label
from equinfo.tokenizers.modelled import check_width

LEVEL = 6
MAX_DOCUMENT = 1 << 30  # bytes; bounds what a hostile stream can make `decode` hold


class GZipTokenizer(Tokenizer):
    """Ids of `bits` = 8, 12 or 16 bits, cut from one zlib stream (header and checksum kept) a document.

    The last id is padded with zero bits. Takes any bytes, up to 1 GiB a document. Deflate's output differs
    between libraries and their versions: `probe` is the hash of what this one makes of a fixed text, part of
    the fingerprint, and a stored tokenizer whose probe differs decodes but refuses to encode.
    """

    kind = "gzip"

    def __init__(self, bits: int = 8, probe: str | None = None) -> None:
        self.bits = check_width(bits)
        self.probe = probe or probe_hash()
        self.code_size = 1 << bits
        self.name = f"GZip[{vocabulary_label(self.code_size)}]"

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        if self.probe != probe_hash():
            raise EquinfoError(
                f"this {self.name} was made with another Deflate, whose ids would differ from those here (it"
                " still decodes): install the `deflate` package that made it, or make it anew"
            )
        for number, document in enumerate(documents):
            if len(document) > MAX_DOCUMENT:
                raise EquinfoError(
                    f"document {number} has {len(document)} bytes: cut it, {self.name} takes {MAX_DOCUMENT}"
                )
        return map_groups(self._encode_group, documents)

    def _encode_group(self, documents: list[bytes]) -> list[np.ndarray]:
        streams = [bytes(deflate.zlib_compress(document, LEVEL)) for document in documents]
        return [bitstream.pack(stream, 8 * len(stream), self.bits) for stream in streams]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return map_groups(lambda group: [self._decode(ids) for ids in group], streams)

    def _decode(self, ids: np.ndarray) -> bytes:
        data, num_bits = bitstream.unpack(ids, self.bits)
        inflater = zlib.decompressobj()
        try:
            document = inflater.decompress(data.tobytes(), MAX_DOCUMENT)
            # At the limit, all that may be left is the checksum: ask for one byte more.
            over = not inflater.eof and bool(inflater.decompress(inflater.unconsumed_tail, 1))
        except zlib.error as error:
            raise self._refused(ids, f"is none: {error}") from error
        if over:
            raise self._refused(ids, f"decodes to more than {MAX_DOCUMENT} bytes")
        if not inflater.eof:
            raise self._refused(ids, "was cut short")
        used = 8 * (len(data) - len(inflater.unused_data))
        if num_bits - used >= self.bits or any(inflater.unused_data):
            raise self._refused(ids, "goes on after its end: it was altered, or two were joined")
        return document

    def _refused(self, ids: np.ndarray, reason: str) -> EquinfoError:
        return EquinfoError(f"a {self.name} stream of {len(ids)} ids {reason}")

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"bits": self.bits, "probe": self.probe}, {}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        return cls(**config)


@cache
def probe_hash() -> str:
    """SHA-256 (hex) of what this process's Deflate makes of a fixed text: words, noise and a run."""
    noise = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(1024))
    words = [hashlib.sha256(b"w%d" % n).hexdigest()[: 2 + n % 7].encode() for n in range(256)]
    text = b" ".join(words[min(pair)] for pair in zip(noise[::2], noise[1::2], strict=True))
    return hashlib.sha256(deflate.zlib_compress(text + noise + bytes(4096), LEVEL)).hexdigest()
