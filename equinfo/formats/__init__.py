"""Token shards in the formats of others: a folder, whole or not at all, with one shard in memory.

`equinfo.json` in it says what the formats have no place for: the tokenizer, its special ids, and
the bytes of text that the ids stand for, without which there is no bits/byte (nats summed over a
split's num_ids / ln 2 / its num_bytes). `files` has the size and SHA-256 of every other file,
`hash` is the SHA-256 of the canonical JSON of all the rest.

Where rows do not say each document's bytes, SPLITset-documents.npy does (a name that no loader
takes for data of the split): int64[num_documents + 1, 2], for each document, or block, the place of
its first id in the split's stream and of its first byte in the split's text; the last row is the
end of both. So documents m .. n-1 are the ids [m, 0] .. [n, 0] and [n, 1] - [m, 1] bytes.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from equinfo.artifacts import Identity
from equinfo.errors import EquinfoError, naming, naming_files
from equinfo.files import EXPORT as INFO
from equinfo.files import atomic_folder, check_empty, content_hash, file_hash, target
from equinfo.formats import flat, rows
from equinfo.formats.common import Splits, pieces, split_info, splits_of, tokenizer_info
from equinfo.shards import Shards
from equinfo.stored import digest, number, section, word

FORMATS = ("parquet", "arrow", "nanogpt", "llmc", "megatron")
VERSION = 1


@naming_files()
def export(
    shards: Shards | Path | str,
    out: Path | str,
    format: str,
    *,
    validation: Shards | Path | str | None = None,
    context: int | None = None,
    wide: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write the ids of `shards` (of `tokenize_corpus`, or its folder) as `format` to a new folder.

    format: parquet or arrow (formats/rows.py), nanogpt, llmc or megatron (formats/flat.py).
    validation: shards of the same tokenizer, as the split of that name (val.bin of nanoGPT);
    without it there is one split, named as the shards' own. context, for parquet and arrow: rows of
    BOS and `context` ids for training, cut as `train_lm` cuts them (what is left after the last one
    is dropped), instead of documents. wide, for nanogpt: u32 ids. overwrite: in place of what
    equinfo wrote at `out`.

    Returns what equinfo.json holds. Raises EquinfoError for a format that does not exist or cannot
    hold the ids, for shards that do not belong together, and where anything is at `out`.
    """
    if format not in FORMATS:
        raise EquinfoError(f"unknown format {format!r}; known: {', '.join(FORMATS)}")
    if context is not None and format not in ("parquet", "arrow"):
        raise EquinfoError(
            f"{format} has no rows, its loaders cut the stream themselves: leave context out"
        )
    if wide and format != "nanogpt":
        raise EquinfoError(f"wide is for nanogpt alone: {format} says itself how wide its ids are")
    check_empty(out, overwrite)
    splits = splits_of(shards, validation)
    if target(out) in [target(part.folder) for part in splits.values()]:
        raise EquinfoError(f"{out} holds the shards that are read: name another folder")
    first = next(iter(splits.values()))
    write: dict[str, Callable[[Splits, Path], str]] = {
        "parquet": partial(rows.write_parquet, context=context),
        "arrow": partial(rows.write_arrow, context=context),
        "nanogpt": partial(flat.write_nanogpt, wide=wide),
        "llmc": flat.write_llmc,
        "megatron": flat.write_megatron,
    }
    told = {name: split_info(part) for name, part in splits.items()}
    with atomic_folder(out, overwrite) as folder:
        info: dict[str, Any] = {
            "version": VERSION,
            "format": format,
            "tokenizer": tokenizer_info(first),
            "dtype": write[format](splits, folder),
            "mode": first.mode,
            "context": context,
            "splits": told,
        }
        rows_say = format in ("parquet", "arrow") and context is None
        cut = context is not None and first.mode == "block"  # to ids that stand for no whole block
        for name, part in splits.items() if not rows_say and not cut else ():
            told[name]["documents"] = f"{name}set-documents.npy"
            _write_documents(folder / told[name]["documents"], part)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        info["files"] = {path.relative_to(folder).as_posix(): _described(path) for path in files}
        info["hash"] = content_hash(info)
        (folder / INFO).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    return info


def read_info(folder: Path) -> dict[str, Any]:
    """What equinfo.json says, or EquinfoError where it is none that `export` writes."""
    path = folder / INFO
    with naming(path):
        info = json.loads(path.read_text(encoding="utf-8"))
        number(info, "version", VERSION, VERSION)
        told = {name: value for name, value in info.items() if name != "hash"}
        if {"files", "hash"} & info.keys() and info.get("hash") != content_hash(told):
            raise EquinfoError("it was altered: export the shards again")
        word(info, "format", FORMATS)
        word(info, "mode", ("document", "block"))
        Identity.read(info["tokenizer"])
        for name, split in section(info, "splits").items():
            word({"split": name}, "split", ("train", "validation"))
            for count in ("num_ids", "num_documents", "num_bytes"):
                number(split, count, 0, 1 << 60)
        for name, file in info.get("files", {}).items():
            number(file, "size", 0, 1 << 60)
            digest(file, "sha256")
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise EquinfoError(f"it names {name!r}, which is no file beside it")
        return info


def check_export(folder: Path) -> int:
    """Read all of an export; how many files have the hash that is noted of them.

    Raises EquinfoError for a file that is missing or altered. Exports of earlier versions note no
    hashes.
    """
    files = read_info(folder).get("files", {})
    for name, noted in files.items():
        if not (folder / name).is_file():
            raise EquinfoError(f"{folder / name} is missing: export the shards again")
        if _described(folder / name) != noted:
            raise EquinfoError(f"{folder / name} was cut or altered: export the shards again")
    return len(files)


def _described(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": file_hash(path)}


def _write_documents(path: Path, shards: Shards) -> None:
    shape = (shards.num_documents + 1, 2)
    table = np.lib.format.open_memmap(path, "w+", np.dtype("<i8"), shape)
    at = 0
    for _, lengths, num_bytes in pieces(shards):
        ends = np.cumsum(np.stack([lengths, num_bytes], axis=1), axis=0)
        table[at + 1 : at + len(ends) + 1] = table[at] + ends
        at += len(ends)
    table.flush()
