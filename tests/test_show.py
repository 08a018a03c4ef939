"""Spans and `equinfo show`: the pieces are the text, and their ids are the encoding."""

import math
import re

import pytest

import equinfo
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError
from equinfo.show import _columns, render, render_several
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.bpe import BPETokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from equinfo.tokenizers.registry import make
from equinfo.tokenizers.unigram import UnigramTokenizer

TEXT = "The three CURRENTLY – é\n\tlive 文字".encode()
MODEL = StaticModel.unigram([TEXT * 3])
TOKENIZERS = [
    equinfo.load("bytes"),
    equinfo.load("gzip8"),
    BPETokenizer.train([TEXT], 300),
    UnigramTokenizer.train([b"The cat"], 300),
    ArithmeticTokenizer(MODEL, 8),
    EqualInfoTokenizer(MODEL, 16, 16),
    EqualInfoTokenizer(MODEL, 24, 12),
    EqualInfoTokenizer(MODEL, 16, 12),
    EqualInfoTokenizer(MODEL, 12, 6),
    ArithmeticTokenizer(MODEL, 1),
    make("bpe", 300, [TEXT], case=True),
    make("unigram", 300, [b"THE cat"], case=True),
]


def texts(tokenizer, text: bytes) -> list[bytes]:
    return [text[span.start : span.end] for span in tokenizer.spans(text)]


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.name)
@pytest.mark.parametrize("text", [b"", b"a", TEXT])
def test_spans_cover_text_and_ids(tokenizer, text):
    found = tokenizer.spans(text)
    assert b"".join(texts(tokenizer, text)) == text
    assert [i for span in found for i in span.ids] == tokenizer.encode(text).tolist()
    for span in found:
        assert span.bits == len(span.ids) * math.log2(tokenizer.code_size)
        assert tokenizer.decode(span.ids) == text[span.start : span.end]


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.name)
def test_character_offsets_are_those_of_the_text(tokenizer):
    text = TEXT.decode()
    for span in tokenizer.spans(TEXT):
        for offset, at in ((span.first, span.start), (span.last, span.end)):
            before = TEXT[:at].decode("utf-8", "replace")
            assert offset == (None if "\ufffd" in before else len(before))
        if None not in (span.first, span.last):
            assert text[span.first : span.last].encode() == TEXT[span.start : span.end]


def test_what_is_no_utf8_has_no_character_offsets():
    assert {(span.first, span.last) for span in equinfo.load("bytes").spans(b"ab\xff")} == {
        (None, None)
    }


def test_a_window_is_a_span_and_an_opaque_stream_is_one():
    windows = EqualInfoTokenizer(MODEL, 24, 12).spans(TEXT)
    assert len(windows) > 3
    assert {len(span.ids) for span in windows} == {2}
    assert {span.bits for span in windows} == {24.0}
    assert len(ArithmeticTokenizer(MODEL, 8).spans(TEXT)) == 1


def test_a_character_of_several_ids_is_one_span():
    unigram = UnigramTokenizer.train([b"The cat"], 300)
    assert [piece.decode() for piece in texts(unigram, "T–é".encode())] == ["T", "–", "é"]
    assert [len(span.ids) for span in unigram.spans("T–é")] == [1, 3, 2]


@pytest.mark.parametrize("tokenizer", [t for t in TOKENIZERS if t.unit == 1], ids=lambda t: t.name)
def test_the_bytes_of_tokens_make_the_text(tokenizer):
    assert b"".join(tokenizer.token_bytes(i) for i in tokenizer.encode(TEXT)) == TEXT
    with pytest.raises(EquinfoError, match="out of range"):
        tokenizer.token_bytes(tokenizer.code_size)


@pytest.mark.parametrize("tokenizer", [t for t in TOKENIZERS if t.unit != 1], ids=lambda t: t.name)
def test_ids_without_bytes_of_their_own_say_so(tokenizer):
    with pytest.raises(EquinfoError, match=r"a single id of .* has no bytes of its own"):
        tokenizer.token_bytes(0)


def test_control_characters_are_shown_and_never_sent_to_the_terminal():
    for shown in (
        render(equinfo.load("bytes"), b"a\x1b[31m\n\xff", colour=False),
        render_several(TOKENIZERS[:2], b"a\x1b[31m\n\xff", colour=False),
    ):
        assert "\\x1b" in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize("colour", [True, False])
def test_several_side_by_side(colour):
    text = TEXT * 4
    shown = render_several(TOKENIZERS, text, colour, columns=72)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    blocks = plain.split("\n\n")
    margin = max(len(tokenizer.name) for tokenizer in TOKENIZERS) + 2
    assert len(blocks) == len(TOKENIZERS)
    for tokenizer, block in zip(TOKENIZERS, blocks, strict=True):
        name, *more = block.split("\n")
        assert name.startswith(tokenizer.name)
        assert all(line.startswith(" " * margin) for line in more)
        assert all(_columns(line) <= 72 for line in [name, *more[:-1]])
        assert f"{len(tokenizer.encode(text))} ids" in more[-1]
        assert "bits/byte" in more[-1]
        assert ("no id has bytes" in more[-1]) == tokenizer.ends_itself


def test_an_empty_text_is_no_piece():
    assert "0 bytes, 0 ids" in render_several(TOKENIZERS[:1], b"", colour=False)
    assert render(TOKENIZERS[0], b"", colour=False).startswith("Bytes")
