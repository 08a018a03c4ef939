"""Token shards: the tokenizer's stream, the bytes of any number of workers, damage is named."""

import json
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import equinfo
from equinfo import api, corpora, sharding, shards
from equinfo.compress.models.base import StaticModel
from equinfo.corpora import load_corpus, take
from equinfo.engines import in_processes
from equinfo.errors import EquinfoError
from equinfo.files import content_hash
from equinfo.lm.sequences import Sequences
from equinfo.sharding import blocks, merge_shards, tokenize_corpus
from equinfo.shards import Shards
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.bpe import BPETokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer

SMALL = 20_000  # bytes of text a shard


def texts(count: int = 200) -> list[bytes]:
    """Documents in several scripts, of very different lengths."""
    lines = [
        "In the beginning",
        "Im Anfang schuf Gott Himmel und Erde – „siehe“",
        "起初神创造天地",
        "في البدء خلق الله",
    ]
    return [(lines[n % 4] * (1 + n * n % 91) + f" {n}").encode() for n in range(count)]


TEXTS = texts()
GZIP = equinfo.load("gzip8")
PLAIN = equinfo.load("bytes")
BPE = BPETokenizer.train(TEXTS, 400)
WINDOWS = EqualInfoTokenizer(StaticModel.unigram(TEXTS), 16, 16)  # 65,536 codes: uint32
NARROW = ArithmeticTokenizer(StaticModel.unigram(TEXTS), 1)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "shards"
    tokenize_corpus(PLAIN, TEXTS, folder, shard_bytes=SMALL)
    return folder


@pytest.fixture
def copy(made, tmp_path) -> Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for name, data in content(made).items():
        (folder / name).write_bytes(data)
    return folder


# -- what is in them -------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", [PLAIN, GZIP, BPE, WINDOWS, NARROW], ids=lambda t: t.name)
def test_shards_hold_the_token_stream(tmp_path, tokenizer):
    opened = tokenize_corpus(tokenizer, TEXTS, tmp_path / "s", shard_bytes=SMALL)
    stream = api.token_stream(tokenizer, TEXTS)
    stored = Shards(tmp_path / "s").stream()
    assert len(opened.manifest["shards"]) > 3
    np.testing.assert_array_equal(stored.ids, stream.ids)
    assert stored.ids.dtype == tokenizer.dtype
    assert (stored.num_tokens, stored.num_bytes, stored.ratio) == (
        stream.num_tokens,
        stream.num_bytes,
        stream.ratio,
    )
    found = list(opened.documents())
    assert [tokenizer.decode(ids) for ids, _ in found] == TEXTS
    assert [size for _, size in found] == [len(text) for text in TEXTS]


def test_the_bytes_are_those_of_any_number_of_workers(tmp_path, made):
    for workers in (2, 4):
        tokenize_corpus(PLAIN, TEXTS, tmp_path / str(workers), shard_bytes=SMALL, workers=workers)
        assert content(tmp_path / str(workers)) == content(made)


def test_a_named_corpus_is_named(tmp_path):
    opened = tokenize_corpus(PLAIN, "bundled", tmp_path / "s", split="validation", max_bytes=50_000)
    expected = take(load_corpus("bundled").documents("validation"), 50_000)
    assert opened.manifest["corpus"] == {"name": "bundled", "split": "validation"}
    assert (opened.num_documents, opened.num_bytes) == (len(expected), sum(map(len, expected)))


def test_the_header_describes_the_file(made):
    header, start = shards.read_head(made / "shard-00000.ids")
    assert start % 64 == 0
    assert (header["tokenizer"], header["name"], header["dtype"]) == (
        PLAIN.fingerprint,
        "Bytes",
        "uint16",
    )
    ids = np.fromfile(made / "shard-00000.ids", "<u2", header["num_ids"], offset=start)
    assert ids[: len(TEXTS[0])].astype(np.uint8).tobytes() == TEXTS[0]
    assert ids[len(TEXTS[0])] == PLAIN.eos_id


# -- blocks ----------------------------------------------------------------------------------------


