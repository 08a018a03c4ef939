"""Tokenizers of others keep their libraries' ids, parts and text, and obey the protocol of ours."""

import io
import json
from functools import cache

import numpy as np
import pytest
import sentencepiece
import tokenizers
import transformers
from tokenizer_zoo import make, training_text
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

import equinfo
from equinfo import tokenfile
from equinfo.artifacts import Artifact
from equinfo.errors import EquinfoError
from equinfo.generation import generate
from equinfo.show import render
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.huggingface import ByteLevelTokenizer, HFTokenizer
from equinfo.tokenizers.imported import from_pretrained
from equinfo.tokenizers.imported_base import PROBES
from equinfo.tokenizers.sentencepieces import SentencePieceTokenizer

TEXT = "In the  beginning, God created <s> the heaven;\nand the earth. é 起初 👩‍🚀\t(x) "
SPECIAL = ["<unk>", "<s>", "</s>"]


def trained(library: tokenizers.Tokenizer, trainer: type, **options) -> tokenizers.Tokenizer:
    texts = [document.decode() for document in training_text()[:400]]
    library.train_from_iterator(texts, trainer(show_progress=False, **options))
    return library


def byte_level(
    normalizer: normalizers.Normalizer | None = None, prefix: bool = False
) -> tokenizers.Tokenizer:
    """GPT-2's sort; end of text before a document, cut after 8 ids, padded: none is to matter."""
    library = tokenizers.Tokenizer(models.BPE())
    if normalizer:
        library.normalizer = normalizer
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    library.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained(
        library,
        trainers.BpeTrainer,
        vocab_size=500,
        initial_alphabet=alphabet,
        special_tokens=["<|end|>"],
    )
    library.post_processor = processors.TemplateProcessing(
        "<|end|> $A", special_tokens=[("<|end|>", 0)]
    )
    library.enable_truncation(8)
    library.enable_padding(length=8)
    return library


