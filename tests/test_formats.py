"""Exported ids, read with the conventions of those they are for: the shards' stream."""

import json
import pickle
import struct
from itertools import chain, pairwise

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import equinfo
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError
from equinfo.formats import FORMATS, INFO, check_export, export, rows
from equinfo.formats.rows import to_dataset
from equinfo.lm.sequences import Sequences
from equinfo.shards import Shards
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer

LINES = ["In the beginning", "Im Anfang schuf Gott Himmel und Erde", "起初神创造天地", ""]
TEXTS = [(LINES[n % 4] * (1 + n * n % 91)).encode() for n in range(120)]
HELD_OUT = [text[::-1].replace(b"\0", b" ") for text in TEXTS[:31] if text.isascii()]
NARROW = equinfo.load("bytes")  # 259 ids: uint16
WIDE = EqualInfoTokenizer(StaticModel.unigram(TEXTS), 16, 16)  # 65,539 ids: uint32
CONTEXT = 50


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """`load_dataset` keeps its copies out of the user's own cache."""
    kept, datasets.config.HF_DATASETS_CACHE = (
        datasets.config.HF_DATASETS_CACHE,
        tmp_path_factory.mktemp("cache"),
    )
    yield
    datasets.config.HF_DATASETS_CACHE = kept


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Shards]:
    """Several shards each: narrow and wide ids, blocks, held out, one id short of a context."""
    place = tmp_path_factory.mktemp("made")
    return {
        "narrow": equinfo.tokenize_corpus(NARROW, TEXTS, place / "narrow", shard_bytes=20_000),
        "wide": equinfo.tokenize_corpus(WIDE, TEXTS, place / "wide", shard_bytes=20_000),
        "blocks": equinfo.tokenize_corpus(
            NARROW, TEXTS, place / "blocks", mode="block", block_bytes=1000
        ),
        "held-out": equinfo.tokenize_corpus(NARROW, HELD_OUT, place / "held-out"),
    }


ALL = pytest.mark.parametrize("name", ["narrow", "wide", "blocks"])


def stream(shards: Shards) -> np.ndarray:
    return np.concatenate(list(shards.parts()))


def rows_of(shards: Shards) -> tuple[list[list[int]], list[int]]:
    """(ids with EOS, bytes) of each document, or block."""
    eos = [shards.vocab_size - 1] if shards.mode == "document" else []
    found = list(shards.documents())
    return [[*ids.tolist(), *eos] for ids, _ in found], [size for _, size in found]


# -- Hugging Face datasets -------------------------------------------------------------------------


def readers(format: str, out) -> list[datasets.Dataset]:
    """The train split, by every way there is."""
    if format == "arrow":
        return [datasets.load_from_disk(out)["train"], datasets.load_from_disk(out / "train")]
    by_folder = datasets.load_dataset(str(out), split="train")
    return [by_folder, datasets.load_dataset("parquet", data_dir=str(out), split="train")]


@ALL
@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_datasets_read_the_documents(tmp_path, made, name, format):
    shards = made[name]
    export(shards, tmp_path / "out", format)
    for dataset in [*readers(format, tmp_path / "out"), to_dataset(shards)]:
        assert (dataset["input_ids"][:], dataset["num_bytes"][:]) == rows_of(shards)
        assert dataset.features["input_ids"].feature.dtype == shards.manifest["dtype"]
        np.testing.assert_array_equal(
            np.concatenate(dataset.with_format("numpy")["input_ids"]), stream(shards)
        )


def test_a_row_decodes_with_the_tokenizer_that_is_named(tmp_path, made):
    export(made["wide"], tmp_path / "out", "arrow")
    dataset = datasets.load_from_disk(tmp_path / "out")["train"]
    assert WIDE.fingerprint in dataset.info.description
    assert [WIDE.decode(ids[:-1]) for ids in dataset["input_ids"]] == TEXTS