def test_blocks_are_the_joined_documents():
    joined = b"".join(text + b"\0" for text in TEXTS)
    for size in (4, 100, 10_240, 1 << 20):
        cut = list(blocks(TEXTS, size))
        assert b"".join(block for block, _ in cut) == joined
        assert sum(text_bytes for _, text_bytes in cut) == sum(map(len, TEXTS))
        for block, text_bytes in cut:
            block.decode()  # no character is cut
            assert text_bytes == len(block) - block.count(b"\0")
        assert all(size - 3 <= len(block) <= size for block, _ in cut[:-1])


def test_blocks_that_overlap_begin_a_stride_apart_and_are_whole(tmp_path):
    joined = b"".join(text + b"\0" for text in TEXTS)
    cut = [block for block, _ in blocks(TEXTS, 1000, 300)]
    at = 0
    for block, following in pairwise(cut):
        assert joined[at : at + len(block)] == block
        assert 997 <= len(block) <= 1000
        at = next(
            place for place in range(at + 297, at + 301) if joined.startswith(following, place)
        )
    assert joined.endswith(cut[-1])
    opened = tokenize_corpus(
        GZIP, TEXTS, tmp_path / "s", mode="block", block_bytes=1000, block_stride=300
    )
    assert opened.num_documents > 3 * len(list(blocks(TEXTS, 1000)))
    with pytest.raises(EquinfoError, match="block_stride 300, not 0"):
        tokenize_corpus(GZIP, TEXTS, tmp_path / "s", mode="block", block_bytes=1000)


def test_blocks_of_bytes_that_are_no_text_are_cut_where_they_end():
    assert [len(block) for block, _ in blocks([b"\x80" * 25], 10)] == [10, 10, 6]


@pytest.mark.parametrize("tokenizer", [GZIP, BPE, WINDOWS], ids=lambda t: t.name)
def test_each_block_is_encoded_by_itself(tmp_path, tokenizer):
    opened = tokenize_corpus(tokenizer, TEXTS, tmp_path / "s", mode="block", block_bytes=1000)
    expected = [unit for at in (0, 128) for unit in blocks(TEXTS[at : at + 128], 1000)]
    found = list(opened.documents())
    assert len(found) == len(expected)
    for (ids, size), (block, text_bytes) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ids, tokenizer.encode(block))
        assert size == text_bytes
    assert opened.num_ids == opened.num_tokens
    assert opened.num_bytes == sum(map(len, TEXTS))
    assert "not decodable" in opened.manifest["note"]


def test_examples_of_blocks_are_their_first_ids(tmp_path):
    opened = tokenize_corpus(
        GZIP, TEXTS, tmp_path / "s", mode="block", block_bytes=1000, shard_bytes=SMALL
    )
    tiles = opened.tiles(64)
    expected = [ids[:64] for ids, _ in opened.documents() if len(ids) >= 64]
    assert len(tiles) == len(expected) < opened.num_documents
    for number, ids in enumerate(expected):
        np.testing.assert_array_equal(tiles[number], ids)
    with pytest.raises(EquinfoError, match="holds blocks, which give no exact bits/byte"):
        opened.stream()


# -- training reads them ---------------------------------------------------------------------------


