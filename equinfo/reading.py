"""Files read whole or by lines, plain, .gz or .zst. A damaged one is an error, no shorter text."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from equinfo.errors import EquinfoError

FILE_SUFFIXES = (".gz", ".zst")
CHUNK = 1 << 20


def read_whole(path: Path) -> bytes:
    """The file's bytes, decompressed. Raises EquinfoError where it cannot be read or is damaged."""
    return b"".join(_chunks(path))


def read_lines(path: Path) -> Iterator[bytes]:
    """The file's lines, without line feeds. Raises EquinfoError for one unreadable or damaged."""
    pending: list[bytes] = []
    for chunk in _chunks(path):
        first, *more = chunk.split(b"\n")
        pending.append(first)
        for line in more:
            yield b"".join(pending)
            pending = [line]
    if last := b"".join(pending):
        yield last


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        if path.suffix == ".zst":
            yield from _zstd_chunks(path)
        else:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise EquinfoError(f"{path} was cut short or altered ({error}): fetch it again") from error
    except OSError as error:
        raise EquinfoError(f"{path} cannot be read: {error.strerror or error}") from error


def _zstd_chunks(path: Path) -> Iterator[bytes]:
    """Frame after frame, by hand: zstandard's own reader takes a cut frame for a whole one."""
    import zstandard  # here: it is needed for .zst files alone

    frame = None
    try:
        with path.open("rb") as file:
            while data := file.read(CHUNK // 8):
                while data:
                    frame = frame or zstandard.ZstdDecompressor().decompressobj()
                    yield frame.decompress(data)
                    data = frame.unused_data if frame.eof else b""
                    frame = None if frame.eof else frame
    except zstandard.ZstdError as error:
        raise EquinfoError(f"{path} was cut short or altered ({error}): fetch it again") from error
    if frame is not None:
        raise EquinfoError(f"{path} was cut short: its last frame does not end; fetch it again")
