"""Token shards: a folder of memory-mappable files of ids, and what training reads from them.

A folder holds `shard-00000.ids` ..., the folder `tokenizer` of what wrote them, and
`manifest.json`, which names every shard with its hash; it is written last, so a folder without one
is unfinished. A shard, little-endian:
    8 bytes magic, its last byte the format's version; u32 length of a JSON header
    the header: {tokenizer, name, code_size, dtype, mode, ..., source, counts}, and spaces, so that
    the ids begin at a multiple of 64
    the ids; zeros up to a multiple of 8
    u64[documents + 1] where each document's ids begin, and the end; u64[documents] its bytes
    SHA-256 of all that comes before
`source` is the hash of the texts a shard was made of: it tells another corpus' shards. sharding.py
writes all this.
"""

import hashlib
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import count, pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from equinfo.artifacts import Identity
from equinfo.errors import EquinfoError
from equinfo.files import as_path, content_hash
from equinfo.lm.sequences import Sequences, TileSource, counted
from equinfo.stored import T, check_bounds, check_types, made
from equinfo.tokenizers.base import NUM_SPECIAL, Tokenizer, id_dtype
from equinfo.tokenizers.registry import kept

FORMAT = "equinfo-shards"
VERSION = 1
MAGIC = b"eqshard" + bytes([VERSION])
MANIFEST = "manifest.json"
SHARD_NAME = re.compile(r"shard-(\d{5,9})(?:-(\d{5,9}))?\.ids")
ALIGN = 64
DIGEST = 32
LONGEST_HEADER = 1 << 20
LARGEST = 1 << 20  # codes; a language model takes memory for each
PLAN = ("tokenizer", "name", "code_size", "dtype", "mode", "block_bytes", "group_documents")
STRIDE = "block_stride"  # in a plan only where blocks overlap
COUNTS = ("num_ids", "num_codes", "num_documents", "num_bytes")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a shard holds, or all of a folder's."""

    num_ids: int
    num_codes: int
    num_documents: int
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class Entry(Counts):
    """A shard in the manifest."""

    file: str
    sha256: str
    source: str

    def __post_init__(self) -> None:
        place_of(self.file)


@dataclass(frozen=True, kw_only=True)
class Head(Counts):
    """A shard's header. Raises EquinfoError for what `tokenize_corpus` cannot have written."""

    tokenizer: str
    name: str
    code_size: int
    dtype: Literal["uint16", "uint32"]
    mode: Literal["document", "block"]
    block_bytes: int | None
    group_documents: int
    block_stride: int = 0
    source: str

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, 1, "num_ids", "num_documents")
        check_bounds(self, 0, "num_codes", "num_bytes")
        check_bounds(self, 1, "code_size", most=LARGEST)
        Identity.read({"name": self.name, "fingerprint": self.tokenizer})
        ends = self.num_documents if self.mode == "document" else 0
        size = self.code_size + NUM_SPECIAL
        if self.num_codes != self.num_ids - ends or self.dtype != id_dtype(size).__name__:
            raise EquinfoError("its numbers contradict one another")


@dataclass(frozen=True, kw_only=True)
class Manifest(Head):
    """Of a folder. part: [3, 64] of the third of 64 parts, which may be empty; units: of all."""

    source: str = ""
    corpus: dict
    shards: list
    part: list | None = None
    units: int = 0

    def __post_init__(self) -> None:
        if self.shards or self.part is None:
            super().__post_init__()
        if self.part is not None:
            whole = [type(number) for number in self.part] == [int, int]
            if not whole or not 1 <= self.part[0] <= self.part[1]:
                raise EquinfoError("it is no such part")
        entries = [read(Entry, entry) for entry in self.shards]
        for part in COUNTS:
            if getattr(self, part) != sum(getattr(entry, part) for entry in entries):
                raise EquinfoError(f"{part} is not the sum of its shards'")
        if self.corpus.get("split") not in (None, "train", "validation"):
            raise EquinfoError("its corpus has no such split")


def read(cls: type[T], values: Any) -> T:
    """`values` as one of these; what it has besides is left out. EquinfoError where it is none."""
    known = [one.name for one in fields(cls)]  # type: ignore[arg-type]
    if isinstance(values, dict):
        values = {name: value for name, value in values.items() if name in known}
    return made(cls, values)


