"""Documents, or training sequences, as rows of a Hugging Face dataset: in place, Arrow, Parquet.

A row a document (or block): `input_ids`, which end with EOS in mode "document", and `num_bytes`;
all rows' input_ids, joined, are the shards' stream. With `context`, a row a training sequence
instead: BOS and `context` ids as `input_ids`, and the same as `labels`, as transformers' models
take them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equinfo.errors import EquinfoError, needing
from equinfo.formats.common import (
    Splits,
    check_size,
    opened,
    pieces,
    split_info,
    split_name,
    tokenizer_info,
)
from equinfo.shards import Shards

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

PACKED_IDS = 1 << 23  # ids a file of packed rows, about
BATCH_ROWS = 1000  # rows an Arrow record batch, as `datasets` writes them


def to_dataset(shards: Shards | Path | str, context: int | None = None) -> "datasets.Dataset":
    """The rows of `shards` as a Dataset: documents over the shards' files, or packed in memory."""
    datasets, pa = _libraries()
    rows = ShardTables(opened(shards), context)
    return datasets.Dataset(
        datasets.table.InMemoryTable(pa.concat_tables(rows.tables())),
        info=rows.info,
        split=datasets.NamedSplit(split_name(rows.shards)),
        fingerprint=rows.fingerprint,
    )


def write_parquet(splits: Splits, folder: Path, context: int | None) -> str:
    """SPLIT-0000N-of-0000M.parquet, a file a table. Returns the ids' dtype, as `write_arrow`."""
    _libraries()
    import pyarrow.parquet

    for split, shards in splits.items():
        rows = ShardTables(shards, context)
        for number, table in enumerate(rows.tables()):
            name = f"{split}-{number:05}-of-{rows.num_tables:05}.parquet"
            pyarrow.parquet.write_table(table, folder / name)
    return next(iter(splits.values())).manifest["dtype"]


def write_arrow(splits: Splits, folder: Path, context: int | None) -> str:
    """The layout of DatasetDict.save_to_disk, which itself would need all packed rows at once."""
    _, pa = _libraries()
    for split, shards in splits.items():
        rows = ShardTables(shards, context)
        place = folder / split
        place.mkdir()
        files = []
        for number, table in enumerate(rows.tables()):
            name = f"data-{number:05}-of-{rows.num_tables:05}.arrow"
            files.append({"filename": name})
            sink = pa.OSFile(str(place / name), "wb")
            with sink as file, pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table, BATCH_ROWS)
        rows.info.write_to_directory(str(place))
        state: dict[str, Any] = {"_data_files": files, "_fingerprint": rows.fingerprint}
        state |= {"_format_columns": None, "_format_kwargs": {}, "_format_type": None}
        state |= {"_output_all_columns": False, "_split": split}
        (place / "state.json").write_text(json.dumps(state), encoding="utf-8")
    known = json.dumps({"splits": list(splits)})
    (folder / "dataset_dict.json").write_text(known, encoding="utf-8")
    return next(iter(splits.values())).manifest["dtype"]


class ShardTables:
    """Shards as tables of rows: one a shard, over its own memory; or of PACKED_IDS ids, packed."""

    def __init__(self, shards: Shards, context: int | None) -> None:
        """Raises EquinfoError for a context without a sequence, and for missing libraries."""
        if context is not None and context < 1:
            raise EquinfoError(f"context is {context}: it must be at least 1")
        self.shards = shards
        self.context = context
        if context is None:
            self.num_tables = len(shards.manifest["shards"])
        else:
            self.tiles = shards.tiles(context)
            self.size = max(PACKED_IDS // context, 1)
            self.num_tables = -(-len(self.tiles) // self.size)
        if not self.num_tables:
            raise EquinfoError(
                f"{shards.folder} has no sequence of {context} ids: use more text or less context"
            )
        datasets, pa = _libraries()
        ids = pa.from_numpy_dtype(np.dtype(shards.manifest["dtype"]))
        if context is None:
            fields = [("input_ids", pa.list_(ids)), ("num_bytes", pa.int64())]
        else:
            fields = [(name, pa.list_(ids, context + 1)) for name in ("input_ids", "labels")]
        noted = datasets.Features.from_arrow_schema(pa.schema(fields)).arrow_schema
        ours = {"tokenizer": tokenizer_info(shards), "context": context, **split_info(shards)}
        notes = {**noted.metadata, b"equinfo": json.dumps(ours).encode()}
        self.schema = noted.with_metadata(notes)  # `datasets`' notes and our own

    @property
    def info(self) -> "datasets.DatasetInfo":
        datasets, _ = _libraries()
        manifest = self.shards.manifest
        rows = "documents" if self.context is None else f"sequences of BOS and {self.context} ids"
        counts = f"{self.shards.num_ids} ids for {self.shards.num_bytes} bytes"
        tokenizer = f"{manifest['name']}, fingerprint {manifest['tokenizer']}"
        features = datasets.Features.from_arrow_schema(self.schema)
        text = f"{rows} ({counts}) of {tokenizer}"
        return datasets.DatasetInfo(description=text, features=features)

    @property
    def fingerprint(self) -> str:
        """What `datasets` knows its caches by."""
        return self.shards.fingerprint[:16] + ("" if self.context is None else f"-{self.context}")

    def tables(self) -> Iterator["pa.Table"]:
        return self._documents() if self.context is None else self._packed(self.context)

    def _documents(self) -> Iterator["pa.Table"]:
        _, pa = _libraries()
        for ids, lengths, num_bytes in pieces(self.shards):
            check_size(len(ids), "a shard", "tokenize again with smaller shards (shard_bytes)")
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
            id_type = self.schema.field("input_ids").type.value_type
            values = pa.Array.from_buffers(id_type, len(ids), [None, pa.py_buffer(ids)])
            lists = pa.ListArray.from_arrays(offsets, values)
            yield pa.table([lists, pa.array(num_bytes)], schema=self.schema)

    def _packed(self, context: int) -> Iterator["pa.Table"]:
        _, pa = _libraries()
        for first in range(0, len(self.tiles), self.size):
            numbers = range(first, min(first + self.size, len(self.tiles)))
            rows = np.empty((len(numbers), context + 1), dtype=self.shards.manifest["dtype"])
            rows[:, 0] = self.shards.bos_id
            for row, number in zip(rows, numbers, strict=True):
                row[1:] = self.tiles[number]
            column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), context + 1)
            yield pa.table([column, column], schema=self.schema)


def _libraries() -> tuple[Any, Any]:
    """datasets and pyarrow. Raises EquinfoError where they are not installed."""
    with needing("hf", "rows of a Hugging Face dataset"):
        import datasets
        import pyarrow
    return datasets, pyarrow
