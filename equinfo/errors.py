"""The one exception users see: a clear line that names what is wrong and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EquinfoError(ValueError):
    """Bad input, a damaged artefact, or a request that cannot be met.

    The message is a single line meant for people; the command line prints it without a traceback.
    """


@contextmanager
def naming(file: Path | str) -> Iterator[None]:
    """An EquinfoError about what `file` holds says so."""
    try:
        yield
    except EquinfoError as error:
        raise EquinfoError(f"{file}: {error}") from error


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Around imports: a missing package becomes an EquinfoError that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "equinfo"):
            raise
        raise EquinfoError(f"{what} needs {package}: pip install 'equinfo[{extra}]'") from error
