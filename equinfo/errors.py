"""The one exception users see: a clear line that names what is wrong and what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

MOST = 2000  # characters of a message


class EquinfoError(ValueError):
    """Bad input, a damaged artefact, or a request that cannot be met.

    The message is a single line meant for people; the command line prints it without a traceback.
    What would move a terminal's cursor or break the line is escaped, and what is endless loses its
    middle: names in it may come from a stranger's file.
    """

    def __init__(self, message: object) -> None:
        text = str(message)
        if len(text) > MOST:
            text = f"{text[: MOST // 2]}...{text[-MOST // 2 :]}"
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))


class LostRank(EquinfoError):
    """Another of the processes that train together is gone; each that is left says so."""


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Around the reading of `what`: all that is raised becomes an EquinfoError that names it.

    A missing package stays what it is.
    """
    try:
        yield
    except EquinfoError as error:
        named = str(EquinfoError(what)) in str(error)
        raise (error if named else EquinfoError(f"{what}: {error}")) from error.__cause__
    except BaseException as error:
        if isinstance(error, ImportError) or not _ordinary(error):
            raise
        reason = f"it lacks {error}" if isinstance(error, KeyError) else f"{error!r}"
        raise EquinfoError(f"{what} is damaged ({reason}): restore or rebuild it") from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about a misspelt name: the closest of those known, or nothing."""
    close = get_close_matches(word, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


@contextmanager
def naming_files() -> Iterator[None]:
    """Decorates public calls: what the system refuses becomes an EquinfoError that names a file."""
    try:
        yield
    except BrokenPipeError:
        raise
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
        if isinstance(error, EquinfoError) or not _ordinary(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EquinfoError(f"{what} ({reason}){remedy and ': '}{remedy}") from error


def _ordinary(error: BaseException) -> bool:
    """Whether it is no request to end; libraries in Rust panic with what is no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
