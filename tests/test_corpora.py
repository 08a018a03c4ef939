"""Corpora: documents byte for byte, splits by content, one clear line for what is broken."""

import gzip
import hashlib
import json
import lzma
import pickle
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from equinfo import reading, sources
from equinfo.corpora import held_out, load_corpus, take
from equinfo.errors import EquinfoError

SPLITS = ("train", "validation")
COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".xz": lzma.compress,
}


def documents(name) -> list[bytes]:
    """Both splits of a corpus that may lack one of them, sorted."""
    found: list[bytes] = []
    for split in SPLITS:
        try:
            found += load_corpus(str(name)).documents(split)
        except EquinfoError as error:
            if f"has no {split} documents" not in str(error):
                raise
    return sorted(found)


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def path_suffix(name: str) -> str:
    """How it is packed."""
    return Path(name).suffix if Path(name).suffix in COMPRESS else ""


def lines(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


# -- the bundled corpus ----------------------------------------------------------------------------


def test_the_bundled_corpus_is_pinned():
    splits = {split: list(load_corpus("bundled").documents(split)) for split in SPLITS}
    assert {split: (len(found), sum(map(len, found))) for split, found in splits.items()} == {
        "train": (1122, 3_892_567),
        "validation": (67, 244_885),
    }
    assert splits["train"][0].startswith(
        b"In the beginning God created the heaven and the earth.\nAnd the earth was"
    )
    assert splits["train"][-1].endswith(b"be with you all. Amen.\n")
    everything = b"".join(splits["train"] + splits["validation"])
    assert hashlib.sha256(everything).hexdigest() == (
        "dd60e1f41dfd74c12e767454eb2ff9ac55e53862872d25cc526065c6250df09c"
    )


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.txt", "A.TXT.GZ", "a.md.gz", "a.py.zst", "a.txt.xz"])
def test_a_lone_text_is_held_out_at_its_end_byte_for_byte(tmp_path, name):
    content = b"\xef\xbb\xbf\xff not UTF-8 \r\n\0" * 1000
    packed = COMPRESS.get(Path(name).suffix.lower(), bytes)(content)
    corpus = load_corpus(write(tmp_path / name, packed))
    train, validation = (b"".join(corpus.documents(split)) for split in SPLITS)
    assert train + validation == content
    assert list(corpus.documents("all")) == [content]
    assert train.endswith(b"\n")
    assert 0.05 <= len(validation) / len(content) < 0.051


def test_a_text_without_lines_is_cut_between_characters_and_a_large_one_into_documents(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(reading, "LONGEST_TEXT", 1000)
    text = "文字" * 800
    corpus = load_corpus(write(tmp_path / "a.txt", text.encode()))
    parts = list(corpus.documents("train"))
    assert [len(part) for part in parts] == [948, 948, 948, 948, 762]
    pairs = zip(parts, corpus.documents("validation"), strict=True)
    assert "".join((a + b).decode() for a, b in pairs) == text


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_line_of_json_is_one_document(tmp_path, suffix, ending):
    texts = ["one\ntwo\r\n", "é – \0 \u2028 👩‍👩‍👧", " ", "x" * 3_000_000, *map(str, range(20))]
    content = b"\xef\xbb\xbf" + lines(*texts).rstrip(b"\n") + ending.encode()
    write(tmp_path / f"a.jsonl{suffix}", COMPRESS[suffix](content))
    assert documents(tmp_path / f"a.jsonl{suffix}") == sorted(text.encode() for text in texts)


def test_blank_lines_and_empty_texts_are_left_out_and_other_fields_ignored(tmp_path):
    content = b'\n{"text": "", "url": "u"}\n{"text": null}\n \r\n{"url": 1, "text": "kept"}\r\n'
    assert documents(write(tmp_path / "a.jsonl", content)) == [b"kept"]


def test_several_frames_and_members_are_one_file(tmp_path):
    for suffix, pack in COMPRESS.items():
        path = write(
            tmp_path / f"a.jsonl{suffix}",
            pack(b'{"text": "o') + pack(b"") + pack(b'ne"}\n{"text": "two"}'),
        )
        assert documents(path) == [b"one", b"two"]


@pytest.mark.parametrize("suffix", reading.PACKED)
def test_cut_and_altered_files_are_refused_never_shortened(tmp_path, suffix):
    whole = COMPRESS[suffix](b"".join(b"%d green bottles\n" % (n * n) for n in range(3000)))
    for cut in (0, 1, 9, len(whole) // 2, len(whole) - 1):
        with pytest.raises(EquinfoError, match="was cut short"):
            list(reading.read_text(write(tmp_path / f"a.txt{suffix}", whole[:cut])))
    with pytest.raises(EquinfoError, match="cut short or altered"):
        list(reading.read_text(write(tmp_path / f"a.txt{suffix}", b"no such header" + whole)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "cut', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'["text"]', "no text"),
        (b'{"content": "x"}', "no text"),
        (b'{"text": 7}', "no text"),
        (b" " * 101, "a line of more than 0 MiB"),
        (b'{"text": "a\xff"}', "not valid UTF-8 at byte 11 of the line"),
        (b'{"text": "ab\\ud800"}', "a lone surrogate at character 2 of the text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_is_named(tmp_path, monkeypatch, line, message):
    monkeypatch.setattr(reading, "LONGEST_LINE", 100 if line.isspace() else 1 << 20)
    path = write(tmp_path / "a.jsonl", lines("one", "two") + line + b"\n")
    with pytest.raises(EquinfoError, match=rf"a\.jsonl:3: {message}") as caught:
        list(load_corpus(str(path)).documents("train"))
    assert "\n" not in str(caught.value)


def test_globs_folders_and_sums(tmp_path, monkeypatch):
    for name in ("b/2.txt", "a/1.txt", "c.txt"):
        write(tmp_path / name, name.encode())
    assert documents(tmp_path / "*" / "*.txt") == [b"a/1.txt", b"b/2.txt"]
    assert documents(tmp_path / "**" / "*.txt") == [b"a/1.txt", b"b/2.txt", b"c.txt"]
    assert documents(f"{tmp_path / 'c.txt'}+{tmp_path / 'a' / '1.txt'}") == [b"a/1.txt", b"c.txt"]
    write(tmp_path / "one+two[3].txt", b"odd name")
    assert documents(tmp_path / "one+two[3].txt") == [b"odd name"]


def test_parts_come_in_their_order_and_files_by_name(tmp_path):
    texts = [text for n in range(99) if not held_out(text := b"%d" % n)][:9]
    for n, text in enumerate(texts):
        write(tmp_path / f"{n}.txt", text)
    assert list(load_corpus(str(tmp_path / "*.txt")).documents("train")) == texts
    swapped = load_corpus(f"{tmp_path / '5.txt'}+{tmp_path / '3.txt'}")
    assert list(swapped.documents("train")) == [texts[5], texts[3]]


# -- splits ----------------------------------------------------------------------------------------


def test_the_split_depends_on_content_alone(tmp_path):
    texts = [f"text {n}" for n in range(2000)]
    one = write(tmp_path / "one.jsonl", lines(*texts))
    other = write(tmp_path / "other.jsonl.gz", gzip.compress(lines(*reversed(texts))))
    splits = {split: sorted(load_corpus(str(one)).documents(split)) for split in SPLITS}
    assert {split: sorted(load_corpus(str(other)).documents(split)) for split in SPLITS} == splits
    assert sorted(splits["train"] + splits["validation"]) == sorted(text.encode() for text in texts)
    assert 60 < len(splits["validation"]) < 140
    for text in splits["validation"]:
        assert int(hashlib.sha256(text).hexdigest(), 16) < 2**256 / 20


def test_a_split_without_documents_is_an_error_only_when_asked_for(tmp_path):
    corpus = load_corpus(str(write(tmp_path / "a.jsonl", lines("one", "two"))))
    assert list(corpus.documents("train")) == [b"one", b"two"]
    with pytest.raises(EquinfoError, match=r"a\.jsonl has no validation documents: give it more"):
        list(corpus.documents("validation"))


def test_an_unknown_split_is_refused_at_once():
    with pytest.raises(EquinfoError, match="unknown split 'test'; known: train, validation"):
        load_corpus("bundled").documents("test")


@pytest.fixture
def sharded(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUINFO_CORPORA", str(tmp_path))
    zst = COMPRESS[".zst"]
    write(tmp_path / "imdb" / "train-00001-of-00002.jsonl.zst", zst(lines("c")))
    write(tmp_path / "imdb" / "train-00000-of-00002.jsonl.zst", zst(lines("a", "b")))
    write(tmp_path / "imdb" / "validation.jsonl.zst", zst(lines("v")))
    return tmp_path


def test_named_corpora_bring_their_own_split(sharded):
    for name in ("imdb", str(sharded / "imdb")):
        assert list(load_corpus(name).documents("train")) == [b"a", b"b", b"c"]
        assert list(load_corpus(name).documents("validation")) == [b"v"]
        assert list(load_corpus(name).documents("all")) == [b"a", b"b", b"c", b"v"]
    both = load_corpus(f"bundled+{sharded / 'imdb'}")
    assert list(both.documents("validation"))[-1] == b"v"
    assert len(list(both.documents("validation"))) == 68


def test_a_missing_named_corpus_names_the_variable(sharded, monkeypatch):
    with pytest.raises(
        EquinfoError, match=rf"'books' is not here: {sharded}.* set EQUINFO_CORPORA"
    ):
        load_corpus("books")
    monkeypatch.delenv("EQUINFO_CORPORA")
    monkeypatch.chdir(sharded)
    with pytest.raises(EquinfoError, match="data/corpora/imdb is no folder; set EQUINFO_CORPORA"):
        load_corpus("imdb")
    (sharded / "imdb" / "validation.jsonl.zst").unlink()
    monkeypatch.setenv("EQUINFO_CORPORA", str(sharded))
    with pytest.raises(EquinfoError, match="imdb has no validation files"):
        load_corpus("imdb")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "there is no 'nowhere': a corpus is bundled, imdb, books, or a path"),
        ("no*.txt", "no file matches 'no*.txt'"),
        ("", "there is no ''"),
        ("bundled+", "there is no ''"),
        ("bundled+nowhere", "there is no 'nowhere'"),
        ("a.csv", "a.csv is neither text nor JSON lines"),
        ("a.gz", "a.gz is neither text nor JSON lines"),
        ("*.csv", "a.csv is neither text nor JSON lines"),
    ],
)
def test_what_does_not_exist_is_one_line_before_anything_is_read(
    tmp_path, monkeypatch, name, message
):
    monkeypatch.chdir(tmp_path)
    for file in ("a.csv", "a.gz"):
        write(tmp_path / file, b"x")
    with pytest.raises(EquinfoError) as caught:
        load_corpus(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["empty.txt", "empty.jsonl", "blank.jsonl"])
def test_an_empty_corpus_is_an_error_for_either_split_and_in_a_sum(tmp_path, name):
    path = write(tmp_path / name, b'{"text": ""}\n\n' if name.startswith("blank") else b"")
    for split in SPLITS:
        for corpus in (f"{path}", f"bundled+{path}"):
            with pytest.raises(EquinfoError, match=f"{name} holds no text: the corpus is empty"):
                list(load_corpus(corpus).documents(split))


def test_a_file_that_vanishes_is_an_error_in_one_line(tmp_path):
    corpus = load_corpus(str(write(tmp_path / "a.txt", b"x")))
    (tmp_path / "a.txt").unlink()
    with pytest.raises(EquinfoError, match=r"a\.txt cannot be read: No such file"):
        list(corpus.documents("train"))


# -- take ------------------------------------------------------------------------------------------


def test_a_limit_takes_whole_documents_then_smaller_ones_then_a_beginning():
    def endless() -> Iterator[bytes]:
        yield from [b"aaa", b"bbb", b"cc"]
        raise AssertionError("read on")

    assert take(endless(), 6) == [b"aaa", b"bbb"]
    assert take([b"aaa", b"bbb"], 100) == [b"aaa", b"bbb"]
    assert take([b"readme", b"x" * 500, b"small", b"y" * 90], 100) == [
        *(b"readme", b"small"),
        b"x" * 89,
    ]
    assert take(["é".encode() * 100], 3) == ["é".encode()]


def test_what_a_limit_left_out_is_said_where_asked():
    with pytest.warns(UserWarning, match=r"max_bytes is 4: used 4 bytes, 1 documents, .*raise"):
        take([b"aaaa", b"b"], 4, say=True)
    with warnings.catch_warnings(action="error"):
        take([b"aaaa", b"b"], 4)
        take([b"aaaa", b"b"], 5, say=True)


@pytest.mark.parametrize(
    ("documents", "limit", "message"),
    [([b"aaa"], 0, "max_bytes is 0"), ([], 2, "the corpus is empty"), (["é".encode()], 1, "empty")],
)
def test_take_is_never_empty(documents, limit, message):
    with pytest.raises(EquinfoError, match=message):
        take(documents, limit)


# -- folders of text and source code, Parquet, Hugging Face data sets ------------------------------


def said(name) -> tuple[list[bytes], str]:
    """All documents of a corpus, in order, and the one line that says what was left out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = documents(name)
    lines = {str(warning.message) for warning in caught}
    assert len(lines) <= 1, lines
    return found, "".join(lines)


@pytest.mark.parametrize("packing", COMPRESS)
@pytest.mark.parametrize(
    "name", ["b.py", "a/README.md", "UPPER.TXT", "r.jsonl", "a/d/r.ndjson", "dev/notes.md"]
)
def test_a_folder_reads_what_is_named_as_text_or_rows_however_packed(tmp_path, name, packing):
    content = lines(name) if "json" in name else name.encode()
    write(tmp_path / f"{name}{packing}", COMPRESS[packing](content))
    assert said(tmp_path) == ([name.encode()], "")


def test_a_folder_comes_by_path(tmp_path):
    names = ["a/README.md", "a/d/deep.c", "a/z.txt", "b.py", "c.rs"]
    for name in reversed(names):
        write(tmp_path / name, name.encode() if not held_out(name.encode()) else b"other")
    assert [text.decode() for text in load_corpus(tmp_path).documents()] == names


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("latin.txt", b"caf\xe9", "files that are not UTF-8 text"),
        ("zero.txt", b"a\0b", "files that are not UTF-8 text"),
        ("wide.txt", "wide".encode("utf-16"), "files that are not UTF-8 text"),
        ("picture.png", b"x", "files of other kinds (1, e.g. picture.png)"),
        ("data.json", b"{}", "files of other kinds"),
        ("Makefile", b"x", "files of other kinds"),
        (".git/config.txt", b"x", "hidden files or folders (1, e.g. .git)"),
        (".hidden.py", b"x", "hidden files"),
        ("kept.txt.gz", b"x", "packed copies beside their originals"),
        ("test.jsonl", b"x", "files or splits for tests"),
        ("test/0.txt", b"x", "files or splits for tests"),
        ("test-00000-of-00002.parquet", b"x", "files or splits for tests"),
        ("rows.jsonl", b'{"text": null}\n', "rows whose text is null"),
        ("link.txt", "kept.txt", "links to folders, to nothing or to what is read"),
        ("broken.txt", "nowhere.txt", "links"),
        ("loop.txt", "loop.txt", "links"),
        ("folder", "..", "links"),
    ],
)
def test_what_a_folder_leaves_out_is_said_in_one_line(tmp_path, name, content, reason):
    write(tmp_path / "kept.txt", b"kept")
    if isinstance(content, str):
        (tmp_path / name).symlink_to(content)
    else:
        write(tmp_path / name, content)
    found, line = said(tmp_path)
    assert found == [b"kept"]
    assert f"{tmp_path}: left out {reason}" in line
    assert "\n" not in line


def test_a_link_that_leads_out_is_read_once(tmp_path):
    write(tmp_path / "elsewhere", b"blob")
    (tmp_path / "c").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "c" / name).symlink_to(tmp_path / "elsewhere")
    assert said(tmp_path / "c")[0] == [b"blob"]


@pytest.mark.parametrize(
    "layout",
    [
        ("data/train-00000-of-00001.jsonl", "data/validation-0.jsonl", "data/test-0.jsonl"),
        ("train.jsonl", "valid.jsonl", "test.jsonl.zst"),
        ("Train.txt", "dev.txt", "TEST.txt"),
        ("train/a.md", "val/b.md", "test/c.md"),
        ("en/train/a.py", "en/dev/b.py", "en/testing/c.py"),
        ("wiki.train.txt", "wiki.valid.txt", "wiki.test.txt"),
        ("en-train.jsonl.gz", "en-dev.jsonl", "en-eval.jsonl"),
        ("corpus.txt", "validation.txt", "test.txt"),
    ],
    ids=lambda layout: layout[0],
)
def test_tests_are_kept_out_of_training_whatever_the_layout(tmp_path, layout):
    for text, name in zip(("train", "validation", "test"), layout, strict=True):
        content = lines(text) if "json" in name else text.encode()
        write(tmp_path / name, COMPRESS[path_suffix(name)](content))
    corpora = [load_corpus(tmp_path), load_corpus(f"{tmp_path}/**/*.*")]
    for corpus in corpora:
        with pytest.warns(UserWarning, match=r"left out files or splits for tests \(1, "):
            assert [list(corpus.documents(split)) for split in SPLITS] == [
                [b"train"],
                [b"validation"],
            ]


@pytest.mark.parametrize(
    "names",
    [
        ("my-training-diary.txt", "a.txt"),
        ("test.txt",),
        ("test_a.py", "train.py"),
        ("dev/notes.txt", "b.txt"),
    ],
)
def test_names_that_only_look_like_splits_are_read(tmp_path, names):
    for name in names:
        write(tmp_path / name, name.encode())
    assert said(tmp_path) == (sorted(name.encode() for name in names), "")


def test_a_folder_without_text_is_refused_at_once(tmp_path):
    write(tmp_path / "a" / "picture.png", b"x")
    with pytest.raises(EquinfoError, match="holds no text: no file in it"):
        load_corpus(str(tmp_path))


def test_an_address_is_read_as_a_path_is(tmp_path):
    upath = pytest.importorskip("upath")
    lines = "\n".join(json.dumps({"text": f"document {number}"}) for number in range(50))
    files = {
        "data/train-0.jsonl.gz": gzip.compress(lines.encode()),
        "data/train-1.txt": b"text",
        "validation.jsonl": b'{"text": "held out"}',
        ".hidden.txt": b"hidden",
    }
    far = upath.UPath("memory://far/away")
    for root in (tmp_path, far):
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
    for name in ("", "/**/*.*", "/data/train-0.jsonl.gz"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            theirs = list(load_corpus(f"memory://far/away{name}").documents("all"))
        assert theirs == list(load_corpus(f"{tmp_path}{name}").documents("all"))
        assert any("hidden files" in str(one.message) for one in said) == (not name)
    for name, message in (
        ("memory://far/none", "there is no 'memory://far/none'"),
        ("zzz://far/away", "zzz://far/away cannot be reached: Unsupported filesystem"),
    ):
        with pytest.raises(EquinfoError, match=message):
            load_corpus(name)
    pickled = pickle.dumps(load_corpus("memory://far/away").units())
    assert [list(unit.read(reading.LeftOut()))[-1] for unit in pickle.loads(pickled)] == [b"text"]


def test_source_files_may_be_named(tmp_path):
    write(tmp_path / "a.py", b"print()")
    write(tmp_path / "b.py", b"pass")
    assert documents(tmp_path / "*.py") == [b"pass", b"print()"]


def parquet(path: Path, texts: list, column: str = "text", group: int = 3) -> Path:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({column: texts}), path, row_group_size=group)
    return path


def test_parquet_comes_row_by_row(tmp_path):
    texts = ["eins", "zwei – ü", None, "", "文字", *map(str, range(20))]
    path = parquet(tmp_path / "a.parquet", texts)
    expected = sorted(text.encode() for text in texts if text)
    assert documents(path) == documents(tmp_path) == expected


@pytest.mark.parametrize("kind", ["large_string", "binary", "large_binary", "dictionary", "null"])
def test_parquet_texts_of_any_type_that_holds_text(tmp_path, kind):
    import pyarrow

    texts = [None, None] if kind == "null" else ["eins", None, "zwei – ü"]
    made = pyarrow.array(texts)
    if kind == "dictionary":
        made = made.dictionary_encode()
    elif kind != "null":
        made = made.cast(kind)
    path = parquet(tmp_path / "a.parquet", made)
    found = list(sources.as_documents(sources.parquet_texts(path), reading.LeftOut()))
    assert found == [text.encode() for text in texts if text]


def test_parquet_that_is_none_or_has_no_text_is_one_line(tmp_path):
    import pyarrow
    import pyarrow.parquet

    latin = pyarrow.array([b"good", b"caf\xe9"]).cast("binary")
    buffers = latin.buffers()
    latin = pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)
    twice = pyarrow.table([["a"], ["b"]], names=["text", "text"])
    pyarrow.parquet.write_table(twice, tmp_path / "d.parquet")
    for path, message in (
        (parquet(tmp_path / "a.parquet", ["x"], "content"), "has no column 'text'; it has content"),
        (parquet(tmp_path / "b.parquet", [1, 2]), "b.parquet .*its column 'text' is int64"),
        (parquet(tmp_path / "l.parquet", [["a"]]), "l.parquet .*its column 'text' is list"),
        (write(tmp_path / "c.parquet", b"PAR1 no more"), "c.parquet .*fetch it again"),
        (tmp_path / "d.parquet", "d.parquet has 2 columns 'text'"),
        (parquet(tmp_path / "e.parquet", latin), "e.parquet: row 1: not valid UTF-8 at byte 3"),
    ):
        with pytest.raises(EquinfoError, match=message) as caught:
            list(load_corpus(str(path)).documents("train"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.gz"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_said(tmp_path, name, encoding):
    content = "\ufeff{}".encode(encoding) if encoding.endswith("be") else "{}".encode(encoding)
    path = write(tmp_path / name, COMPRESS[path_suffix(name)](content))
    with pytest.raises(EquinfoError, match=f"{name} is UTF-16: convert it"):
        list(load_corpus(path).documents())


def test_a_folder_of_parquet_shards_brings_its_split(tmp_path):
    parquet(tmp_path / "train-00000.parquet", ["a", "b"])
    parquet(tmp_path / "validation.parquet", ["v"])
    assert list(load_corpus(str(tmp_path)).documents("train")) == [b"a", b"b"]
    assert list(load_corpus(str(tmp_path)).documents("validation")) == [b"v"]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """The real package, without network or a shared cache."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path / "data"


def test_a_data_set_is_streamed_with_its_own_split(offline):
    write(offline / "train.jsonl", lines("one", "zwei – ü", "文字"))
    write(offline / "validation.jsonl", lines("held out"))
    write(offline / "test.jsonl", lines("never read"))
    corpus = load_corpus(f"hf:{offline}")
    assert [text.decode() for text in corpus.documents("train")] == ["one", "zwei – ü", "文字"]
    assert list(corpus.documents("validation")) == [b"held out"]
    assert list(load_corpus(f"hf:{offline}+bundled").documents("train"))[2] == "文字".encode()


def test_a_data_set_without_validation_is_split_by_content(offline):
    texts = [f"text {n}" for n in range(400)]
    parquet(offline / "part-0.parquet", texts[:200], group=50)
    parquet(offline / "part-1.parquet", texts[200:], group=50)
    splits = {split: list(load_corpus(f"hf:{offline}").documents(split)) for split in SPLITS}
    assert sorted(splits["train"] + splits["validation"]) == sorted(text.encode() for text in texts)
    assert all(held_out(text) for text in splits["validation"])
    assert not any(held_out(text) for text in splits["train"])


def test_a_data_set_that_is_not_there_or_has_no_text_is_one_line(offline, monkeypatch):
    parquet(offline / "a.parquet", ["x"], "content")
    for name, message in (
        (f"hf:{offline}", "has no column 'text'; it has content"),
        (f"hf:{offline}/nowhere", "cannot be loaded"),
        ("hf::en", "cannot be loaded"),
    ):
        with pytest.raises(EquinfoError, match=message) as caught:
            list(load_corpus(name).documents("train"))
        assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EquinfoError, match=r"en needs datasets: pip install 'equinfo\[hf\]'"):
        load_corpus("hf:allenai/c4:en")


def test_name_configuration_and_revision_reach_the_library(monkeypatch):
    import datasets

    asked: list[dict] = []

    def load_dataset(**options):
        asked.append(options)
        raise ConnectionError("offline\nfor good")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for name in ("hf:allenai/c4:en", "hf:HuggingFaceFW/fineweb:sample-10BT@v1.2", "hf:some/thing"):
        with pytest.raises(EquinfoError, match=r"cannot be loaded \(ConnectionError: offline\)"):
            next(load_corpus(name).documents("train"))
    assert [(one["path"], one["name"], one["revision"], one["streaming"]) for one in asked] == [
        ("allenai/c4", "en", None, True),
        ("HuggingFaceFW/fineweb", "sample-10BT", "v1.2", True),
        ("some/thing", None, None, True),
    ]


# -- nothing assumes English -----------------------------------------------------------------------

GERMAN = (
    "Habe nun, ach! Philosophie, Juristerei und Medizin, und leider auch Theologie durchaus"
    " studiert, mit Bemühn. Da steh ich nun, ich armer Tor, und bin so klug als wie zuvor!"
    " „Größe“, „Übermut“, „Ärger“ – so heißt's."
)
CHINESE = (
    "天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。"
    "寒來暑往，秋收冬藏。閏餘成歲，律呂調陽。"
    "雲騰致雨，露結為霜。"
)
ARABIC = (
    "كان يا ما كان، في قديم الزمان، ملك عادل يحكم بلادا واسعة، وكان له ثلاثة أبناء وابنة"
    " واحدة حكيمة."
)


def code() -> list[bytes]:
    """A few of Python's own sources."""
    folder = Path(json.__file__).parent
    found = list(load_corpus(str(folder)).documents("train"))
    assert any(b"def dumps" in text for text in found)
    return [text[:3000] for text in found]


@pytest.mark.parametrize("language", ["german", "chinese", "arabic", "code"])
@pytest.mark.parametrize(
    "kind", ["bytes", "gzip8", "bpe", "unigram", "static-ac", "ac", "equalinfo"]
)
def test_every_kind_of_tokenizer_takes_any_language(kind, language):
    import equinfo

    short = {"german": GERMAN, "chinese": CHINESE, "arabic": ARABIC}
    texts = (
        code() if language == "code" else [short[language].encode(), short[language][::-1].encode()]
    )
    if kind in ("bytes", "gzip8"):
        tokenizer = equinfo.load(kind)
    else:
        from equinfo.compress.models.base import StaticModel

        m1 = StaticModel.unigram(texts) if kind in ("ac", "equalinfo") else None
        size = 400 if kind in ("bpe", "unigram") else 65536
        tokenizer = equinfo.train_tokenizer(kind, corpus=texts, size=size, m1=m1)
    assert tokenizer.decode_batch(tokenizer.encode_batch(texts)) == texts
    for text in texts:
        found = tokenizer.spans(text)
        assert b"".join(text[span.start : span.end] for span in found) == text