@ALL
def test_pyarrow_alone_reads_it(tmp_path, made, name):
    shards, ids = made[name], []
    export(shards, tmp_path / "parquet", "parquet")
    export(shards, tmp_path / "arrow", "arrow")
    table = pyarrow.parquet.read_table(sorted((tmp_path / "parquet").glob("*.parquet")))
    for path in sorted((tmp_path / "arrow" / "train").glob("*.arrow")):
        ids.append(
            pa.ipc.open_stream(path.read_bytes()).read_all()["input_ids"].combine_chunks().flatten()
        )
    for read in (table["input_ids"].combine_chunks().flatten(), pa.concat_arrays(ids)):
        np.testing.assert_array_equal(read.to_numpy(), stream(shards))
    assert table["num_bytes"].to_pylist() == rows_of(shards)[1]
    noted = json.loads(table.schema.metadata[b"equinfo"])
    assert noted["tokenizer"]["fingerprint"] == shards.manifest["tokenizer"]
    assert noted["num_bytes"] == shards.num_bytes


@ALL
@pytest.mark.parametrize("format", ["arrow", "parquet"])
def test_packed_rows_are_the_training_sequences(tmp_path, made, name, format, monkeypatch):
    monkeypatch.setattr(rows, "PACKED_IDS", 20 * CONTEXT)  # several files
    shards = made[name]
    tiles = shards.tiles(CONTEXT)
    expected = [[shards.bos_id, *tiles[number].tolist()] for number in range(len(tiles))]
    assert len(expected) > 80
    export(shards, tmp_path / "out", format, context=CONTEXT)
    for dataset in [*readers(format, tmp_path / "out"), to_dataset(shards, context=CONTEXT)]:
        assert dataset["input_ids"][:] == dataset["labels"][:] == expected
        assert dataset.features["input_ids"].length == CONTEXT + 1


def test_a_packed_row_gives_what_training_reads(made):
    """transformers' models predict label n + 1 from ids up to n: our inputs and targets."""
    shards = made["wide"]
    row = to_dataset(shards, context=CONTEXT).with_format("torch")[:]
    order = np.random.default_rng((3, 0)).permutation(len(row["labels"]))[:8]
    inputs, targets = Sequences(shards, CONTEXT, shards.bos_id, seed=3).batch(0, 8)
    np.testing.assert_array_equal(row["input_ids"][order, :-1], inputs)
    np.testing.assert_array_equal(row["labels"][order, 1:], targets)


def test_both_splits_are_there(tmp_path, made):
    for format in ("arrow", "parquet"):
        export(made["narrow"], tmp_path / format, format, validation=made["held-out"])
    read = [
        datasets.load_from_disk(tmp_path / "arrow"),
        datasets.load_dataset(str(tmp_path / "parquet")),
    ]
    for splits in read:
        assert set(splits) == {"train", "validation"}
        assert splits["train"]["input_ids"][:] == rows_of(made["narrow"])[0]
        assert splits["validation"]["input_ids"][:] == rows_of(made["held-out"])[0]


def test_a_dataset_reads_the_shards_own_memory(made):
    before = pa.total_allocated_bytes()
    dataset = to_dataset(made["narrow"])
    assert dataset.data.nbytes > made["narrow"].num_ids * 2
    assert pa.total_allocated_bytes() - before < made["narrow"].num_ids


# -- flat files ------------------------------------------------------------------------------------


def test_nanogpt_reads_it(tmp_path, made):
    """As its train.py does: np.memmap of uint16, x from i on, y one further, meta.pkl."""
    export(made["narrow"], tmp_path / "out", "nanogpt", validation=made["held-out"])
    meta = pickle.loads((tmp_path / "out" / "meta.pkl").read_bytes())
    assert meta["vocab_size"] == NARROW.vocab_size
    for file, name in (("train.bin", "narrow"), ("val.bin", "held-out")):
        data = np.memmap(tmp_path / "out" / file, dtype=np.uint16, mode="r")
        np.testing.assert_array_equal(data, stream(made[name]))
        assert data.max() < meta["vocab_size"]
        block = 64
        for i in (0, 17, len(data) - block - 1):
            x, y = (
                data[i : i + block].astype(np.int64),
                data[i + 1 : i + 1 + block].astype(np.int64),
            )
            np.testing.assert_array_equal(x[1:], y[:-1])
    documents = np.split(data, np.flatnonzero(data == meta["eos_id"]) + 1)
    assert [NARROW.decode(ids[:-1]) for ids in documents[:-1]] == HELD_OUT


