"""Token files: what `equinfo encode` writes. Self-describing, written and read as a stream, whole
or refused.

Layout (format 2), little-endian:
    8 bytes magic, its last byte the format's version
    u32 length of a JSON header, the header {tokenizer, name, dtype}
    frames: u32 count >= 1, as many ids (codes only, in the narrowest of uint8, uint16, uint32), u32
    CRC-32 of these ids
    u32 0, u64 ids in the file, u64 bytes they stand for, SHA-256 of all that comes before
Nothing needs to be known before the end, so a pipe can carry it. A frame's ids are used only after
its CRC, so that
what is decoded before a file turns out to be cut short is right as far as it goes.
"""

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from equinfo.errors import EquinfoError
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

    Raises EquinfoError for a tokenizer that is not lossless: what it was given could not be had
    back.
    """
    if not tokenizer.lossless:
        raise EquinfoError(
            f"{tokenizer.name} is not lossless, its token file might decode to another text:"
            " choose another tokenizer"
        )
    dtype, out = code_dtype(tokenizer.code_size), _Hashed(file)
    header = json.dumps(
        {"tokenizer": tokenizer.fingerprint, "name": tokenizer.name, "dtype": dtype.name}
    ).encode()
    out.write(MAGIC + struct.pack("<I", len(header)) + header)
    num_ids = num_bytes = 0
    encoder = tokenizer.encoder()

    def runs() -> Iterator[np.ndarray]:
        nonlocal num_bytes
        for piece in pieces:
            num_bytes += len(piece)
            yield encoder.feed(piece)
        yield encoder.finish()

    for frame in _frames(runs()):
        data = frame.astype(dtype).tobytes()
        out.write(struct.pack("<I", len(frame)) + data + struct.pack("<I", zlib.crc32(data)))
        num_ids += len(frame)
    out.write(struct.pack("<IQQ", 0, num_ids, num_bytes))
    file.write(out.hash.digest())
    return Counts(num_ids, num_bytes)


def read(tokenizer: Tokenizer, file: BinaryIO, what: str = "the token file") -> Iterator[bytes]:
    """The document in `file`, in pieces, each checked before it is yielded; the whole is checked
    after the last.

    Raises EquinfoError, maybe after some pieces, where it is no token file, cut short, altered, of
    another format version or of another tokenizer. What was yielded until then is how the document
    begins.
    """
    source = _Hashed(file)
    dtype = _check_header(tokenizer, source, what)
    decoder = tokenizer.decoder()
    num_ids = num_bytes = 0
    while count := _number(source, what):
        ids = _frame(source, count, dtype, what)
        num_ids += count
        piece = decoder.feed(ids)
        num_bytes += len(piece)
        yield piece
    promised = struct.unpack("<QQ", _exactly(source, 16, what))
    if _exactly(file, DIGEST, what) != source.hash.digest() or promised[0] != num_ids:
        raise _damaged(what, "its checksum does not match")
    if file.read(1):
        raise _damaged(what, "it goes on after its end")
    piece = decoder.finish()
    if num_bytes + len(piece) != promised[1]:
        raise EquinfoError(
            f"{what} decodes to {num_bytes + len(piece)} bytes and promises {promised[1]}"
        )
    yield piece


def to_bytes(tokenizer: Tokenizer, data: bytes) -> bytes:
    """A token file's content for one document."""
    file = io.BytesIO()
    write(tokenizer, [data], file)
    return file.getvalue()


def from_bytes(tokenizer: Tokenizer, content: bytes, what: str = "the token file") -> bytes:
    """The document that `content` holds. Raises EquinfoError as `read` does."""
    return b"".join(read(tokenizer, io.BytesIO(content), what))


class _Hashed:
    """A binary file with the SHA-256 of all that went through it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash = file, hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.hash.update(data)

    def read(self, size: int) -> bytes:
        data = self.file.read(size)
        self.hash.update(data)
        return data


def _frames(runs: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The ids of `runs` in frames of FRAME ids, the last one shorter."""
    held: list[np.ndarray] = []
    size = 0
    for run in runs:
        held.append(run)
        size += len(run)
        if size >= FRAME:
            ids = np.concatenate(held)
            whole = size // FRAME * FRAME
            yield from ids[:whole].reshape(-1, FRAME)
            held, size = [ids[whole:]], size - whole
    if size:
        yield np.concatenate(held)


def _check_header(tokenizer: Tokenizer, source: _Hashed, what: str) -> np.dtype:
    """The ids' type, once the header says that `tokenizer` wrote them."""
    magic = _up_to(source, len(MAGIC))
    if magic[:-1] != MAGIC[:-1] or len(magic) < len(MAGIC):
        raise EquinfoError(f"{what} is not a token file (equinfo encode writes them)")
    if magic != MAGIC:
        raise EquinfoError(
            f"{what} has format version {magic[-1]} and this equinfo reads version {VERSION}:"
            " encode it again, or decode it with the equinfo that wrote it"
        )
    header = _parse_header(source, what)
    if header["tokenizer"] != tokenizer.fingerprint:
        raise EquinfoError(
            f"{what} was written by {header['name']} {str(header['tokenizer'])[:12]}, not by"
            f" {tokenizer.name} {tokenizer.fingerprint[:12]}: name that tokenizer"
        )
    return np.dtype(DTYPES[header["dtype"]])


def _parse_header(source: _Hashed, what: str) -> dict[str, Any]:
    length = _number(source, what)
    if length > LONGEST_HEADER:
        raise _damaged(what, f"its header has {length} bytes")
    written = _exactly(source, length, what)
    try:
        header = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise EquinfoError(
            f"{what} has a header that equinfo did not write ({error}): encode it again"
        ) from error
    if (
        not isinstance(header, dict)
        or not header.keys() >= FIELDS
        or str(header["dtype"]) not in DTYPES
    ):
        raise EquinfoError(f"{what} has a header that equinfo did not write: encode it again")
    return header


def _frame(source: _Hashed, count: int, dtype: np.dtype, what: str) -> np.ndarray:
    if count > FRAME:
        raise _damaged(what, f"a frame of {count} ids")
    data = _exactly(source, count * dtype.itemsize, what)
    if _number(source, what) != zlib.crc32(data):
        raise _damaged(what, "a frame's checksum does not match")
    return np.frombuffer(data, dtype=dtype)


def _number(source: _Hashed, what: str) -> int:
    return struct.unpack("<I", _exactly(source, 4, what))[0]


def _exactly(source: _Hashed | BinaryIO, size: int, what: str) -> bytes:
    """The next `size` bytes. Raises EquinfoError where there are fewer."""
    data = _up_to(source, size)
    if len(data) < size:
        raise _damaged(what, "it ends too early")
    return data


def _up_to(source: _Hashed | BinaryIO, size: int) -> bytes:
    """`size` bytes, or all that are left; also from a pipe, which may give fewer at a time."""
    data = b""
    while len(data) < size and (part := source.read(size - len(data))):
        data += part
    return data


def _damaged(what: str, how: str) -> EquinfoError:
    return EquinfoError(f"{what} was cut short or altered: {how}; encode it again")
