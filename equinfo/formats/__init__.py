"""Token shards in the formats of others: a folder, whole or not at all, with one shard in memory.

`equinfo.json` in it says what the formats have no place for: the tokenizer, its special ids, and
the bytes of text that the ids stand for, without which there is no bits/byte (nats summed over a
split's num_ids / ln 2 / its num_bytes).
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError, naming_files
from equinfo.files import EXPORT as INFO
from equinfo.files import atomic_folder, check_empty, target
from equinfo.formats import flat, rows
from equinfo.formats.common import Splits, split_info, splits_of, tokenizer_info
from equinfo.shards import Shards

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
    with atomic_folder(out, overwrite) as folder:
        info = {
            "version": VERSION,
            "format": format,
            "tokenizer": tokenizer_info(first),
            "dtype": write[format](splits, folder),
            "mode": first.mode,
            "context": context,
            "splits": {split: split_info(part) for split, part in splits.items()},
        }
        (folder / INFO).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    return info