def shard_name(number: int, unit: int | None = None) -> str:
    """Of the shard of that number; of those of a unit, where a corpus has several."""
    return f"shard-{number:05}.ids" if unit is None else f"shard-{unit:05}-{number:05}.ids"


def place_of(name: str) -> tuple[int, ...]:
    """The numbers in a shard's name, which order shards. Raises EquinfoError for no such name."""
    found = SHARD_NAME.fullmatch(name)
    if not found:
        raise EquinfoError(f"{name[:60]!r} is no name of a shard")
    return tuple(int(number) for number in found.groups() if number)


def write_shard(
    file: BinaryIO, head: dict[str, Any], ids: np.ndarray, ends: np.ndarray, num_bytes: np.ndarray
) -> str:
    """Write one shard; the hash at its end, in hex.

    ids: [num_ids]; ends: int[documents], where each document's ids end; num_bytes: int[documents].
    """
    header = json.dumps(head, sort_keys=True).encode()
    header += b" " * (-(len(MAGIC) + 4 + len(header)) % ALIGN)
    dtype = np.dtype(head["dtype"]).newbyteorder("<")
    content = [
        MAGIC + struct.pack("<I", len(header)) + header,
        ids.astype(dtype, copy=False).tobytes(),
        bytes(-len(ids) * dtype.itemsize % 8),
        np.concatenate([[0], ends]).astype("<u8").tobytes(),
        np.asarray(num_bytes).astype("<u8").tobytes(),
    ]
    digest = hashlib.sha256()
    for part in content:
        digest.update(part)
        file.write(part)
    file.write(digest.digest())
    return digest.hexdigest()


def read_head(path: Path) -> tuple[dict[str, Any], int]:
    """(header, where the ids begin). Raises EquinfoError for no shard and for another version."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC) + 4)
            if start[: len(MAGIC) - 1] != MAGIC[:-1] or len(start) < len(MAGIC) + 4:
                raise _damaged(path, "it does not begin as one")
            if start[len(MAGIC) - 1] != VERSION:
                raise _other_version(path, start[len(MAGIC) - 1])
            (length,) = struct.unpack_from("<I", start, len(MAGIC))
            header = json.loads(file.read(min(length, LONGEST_HEADER)))
    except EquinfoError:
        raise  # a ValueError, too
    except FileNotFoundError as error:
        raise EquinfoError(
            f"{path} is missing: run `equinfo tokenize` again, which writes what is missing"
        ) from error
    except OSError as error:
        raise EquinfoError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header cannot be read") from error
    try:
        read(Head, header)
    except EquinfoError as error:
        raise _damaged(path, f"its header is wrong, {error}") from error
    return header, len(MAGIC) + 4 + length


def check_digest(path: Path) -> str:
    """The hash at a shard's end, in hex. Raises EquinfoError where the content has another."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = max(path.stat().st_size - DIGEST, 0)
        while left:
            chunk = file.read(min(left, 1 << 20))
            digest.update(chunk)
            left -= len(chunk)
        if file.read() != digest.digest():
            raise _damaged(path, "its checksum does not match")
    return digest.hexdigest()


def check_shard(path: Path) -> None:
    """Raises EquinfoError where a shard, by itself, is not whole, or is none."""
    header, start = read_head(path)
    shard = _Shard(path, header, start)
    if path.stat().st_size != shard.size:
        raise _damaged(path, "its size is not what its header says")
    check_digest(path)
    shard.check(header, ids_too=True)