def byte_fallback() -> tokenizers.Tokenizer:
    """Llama 2's sort."""
    library = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    library.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    steps = [
        decoders.Replace("▁", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ]
    library.decoder = decoders.Sequence(steps)
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    return trained(
        library, trainers.BpeTrainer, vocab_size=600, special_tokens=SPECIAL + every_byte
    )


def word_piece() -> tokenizers.Tokenizer:
    """BERT's sort."""
    library = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    trained(
        library,
        trainers.WordPieceTrainer,
        vocab_size=400,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
    )
    library.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return library


def unigram() -> tokenizers.Tokenizer:
    """T5's sort."""
    library = tokenizers.Tokenizer(models.Unigram())
    library.normalizer = normalizers.NFKC()
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()
    return trained(
        library, trainers.UnigramTrainer, vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>"
    )


def word_level() -> tokenizers.Tokenizer:
    """Ids with holes between them."""
    library = tokenizers.Tokenizer(
        models.WordLevel({"[UNK]": 0, "the": 3, "earth": 7, ".": 9}, unk_token="[UNK]")
    )
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    return library


def sentence_piece(**options) -> sentencepiece.SentencePieceProcessor:
    written, texts = io.BytesIO(), (document.decode() for document in training_text()[:400])
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=texts,
        model_writer=written,
        vocab_size=500,
        minloglevel=2,
        num_threads=1,
        **options,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


VERBATIM = {
    "normalization_rule_name": "identity",
    "add_dummy_prefix": False,
    "remove_extra_whitespaces": False,
}
LIBRARIES = {
    "byte-level": byte_level,
    "byte-level-nfc": lambda: byte_level(normalizers.NFC()),
    "byte-level-prefix": lambda: byte_level(prefix=True),
    "byte-fallback": byte_fallback,
    "word-piece": word_piece,
    "unigram": unigram,
    "word-level": word_level,
    "sp-unigram": lambda: sentence_piece(model_type="unigram"),
    "sp-bpe": lambda: sentence_piece(model_type="bpe", normalization_rule_name="identity"),
    "sp-unigram-bytes": lambda: sentence_piece(model_type="unigram", byte_fallback=True),
    "sp-bpe-bytes": lambda: sentence_piece(model_type="bpe", byte_fallback=True, **VERBATIM),
}
NAMES = list(LIBRARIES)
BY_BYTES = [name for name in NAMES if name.startswith("byte-level")]
EVERY = pytest.mark.parametrize("name", NAMES)


@cache
def library(name: str):
    return LIBRARIES[name]()


@cache
def imported(name: str):
    return from_pretrained(library(name), name=name)


def plain(name: str):
    """(ids of a text, text of ids) by the library's own calls: no special tokens, cuts, padding."""
    its = library(name)
    if isinstance(its, sentencepiece.SentencePieceProcessor):
        return its.EncodeAsIds, its.Decode
    its = tokenizers.Tokenizer.from_str(its.to_str())
    its.no_truncation()
    its.no_padding()
    its.encode_special_tokens = True
    encode = lambda text: its.encode(text, add_special_tokens=False).ids  # noqa: E731
    return encode, lambda ids: its.decode(ids, skip_special_tokens=False)


def texts() -> list[str]:
    return [TEXT, *PROBES, *(document.decode() for document in training_text()[-20:])]


# -- ids and text ----------------------------------------------------------------------------------


@EVERY
def test_ids_and_text_are_the_librarys(name):
    encode, decode = plain(name)
    made = imported(name)
    batch = made.encode_batch(texts())
    for text, ids in zip(texts(), batch, strict=True):
        assert ids.tolist() == encode(text) == made.encode(text).tolist()
        assert made.decode(ids).decode() == (decode(ids.tolist()) if len(ids) else "")
    assert max(ids.max(initial=0) for ids in batch) < made.code_size <= made.pad_id
    assert made.decode_batch(batch) == [made.decode(ids) for ids in batch]


@EVERY
def test_lossless_is_what_comes_back(name):
    """Only the byte-level one without normaliser and prefix space; the next two lose ▁ alone."""
    made = imported(name)
    lost = [text for text in texts() if made.decode(made.encode(text)) != text.encode()]
    assert made.lossless == (not lost) == (name == "byte-level")
    if name in ("byte-fallback", "sp-bpe-bytes"):
        assert lost == ["▁a ▁"]


def changed(**parts) -> tokenizers.Tokenizer:
    """The byte-level one with other parts, or tokens added."""
    its = tokenizers.Tokenizer.from_str(library("byte-level").to_str())
    its.add_tokens(parts.pop("tokens", []))
    for name, part in parts.items():
        setattr(its, name, part)
    return its


LETTERS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
SPLIT = pre_tokenizers.Split(Regex(r"\s+"), "isolated")
LOSE = {
    "a quote": {"normalizer": normalizers.Replace("\u201c", '"')},
    "blank lines": {"normalizer": normalizers.Replace(Regex("\n{3,}"), "\n\n")},
    "an address": {"normalizer": normalizers.Replace(Regex(r"https?://\S+"), "<url>")},
    "a cut": {
        "pre_tokenizer": pre_tokenizers.Sequence([pre_tokenizers.Split("@@", "removed"), LETTERS])
    },
    "spaces of a token": {"tokens": [tokenizers.AddedToken("@@", lstrip=True)]},
    "a token for other bytes": {"tokens": [tokenizers.AddedToken("Ġthe", normalized=False)]},
}
KEEP = {
    "nothing": {},
    "cuts": {"pre_tokenizer": pre_tokenizers.Sequence([SPLIT, pre_tokenizers.Digits(), LETTERS])},
    "one word": {"tokens": [tokenizers.AddedToken("@@", single_word=True)]},
}


@pytest.mark.parametrize("name", LOSE)
def test_a_loss_that_no_probe_shows_is_refused_wherever_text_is_encoded(name, tmp_path):
    text = "“a” \n\n\n\nb https://example.org/a x @@ the end"
    made = from_pretrained(changed(**LOSE[name]), name="mine")
    assert not made.proven
    if not made.lossless:  # a probe has shown it
        return
    assert made.decode(made.encode("the rest comes back")) == b"the rest comes back"
    for encode in (
        lambda: made.encode(text),
        lambda: made.encode_batch(["", text]),
        lambda: made.encoder().feed(text, last=True),
        lambda: tokenfile.to_bytes(made, text.encode()),
        lambda: equinfo.tokenize_corpus(made, [text.encode()], tmp_path / "shards"),
        lambda: made.as_hf()(text),
    ):
        with pytest.raises(EquinfoError, match=r"mine .*document [01] at byte|does not come back"):
            encode()
    as_it_is = from_pretrained(changed(**LOSE[name]), lossless=False)
    assert as_it_is.decode(as_it_is.encode(text)) != text.encode()
    with pytest.raises(EquinfoError, match="not lossless"):
        tokenfile.to_bytes(as_it_is, text.encode())


@pytest.mark.parametrize("name", KEEP)
def test_parts_that_lose_nothing_are_known(name):
    made = from_pretrained(changed(**KEEP[name]))
    assert made.proven
    assert made.lossless
    for text in ("“a” \n\n\n\nb @@ c@@d", *PROBES):
        assert made.decode(made.encode(text)) == text.encode()


def test_a_folder_that_only_says_that_it_is_lossless_is_refused(tmp_path):
    for name in ("word-piece", "sp-bpe"):
        stored = imported(name).artifact
        Artifact(stored.kind, {**stored.config, "lossless": True}, stored.tensors).save(tmp_path)
        with pytest.raises(EquinfoError, match="said to be lossless and is not"):
            equinfo.load(tmp_path)


def test_a_panic_of_the_library_is_one_line():
    its = changed(normalizer=normalizers.Replace(Regex("(a+)+$"), "x"))
    with pytest.raises(EquinfoError, match=r"cannot encode this text .*retry-limit") as caught:
        from_pretrained(its).encode("a" * 40 + "b")
    assert "\n" not in str(caught.value)


def test_characters_of_all_of_unicode_come_back_from_the_lossless_one():
    every = "".join(
        chr(point) for point in range(0, 0x110000, 3) if not 0xD800 <= point < 0xE000
    ).encode()
    assert imported("byte-level").decode(imported("byte-level").encode(every)) == every


def test_a_text_that_spells_a_special_token_is_text():
    for name, token in (
        ("byte-level", "<|end|>"),
        ("byte-fallback", "</s>"),
        ("sp-bpe-bytes", "</s>"),
    ):
        ids = imported(name).encode(f"a {token} b")
        assert ids.min() > 2
        assert imported(name).decode(ids) == f"a {token} b".encode()


def test_our_own_bpe_and_unigram_import_as_what_they_are():
    for kind, file in (("bpe", "tokenizer.json"), ("unigram", "sentencepiece.model")):
        ours = make(kind)
        content = ours.artifact.tensors[file].tobytes()
        other = from_pretrained(
            tokenizers.Tokenizer.from_buffer(content)
            if kind == "bpe"
            else sentencepiece.SentencePieceProcessor(model_proto=content)
        )
        shift = 0 if kind == "bpe" else 1
        np.testing.assert_array_equal(other.encode(TEXT).astype(int) - shift, ours.encode(TEXT))
        assert other.decode(other.encode(TEXT)) == TEXT.encode()


@EVERY
def test_text_that_is_no_utf8_is_refused(name):
    with pytest.raises(EquinfoError, match="not valid UTF-8 at byte 1"):
        imported(name).encode(b"a\xff")


def test_holes_in_the_vocabulary_are_no_ids():
    made = imported("word-level")
    assert (made.code_size, made.pad_id) == (10, 10)
    assert made.encode("the earth , .").tolist() == [3, 7, 0, 9]
    assert np.flatnonzero(made.allowed(np.empty(0, dtype=int))).tolist() == [0, 3, 7, 9]
    with pytest.raises(EquinfoError, match=r"id 4 at position 1 .* leaves it out"):
        made.decode([3, 4])
    with pytest.raises(EquinfoError, match="id 10 at position 0 is out of range"):
        made.decode([10])


@pytest.mark.parametrize("name", BY_BYTES)
def test_byte_level_ids_decode_one_by_one(name):
    made = imported(name)
    assert isinstance(made, ByteLevelTokenizer)
    ids = made.encode(TEXT)
    decoder = made.decoder()
    fed = [decoder.feed([i]) for i in ids]
    assert (
        b"".join(fed) + decoder.finish()
        == made.decode(ids)
        == b"".join(made.token_bytes(i) for i in ids)
    )
    assert all(fed)
    for n in range(len(ids)):
        assert made.allowed(ids[:n])[ids[n]]
    cut = next(n for n in range(len(ids)) if not made.may_end(ids[:n]))
    with pytest.raises(EquinfoError, match="invalid UTF-8"):
        made.decode(ids[:cut])


# -- parts -----------------------------------------------------------------------------------------


@EVERY
def test_spans_cover_ids_and_text(name):
    made = imported(name)
    for text in [*texts(), "", "\u3000"]:
        found = made.spans(text)
        ids = made.encode(text).tolist()
        assert [i for span in found for i in span.ids] == ids
        if not ids:
            continue
        assert [found[0].start, *(span.end for span in found)] == [
            *(s.start for s in found),
            len(text.encode()),
        ]
        for span in found:
            assert text[span.first : span.last].encode() == text.encode()[span.start : span.end]


def test_spans_of_a_lossless_one_are_those_of_its_bytes():
    made = imported("byte-level")
    runs = Tokenizer._runs(made, TEXT.encode())
    assert made._runs(TEXT.encode()) == [(ids.tolist(), size) for ids, size in runs]


def test_spans_give_each_word_its_space():
    for name in ("byte-level-prefix", "word-piece", "unigram", "sp-unigram", "sp-bpe-bytes"):
        text = "the earth and the heaven"
        found = [text[span.first : span.last] for span in imported(name).spans(text)]
        assert " and" in found
    cut = [span.ids for span in imported("sp-bpe-bytes").spans("起")]
    assert [len(ids) for ids in cut] == [3]  # its three bytes are one character


# -- what is kept ----------------------------------------------------------------------------------


@EVERY
def test_a_folder_gives_the_same_tokenizer(name, tmp_path):
    made = imported(name)
    made.save(tmp_path / "saved")
    loaded = equinfo.load(tmp_path / "saved")
    assert type(loaded) is type(made)
    assert (loaded.fingerprint, loaded.name, loaded.lossless) == (
        made.fingerprint,
        name,
        made.lossless,
    )
    np.testing.assert_array_equal(loaded.encode(TEXT), made.encode(TEXT))
    assert type(made).load(tmp_path / "saved").decode(made.encode(TEXT)) == made.decode(
        made.encode(TEXT)
    )


def test_an_altered_folder_is_refused(tmp_path):
    imported("word-level").save(tmp_path / "saved")
    path = tmp_path / "saved" / "artifact.json"
    path.write_text(path.read_text().replace('"lossless": false', '"lossless": true'))
    with pytest.raises(EquinfoError, match="does not match its own hash"):
        equinfo.load(tmp_path / "saved")


@EVERY
def test_it_can_be_shown_and_tokenizes_a_corpus(name, tmp_path):
    made = imported(name)
    shown = render(made, TEXT.encode(), colour=False)
    assert shown.startswith(name)
    assert "no id has bytes" not in shown
    documents = [TEXT.encode(), b"the earth ."]
    shards = equinfo.tokenize_corpus(made, documents, tmp_path / "shards")
    stored = [ids.tolist() for ids, _ in shards.documents()]
    assert stored == [ids.tolist() for ids in made.encode_batch(documents)]
    assert shards.num_bytes == sum(map(len, documents))


def test_a_token_file_brings_the_text_back():
    made = imported("byte-level")
    assert tokenfile.from_bytes(made, tokenfile.to_bytes(made, TEXT.encode())) == TEXT.encode()


@pytest.mark.parametrize("name", ["byte-level", "word-piece", "sp-unigram-bytes"])
def test_an_lm_trains_is_evaluated_and_generates(name, tmp_path):
    made, held_out = imported(name), training_text()[-5:]
    equinfo.train_lm(
        tmp_path / "m2", made, training_text()[:50], size="30k", steps=3, batch_size=4, context=64
    )
    result = equinfo.evaluate(tmp_path / "m2", made, held_out)
    assert result.num_bytes == sum(map(len, held_out))
    assert result.num_ids == sum(map(len, made.encode_batch(held_out))) + len(held_out)
    assert (
        0 < result.bits_per_byte < 2 * np.log2(made.vocab_size) * result.num_ids / result.num_bytes
    )
    (sample,) = generate(tmp_path / "m2", made, "In the", max_ids=12)
    assert sample.ended in ("eos", "length")
    assert max(sample.ids) < made.code_size


# -- where they come from --------------------------------------------------------------------------


def test_every_source_of_one_tokenizer_gives_its_ids(tmp_path):
    its = library("byte-level")
    its.save(str(tmp_path / "tokenizer.json"))
    its.save(str(tmp_path / "other.json"))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=its)
    fast.save_pretrained(tmp_path / "named")
    expected = imported("byte-level").encode(TEXT)
    sources = [
        its,
        fast,
        tmp_path,
        str(tmp_path / "tokenizer.json"),
        tmp_path / "other.json",
        tmp_path / "named",
    ]
    made = [from_pretrained(source) for source in sources]
    for one in made:
        np.testing.assert_array_equal(one.encode(TEXT), expected)
    assert [one.name for one in made[2:]] == [
        f"{n} (HF)" for n in (tmp_path.name, tmp_path.name, "other", "named")
    ]


