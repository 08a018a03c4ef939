"""GZip[v], Zstd[v], XZ[v]: documents through a general compressor, its bits cut into N-bit ids.

A document is cut into blocks of `block` bytes, and each is a stream of its own, padded with zero
bits to whole ids. The last block is the one that is shorter than `block`, maybe empty: a document
ends itself, and a shorter one is a single stream. So both directions take memory for one block,
whatever the document.

A compressor's output differs between libraries and their versions. `probe` is the hash of what this
one makes of a fixed text, part of the fingerprint: a stored tokenizer whose probe differs decodes
but refuses to encode.
"""

import hashlib
import lzma
import zlib
from abc import abstractmethod
from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import Any, ClassVar, Self

import numpy as np

from equinfo.compress import bits as bitstream
from equinfo.compress.bits import Unpacker
from equinfo.errors import EquinfoError
from equinfo.stored import digest, number
from equinfo.tokenizers.base import Tokenizer, vocabulary_label
from equinfo.tokenizers.incremental import IncrementalDecoder, IncrementalEncoder
from equinfo.tokenizers.modelled import WIDTHS, check_width
from equinfo.zstd import ZstdFrame

BLOCK = 10_240
WHOLE = 1 << 30  # the block of artefacts that name none: practically every document is one stream
SLICE = 4096  # ids given to a decompressor at once
Compress = Callable[[bytes], bytes]


class OpaqueTokenizer(Tokenizer):
    """Ids of `bits` (1 to 16) bits from a general compressor. Takes any bytes of any length.

    level: the compressor's own. block: bytes a stream.
    """

    label: ClassVar[str]
    package: ClassVar[str]  # that decides the ids
    default_level: ClassVar[int]
    levels: ClassVar[range]
    switches: ClassVar[tuple[str, ...]] = ()  # options that only this compressor has, off
    in_groups = True

    def __init__(
        self,
        bits: int = 8,
        probe: str | None = None,
        block: int = BLOCK,
        level: int | None = None,
        **format: Any,
    ) -> None:
        self.bits = check_width(bits)
        self.block = block
        self.level = self.default_level if level is None else level
        if self.level not in self.levels:
            raise EquinfoError(
                f"{self.label} of level {self.level}: choose {self.levels.start} to"
                f" {self.levels.stop - 1}"
            )
        if not 1 <= block <= WHOLE:
            raise EquinfoError(f"{self.label} in blocks of {block} bytes: choose 1 to {WHOLE}")
        if not format.keys() <= set(self.switches):
            raise EquinfoError(f"{self.label} knows no option {', '.join(format)}")
        self.format = {name: True for name, on in format.items() if on}
        self.probe = probe or self.own_probe
        self.code_size = 1 << bits
        labels = [vocabulary_label(self.code_size), *self.format]
        labels += [f"level={self.level}"] * (self.level != self.default_level)
        labels += [f"block={self.block}"] * (block != BLOCK)
        self.name = f"{self.label}[{','.join(labels)}]"

    @abstractmethod
    def _compressor(self) -> Compress:
        """From a block to its stream; for one thread."""

    @abstractmethod
    def _decompressor(self) -> Any:
        """Of one stream, as zlib's and lzma's: `decompress(data, max_length)`, eof, unused_data."""

    @cached_property
    def own_probe(self) -> str:
        """SHA-256 (hex) of what this process's compressor makes of `probe_text()`."""
        return hashlib.sha256(self._compressor()(probe_text())).hexdigest()

    def check_probe(self) -> None:
        if self.probe != self.own_probe:
            raise EquinfoError(
                f"this {self.name} was made with another {self.package}, whose ids would differ"
                f" from those here (it still decodes): install the {self.package} that made it, or"
                " make it anew"
            )

    def _encode_batch(self, documents: list[bytes]) -> list[np.ndarray]:
        self.check_probe()
        compress = self._compressor()
        return [self._blocks(compress, document, last=True)[0] for document in documents]

    def _blocks(self, compress: Compress, data: bytes, last: bool) -> tuple[np.ndarray, int]:
        """(ids, bytes used) of the blocks that are full, and of the one that ends a document."""
        ids = [np.empty(0, dtype=self.dtype)]
        for at in range(0, len(data) + 1 - (0 if last else self.block), self.block):
            stream = compress(data[at : at + self.block])
            ids.append(bitstream.pack(stream, 8 * len(stream), self.bits).astype(self.dtype))
        return np.concatenate(ids), len(data) if last else len(data) - len(data) % self.block

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        return [_Blocks(self).decode_part(ids, last=True)[0] for ids in streams]

    def encoder(self) -> IncrementalEncoder:
        """Ids a block; holds less than a block."""
        self.check_probe()
        return IncrementalEncoder(partial(self._blocks, self._compressor()), self.dtype)

    def decoder(self) -> IncrementalDecoder:
        """A block's bytes come once its stream has ended, and with it its checksum."""
        return IncrementalDecoder(_Blocks(self).decode_part, self.checked)

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config = {"bits": self.bits, "probe": self.probe, **self.format}
        if self.block != WHOLE:
            config["block"] = self.block
        if self.level != self.default_level:
            config["level"] = self.level
        return config, {}

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        config = {"block": WHOLE, "level": cls.default_level, **config}
        for name in config.keys() - {"bits", "block", "level", "probe"}:
            if config[name] is not True:
                raise EquinfoError(f"its {name!r} is not true")
        number(config, "bits", WIDTHS[0], WIDTHS[-1])
        number(config, "block", 1, WHOLE)
        number(config, "level", cls.levels[0], cls.levels[-1])
        digest(config, "probe")
        return cls(**config)