def check_plan(path: Path, header: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raises EquinfoError for a shard of another tokenizer, mode or corpus."""
    wrong = None
    if header["source"] != expected["source"]:
        wrong = "holds another text than is asked for (another corpus, split or shard size)"
    for part in (*PLAN, STRIDE):
        if header.get(part, 0) != expected.get(part, 0):
            wrong = f"was made with {part} {header.get(part, 0)}, not {expected.get(part, 0)}"
            break
    if header["tokenizer"] != expected["tokenizer"]:
        theirs, ours = (f"{one['name']} {str(one['tokenizer'])[:12]}" for one in (header, expected))
        wrong = f"was written by {theirs}, not by {ours}"
    if wrong:
        raise EquinfoError(
            f"{path} {wrong}: choose another folder, or remove this one and tokenize again"
        )


@dataclass(frozen=True)
class TokenStream:
    """Documents as one stream of ids in memory, an EOS after each.

    ids: uint16 or uint32 [num_tokens + documents]. num_tokens: codes, without EOS. num_bytes: what
    they stand for.
    """

    ids: np.ndarray
    num_tokens: int
    num_bytes: int

    @classmethod
    def of(cls, encoded: list[np.ndarray], eos_id: int, num_bytes: int) -> "TokenStream":
        """Of each document's ids, one or more of them, all of one dtype."""
        eos = np.array([eos_id], dtype=encoded[0].dtype)
        parts = [part for ids in encoded for part in (ids, eos)]
        return cls(np.concatenate(parts), sum(map(len, encoded)), num_bytes)

    @property
    def ratio(self) -> float:
        """Token compression ratio: bytes a token (§3.8)."""
        return self.num_bytes / self.num_tokens


class Shards:
    """An opened folder of shards: one logical stream of ids, read from disk as it is used.

    num_ids: of the stream, EOS included; num_tokens: codes alone; num_bytes: what they stand for.
    In mode "document" the stream is document, EOS, document, EOS, ...; in mode "block" it is block
    after block, without EOS.
    """

    def __init__(self, folder: Path | str, verify: bool = True, part: bool = False) -> None:
        """Open `folder`; `verify` reads everything once to check the hashes. part: it is a part of
        a corpus.

        Raises EquinfoError, in one line with the remedy, for a folder that is unfinished, of
        another format version, or lacks a shard, for a shard that was cut, altered or put there
        from another folder, and for a part where a whole is asked for, or a whole for a part.
        """
        self.folder = as_path(folder)
        self.manifest = read_manifest(self.folder)
        found = self.manifest.get("part")
        if found and not part:
            raise EquinfoError(
                f"{self.folder} is part {found[0]} of {found[1]} of a corpus: `equinfo merge` makes"
                " shards of all of them"
            )
        if part and not found:
            raise EquinfoError(f"{self.folder} is no part of a corpus, but all of one")
        self._files = []
        for entry in self.manifest["shards"]:
            path = self.folder / entry["file"]
            header, start = read_head(path)
            check_plan(path, header, {**self.manifest, "source": entry["source"]})
            shard = _Shard(path, header, start)
            whole = path.stat().st_size == shard.size
            if not whole or any(header[part] != entry[part] for part in COUNTS):
                raise _damaged(path, "its size is not what the manifest says")
            if verify and check_digest(path) != entry["sha256"]:
                raise _damaged(path, "its hash is not what the manifest says")
            shard.check(header, verify)
            self._files.append(shard)

    def __str__(self) -> str:
        return (
            f"{self.manifest['name']}: {self.num_documents} {self.mode}s, {self.num_bytes} bytes ->"
            f" {self.num_tokens} ids in {len(self._files)} shards, {self.ratio:.2f} bytes/id"
        )

    # -- what it holds -----------------------------------------------------------------------------

    @property
    def mode(self) -> str:
        return self.manifest["mode"]

    @property
    def num_ids(self) -> int:
        return self.manifest["num_ids"]

    @property
    def num_tokens(self) -> int:
        return self.manifest["num_codes"]

    @property
    def num_bytes(self) -> int:
        return self.manifest["num_bytes"]

    @property
    def num_documents(self) -> int:
        """Documents, or blocks in mode "block"."""
        return self.manifest["num_documents"]

    @property
    def ratio(self) -> float:
        """Token compression ratio: bytes a token (§3.8)."""
        return self.num_bytes / max(self.num_tokens, 1)

    @property
    def vocab_size(self) -> int:
        """Codes and the special ids that follow them."""
        return self.manifest["code_size"] + NUM_SPECIAL

    @property
    def bos_id(self) -> int:
        return self.manifest["code_size"] + 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the manifest, and through the shards' hashes of every id."""
        return content_hash({k: v for k, v in self.manifest.items() if k != "corpus"})

    @property
    def identity(self) -> Identity:
        """The tokenizer that wrote these."""
        return Identity(self.manifest["name"], self.manifest["tokenizer"])

    def check_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Raises EquinfoError where another tokenizer wrote these."""
        self.identity.check(tokenizer.identity, self.folder)

    def tokenizer(self, given: Tokenizer | None = None) -> Tokenizer | None:
        """`given`, or what the folder holds, if anything. Raises EquinfoError for another one."""
        found = kept(self.folder) if given is None else given
        if found is not None:
            self.check_tokenizer(found)
        return found

    def documents(self) -> Iterator[tuple[np.ndarray, int]]:
        """(ids without EOS, bytes they stand for) of every document (or block), in order."""
        eos = int(self.mode == "document")
        for shard in self._files:
            places = pairwise(shard.starts.tolist())
            for (begin, end), size in zip(places, shard.num_bytes.tolist(), strict=True):
                yield shard.ids[begin : end - eos], size

    def parts(self) -> Iterator[np.ndarray]:
        """The stream's ids, a shard at a time."""
        yield from (shard.ids for shard in self._files)

    def stream(self) -> TokenStream:
        """All of it in memory, as `api.token_stream` makes it. Raises EquinfoError for blocks:
        nobody can say how many bytes a block stands for that was cut at some id."""
        if self.mode != "document":
            raise EquinfoError(
                f"{self.folder} holds blocks, which give no exact bits/byte: tokenize by documents"
            )
        return TokenStream(np.concatenate(list(self.parts())), self.num_tokens, self.num_bytes)

    # -- training ----------------------------------------------------------------------------------

    def tiles(self, context: int) -> TileSource:
        """Training examples of `context` ids, by number.

        Documents: the stream, cut every `context` ids. Blocks: the first `context` ids of every
        block that has as many (§3.3); these do not decode to text.
        """
        return (Tiles if self.mode == "document" else BlockTiles)(self._files, context)

    def firsts(self, context: int, period: int) -> np.ndarray:
        """int64[tiles]: each first id's place in its unit of `period` ids; documents begin one."""
        at = np.arange(len(self.tiles(context))) * context
        if self.mode == "block":
            return np.zeros_like(at)
        starts = []
        begin = 0
        for shard in self._files:
            starts.append(shard.starts[:-1].astype(np.int64) + begin)
            begin += shard.num_ids
        return counted(at, np.concatenate(starts), period)

    def batches(
        self, context: int, batch_size: int, seed: int = 0, start: int = 0
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(inputs, targets) without end, int64[batch_size, context], in the order of `seed`.

        start: how many batches have been taken before; that is all there is to know to go on.
        """
        sequences = Sequences(self, context, self.bos_id, seed)
        for number in count(start):
            yield sequences.batch(number * batch_size, batch_size)


class _Shard:
    """One file's arrays, memory-mapped when first used."""

    def __init__(self, path: Path, header: dict[str, Any], start: int) -> None:
        self.path = path
        self.start = start
        self.num_ids = int(header["num_ids"])
        self.num_documents = int(header["num_documents"])
        self.dtype = np.dtype(header["dtype"]).newbyteorder("<")
        self.table = start + -(-self.num_ids * self.dtype.itemsize // 8) * 8
        self.size = self.table + 8 * (2 * self.num_documents + 1) + DIGEST

    def check(self, header: dict[str, Any], ids_too: bool) -> None:
        """Raises EquinfoError where documents are not one after another, or ids not the mode's."""
        ends_with_eos = header["mode"] == "document"
        table = np.fromfile(self.path, "<u8", 2 * self.num_documents + 1, offset=self.table)
        starts = table[: self.num_documents + 1]
        size = np.cumsum(table[self.num_documents + 1 :])  # what wraps descends
        follow = np.greater if ends_with_eos else np.greater_equal
        in_order = follow(starts[1:], starts[:-1]).all() and (size[1:] >= size[:-1]).all()
        if not in_order or starts[0] or starts[-1] != self.num_ids:
            raise _damaged(self.path, "its documents do not follow one another")
        if size[-1] != header["num_bytes"]:
            raise _damaged(self.path, "its documents have other sizes than it says")
        if ids_too:
            ids = np.memmap(self.path, self.dtype, "r", self.start, (self.num_ids,))
            special = np.count_nonzero(ids >= header["code_size"])
            last = ids[starts[1:] - 1] if ends_with_eos else ids[:0]
            eos_id = header["code_size"] + NUM_SPECIAL - 1
            if special != len(last) or (last != eos_id).any():
                raise _damaged(self.path, "it holds ids that its tokenizer does not write there")

    def __getstate__(self) -> dict[str, Any]:
        """Without what is mapped: a copy in another process maps the file itself."""
        return {k: v for k, v in vars(self).items() if k not in ("ids", "_table")}

    @cached_property
    def ids(self) -> np.ndarray:
        """[num_ids]"""
        return np.memmap(self.path, self.dtype, "r", self.start, (self.num_ids,))

    @cached_property
    def _table(self) -> np.ndarray:
        return np.memmap(self.path, "<u8", "r", self.table, (2 * self.num_documents + 1,))

    @property
    def starts(self) -> np.ndarray:
        """u64[documents + 1]"""
        return self._table[: self.num_documents + 1]

    @property
    def num_bytes(self) -> np.ndarray:
        """u64[documents]"""
        return self._table[self.num_documents + 1 :]


class Tiles:
    """The shards' ids as one stream, cut every `context` ids; tiles[i]: [context]."""

    def __init__(self, files: list[_Shard], context: int) -> None:
        self.files = files
        self.context = context
        self.starts = np.cumsum([0, *(shard.num_ids for shard in files)])

    def __len__(self) -> int:
        return int(self.starts[-1]) // self.context

    def __getitem__(self, number: int) -> np.ndarray:
        at = number * self.context
        end = at + self.context
        shard = int(np.searchsorted(self.starts, at, "right")) - 1
        parts = []
        while at < end:  # a tile may run across the ends of shards
            start = int(self.starts[shard])
            parts.append(self.files[shard].ids[at - start : end - start])
            at += len(parts[-1])
            shard += 1
        return np.concatenate(parts)


class BlockTiles:
    """The first `context` ids of each block that has as many; tiles[i]: [context]."""

    def __init__(self, files: list[_Shard], context: int) -> None:
        self.files = files
        self.context = context
        sizes = (np.diff(shard.starts.astype(np.int64)) for shard in files)
        self.long = [np.flatnonzero(size >= context) for size in sizes]
        self.firsts = np.cumsum([0, *map(len, self.long)])

    def __len__(self) -> int:
        return int(self.firsts[-1])

    def __getitem__(self, number: int) -> np.ndarray:
        shard = int(np.searchsorted(self.firsts, number, "right")) - 1
        block = self.long[shard][number - self.firsts[shard]]
        begin = int(self.files[shard].starts[block])
        return self.files[shard].ids[begin : begin + self.context]


def check_version(folder: Path) -> None:
    """Raises EquinfoError where `folder` has a manifest of another format version."""
    try:
        stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # none, or one that will be written again
    if isinstance(stored, dict) and stored.get("version", VERSION) != VERSION:
        raise _other_version(folder / MANIFEST, stored["version"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a folder's manifest says. Raises EquinfoError where it has none that is whole."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EquinfoError(
            f"{folder} holds no finished shards ({MANIFEST} cannot be read): `equinfo tokenize`"
            " makes them, or finishes what was begun"
        ) from error
    except (ValueError, RecursionError) as error:
        raise EquinfoError(
            f"{path} is not valid JSON: run `equinfo tokenize` again, which rewrites it"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise EquinfoError(
            f"{path} is no manifest of token shards: name the folder that `equinfo tokenize` wrote"
        )
    if manifest.get("version") != VERSION:
        raise _other_version(path, manifest.get("version"))
    try:
        if manifest.pop("hash", None) != content_hash(manifest):
            raise EquinfoError("its hash is another")
        read(Manifest, manifest)
    except (ValueError, RecursionError) as error:  # an EquinfoError is a ValueError
        how = error if isinstance(error, EquinfoError) else "it is no such JSON"
        raise EquinfoError(
            f"{path} was altered ({how}): run `equinfo tokenize` again, which rewrites it"
        ) from error
    return manifest


def _other_version(path: Path, version: Any) -> EquinfoError:
    return EquinfoError(
        f"{path} has format version {version} and this equinfo reads version {VERSION}: remove the"
        " folder and tokenize again, or install the equinfo that wrote it"
    )


def _damaged(path: Path, how: str) -> EquinfoError:
    return EquinfoError(
        f"{path} is no whole shard: {how}; run `equinfo tokenize` again, which rewrites what is"
        " missing or damaged"
    )
