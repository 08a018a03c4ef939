"""Where corpora are: paths and addresses, folders, Parquet, Hugging Face's data sets."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from glob import glob
from pathlib import Path, PurePath
from typing import Any, cast

from equinfo.errors import EquinfoError, needing
from equinfo.reading import PACKED, LeftOut, taken

COLUMN = "text"
PREFIX = "hf:"
ROWS = 1024  # read at a time
SPLIT_WORDS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
SPLIT_WORD = re.compile(rf"(?<![a-z])(?:{'|'.join(SPLIT_WORDS)})(?![a-z])")
ONLY_A_SPLIT = re.compile(rf"(?:{'|'.join(SPLIT_WORDS)})(?:\W?_?\d+(?:\W?_?of\W?_?\d+)?)?")

Read = Callable[[LeftOut], Iterator[bytes]]
Splits = Callable[[], dict[str, list[tuple[Read, int]]]]
"""Of each split what reads it, one after another, and the bytes of its files (0: not known)."""


def located(name: str | Path) -> Path:
    """The path of that name; of an address (s3://BUCKET/FILE) the same by fsspec."""
    if isinstance(name, Path) or "://" not in name:
        return Path(name)
    with needing("remote", name):
        from upath import UPath
    return cast(Path, UPath(name))


@contextlib.contextmanager
def reaching(name: str | Path) -> Iterator[None]:
    """Around what asks for an address: what its file system raises becomes a line that names it."""
    try:
        yield
    except EquinfoError:
        raise
    except Exception as error:  # each file system has its own
        if "://" not in str(name):
            raise
        raise EquinfoError(f"{name} cannot be reached: {_first_line(error)}") from error


def matching(name: str) -> list[Path]:
    """The path of that name if it exists, or else what matches it as a glob, sorted."""
    if not name or located(name).exists():
        return [located(name)] if name else []
    if "://" not in name:
        return [Path(path) for path in sorted(glob(name, recursive=True))]  # noqa: PTH207
    from fsspec.core import url_to_fs

    system, pattern = url_to_fs(name)
    shown = [path for path in sorted(system.glob(pattern)) if "/." not in path]
    return [located(system.unstrip_protocol(path)) for path in shown]


def as_documents(rows: Iterable[tuple[str, Any]], left: LeftOut) -> Iterator[bytes]:
    """Of (where, text): UTF-8 of each text that is not empty. Raises EquinfoError for no text."""
    for where, text in rows:
        if text is None:
            left.note("null", where)
        elif document := as_document(text, where):
            yield document


def as_document(text: Any, where: str) -> bytes:
    """UTF-8 of a str, the bytes of a buffer. Raises EquinfoError for all else."""
    if isinstance(text, bytes | bytearray | memoryview):
        return bytes(text)
    if not isinstance(text, str):
        raise EquinfoError(f"{where}: no text (str or bytes) but a {type(text).__name__}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EquinfoError(
            f"{where}: a lone surrogate at character {error.start} of the text: no UTF-8 can"
            " stand for it"
        ) from error


def parquet_texts(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """(where, text) of the column `text` of a Parquet file, row by row, or EquinfoError."""
    with needing("hf", str(path)):
        import pyarrow
        import pyarrow.parquet

    number = 0
    try:
        with path.open("rb") as raw, pyarrow.parquet.ParquetFile(raw) as file:
            _check_column(file.schema_arrow.names, str(path))
            size = path.stat().st_size
            for batch in file.iter_batches(ROWS, columns=[COLUMN]):
                column = batch.column(0)
                if pyarrow.types.is_dictionary(column.type):
                    column = column.dictionary_decode()
                if not re.fullmatch("(large_)?(string|binary)(_view)?|null", str(column.type)):
                    raise EquinfoError(
                        f"{path} has no text: its column {COLUMN!r} is {column.type}, not string"
                    )
                # as bytes: a string's are not checked by all that write Parquet
                for text in column.cast(pyarrow.large_binary()).to_pylist():
                    if text is not None:
                        text.decode("utf-8")
                    yield f"{path}: row {number}", text
                    number += 1
                taken.bytes += size * batch.num_rows // file.metadata.num_rows
    except EquinfoError:
        raise
    except UnicodeDecodeError as error:
        raise EquinfoError(
            f"{path}: row {number}: not valid UTF-8 at byte {error.start} of the text"
        ) from error
    except Exception as error:  # pyarrow's are of many kinds
        raise EquinfoError(
            f"{path} cannot be read, or was cut short or altered ({_first_line(error)}): fetch it"
            " again"
        ) from error


def tree_files(folder: Path, left: LeftOut) -> list[Path]:
    """The files below `folder`, by path: nothing hidden, no folder that is a link, no file twice by
    a link."""
    if not isinstance(folder, Path):  # fsspec's: it has no links
        names = [found.relative_to(folder) for found in folder.rglob("*") if found.is_file()]
        shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
        for name in set(names) - set(shown):
            left.note("hidden", name)
        return [folder / name for name in sorted(shown, key=lambda name: name.parts)]
    files: list[Path] = []
    links: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=lambda e: left.note("folder", e.filename)):
        for path in sorted(Path(place, name) for name in [*folders, *names]):
            if path.name.startswith("."):
                left.note("hidden", path.relative_to(folder))
            elif path.is_symlink():
                links.append(path)
            elif path.is_file():
                files.append(path)
            elif not path.is_dir():
                left.note("kind", path.relative_to(folder))
        folders[:] = [name for name in folders if not name.startswith(".")]
    seen = {file.resolve() for file in files} if links else set()
    for path in links:
        if not path.is_file() or path.resolve() in seen:
            left.note("link", path.relative_to(folder))
        else:
            seen.add(path.resolve())
            files.append(path)
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def splits_by_name(paths: Iterable[PurePath], is_data: Callable[[PurePath], bool]) -> list[str]:
    """The split that each path's names say: "train", "validation", "test", or "".

    A folder or a file's name says one where a sister says another and one of them is train:
    train/ and test/, wiki.train.txt and wiki.valid.txt. Of data (text, rows), names that are
    nothing but a split's, such as test.jsonl or validation-00000-of-00002, need no sister.
    """
    claims: list[tuple[tuple[str, ...], str, bool]] = []
    families: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        *folders, name = [part.lower() for part in path.parts]
        stem = PurePath(name.removesuffix(path.suffix if path.suffix in PACKED else "")).stem
        depth = next((n for n, part in enumerate(folders) if part in SPLIT_WORDS), None)
        word = SPLIT_WORD.search(stem) if depth is None and is_data(path) else None
        claim: tuple[tuple[str, ...], str, bool] = ((), "", True)
        if depth is not None:
            alone = is_data(path) and folders[depth] in ("validation", "valid", "test")
            claim = ((*folders[:depth], "/"), SPLIT_WORDS[folders[depth]], alone)
        elif word:
            alone = ONLY_A_SPLIT.fullmatch(stem) is not None
            claim = ((*folders, stem[: word.start()]), SPLIT_WORDS[word[0]], alone)
        families.setdefault(claim[0], set()).add(claim[1])
        claims.append(claim)
    return [
        split if alone or {"train"} < families[family] else "" for family, split, alone in claims
    ]


def open_hugging_face(name: str) -> Splits:
    """How to reach a data set, `hf:NAME[:CONFIG][@REVISION]` or `hf:FOLDER`, a file at a time.

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

    def splits() -> dict[str, list[tuple[Read, int]]]:
        try:
            found = datasets.load_dataset(**options, streaming=True)
        except Exception as error:  # of many kinds, by what went wrong where
            raise EquinfoError(
                f"{name} cannot be loaded ({type(error).__name__}: {_first_line(error)})"
            ) from error
        return {
            SPLIT_WORDS.get(str(split), str(split)): [
                (partial(_streamed, one, name), 0) for one in _files(stream)
            ]
            for split, stream in found.items()
        }

    return splits


def _files(stream: Any) -> list[Any]:
    """A data set's files, a stream each."""
    count = getattr(stream, "num_shards", 1)
    return [stream.shard(count, number) for number in range(count)] if count > 1 else [stream]


def _streamed(stream: Any, name: str, left: LeftOut) -> Iterator[bytes]:
    _check_column(stream.column_names or [COLUMN], name)
    try:
        for number, row in enumerate(stream):
            _check_column(row, name)
            yield from as_documents([(f"{name}: row {number}", row[COLUMN])], left)
    except EquinfoError:
        raise
    except Exception as error:
        raise EquinfoError(
            f"{name} broke off ({type(error).__name__}: {_first_line(error)}): run again"
        ) from error


def _check_column(names: Iterable[str], where: str) -> None:
    names = list(names)
    if COLUMN not in names:
        raise EquinfoError(f"{where} has no column {COLUMN!r}; it has {', '.join(names)}")
    if names.count(COLUMN) > 1:
        raise EquinfoError(
            f"{where} has {names.count(COLUMN)} columns {COLUMN!r}: rename all but one"
        )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