class _Blocks:
    """The blocks of one document's ids; holds less than a block."""

    def __init__(self, tokenizer: OpaqueTokenizer) -> None:
        self.tokenizer = tokenizer
        self.ended = False
        self.ids = 0
        self._next_block()

    def _next_block(self) -> None:
        self.stream = self.tokenizer._decompressor()
        self.unpacker = Unpacker(self.tokenizer.bits)
        self.out = bytearray()
        self.fed = 0  # bytes of the stream

    def decode_part(self, ids: np.ndarray, last: bool) -> tuple[bytes, int]:
        done = []
        at = 0
        while at < len(ids):
            if self.ended:
                raise self._refused("goes on after its end: it was altered, or two were joined")
            used = self._push(ids[at : at + SLICE])
            at += used
            self.ids += used
            if self.stream.eof:
                done.append(bytes(self.out))
                self.ended = len(self.out) < self.tokenizer.block
                self._next_block()
        if last and not self.ended:
            raise self._refused("was cut short")
        return b"".join(done), len(ids)

    def _push(self, codes: np.ndarray) -> int:
        """Give codes to the block's stream; how many belong to it."""
        before = self.unpacker.count
        width = self.tokenizer.bits
        data = self.unpacker.feed(codes).tobytes()
        try:  # at the limit a byte more is asked for, so that what is left of the input is read
            self.out += self.stream.decompress(data, self.tokenizer.block + 1 - len(self.out))
        except Exception as error:  # zlib's, zstd's and lzma's own
            raise self._refused(f"is none: {error}") from error
        self.fed += len(data)
        if len(self.out) > self.tokenizer.block:
            raise self._refused(f"decodes to more than {self.tokenizer.block} bytes a block")
        if not self.stream.eof:
            return len(codes)
        num_bits = 8 * (self.fed - len(self.stream.unused_data))
        used = -(-num_bits // width) - before
        if int(codes[used - 1]) & ((1 << -num_bits % width) - 1):
            raise self._refused("goes on after its end: its padding is not zero")
        return used

    def _refused(self, reason: str) -> EquinfoError:
        return EquinfoError(f"a {self.tokenizer.name} stream, after {self.ids} ids, {reason}")


class GZipTokenizer(OpaqueTokenizer):
    """Deflate by libdeflate, levels 1 to 12. raw: no header, no checksum (the paper's Table 10)."""

    kind = "gzip"
    label = "GZip"
    package = "Deflate"
    default_level = 6
    levels = range(1, 13)
    switches = ("raw",)

    def _compressor(self) -> Compress:
        import deflate

        compress = deflate.deflate_compress if self.format else deflate.zlib_compress
        return lambda data: bytes(compress(data, self.level))

    def _decompressor(self) -> Any:
        return zlib.decompressobj(-15 if self.format else 15)


class ZstdTokenizer(OpaqueTokenizer):
    """Zstandard, levels 1 to 19: one frame a block, its length in the header, no checksum."""

    kind = "zstd"
    label = "Zstd"
    package = "zstandard"
    default_level = 3
    levels = range(1, 20)

    def _compressor(self) -> Compress:
        import zstandard

        return zstandard.ZstdCompressor(level=self.level).compress

    def _decompressor(self) -> Any:
        return ZstdFrame(1 << max(17, self.block.bit_length()))


class XZTokenizer(OpaqueTokenizer):
    """LZMA2 in the .xz format with its CRC-32, presets 0 to 9; the dictionary holds one block."""

    kind = "xz"
    label = "XZ"
    package = "liblzma"
    default_level = 6
    levels = range(10)

    def _dictionary(self) -> int:
        return 1 << min(max(14, (self.block - 1).bit_length()), 26)

    def _compressor(self) -> Compress:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": self.level, "dict_size": self._dictionary()}]
        return lambda data: lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)

    def _decompressor(self) -> Any:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * self._dictionary() + (1 << 20))


@cache
def probe_text() -> bytes:
    """A fixed text: words, noise and a run."""
    noise = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(1024))
    words = [hashlib.sha256(b"w%d" % n).hexdigest()[: 2 + n % 7].encode() for n in range(256)]
    text = b" ".join(words[min(pair)] for pair in zip(noise[::2], noise[1::2], strict=True))
    return text + noise + bytes(4096)
