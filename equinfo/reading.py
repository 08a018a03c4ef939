"""Files as bytes, plain or packed, in pieces that do not grow with what they unpack to.

A damaged file is an error, never a shorter text. `LeftOut` counts what a corpus does not take.
"""

import gzip
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from equinfo.errors import EquinfoError
from equinfo.zstd import ZstdFrame

PACKED = (".zst", ".gz", ".xz")
CHUNK = 1 << 20
LONGEST_LINE = 1 << 27
LONGEST_TEXT = 1 << 26
LONGEST_WINDOW = 1 << 31  # of zstd --long=31
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

REASONS = {
    "encoding": ("files that are not UTF-8 text", "convert them (iconv -t UTF-8)"),
    "kind": ("files of other kinds", "rename what is text to .txt, or JSON lines to .jsonl"),
    "hidden": ("hidden files or folders", "name them to read them"),
    "link": ("links to folders, to nothing or to what is read anyway", "name what they lead to"),
    "copy": ("packed copies beside their originals", "move them away if they differ"),
    "folder": ("folders that cannot be opened", "see to their permissions"),
    "test": ("files or splits for tests", "name them to read them"),
    "split": ("files or splits of no split, beside train", "name them to read them"),
    "null": ("rows whose text is null", "see to them if they should have one"),
}


class LeftOut(dict[str, tuple[int, object]]):
    """What a corpus does not take: for some of REASONS, how much and the first of it."""

    def note(self, reason: str, what: object) -> None:
        count, first = self.get(reason, (0, what))
        self[reason] = (count + 1, first)

    def add(self, other: "LeftOut") -> None:
        for reason, (count, what) in other.items():
            before, first = self.get(reason, (0, what))
            self[reason] = (before + count, first)

    def say(self, name: str) -> None:
        """Warn of it in one line; nothing where all was taken."""
        told = [
            f"{what} ({self[reason][0]}, e.g. {self[reason][1]}): {remedy}"
            for reason, (what, remedy) in REASONS.items()
            if reason in self
        ]
        if told:
            warnings.warn(f"{name}: left out {'; '.join(told)}", stacklevel=1)


class Taken(threading.local):
    """bytes: of files, as they are stored, that this thread has read."""

    bytes = 0


taken = Taken()


def stored_size(path: Path) -> int:
    """Bytes of the file as it is stored, or EquinfoError."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise EquinfoError(f"{path} cannot be read: {error.strerror or error}") from error


def read_text(path: Path) -> Iterator[bytes]:
    """The file's bytes, whole, or in parts of at most LONGEST_TEXT where there are more."""
    held = bytearray()
    for chunk in chunks(path):
        held += chunk
        while len(held) > LONGEST_TEXT:
            end = place_to_cut(held, LONGEST_TEXT)
            yield bytes(held[:end])
            del held[:end]
    if held:
        yield bytes(held)


def read_lines(path: Path) -> Iterator[bytes]:
    """The file's lines without line feeds, the first without a byte order mark.

    Raises EquinfoError for one longer than LONGEST_LINE, and for UTF-16.
    """
    number = 1
    held = bytearray()
    for line, ended in _pieces(path):
        held += line
        if number == 1 and held.startswith(UTF_16):
            raise EquinfoError(f"{path} is UTF-16: convert it (iconv -f UTF-16 -t UTF-8)")
        if len(held) > LONGEST_LINE:
            raise EquinfoError(
                f"{path}:{number}: a line of more than {LONGEST_LINE >> 20} MiB: cut its text into"
                " several lines"
            )
        if ended:
            yield bytes(held.removeprefix(BOM) if number == 1 else held)
            number += 1
            held.clear()
    if held:
        yield bytes(held.removeprefix(BOM) if number == 1 else held)


def place_to_cut(text: bytes | bytearray, most: int) -> int:
    """Where to cut so that at most `most` bytes come first: after a line, if one ends in the last
    tenth of them, else between characters."""
    line = text.rfind(b"\n", most - most // 10, most) + 1
    return line or between_characters(text, most)


def between_characters(text: bytes | bytearray, place: int) -> int:
    """The last place up to `place` not inside a UTF-8 character; `place` if there is no UTF-8."""
    end = min(place, len(text))
    back = end
    while back < len(text) and end - back < 3 and text[back] & 0xC0 == 0x80:
        back -= 1
    return back if back == len(text) or text[back] & 0xC0 != 0x80 else end


def _pieces(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Parts of lines, and whether the line ends after them."""
    for chunk in chunks(path):
        *lines, rest = chunk.split(b"\n")
        yield from ((line, True) for line in lines)
        yield rest, False


def chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes, unpacked, CHUNK at most at a time.

    Raises EquinfoError where it cannot be read, is cut short or altered, or empty though packed.
    """
    packed = path.suffix.lower()
    try:
        if packed in PACKED and not stored_size(path):
            raise EOFError("it is empty")
        with path.open("rb") as raw:
            if packed == ".zst":
                unpacked = _zstd_chunks(raw)
            elif packed == ".xz":
                unpacked = _xz_chunks(raw)
            else:
                file = gzip.GzipFile(fileobj=raw) if packed == ".gz" else raw
                unpacked = iter(lambda: file.read(CHUNK), b"")
            before = 0
            for data in unpacked:
                yield data
                if raw.seekable():
                    taken.bytes += raw.tell() - before
                    before = raw.tell()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise EquinfoError(f"{path} was cut short or altered ({error}): fetch it again") from error
    except OSError as error:
        raise EquinfoError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise EquinfoError(f"{path} needs more memory to unpack than there is") from error
    except Exception as error:
        if isinstance(path, Path) or isinstance(error, EquinfoError):
            raise
        raise EquinfoError(
            f"{path} cannot be read: {error!r}"
        ) from error  # fsspec's are of any kind


def _xz_chunks(file: IO[bytes]) -> Iterator[bytes]:
    try:
        import lzma
    except ImportError as error:
        raise EquinfoError(f"{file.name}: this Python has no lzma: unpack it (unxz)") from error
    try:
        with lzma.open(file) as unpacked:
            while data := unpacked.read(CHUNK):
                yield data
    except lzma.LZMAError as error:
        raise EOFError(str(error)) from error


def _zstd_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Frame after frame, by hand: zstandard's own reader takes a cut frame for a whole one. A KiB
    unpacks to 32 MiB at most (a block of 128 KiB takes 4 bytes)."""
    import zstandard  # here: it is needed for .zst files alone

    frame = None
    try:
        while packed := file.read(1024):
            while packed:
                frame = frame or ZstdFrame(LONGEST_WINDOW)
                data = frame.decompress(packed)
                yield from (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
                packed = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from error
    if frame is not None:
        raise EOFError("its last frame does not end")
