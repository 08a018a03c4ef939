"""Token files: what `equinfo encode` writes: a stream that describes itself, whole or refused.

Layout (format 2), little-endian:
    8 bytes magic, its last byte the format's version
    u32 length of a JSON header, the header {tokenizer, name, dtype}
    frames: u32 count >= 1, as many ids (codes only, in the narrowest of uint8, uint16, uint32), u32
    CRC-32 of these ids
    u32 0, u64 ids in the file, u64 bytes they stand for, SHA-256 of all that comes before
Nothing needs to be known before the end, so a pipe can carry it. A frame's ids are used only after
its CRC, so that what is decoded before a file turns out to be cut short is right as far as it goes.
"""

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from equinfo.artifacts import Identity
from equinfo.errors import EquinfoError, naming
from equinfo.tokenizers.base import Tokenizer

VERSION = 2
MAGIC = b"equinfo" + bytes([VERSION])
DIGEST = 32
FRAME = 1 << 16  # ids; bounds what a reader must hold
LONGEST_HEADER = 1 << 16
DTYPES = {"uint8": "<u1", "uint16": "<u2", "uint32": "<u4"}
FIELDS = {"tokenizer", "name", "dtype"}


@dataclass(frozen=True)
class Counts:
    """What a token file holds."""

    num_ids: int
    num_bytes: int


def code_dtype(code_size: int) -> np.dtype:
    """The narrowest unsigned type that holds codes 0 .. code_size-1."""
    return np.dtype("<u1" if code_size <= 1 << 8 else "<u2" if code_size <= 1 << 16 else "<u4")


def write(tokenizer: Tokenizer, pieces: Iterable[bytes], file: BinaryIO) -> Counts:
    """Encode one document, given in pieces, into `file`, as the tokenizer lets go of its ids.

    Raises EquinfoError for a tokenizer that is not lossless: what it was given would be lost.
    """
    if not tokenizer.lossless:
        raise EquinfoError(
            f"{tokenizer.name} is not lossless, its token file might decode to another text:"
            " choose another tokenizer"
        )
    out = _Hashed(file)
    dtype = code_dtype(tokenizer.code_size)
    head = {"tokenizer": tokenizer.fingerprint, "name": tokenizer.name, "dtype": dtype.name}
    header = json.dumps(head).encode()
    out.write(MAGIC + struct.pack("<I", len(header)) + header)
    encoder = tokenizer.encoder()
    held: list[np.ndarray] = []
    size = num_ids = num_bytes = 0
    for piece in chain(pieces, [None]):  # None: the document has ended
        held.append(encoder.finish() if piece is None else encoder.feed(piece))
        size += len(held[-1])
        num_bytes += len(piece or b"")
        if size < FRAME and piece is not None:
            continue
        ids = np.concatenate(held).astype(dtype)
        whole = size if piece is None else size - size % FRAME
        for at in range(0, whole, FRAME):
            frame = ids[at : min(at + FRAME, whole)]
            data = frame.tobytes()
            out.write(struct.pack("<I", len(frame)) + data + struct.pack("<I", zlib.crc32(data)))
        held = [ids[whole:]]
        size -= whole
        num_ids += whole
    out.write(struct.pack("<IQQ", 0, num_ids, num_bytes))
    file.write(out.hash.digest())
    return Counts(num_ids, num_bytes)


def read(tokenizer: Tokenizer, file: BinaryIO, what: str = "the token file") -> Iterator[bytes]:
    """The document in `file`, in pieces, each checked before it is yielded, all after the last.

    Raises EquinfoError, maybe after some pieces, where it is no token file, cut short, altered, of
    another format version or of another tokenizer. What was yielded until then is how the document
    begins.
    """
    source = _Hashed(file, what)
    written_by, dtype = _header(source)
    written_by.check(tokenizer.identity, what)
    decoder = tokenizer.decoder()
    num_bytes = 0
    for ids in _frames(source, dtype):
        with naming(what):
            piece = decoder.feed(ids)
        num_bytes += len(piece)
        yield piece
    with naming(what):
        piece = decoder.finish()
    num_bytes += len(piece)
    if num_bytes != source.counts.num_bytes:
        promised = source.counts.num_bytes
        raise EquinfoError(f"{what} decodes to {num_bytes} bytes and promises {promised}")
    yield piece