def test_nanogpt_holds_no_more_than_uint16(tmp_path, made):
    with pytest.raises(EquinfoError, match=r"65539 ids do not fit .*\(wide\)"):
        export(made["wide"], tmp_path / "out", "nanogpt")
    assert list(tmp_path.iterdir()) == []
    export(made["wide"], tmp_path / "out", "nanogpt", wide=True)
    np.testing.assert_array_equal(
        np.memmap(tmp_path / "out" / "train.bin", np.uint32), stream(made["wide"])
    )


@ALL
def test_llmc_reads_it(tmp_path, made, name):
    """As llmc/dataloader.h checks it: 256 int32 of header, and the very size of the ids."""
    export(made[name], tmp_path / "out", "llmc")
    content = (tmp_path / "out" / "train.bin").read_bytes()
    magic, version, count, *zeros = struct.unpack_from("<256i", content)
    assert (magic, version, *zeros) == ((20240801, 7) if name == "wide" else (20240520, 1)) + (
        0,
    ) * 253
    dtype = np.dtype("<u4" if name == "wide" else "<u2")
    assert len(content) == 1024 + count * dtype.itemsize
    np.testing.assert_array_equal(np.frombuffer(content, dtype, offset=1024), stream(made[name]))


def megatron_documents(prefix) -> tuple[type, list[list[int]]]:
    """Read <prefix>.idx and .bin by the definition of Megatron's indexed dataset."""
    index = prefix.with_suffix(".idx").read_bytes()
    magic, version, code, sequences, documents = struct.unpack_from("<9sQBQQ", index)
    assert (magic, version) == (b"MMIDIDX\x00\x00", 1)
    dtype = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 8: np.uint16}[code]
    lengths = np.frombuffer(index, "<i4", sequences, 34)
    pointers = np.frombuffer(index, "<i8", sequences, 34 + 4 * sequences)
    borders = np.frombuffer(index, "<i8", documents, 34 + 12 * sequences)
    assert len(index) == 34 + 12 * sequences + 8 * documents
    data = prefix.with_suffix(".bin").read_bytes()
    read = [
        np.frombuffer(data, dtype, n, at).tolist() for n, at in zip(lengths, pointers, strict=True)
    ]
    joined = [list(chain(*read[first:end])) for first, end in pairwise(borders)]
    assert sum(map(len, read)) * np.dtype(dtype).itemsize == len(data)
    return dtype, joined


@ALL
def test_megatron_reads_it(tmp_path, made, name):
    export(made[name], tmp_path / "out", "megatron")
    dtype, documents = megatron_documents(tmp_path / "out" / "train_text_document")
    assert dtype is (np.int32 if name == "wide" else np.uint16)
    assert documents == rows_of(made[name])[0]


@ALL
def test_megatrons_own_reader_reads_it(tmp_path, made, name):
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset", exc_type=ImportError)
    export(made[name], tmp_path / "out", "megatron")
    dataset = indexed.IndexedDataset(str(tmp_path / "out" / "train_text_document"))
    assert [ids.tolist() for ids in dataset] == rows_of(made[name])[0]
    assert dataset.document_indices.tolist() == list(range(made[name].num_documents + 1))


# -- what is said of them --------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_the_note_names_tokenizer_and_bytes(tmp_path, made, format):
    returned = export(made["narrow"], tmp_path / "out", format, validation=made["held-out"])
    noted = json.loads((tmp_path / "out" / INFO).read_text())
    assert noted == returned
    assert (noted["format"], noted["dtype"], noted["mode"]) == (format, "uint16", "document")
    ids = {"vocab_size": 259, "pad_id": 256, "bos_id": 257, "eos_id": 258}
    assert noted["tokenizer"] == {"name": "Bytes", "fingerprint": NARROW.fingerprint, **ids}
    for split, texts in (("train", TEXTS), ("validation", HELD_OUT)):
        size = sum(map(len, texts))
        counts = {
            "num_documents": len(texts),
            "num_bytes": size,
            "num_codes": size,
            "num_ids": size + len(texts),
        }
        assert noted["splits"][split].items() >= counts.items()


KINDS = [(format, None) for format in FORMATS] + [("parquet", CONTEXT), ("arrow", CONTEXT)]