@pytest.mark.parametrize("context", [7, 64, 9000])
def test_tiles_are_those_of_the_stream(made, context):
    opened, stream = Shards(made), api.token_stream(PLAIN, TEXTS)
    held = Sequences(stream.ids, context, PLAIN.bos_id, seed=3)
    stored = Sequences(opened, context, opened.bos_id, seed=3)
    assert stored.count == held.count
    for first in (0, held.count - 1, 3 * held.count):  # across epochs
        for ours, theirs in zip(stored.batch(first, 4), held.batch(first, 4), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_batches_go_on_from_one_number(made):
    opened = Shards(made)
    straight = opened.batches(32, 4, seed=1)
    taken = [next(straight) for _ in range(9)]
    resumed = Shards(made).batches(32, 4, seed=1, start=5)
    for inputs, targets in taken[5:]:
        ours = next(resumed)
        np.testing.assert_array_equal(ours[0], inputs)
        np.testing.assert_array_equal(ours[1], targets)
        assert inputs.shape == (4, 32)
        assert (inputs[:, 0] == PLAIN.bos_id).all()
        assert (inputs[:, 1:] == targets[:, :-1]).all()
    other = next(opened.batches(32, 4, seed=2))
    assert (other[1] != taken[0][1]).any()


def test_training_on_shards_is_training_on_the_stream(made, tmp_path):
    options = {"size": "30k", "steps": 3, "batch_size": 2, "context": 32}
    held = equinfo.train_lm(tmp_path / "held", PLAIN, api.token_stream(PLAIN, TEXTS), **options)
    stored = equinfo.train_lm(tmp_path / "stored", shards=made, **options)
    assert stored.loss == held.loss
    with pytest.raises(EquinfoError, match=r"was written by Bytes .*, not by GZip"):
        equinfo.train_lm(tmp_path / "other", GZIP, shards=made, **options)
    with pytest.raises(EquinfoError, match=r"other settings|another stream of ids"):
        equinfo.train_lm(tmp_path / "held", shards=made, **options)


# -- kills, resumption -----------------------------------------------------------------------------


def test_what_is_missing_or_damaged_is_written_again_and_nothing_else(made, copy):
    kept = (copy / "shard-00000.ids").stat().st_mtime_ns
    (copy / "manifest.json").unlink()
    (copy / "shard-00001.ids").unlink()
    (copy / "shard-00002.ids").write_bytes((copy / "shard-00002.ids").read_bytes()[:-40])
    (copy / ".shard-00003.ids.99.tmp").write_bytes(b"part")
    tokenize_corpus(PLAIN, TEXTS, copy, shard_bytes=SMALL)
    assert content(copy) == content(made)
    assert (copy / "shard-00000.ids").stat().st_mtime_ns == kept


def _killed(folder: Path) -> None:
    def documents():
        for text in texts():
            yield text
            if len(list(folder.glob("shard-*.ids"))) == 2:
                os.kill(os.getpid(), signal.SIGKILL)

    tokenize_corpus(PLAIN, documents(), folder, shard_bytes=SMALL)


def test_a_kill_leaves_whole_shards_and_a_second_run_finishes(made, tmp_path):
    folder = tmp_path / "killed"
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    for path in folder.glob("shard-*.ids"):
        assert path.read_bytes() == (made / path.name).read_bytes()
    with pytest.raises(EquinfoError, match=r"holds no finished shards.*finishes what was begun"):
        Shards(folder)
    tokenize_corpus(PLAIN, TEXTS, folder, shard_bytes=SMALL)
    assert content(folder) == content(made)


def test_text_that_a_tokenizer_cannot_take_is_one_line_also_from_a_worker(tmp_path):
    for workers in (1, 2):
        with pytest.raises(EquinfoError, match="is not valid UTF-8 at byte 0") as caught:
            tokenize_corpus(BPE, [b"fine", b"\xff"], tmp_path / "s", workers=workers)
        assert "\n" not in str(caught.value)
    with pytest.raises(EquinfoError, match="the corpus is empty"):
        tokenize_corpus(BPE, [], tmp_path / "e")


# -- errors ----------------------------------------------------------------------------------------


def refused(action, message: str) -> None:
    with pytest.raises(EquinfoError, match=message) as caught:
        action()
    assert "\n" not in str(caught.value)


def test_a_missing_shard_names_the_remedy(copy):
    (copy / "shard-00001.ids").unlink()
    refused(lambda: Shards(copy), "shard-00001.ids is missing: run `equinfo tokenize` again")


def test_a_cut_or_flipped_shard_is_refused(copy):
    path = copy / "shard-00001.ids"
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for size in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(lambda: Shards(copy), "shard-00001.ids .*equinfo tokenize")
        refused(lambda: Shards(copy, verify=False), "shard-00001.ids .*equinfo tokenize")
    for at in [*range(12), *rng.integers(12, len(whole), 60)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        refused(lambda: Shards(copy), r"shard-00001.ids .*(tokenize|remove)")


def test_foreign_shards_are_refused_when_read_and_when_resumed(copy, tmp_path):
    other_tokenizer = tokenize_corpus(GZIP, TEXTS, tmp_path / "gzip", shard_bytes=SMALL).folder
    other_text = tokenize_corpus(PLAIN, TEXTS[::-1], tmp_path / "text", shard_bytes=SMALL).folder
    cases = (
        (
            other_tokenizer,
            r"was written by GZip\[v=256\] .*, not by Bytes .*: choose another folder",
        ),
        (other_text, r"holds another text than is asked for.*: choose another folder"),
    )
    for folder, message in cases:
        (copy / "shard-00001.ids").write_bytes((folder / "shard-00001.ids").read_bytes())
        refused(lambda: Shards(copy), message)
        refused(lambda: tokenize_corpus(PLAIN, TEXTS, copy, shard_bytes=SMALL), message)
    refused(
        lambda: tokenize_corpus(PLAIN, TEXTS, other_text, mode="block", shard_bytes=SMALL),
        "was made with mode document, not block",
    )
    refused(
        lambda: tokenize_corpus(PLAIN, TEXTS[::-1], other_text, shard_bytes=SMALL * 2),
        "holds another text",
    )


def test_a_shorter_corpus_does_not_pass_for_the_longer_one(copy):
    first = next(sharding._Cut({"group_documents": 1}, SMALL, False)._tasks(0, iter(TEXTS)))
    shorter = [text for group in first.groups for text in group]
    refused(
        lambda: tokenize_corpus(PLAIN, shorter, copy, shard_bytes=SMALL),
        "which is not of this corpus",
    )


@pytest.mark.parametrize("version", [0, 2])
def test_another_format_version_is_refused_with_the_remedy(copy, version):
    path = copy / "shard-00001.ids"
    whole = path.read_bytes()
    path.write_bytes(whole[:7] + bytes([version]) + whole[8:])
    refused(
        lambda: Shards(copy), f"shard-00001.ids has format version {version} .*: remove the folder"
    )
    manifest = copy / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": version}))
    refused(
        lambda: Shards(copy), f"manifest.json has format version {version} .*: remove the folder"
    )
    refused(
        lambda: tokenize_corpus(PLAIN, TEXTS, copy, shard_bytes=SMALL),
        f"has format version {version}",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "no manifest"),
        ('{"format": "x"}', "no manifest"),
        (None, "was altered"),
    ],
)
def test_a_manifest_of_anothers_making_is_refused(copy, text, message):
    manifest = copy / "manifest.json"
    altered = {**json.loads(manifest.read_text()), "num_bytes": 7}
    manifest.write_text(json.dumps(altered) if text is None else text)
    refused(lambda: Shards(copy), message)


