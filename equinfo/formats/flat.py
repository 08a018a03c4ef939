"""Flat files of ids, little-endian, documents' EOS among them: nanoGPT's, llm.c's and Megatron's.

nanogpt    train.bin, val.bin: the stream, u16; meta.pkl: {vocab_size, ...}, which train.py reads
           (sample.py would want characters' stoi and itos: decode with the tokenizer instead)
llmc       train.bin, val.bin: the stream after 256 i32: magic, version, number of ids; u32 ids
           where u16 do not do
megatron   SPLIT_text_document.bin and .idx (IndexedDataset): a sequence, a document for each
"""

import pickle
import struct
from pathlib import Path

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.formats.common import Splits, check_size, pieces, tokenizer_info
from equinfo.shards import Shards

# magic, version: its "gpt-2" and "llama-3" files
LLMC = {"uint16": (20240520, 1), "uint32": (20240801, 7)}
MEGATRON = {"uint16": 8, "int32": 4}
MEGATRON_UINT16 = 65_500  # more ids than these it keeps in 32 bits (DType.optimal_dtype)


def write_nanogpt(splits: Splits, folder: Path, wide: bool = False) -> str:
    """Returns the ids' dtype, as all of these. wide: u32, if nanoGPT's np.memmap calls read it."""
    first = next(iter(splits.values()))
    if first.vocab_size > 1 << 16 and not wide:
        raise EquinfoError(
            f"{first.vocab_size} ids do not fit into the uint16 that nanoGPT reads: export as llmc,"
            " megatron or parquet, or write uint32 (wide) and let its train.py read np.uint32"
        )
    dtype = "uint32" if wide else "uint16"
    for split, shards in splits.items():
        _write_stream(folder / _short(split), shards, dtype)
    meta = {**tokenizer_info(first), "dtype": dtype}
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta, protocol=4))
    return dtype


def write_llmc(splits: Splits, folder: Path) -> str:
    dtype = next(iter(splits.values())).manifest["dtype"]
    for split, shards in splits.items():
        check_size(shards.num_ids, "the stream", "tokenize less text a folder (max_bytes)")
        header = np.zeros(256, dtype="<i4")
        header[:3] = *LLMC[dtype], shards.num_ids
        _write_stream(folder / _short(split), shards, dtype, header.tobytes())
    return dtype


def write_megatron(splits: Splits, folder: Path) -> str:
    dtype = "uint16" if next(iter(splits.values())).vocab_size < MEGATRON_UINT16 else "int32"
    for split, shards in splits.items():
        prefix = f"{split}_text_document"
        _write_stream(folder / f"{prefix}.bin", shards, dtype)
        lengths = np.concatenate([sizes for _, sizes, _ in pieces(shards)])
        (folder / f"{prefix}.idx").write_bytes(_megatron_index(lengths, dtype))
    return dtype


def _short(split: str) -> str:
    return "val.bin" if split == "validation" else f"{split}.bin"


def _write_stream(path: Path, shards: Shards, dtype: str, header: bytes = b"") -> None:
    with path.open("wb") as file:
        file.write(header)
        for ids in shards.parts():
            file.write(ids.astype(np.dtype(dtype).newbyteorder("<"), copy=False))


def _megatron_index(lengths: np.ndarray, dtype: str) -> bytes:
    """Header; i32 ids of each sequence; i64 bytes before each; i64 each document's first, the end.

    lengths: int64[documents].
    """
    check_size(int(lengths.max()), "a document", "tokenize in blocks (mode block)")
    count = len(lengths)
    before = (np.cumsum(lengths) - lengths) * np.dtype(dtype).itemsize
    header = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, MEGATRON[dtype], count, count + 1)
    tables = (lengths.astype("<i4"), before.astype("<i8"), np.arange(count + 1, dtype="<i8"))
    return header + b"".join(table.tobytes() for table in tables)
