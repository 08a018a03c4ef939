"""The one exception users see: a clear line that names what is wrong and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class EquinfoError(ValueError):
    """Bad input, a damaged artefact, or a request that cannot be met.

    The message is a single line meant for people; the command line prints it without a traceback.
    """


@contextmanager
def naming_files() -> Iterator[None]:
    """Decorates public calls: what the system refuses becomes an EquinfoError that names a file."""
    try:
        yield
    except OSError as error:
        what = f"{error.filename} cannot be used: " if error.filename else ""
        raise EquinfoError(f"{what}{error.strerror or error}") from error


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


@contextmanager
def foreign(what: str, remedy: str = "") -> Iterator[None]:
    """Around another library's calls: all that it raises becomes one line; panics of Rust, too."""
    try:
        yield
    except BaseException as error:
        ordinary = isinstance(error, Exception) or type(error).__name__ == "PanicException"
        if isinstance(error, EquinfoError) or not ordinary:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EquinfoError(f"{what} ({reason}){remedy and ': '}{remedy}") from error
