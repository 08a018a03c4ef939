"""`equinfo show`: the pieces are the text, and their ids are the encoding."""

import pytest

import equinfo
from equinfo.compress.models import StaticModel
from equinfo.show import pieces, render
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.bpe import BPETokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from equinfo.tokenizers.unigram import UnigramTokenizer

TEXT = "The three currently – é\n\tlive".encode()
MODEL = StaticModel.unigram([TEXT * 3])


@pytest.mark.parametrize(
    "tokenizer",
    [
        equinfo.load("bytes"),
        equinfo.load("gzip8"),
        BPETokenizer.train([TEXT], 300),
        UnigramTokenizer.train([b"The cat"], 300),
        ArithmeticTokenizer(MODEL, 8),
        EqualInfoTokenizer(MODEL, 16, 16),
        EqualInfoTokenizer(MODEL, 24, 12),
        EqualInfoTokenizer(MODEL, 16, 12),
    ],
    ids=lambda t: t.name,
)
@pytest.mark.parametrize("text", [b"", b"a", TEXT])
def test_pieces_cover_text_and_ids(tokenizer, text):
    found = pieces(tokenizer, text)
    assert b"".join(piece.text for piece in found) == text
    assert [i for piece in found for i in piece.ids] == tokenizer.encode(text).tolist()


def test_a_window_is_a_piece_and_an_opaque_stream_is_one():
    windows = pieces(EqualInfoTokenizer(MODEL, 24, 12), TEXT)
    assert len(windows) > 3
    assert {len(piece.ids) for piece in windows} == {2}
    assert len(pieces(ArithmeticTokenizer(MODEL, 8), TEXT)) == 1


def test_a_character_of_several_ids_is_one_piece():
    shown = pieces(UnigramTokenizer.train([b"The cat"], 300), "T–é".encode())
    assert [piece.text.decode() for piece in shown] == ["T", "–", "é"]
    assert [len(piece.ids) for piece in shown] == [1, 3, 2]


def test_control_characters_are_shown_and_never_sent_to_the_terminal():
    shown = render(equinfo.load("bytes"), b"a\x1b[31m\n\xff", colour=False)
    assert "\\x1b" in shown
    assert "\x1b" not in shown
