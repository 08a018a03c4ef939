"""Token shards in the formats of others: a folder, whole or not at all, written a shard in memory
at a time.

`equinfo.json` in it says what the formats have no place for: the tokenizer, its special ids, and
the bytes of text that the ids stand for, without which there is no bits/byte (nats summed over a
split's num_ids / ln 2 / its num_bytes).
"""

import json
from pathlib import Path
from typing import Any

from equinfo.errors import EquinfoError
from equinfo.files import atomic_folder
from equinfo.formats import flat, rows
from equinfo.formats.common import Splits, split_info, splits_of, tokenizer_info
from equinfo.shards import Shards

FORMATS = ("parquet", "arrow", "nanogpt", "llmc", "megatron")
INFO = "equinfo.json"
VERSION = 1


def export(
    shards: Shards | Path | str,
    out: Path | str,
    format: str,
    *,
    validation: Shards | Path | str | None = None,
    context: int | None = None,
    wide: bool = False,
) -> dict[str, Any]:
    """Write the ids of `shards` (what `tokenize_corpus` wrote, or its folder) as `format` into the
    new folder `out`.

    format: parquet or arrow (formats/rows.py), nanogpt, llmc or megatron (formats/flat.py).
    validation: shards of the same tokenizer, as the split of that name (val.bin of nanoGPT);
    without it there is one split, named as the shards' own. context, for parquet and arrow: rows of
    BOS and `context` ids for training, cut as `train_lm` cuts them (what is left after the last one
    is dropped), instead of documents. wide, for nanogpt: u32 ids.

    Returns what equinfo.json holds. Raises EquinfoError for a format that does not exist or cannot
    hold the ids, for shards that do not belong together, and where anything is at `out`.
    """
    _check_options(format, context, wide)
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EquinfoError(f"there is something at {out} already: name a new folder")
    splits = splits_of(shards, validation)
    with atomic_folder(out) as folder:
        dtype = _write(format, splits, folder, context, wide)
        info = {
            "version": VERSION,
            "format": format,
            "tokenizer": tokenizer_info(next(iter(splits.values()))),
            "dtype": dtype,
            "mode": next(iter(splits.values())).mode,
            "context": context,
            "splits": {split: split_info(part) for split, part in splits.items()},
        }
        (folder / INFO).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    return info


def _check_options(format: str, context: int | None, wide: bool) -> None:
    if format not in FORMATS:
        raise EquinfoError(f"unknown format {format!r}; known: {', '.join(FORMATS)}")
    if context is not None and format not in ("parquet", "arrow"):
        raise EquinfoError(
            f"{format} has no rows, its loaders cut the stream themselves: leave context out"
        )
    if wide and format != "nanogpt":
        raise EquinfoError(f"wide is for nanogpt alone: {format} says itself how wide its ids are")


def _write(format: str, splits: Splits, folder: Path, context: int | None, wide: bool) -> str:
    """Write the format's own files; the ids' dtype."""
    if format == "parquet":
        return rows.write_parquet(splits, folder, context)
    if format == "arrow":
        return rows.write_arrow(splits, folder, context)
    if format == "nanogpt":
        return flat.write_nanogpt(splits, folder, wide)
    return (flat.write_llmc if format == "llmc" else flat.write_megatron)(splits, folder)
