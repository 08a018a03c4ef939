"""Standard streams, files and devices as a command reads and writes them.

Closed, full, broken or narrow streams lose no result: they work, or end in one line.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from equinfo.errors import EquinfoError
from equinfo.files import atomic_file, target, writing


def stdin() -> BinaryIO:
    if sys.stdin is None:
        raise EquinfoError("standard input is closed: name a file")
    return sys.stdin.buffer


def stdout() -> TextIO:
    """Standard output, asked for before the work begins where it is to take the results."""
    if sys.stdout is None:
        raise EquinfoError("standard output is closed: there is no place for the results")
    return sys.stdout


def say(text: object, end: str = "\n") -> None:
    with writing("standard output"):
        print(text, end=end, flush=True)


def note(text: object) -> None:
    """On standard error, if it can be written: nothing is lost with it."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


@contextlib.contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield stdin()
        return
    try:
        file = open(name, "rb")  # noqa: PTH123, SIM115  # "" is no path; closed below
    except OSError as error:
        raise EquinfoError(f"{name or repr(name)} cannot be read: {error.strerror}") from error
    with file:
        yield file


def named(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The pieces; where reading them fails, an EquinfoError names the input, not the output."""
    try:
        yield from pieces
    except OSError as error:
        raise EquinfoError(f"{name} cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """An open stream, a device or pipe as it is; any other file whole or not at all."""
    descriptor = 1 if name == "-" else _descriptor(name)
    with writing("standard output" if name == "-" else name):
        if descriptor == 1:
            yield stdout().buffer
            stdout().flush()
        elif descriptor is not None:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                yield file
        # a device or pipe: renaming would replace it
        elif target(name).exists() and not target(name).is_file():
            with Path(name).open("wb") as file:
                yield file
        else:
            with atomic_file(name) as beside, beside.open("wb") as file:
                yield file


def _descriptor(name: str) -> int | None:
    """N, where a name leads to this process's /dev/fd/N, as /dev/stdout and a shell's >(...) do."""
    own = [os.path.realpath(folder) for folder in ("/dev/fd", "/proc/self/fd")]
    place = Path(name)
    for _ in range(40):  # the system follows no more links
        folder = os.path.realpath(place.parent)
        if folder in own and place.name.isdecimal():
            return int(place.name)
        if not place.is_symlink():
            break
        place = Path(folder, place.readlink())
    return None


def mend_streams() -> None:
    """No file may take a closed stream's number; what a stream cannot spell is escaped."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest, this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  # to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