def test_a_model_file_of_sentencepiece_is_a_source(tmp_path):
    content = library("sp-bpe").serialized_model_proto()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "mine.model", tmp_path / "folder" / "tokenizer.model"):
        path.write_bytes(content)
    for source, name in ((tmp_path / "mine.model", "mine"), (tmp_path / "folder", "folder")):
        made = from_pretrained(source)
        assert isinstance(made, SentencePieceTokenizer)
        assert made.name == f"{name} (SentencePiece)"
        np.testing.assert_array_equal(made.encode(TEXT), imported("sp-bpe").encode(TEXT))


def test_transformers_reads_a_folder_that_has_no_tokenizer_json(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "in", "the", "begin", "##ning"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    made = from_pretrained(tmp_path, name="tiny")
    assert isinstance(made, HFTokenizer)
    assert made.encode("In the beginning").tolist() == [5, 6, 7, 8]
    assert made.decode([5, 6, 7, 8]) == b"in the beginning"


def test_what_is_no_tokenizer_is_named_in_one_line(tmp_path):
    (tmp_path / "broken.json").write_text('{"model": 1}')
    (tmp_path / "broken.model").write_bytes(b"\x0a\x05text, and no more")
    (tmp_path / "random.json").write_text(
        tokenizers.Tokenizer(models.BPE({"a": 0}, [], dropout=0.1)).to_str()
    )
    shared = json.loads(library("byte-level").to_str())
    shared["model"]["vocab"]["strange"] = 255
    (tmp_path / "shared.json").write_text(json.dumps(shared))
    make("bpe").save(tmp_path / "ours")
    (tmp_path / "nothing").mkdir()
    for source, message in [
        (tmp_path / "broken.json", "broken .HF. is no tokenizer.json"),
        (tmp_path / "broken.model", "cannot be read"),
        (tmp_path / "random.json", "at random"),
        (tmp_path / "shared.json", "two pieces .* share an id"),
        (tmp_path / "ours", "equinfo.load"),
        (tmp_path / "nothing", "finds no tokenizer"),
        (transformers.ByT5Tokenizer(), "ByT5Tokenizer has no tokenizer.json"),
        (7, "int has no tokenizer.json"),
    ]:
        with pytest.raises(EquinfoError, match=message) as caught:
            from_pretrained(source)
        assert "\n" not in str(caught.value)


def test_a_character_without_an_id_is_an_error_where_the_library_has_none():
    made = from_pretrained(
        tokenizers.Tokenizer(models.WordPiece({"a": 0, "##b": 1}, unk_token="[UNK]"))
    )
    assert made.encode("ab").tolist() == [0, 1]
    with pytest.raises(EquinfoError, match="cannot encode this text"):
        made.encode("ü")