@ALL
@pytest.mark.parametrize(("format", "context"), KINDS)
def test_each_documents_bytes_are_in_the_rows_or_beside_the_ids(
    tmp_path, made, name, format, context
):
    shards = made[name]
    wide = format == "nanogpt" and name == "wide"
    info = export(shards, tmp_path / "out", format, context=context, wide=wide)
    (split,) = info["splits"].values()
    if format in ("parquet", "arrow") and (context is None or name == "blocks"):
        assert "documents" not in split  # in the rows; or ids that stand for no whole block
        return
    table = np.load(tmp_path / "out" / split["documents"], mmap_mode="r")
    assert (table.dtype, table.shape) == (np.int64, (shards.num_documents + 1, 2))
    rows, sizes = rows_of(shards)
    ids = stream(shards)
    starts, at_bytes = table.T
    assert [ids[a:b].tolist() for a, b in pairwise(starts)] == rows
    assert np.diff(at_bytes).tolist() == sizes
    assert table[-1].tolist() == [shards.num_ids, shards.num_bytes]


@pytest.mark.parametrize(("format", "context"), KINDS)
def test_every_file_is_noted_and_checked(tmp_path, made, format, context):
    out = tmp_path / "out"
    info = export(made["narrow"], out, format, validation=made["held-out"], context=context)
    files = [path for path in out.rglob("*") if path.is_file() and path.name != INFO]
    assert sorted(info["files"]) == sorted(path.relative_to(out).as_posix() for path in files)
    assert check_export(out) == len(files)
    for path in files:
        content = path.read_bytes()
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), None):
            path.write_bytes(damaged) if damaged is not None else path.unlink()
            with pytest.raises(EquinfoError, match=f"{path.name} (is missing|was cut or altered)"):
                check_export(out)
        path.write_bytes(content)


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_will_do_and_the_files_are_the_same_each_time(tmp_path, made, format):
    for out, source in (
        ("a", made["narrow"]),
        ("b", made["narrow"].folder),
        ("c", str(made["narrow"].folder)),
    ):
        export(source, tmp_path / out, format)
    content = [
        {p.name: p.read_bytes() for p in (tmp_path / out).rglob("*") if p.is_file()}
        for out in "abc"
    ]
    assert content[0] == content[1] == content[2]


def test_a_validation_split_alone_keeps_its_name(tmp_path):
    shards = equinfo.tokenize_corpus(
        "bytes", "bundled", tmp_path / "s", split="validation", max_bytes=10_000
    )
    assert list(export(shards, tmp_path / "a", "nanogpt")["splits"]) == ["validation"]
    assert (tmp_path / "a" / "val.bin").stat().st_size == 2 * shards.num_ids
    export(shards, tmp_path / "b", "parquet")
    assert len(datasets.load_dataset(str(tmp_path / "b"))["validation"]) == shards.num_documents


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("csv", {}, "unknown format 'csv'; known: parquet, arrow"),
        ("megatron", {"context": 8}, "no rows"),
        ("parquet", {"wide": True}, "nanogpt alone"),
        ("parquet", {"context": 0}, "at least 1"),
        ("arrow", {"context": 1 << 20}, "has no sequence of 1048576 ids"),
        ("arrow", {"validation": "wide"}, "differ in tokenizer"),
        ("nanogpt", {"validation": "blocks"}, "differ in mode"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path, made, format, options, message):
    if "validation" in options:
        options = {"validation": made[options["validation"]]}
    with pytest.raises(EquinfoError, match=message) as caught:
        export(made["narrow"], tmp_path / "out", format, **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path, made):
    (tmp_path / "mine").write_text("kept")
    for out in (tmp_path, tmp_path / "mine"):
        with pytest.raises(EquinfoError, match=r"holds mine: name a new folder|is a file"):
            export(made["narrow"], out, "nanogpt")
    assert (tmp_path / "mine").read_text() == "kept"
    with pytest.raises(EquinfoError, match="holds the shards that are read"):
        export(made["narrow"], made["narrow"].folder, "nanogpt", overwrite=True)
    (tmp_path / "empty").mkdir()
    export(made["narrow"], tmp_path / "empty", "nanogpt")


def test_a_document_that_32_bits_do_not_count_is_refused(tmp_path, made, monkeypatch):
    monkeypatch.setattr("equinfo.formats.common.LONGEST", 1000)
    for format in ("parquet", "arrow", "llmc", "megatron"):
        with pytest.raises(EquinfoError, match="more than 32 bits count"):
            export(made["narrow"], tmp_path / format, format)
    assert list(tmp_path.iterdir()) == []