def test_a_hostile_header_is_refused(copy):
    path = copy / "shard-00001.ids"
    for header in (b"[" * 5000, b"{}", b"\xff"):
        path.write_bytes(shards.MAGIC + struct.pack("<I", len(header)) + header)
        refused(lambda: Shards(copy), "is no whole shard: its header")
    path.write_bytes(shards.MAGIC + b"\xff\xff\xff\xff" + b"{}")
    refused(lambda: Shards(copy), "is no whole shard")


def rewritten(folder: Path, head: dict, table: dict, manifest: dict, ids: dict) -> Path:
    """The folder with other values in its second shard and manifest, every hash right.

    table: of documents' ends and sizes, and ids: values by place.
    """
    path = folder / shards.shard_name(1)
    header, start = shards.read_head(path)
    shard = shards._Shard(path, header, start)
    stored = shard.ids.copy()
    rows = np.stack([shard.starts[1:], shard.num_bytes])
    for place, value in ids.items():
        stored[place] = value
    for place, value in table.items():
        rows[place] = value
    with path.open("wb") as file:
        sha256 = shards.write_shard(file, {**header, **head}, stored, *rows.view(np.int64))
    known = json.loads((folder / "manifest.json").read_text())
    counts = {name: head[name] for name in head if name in shards.COUNTS}
    known["shards"][1] |= {"sha256": sha256, **counts}
    known |= {name: head[name] for name in head if name not in counts} | manifest
    del known["hash"]
    written = json.dumps({**known, "hash": content_hash(known)})
    (folder / "manifest.json").write_text(written)
    return folder


HUGE = 1 << 60