def check(file: BinaryIO, what: str = "the token file") -> Counts:
    """Read all of it without its tokenizer. Raises EquinfoError as `read` does, but for what only
    decoding shows."""
    source = _Hashed(file, what)
    _, dtype = _header(source)
    for _ in _frames(source, dtype):
        pass
    return source.counts


def describe(file: BinaryIO, what: str = "the token file") -> tuple[Identity, Counts]:
    """What wrote a file on disk and what it says to hold; of its ids nothing is read."""
    source = _Hashed(file, what)
    written_by, dtype = _header(source)
    begin = file.tell()
    left = file.seek(0, io.SEEK_END) - begin
    file.seek(-min(left, 16 + DIGEST), io.SEEK_END)
    counts = Counts(*struct.unpack("<QQ", source.exactly(16)))
    if counts.num_ids * dtype.itemsize > left:
        raise source.damaged("it ends too early")
    return written_by, counts


def to_bytes(tokenizer: Tokenizer, data: bytes) -> bytes:
    """A token file's content for one document."""
    file = io.BytesIO()
    write(tokenizer, [data], file)
    return file.getvalue()


def from_bytes(tokenizer: Tokenizer, content: bytes, what: str = "the token file") -> bytes:
    """The document that `content` holds. Raises EquinfoError as `read` does."""
    return b"".join(read(tokenizer, io.BytesIO(content), what))


class _Hashed:
    """A binary file, named in errors, with the SHA-256 of all that went through it."""

    def __init__(self, file: BinaryIO, what: str = "") -> None:
        self.file = file
        self.what = what
        self.hash = hashlib.sha256()
        self.counts = Counts(0, 0)  # once all has been read

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.hash.update(data)

    def up_to(self, size: int) -> bytes:
        """`size` bytes, or all that are left; also from a pipe, which may give fewer at a time."""
        data = b""
        while len(data) < size and (part := self.file.read(size - len(data))):
            data += part
        self.hash.update(data)
        return data

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises EquinfoError where there are fewer."""
        data = self.up_to(size)
        if len(data) < size:
            raise self.damaged("it ends too early")
        return data

    def number(self) -> int:
        return struct.unpack("<I", self.exactly(4))[0]

    def damaged(self, how: str) -> EquinfoError:
        return EquinfoError(f"{self.what} was cut short or altered: {how}; encode it again")


def _header(source: _Hashed) -> tuple[Identity, np.dtype]:
    """What wrote the ids, and their type."""
    what = source.what
    magic = source.up_to(len(MAGIC))
    if magic[:-1] != MAGIC[:-1] or len(magic) < len(MAGIC):
        raise EquinfoError(f"{what} is not a token file (equinfo encode writes them)")
    if magic != MAGIC:
        raise EquinfoError(
            f"{what} has format version {magic[-1]} and this equinfo reads version {VERSION}:"
            " encode it again, or decode it with the equinfo that wrote it"
        )
    length = source.number()
    if length > LONGEST_HEADER:
        raise source.damaged(f"its header has {length} bytes")
    written = source.exactly(length)
    try:
        header: Any = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise EquinfoError(
            f"{what} has a header that equinfo did not write ({error}): encode it again"
        ) from error
    complete = isinstance(header, dict) and header.keys() >= FIELDS
    if not complete or str(header["dtype"]) not in DTYPES:
        raise EquinfoError(f"{what} has a header that equinfo did not write: encode it again")
    with naming(what):
        written_by = Identity.read({**header, "fingerprint": header["tokenizer"]})
    return written_by, np.dtype(DTYPES[header["dtype"]])


def _frames(source: _Hashed, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The ids, each frame once its checksum is right; after the last the file is, and counted."""
    num_ids = 0
    while count := source.number():
        if count > FRAME:
            raise source.damaged(f"a frame of {count} ids")
        data = source.exactly(count * dtype.itemsize)
        if source.number() != zlib.crc32(data):
            raise source.damaged("a frame's checksum does not match")
        num_ids += count
        yield np.frombuffer(data, dtype=dtype)
    counts = Counts(*struct.unpack("<QQ", source.exactly(16)))
    digest = source.hash.digest()
    if source.exactly(DIGEST) != digest or counts.num_ids != num_ids:
        raise source.damaged("its checksum does not match")
    if source.file.read(1):
        raise source.damaged("it goes on after its end")
    source.counts = counts
