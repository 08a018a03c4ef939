"""Corpora that are no plain files: Parquet, folders of text and code, Hugging Face's data sets."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError, needing

COLUMN = "text"
PREFIX = "hf:"


def parquet_texts(path: Path) -> Iterator[bytes]:
    """The column `text` of a Parquet file, by row groups, without empty rows, or EquinfoError."""
    with needing("hf", str(path)):
        import pyarrow
        import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_column(file.schema_arrow.names, str(path))
            for group in range(file.num_row_groups):
                texts = file.read_row_group(group, [COLUMN])[COLUMN].to_pylist()
                yield from as_documents(texts, str(path))
    except OSError as error:  # pyarrow's own errors among them
        raise EquinfoError(
            f"{path} cannot be read ({_first_line(error)}): fetch it again"
        ) from error
    except pyarrow.ArrowException as error:
        raise EquinfoError(
            f"{path} was cut short or altered ({_first_line(error)}): fetch it again"
        ) from error


def as_documents(texts: Iterable[Any], where: str) -> Iterator[bytes]:
    """UTF-8 of each text that is not empty. Raises EquinfoError for what is no text."""
    for number, text in enumerate(texts):
        if not isinstance(text, str | None):
            raise EquinfoError(
                f"{where}: row {number} has no text: {COLUMN!r} is a {type(text).__name__}"
            )
        try:
            document = (text or "").encode("utf-8")
        except UnicodeEncodeError as error:
            raise EquinfoError(
                f"{where}: row {number} has a lone surrogate at character {error.start}"
            ) from error
        if document:
            yield document


def tree_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files below `folder` with one of these suffixes, by path; nothing hidden, no links."""
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, n) for n in files if n.endswith(suffixes) and not n.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def is_text(data: bytes) -> bool:
    """Whether a file in a folder is taken: UTF-8 without a zero byte (git's sign of a binary)."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def open_hugging_face(name: str) -> Callable[[], dict[str, Callable[[], Iterator[bytes]]]]:
    """How to reach a data set, `hf:NAME[:CONFIG][@REVISION]` or `hf:FOLDER`: split -> documents.

    E.g. hf:allenai/c4:en, hf:HuggingFaceFW/fineweb:sample-10BT, hf:/data/my-parquet-files. They are
    streamed: nothing is read before the result is called. Raises EquinfoError where the package is
    missing, later where the data set is.
    """
    with needing("hf", name):
        import datasets
    rest = name.removeprefix(PREFIX)
    if not rest:
        raise EquinfoError(
            f"{name!r} names no data set: {PREFIX}NAME[:CONFIG], e.g. hf:allenai/c4:en"
        )
    options: dict[str, Any] = {"path": rest}
    if not Path(rest).exists():
        rest, _, revision = rest.partition("@")
        path, _, config = rest.partition(":")
        options = {"path": path, "name": config or None, "revision": revision or None}

    def splits() -> dict[str, Callable[[], Iterator[bytes]]]:
        try:
            found = datasets.load_dataset(**options, streaming=True)
        except Exception as error:  # of many kinds, by what went wrong where
            raise EquinfoError(
                f"{name} cannot be loaded ({type(error).__name__}: {_first_line(error)})"
            ) from error
        return {str(split): partial(_streamed, stream, name) for split, stream in found.items()}

    return splits


def _streamed(stream: Any, name: str) -> Iterator[bytes]:
    _check_column(stream.column_names or [COLUMN], name)
    try:
        for row in stream:
            _check_column(row, name)
            yield from as_documents([row[COLUMN]], name)
    except EquinfoError:
        raise
    except Exception as error:
        raise EquinfoError(
            f"{name} broke off ({type(error).__name__}: {_first_line(error)}): run again"
        ) from error


def _check_column(names: Iterable[str], where: str) -> None:
    if COLUMN not in names:
        raise EquinfoError(f"{where} has no column {COLUMN!r}; it has {', '.join(names)}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