@pytest.mark.parametrize(
    ("head", "table", "manifest", "ids"),
    [
        *(({name: value}, {}, {}, {}) for name, value in (
            ("code_size", "256"), ("code_size", 1 << 40), ("code_size", 0), ("code_size", 1 << 18),
            ("code_size", 255), ("dtype", "float64"), ("dtype", "uint32"), ("mode", "page"),
            ("mode", "block"), ("mode", []), ("name", 7), ("tokenizer", "x"), ("num_ids", -1),
            ("num_ids", HUGE), ("num_codes", 1), ("num_documents", 0), ("num_documents", HUGE),
            ("num_bytes", 1), ("num_bytes", 1e3), ("block_stride", "4"),
        )),
        *(({}, {place: value}, {}, {}) for place, value in (
            ((0, 3), 0), ((0, 3), HUGE), ((0, -1), 7), ((0, 3), (1 << 64) - 1), ((1, 3), HUGE),
            ((1, 3), (1 << 64) - 1),
        )),
        *(({}, {}, {name: value}, {}) for name, value in (
            ("shards", {}), ("shards", []), ("shards", [1]), ("shards", None), ("corpus", "x"),
            ("corpus", {"split": "../../x"}), ("num_bytes", 7), ("num_ids", "7"), ("part", 5),
            ("shards", [dict.fromkeys((*shards.COUNTS, "file", "sha256", "source"), 1)]),
        )),
        *(({}, {}, {}, {place: value}) for place, value in (
            (0, 259), (0, 65535), (0, 256), (0, 258), (-1, 1),
        )),
    ],
    ids=ascii,
)  # fmt: skip
def test_shards_that_no_tokenizer_wrote(head, table, manifest, ids, copy):
    folder = rewritten(copy, head, table, manifest, ids)
    refused(lambda: Shards(folder), "copy")


