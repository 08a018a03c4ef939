"""Pretokens: told by pairs of bytes, whatever they are, and what a string's mask says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.codebook.pretokens import ANYWHERE, CLASS, CUT, CUT_BITS, END, MODES, masks_of
from equinfo.compress.codebook.segments import Text, pretoken_starts
from equinfo.errors import EquinfoError

LIKELY = st.lists(
    st.sampled_from([b" ", b"a", b"7", b"'", b".", b"\n", b"\0", b"\xc3\xa9", b"\xff"])
).map(b"".join)


def pretokens(document: bytes) -> list[bytes]:
    starts = [*pretoken_starts(Text([document])).tolist(), len(document)]
    return [document[begin:end] for begin, end in pairwise(starts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know 12 (or 3)!", ["I", " don", "'t", " know", " 12", " (or", " 3", ")!"]),
        ("naïve – 漢字 a1", ["naïve", " –", " 漢字", " a", "1"]),
        ("a  b\n\n c\r\n\td", ["a", "  b", "\n\n", " c", "\r\n\t", "d"]),
        ("'quoted' \0\0x", ["'quoted", "'", " \0\0", "x"]),
        ("", []),
    ],
)
def test_pretokens_of_text(text, expected):
    assert pretokens(text.encode()) == [piece.encode() for piece in expected]


def test_a_character_of_utf8_is_never_cut():
    assert pretokens("é漢👩\U0010ffff".encode()) == ["é漢👩\U0010ffff".encode()]


def test_a_document_ends_a_pretoken():
    assert CUT[:, END].all()
    starts = pretoken_starts(Text([b"ab", b"", b"\0\0", b"cd e"]))
    assert starts.tolist() == [0, 4, 7, 9]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | LIKELY, min_size=1, max_size=5))
def test_boundaries_depend_on_two_bytes_alone(documents):
    text = Text(documents)
    expected = [
        begin + at
        for begin, document in zip(text.begins.tolist(), documents, strict=True)
        for at in range(len(document))
        if at == 0 or CUT[CLASS[document[at - 1]], CLASS[document[at]]]
    ]
    assert pretoken_starts(text).tolist() == expected


@settings(deadline=None)
@given(st.lists((st.binary(min_size=1, max_size=12) | LIKELY.filter(len)), min_size=1, max_size=5))
def test_masks(strings):
    for mode in MODES:
        for string, mask in zip(strings, masks_of(strings, mode).tolist(), strict=True):
            if mode == "free" or len(pretokens(string)) == 1:
                assert mask == ANYWHERE
            elif mode == "aligned":
                assert mask == 0
            else:
                after = [CUT[CLASS[string[-1]], c] for c in range(8)]
                assert [bool(mask >> c & 1) for c in range(8)] == after


def test_every_byte_has_a_class_and_every_row_of_cuts_its_bits():
    assert set(CLASS.tolist()) == set(range(END))
    assert [[bool(bits >> c & 1) for c in range(8)] for bits in CUT_BITS.tolist()] == CUT.tolist()
    np.testing.assert_array_equal(masks_of([bytes([b]) for b in range(256)], "aligned"), ANYWHERE)


def test_an_unknown_mode_is_refused():
    with pytest.raises(EquinfoError, match="'words': choose free, aligned, superword"):
        masks_of([b"a"], "words")
