"""Corpora: names and paths -> documents (bytes), train and validation.

A name is `bundled` (the King James text, in the package), `imdb` or `books` (folders of shards
under the folder that EQUINFO_CORPORA names), a folder of text, a file, a glob, each of these also
as an address that fsspec knows (`s3://...`), a Hugging Face data set (`hf:allenai/c4:en`), or
several of these joined by `+`. docs/corpora.md has the rules.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from glob import has_magic
from itertools import chain, groupby, islice
from pathlib import Path, PurePath
from typing import Any

from equinfo import sources
from equinfo.errors import EquinfoError, naming_files
from equinfo.reading import (
    PACKED,
    UTF_16,
    LeftOut,
    place_to_cut,
    read_lines,
    read_text,
    stored_size,
)  # fmt: skip
from equinfo.sources import Read, Splits

FOLDER_VARIABLE = "EQUINFO_CORPORA"
DEFAULT_FOLDER = "data/corpora"
SHARDED = ("imdb", "books")
SPLITS = ("train", "validation")
WHOLE = "all"  # both
BUNDLED = Path(__file__).parent / "kjv.jsonl.zst"  # a chapter a document, a verse a line
HELD_OUT = 20  # one document in so many, by its hash; one byte in so many of few documents
SHORTEST_CUT = 200  # bytes of a document of which a part is held out
MOST_PASSED = 1 << 30  # bytes of documents too large for a limit that are passed over
UNIT_BYTES = 1 << 22  # of files, as they are stored, that are read together by one worker

TEXT_SUFFIXES = (
    ".txt", ".md", ".markdown", ".rst", ".tex", ".html", ".xml", ".css", ".yaml", ".yml", ".toml",
    ".sql", ".sh", ".py", ".pyi", ".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".rs", ".go", ".java",
    ".kt", ".scala", ".swift", ".js", ".ts", ".jsx", ".tsx", ".rb", ".php", ".pl", ".lua", ".r",
    ".jl", ".hs", ".ml",
)  # fmt: skip
ROW_SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")


@dataclass(frozen=True)
class Unit:
    """Documents that follow one another, of one file or of a few: read by itself, also elsewhere.

    part: of the corpus, by its name. size: bytes of the files as they are stored, 0 if not known.
    noted: what the part had to leave out before it was read, in its first unit.
    """

    part: str
    read: Read
    size: int
    noted: LeftOut = field(default_factory=LeftOut)


# Of a corpus: split -> its units, one at least. Raises where it has no such split or no text.
Part = Callable[[str], list[Unit]]


@dataclass(frozen=True)
class Corpus:
    """Documents, in a fixed order, of one or more parts."""

    name: str
    parts: tuple[Part, ...]

    def documents(self, split: str = "train") -> Iterator[bytes]:
        """The documents of `split` ("train", "validation", or "all", uncut), none of them empty,
        part after part.

        Files are read while you iterate; so are errors raised: EquinfoError for a file that cannot
        be read, a line that is no {"text": ...}, a corpus without text, and an empty split. What is
        left out is a warning, one a part, when its last document was taken.
        """
        if split not in (*SPLITS, WHOLE):
            raise EquinfoError(f"unknown split {split!r}; known: {', '.join(SPLITS)}, {WHOLE}")
        return self._documents(split)

    def _documents(self, split: str) -> Iterator[bytes]:
        document = None
        for documents in read_units(self.units(split)):
            for document in documents:
                yield document
        if document is None:
            raise self.empty(split)

    def units(self, split: str = "train") -> list[Unit]:
        """The same documents, in pieces. They depend on names and sizes of files alone."""
        return [unit for part in self.parts for unit in part(split)]

    def empty(self, split: str) -> EquinfoError:
        """What to raise where `split` has no documents."""
        if split == WHOLE:
            return EquinfoError(f"{self.name} holds no text: the corpus is empty")
        return EquinfoError(
            f"{self.name} has no {split} documents: give it more text (where it brings no"
            f" validation split, one document in {HELD_OUT} is held out, by its hash, or of"
            f" fewer the end of each that has {SHORTEST_CUT} bytes)"
        )


def read_units(units: Iterable[Unit]) -> Iterator[Iterator[bytes]]:
    """Each unit's documents, to be taken before the next one's. After the last unit of a part what
    was left out of it is a warning."""
    for part, together in groupby(units, lambda unit: unit.part):
        left = LeftOut()
        try:
            for unit in together:
                left.add(unit.noted)
                yield unit.read(left)
        finally:
            left.say(part)


AnyCorpus = Corpus | Path | str | Iterable[bytes | str]


@naming_files()
def load_corpus(name: str | Path) -> Corpus:
    """The corpus called `name`: one of those above, or several joined by `+`; a Path is one path.

    Text files and source code (TEXT_SUFFIXES) are a document each, byte for byte, above 64 MiB
    several; .jsonl, .ndjson or .json files hold one {"text": ...} a line; both may be .gz, .zst or
    .xz; .parquet files have a column `text`. A folder is read with all folders in it, by path.
    Files and folders that are named as splits are splits, and tests are never read. Where there is
    no validation split, a document whose SHA-256 lies in the first 5 % is held out; of fewer than
    20 documents, the last 5 % of each. docs/corpora.md says what is left out; it is a warning. An
    address such as s3://BUCKET/FOLDER needs `equinfo[remote]` and the package of its file system.
    Raises EquinfoError, before anything is read, for what does not exist.
    """
    if not isinstance(name, str | Path):
        raise EquinfoError(f"a corpus is a name or a path, not a {type(name).__name__}")
    with sources.reaching(name):
        plain = name.removeprefix(sources.PREFIX) if isinstance(name, str) else name
        whole = isinstance(name, Path) or sources.located(plain).exists()
        names = [name] if whole else str(name).split("+")
        return Corpus(str(name), tuple(_part(one) for one in names))


def documents_of(corpus: AnyCorpus, split: str = "train") -> Iterator[bytes]:
    """The documents of what any step takes for a corpus: one, its name or path, or the documents
    themselves, bytes or str. Raises EquinfoError for all else."""
    if isinstance(corpus, str | Path):
        corpus = load_corpus(corpus)
    if isinstance(corpus, Corpus):
        return corpus.documents(split)
    if isinstance(corpus, bytes | bytearray | memoryview) or not isinstance(corpus, Iterable):
        raise EquinfoError(
            f"a corpus is a name, a path or a list of documents, not a {type(corpus).__name__}: put"
            " one document into a list"
        )
    return (sources.as_document(one, f"document {n}") for n, one in enumerate(corpus))


def take(documents: Iterable[bytes], max_bytes: int, say: bool = False) -> list[bytes]:
    """As `limited`, in a list, or EquinfoError for none."""
    taken = list(limited(documents, max_bytes, say))
    if not taken:
        raise EquinfoError("the corpus is empty: it has no documents")
    return taken


def limited(documents: Iterable[bytes], max_bytes: int, say: bool = False) -> Iterator[bytes]:
    """The first documents, whole, of at most `max_bytes` bytes in all.

    While more than 5 % of them are free, one that does not fit is passed over for smaller ones, and
    the beginning of the first of these comes last. say: warn of what the limit left out.
    """
    if max_bytes < 1:
        raise EquinfoError(f"max_bytes is {max_bytes}: it must be at least 1")
    left = max_bytes
    count = passed = 0
    large = b""
    for document in documents:
        if len(document) <= left:
            left -= len(document)
            count += 1
            yield document
            continue
        large = large or document
        passed += len(document)
        if left * HELD_OUT <= max_bytes or passed > MOST_PASSED:
            break
    cut = "documents"
    if left * HELD_OUT > max_bytes and (large := large[: place_to_cut(large, left)]):
        left -= len(large)
        cut = f"whole documents and {len(large)} bytes of one that does not fit"
        yield large
    if say and passed:
        warnings.warn(
            f"max_bytes is {max_bytes}: used {max_bytes - left} bytes, {count} {cut}, and left out"
            " what came beyond: raise it to use more",
            stacklevel=1,
        )


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


# -- parts and their splits ------------------------------------------------------------------------


def _part(name: str | Path) -> Part:
    if name == "bundled":
        return _of_files(name, {"train": [BUNDLED]}, LeftOut())
    if name in SHARDED:
        root = Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)
        if not (root / name).is_dir():
            raise EquinfoError(
                f"corpus {name!r} is not here: {root / name} is no folder; set {FOLDER_VARIABLE} to"
                f" the folder that holds {name}/train-*.jsonl.zst and {name}/validation.jsonl.zst"
            )
        return _folder(root / name, SPLITS)
    if isinstance(name, str) and name.startswith(sources.PREFIX):
        return partial(_units, name, sources.open_hugging_face(name), LeftOut())
    if name and sources.located(name).is_dir():
        return _folder(sources.located(name))
    return _named(str(name))


def _units(name: str, splits: Splits, noted: LeftOut, split: str) -> list[Unit]:
    """Of its own split or all; of its train split by content if it has no validation."""
    left = LeftOut(noted)
    found = splits()
    if "train" not in found:
        raise EquinfoError(f"{name} has no train split; it has {', '.join(found)}")
    for other in sorted(found.keys() - SPLITS):
        left.note("test" if other == "test" else "split", other)
    if split == WHOLE:
        chosen = [*found["train"], *found.get("validation", [])]
    elif "validation" in found:
        chosen = found[split]
    else:
        chosen = _by_content(name, found["train"], split)
    units = [Unit(name, read, size) for read, size in chosen]
    return [replace(units[0], noted=left), *units[1:]]


def _by_content(name: str, reads: list[tuple[Read, int]], split: str) -> list[tuple[Read, int]]:
    """By hash; of fewer documents than one of which would be held out, the last part of each."""
    documents = chain.from_iterable(read(LeftOut()) for read, _ in reads)
    count = sum(1 for _ in islice(documents, HELD_OUT))
    if not count:
        raise EquinfoError(f"{name} holds no text: the corpus is empty")
    return [(partial(_held, read, count < HELD_OUT, split), size) for read, size in reads]


def _held(read: Read, few: bool, split: str, left: LeftOut) -> Iterator[bytes]:
    for document in read(left):
        if few and len(document) >= SHORTEST_CUT:
            end = place_to_cut(document, len(document) - len(document) // HELD_OUT)
            yield document[:end] if split == "train" else document[end:]
        elif held_out(document) == (split == "validation"):
            yield document


# -- files -----------------------------------------------------------------------------------------


def _named(name: str) -> Part:
    """What a path or a glob names. Raises EquinfoError for none and for other kinds."""
    left = LeftOut()
    files = [path for path in sources.matching(name) if path.is_file()]
    if not files:
        what = "no file matches" if has_magic(name) else "there is no"
        raise EquinfoError(
            f"{what} {name!r}: a corpus is bundled, {', '.join(SHARDED)}, or a path or glob of"
            " .txt, source, .jsonl or .parquet files, a folder of them, or hf:NAME; several joined"
            " by +"
        )
    known = [path for path in files if _kind(path)]
    if not known:
        raise EquinfoError(
            f"{files[0]} is neither text nor JSON lines nor Parquet: its name must end in .txt,"
            " .jsonl (and .gz, .zst or .xz), .parquet, or as source code does"
        )
    for path in files:
        if not _kind(path):
            left.note("kind", path)
    shared = set.intersection(*({*path.parents} for path in known))
    base = max(shared, key=lambda path: len(path.parts))
    return _of_files(name, _by_split(known, base, left), left)


def _folder(folder: Path, required: tuple[str, ...] = ()) -> Part:
    """The text in it and in all its folders. required: splits that it must have."""
    left = LeftOut()
    tree = sources.tree_files(folder, left)
    files = [path for path in tree if _kind(path)]
    for path in tree:
        if not _kind(path):
            left.note("kind", path.relative_to(folder))
    found = _by_split(files, folder, left, in_folder=True)
    for split in required:
        if split not in found:
            raise EquinfoError(
                f"{folder} has no {split} files: it should hold train-*.jsonl and validation*.jsonl"
                " (and .gz, .zst or .xz, or .parquet)"
            )
    if not any(found.values()):
        raise EquinfoError(
            f"{folder} holds no text: no file in it, or in any folder of it, is named as text,"
            " source code, .jsonl or .parquet"
        )
    return _of_files(str(folder), found, left, in_folder=True)


def _kind(path: PurePath) -> str:
    """The suffix that says what is in a file, compression aside; "" for none that is read."""
    suffix = path.suffix.lower()
    plain = PurePath(path.stem).suffix.lower() if suffix in PACKED else suffix
    known = TEXT_SUFFIXES + ROW_SUFFIXES[: -1 if suffix in PACKED else None]
    return plain if plain in known else ""


def _by_split(
    files: list[Path], base: Path, left: LeftOut, in_folder: bool = False
) -> dict[str, list[Path]]:
    """Split -> files: as they are named, or all of them for training where no name says more."""
    plain: dict[Path, Path] = {}
    for path in sorted(files, key=lambda path: path.suffix.lower() in PACKED):
        unpacked = path.with_suffix("") if path.suffix.lower() in PACKED else path
        if plain.setdefault(unpacked, path) is not path:
            left.note("copy", path.relative_to(base))
    kept = set(plain.values())
    names = [path.relative_to(base) for path in files if path in kept]
    found: dict[str, list[Path]] = {}
    for name, split in zip(names, sources.splits_by_name(names, _is_data), strict=True):
        if in_folder and not split and _kind(name) == ".json":  # among sources it is no corpus
            left.note("kind", name)
        else:
            found.setdefault(split, []).append(base / name)
    if len(found) < 2:
        return {"train": [path for files in found.values() for path in files]}
    unnamed = found.pop("", [])
    if "train" not in found and unnamed:
        found["train"] = unnamed
        unnamed = []
    for reason, others in (("split", unnamed), ("test", found.pop("test", []))):
        for path in others:
            left.note(reason, path.relative_to(base))
    return found


def _is_data(path: PurePath) -> bool:
    return _kind(path) in (".txt", *ROW_SUFFIXES)


def _of_files(
    name: str, files: dict[str, list[Path]], left: LeftOut, in_folder: bool = False
) -> Part:
    def splits() -> dict[str, list[tuple[Read, int]]]:
        return {split: list(_together(found, in_folder)) for split, found in files.items()}

    return partial(_units, name, splits, left)


def _together(files: list[Path], in_folder: bool) -> Iterator[tuple[Read, int]]:
    """Files in groups of at least UNIT_BYTES, but for the last."""
    group: list[Path] = []
    size = 0
    for path in files:
        group.append(path)
        size += stored_size(path)
        if size >= UNIT_BYTES or path is files[-1]:
            yield partial(_read_all, group, in_folder), size
            group = []
            size = 0


def _read_all(files: list[Path], in_folder: bool, left: LeftOut) -> Iterator[bytes]:
    """Their documents, without empty ones. in_folder: what is not UTF-8 is left out."""
    for path in files:
        if _kind(path) == ".parquet":
            yield from sources.as_documents(sources.parquet_texts(path), left)
        elif _kind(path) in ROW_SUFFIXES:
            yield from sources.as_documents(_json_texts(path), left)
        else:
            for part in read_text(path):
                if in_folder and not _is_text(part):
                    left.note("encoding", path)
                    break
                if part.startswith(UTF_16):
                    raise EquinfoError(f"{path} is UTF-16: convert it (iconv -f UTF-16 -t UTF-8)")
                yield part


def _is_text(data: bytes) -> bool:
    """Whether a file in a folder is taken: UTF-8 without a zero byte (git's sign of a binary)."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _json_texts(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, the field `text`) of each line that is not blank."""
    for number, line in enumerate(read_lines(path), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise EquinfoError(
                f"{where}: not valid UTF-8 at byte {error.start} of the line"
            ) from error
        except (ValueError, RecursionError) as error:
            raise EquinfoError(f"{where}: not valid JSON ({error})") from error
        if not isinstance(value, dict) or "text" not in value:
            raise EquinfoError(f'{where}: no text: every line must be an object with a "text"')
        yield where, value["text"]