def test_ids_that_nobody_looked_at_are_refused_where_they_are_used(copy, tmp_path):
    opened = Shards(rewritten(copy, {}, {}, {}, {0: 9999}), verify=False)
    options = {"size": "30k", "steps": 99, "batch_size": 9, "context": 256}
    refused(lambda: equinfo.train_lm(tmp_path / "lm", shards=opened, **options), "id 9999 is")


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused(
        lambda: tokenize_corpus(PLAIN, TEXTS, tmp_path),
        "holds notes.txt: name a new folder, or pass --overwrite",
    )
    refused(
        lambda: tokenize_corpus(PLAIN, TEXTS, tmp_path / "notes.txt"), "is a file: name a folder"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "option",
    [
        {"mode": "page"},
        {"engine": "steam"},
        {"workers": 0},
        {"shard_bytes": 0},
        {"block_bytes": 3},
        {"part": "4/3"},
        {"part": "one"},
        {"part": "1/2", "max_bytes": 9},
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, option):
    refused(
        lambda: tokenize_corpus(PLAIN, TEXTS, tmp_path / "s", **option), str(next(iter(option)))
    )
    assert not (tmp_path / "s").exists()


def test_a_worker_that_dies_is_replaced(made, tmp_path):
    def documents():
        yield from TEXTS[:150]
        for process in multiprocessing.active_children():
            os.kill(process.pid, signal.SIGKILL)
        yield from TEXTS[150:]

    tokenize_corpus(PLAIN, documents(), tmp_path / "s", shard_bytes=SMALL, workers=2)
    assert content(tmp_path / "s") == content(made)


def _end(task: int) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_work_that_ends_every_worker_is_given_up_in_one_line():
    results = in_processes(_end, range(9), 2, _end, (0,))
    refused(lambda: list(results), "3 workers ended before their work did .*: run again")


# -- units, parts ----------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Path:
    """Four files, a unit each."""
    monkeypatch.setattr(corpora, "UNIT_BYTES", 1)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(4):
        lines = [json.dumps({"text": text.decode()}) for text in TEXTS[50 * number :][:50]]
        (folder / f"{number}.jsonl").write_text("\n".join(lines))
    return folder


def test_parts_that_are_merged_are_the_shards_of_one_run_and_of_any_workers(corpus, tmp_path):
    whole = tokenize_corpus(PLAIN, corpus, tmp_path / "whole", shard_bytes=SMALL)
    documents = list(load_corpus(corpus).documents())
    assert [PLAIN.decode(ids) for ids, _ in whole.documents()] == documents
    tokenize_corpus(PLAIN, corpus, tmp_path / "two", shard_bytes=SMALL, workers=2)
    assert content(tmp_path / "two") == content(whole.folder)
    for of in (1, 3, 6):  # of which two are empty
        folders = [tmp_path / f"{number} of {of}" for number in range(1, of + 1)]
        for number, folder in enumerate(folders, 1):
            options = {"shard_bytes": SMALL, "part": f"{number}/{of}"}
            part = tokenize_corpus(PLAIN, corpus, folder, **options)
            assert tokenize_corpus(PLAIN, corpus, folder, **options).manifest == part.manifest
            with pytest.raises(EquinfoError, match=f"is part {number} of {of} of a corpus"):
                Shards(folder)
        merged = merge_shards(folders[::-1], tmp_path / f"merged {of}")
        assert content(merged.folder) == content(whole.folder)
        assert merged.tokenizer().fingerprint == PLAIN.fingerprint
        assert merge_shards(folders, merged.folder).manifest == whole.manifest
    halves = (TEXTS[:150], TEXTS[150:])
    given = [tokenize_corpus(PLAIN, half, tmp_path / str(n), part=f"{n}/2").folder
             for n, half in enumerate(halves, 1)]  # fmt: skip
    merged = merge_shards(given, tmp_path / "of documents")
    assert [PLAIN.decode(ids) for ids, _ in merged.documents()] == TEXTS


def test_ray_writes_the_same_files_and_its_errors_are_one_line(corpus, tmp_path):
    pytest.importorskip("ray")
    whole = tokenize_corpus(PLAIN, corpus, tmp_path / "whole", shard_bytes=SMALL)
    options = {"shard_bytes": SMALL, "engine": "ray"}
    tokenize_corpus(PLAIN, corpus, tmp_path / "ray", **options, workers=1)
    assert content(tmp_path / "ray") == content(whole.folder)
    (corpus / "3.jsonl").write_text("{")
    refused(
        lambda: tokenize_corpus(PLAIN, corpus, tmp_path / "e", **options), r"3.jsonl:1: not valid"
    )


def test_parts_that_do_not_belong_together_are_refused_by_name(corpus, tmp_path):
    def part(name: str, which: str, tokenizer=PLAIN, **options) -> Path:
        options = {"shard_bytes": SMALL, "part": which, **options}
        return tokenize_corpus(tokenizer, corpus, tmp_path / name, **options).folder

    first, second = part("first", "1/2"), part("second", "2/2")
    (corpus / "5.jsonl").write_text('{"text": "more"}')
    for others, message in (
        ([], "part 2 of 2 is missing: `equinfo tokenize --part 2/2` makes it"),
        ([first], "are both part 1/2"),
        ([part("third", "2/3")], "third has units 5 and .*first has 4"),
        ([part("gzip", "2/2", GZIP)], r"gzip was written by GZip\[v=256\] .*, not by Bytes"),
        ([part("blocks", "2/2", mode="block")], "blocks has mode block and .*first has document"),
        ([tokenize_corpus(PLAIN, corpus, tmp_path / "all").folder], "all is no part of a corpus"),
    ):
        refused(lambda: merge_shards([first, *others], tmp_path / "out"), message)  # noqa: B023
    shard = next(second.glob("*.ids"))
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    refused(
        lambda: merge_shards([first, second], tmp_path / "out"), f"{shard.name} is no whole shard"
    )
    assert not (tmp_path / "out").exists()


ORPHANS = """
import multiprocessing, signal
from equinfo.sharding import tokenize_corpus
import equinfo

def documents():
    for number in range(10_000):
        yield b"text" * 100
        if number == 400:
            print(len(multiprocessing.active_children()), flush=True)
            signal.pause()

if __name__ == "__main__":
    tokenize_corpus(equinfo.load("bytes"), documents(), "ids", shard_bytes=2000, workers=2)
"""


def test_workers_end_with_their_parent(tmp_path):
    (tmp_path / "script.py").write_text(ORPHANS)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"2\n"
        process.kill()
        assert process.stdout.read() == b""  # ends when the last that holds its other end has ended
