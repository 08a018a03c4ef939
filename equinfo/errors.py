"""The one exception users see: a clear line that names what is wrong and what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class EquinfoError(ValueError):
    """Bad input, a damaged artefact, or a request that cannot be met.

    The message is a single line meant for people; the command line prints it without a traceback.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about a misspelt name: the closest of those known, or nothing."""
    close = get_close_matches(word, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


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
