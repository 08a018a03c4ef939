"""Case as signs: the rule stated by a regular expression, and that it loses nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.case import LONGEST, PLAIN, lowered, lowered_part, restored, restored_part

PARTS = ["a", "B", " ", "\1", "\2", "\3", ".", "\xff", "a" * 63, "B" * 64, "The", " of", " I'M"]
TEXTS = st.lists(st.sampled_from([part.encode("latin-1") for part in PARTS])).map(b"".join)


def by_rule(text):
    def signed(match):
        space, word, sign = match.groups()
        if sign:
            return b"\3" + sign
        if len(word) <= LONGEST and re.fullmatch(b"[A-Z][a-z]*", word):
            return b"\1" + space + word.lower()
        if len(word) <= LONGEST and re.fullmatch(b"[A-Z]+", word):
            return b"\2" + space + word.lower()
        return space + word

    return re.sub(rb"( ?)([A-Za-z]+)|([\1-\3])", signed, text)


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("The LORD", "\1the\2 lord"),
        (" I'm in  NY.", "\1 i'm in \2 ny."),
        ("iPhone McX", "iPhone McX"),
    ],
)
def test_signs_stand_before_the_space_of_their_word(text, signs):
    assert lowered([text.encode()]) == [signs.encode()]


@settings(max_examples=200, deadline=None, database=None)
@given(TEXTS, st.integers(0))
def test_it_is_the_rules_also_in_pieces_and_comes_back(text, at):
    at %= len(text) + 1
    documents = [text, text[at:], text[:at]]
    assert lowered(documents) == [by_rule(one) for one in documents]
    assert restored(lowered(documents)) == documents
    first, used, inside = lowered_part(text[:at], False, last=False)
    assert 0 <= at - used <= LONGEST + 1
    assert first + lowered_part(text[used:], inside, last=True)[0] == by_rule(text)


@settings(max_examples=200, deadline=None, database=None)
@given(TEXTS, st.integers(0))
def test_any_bytes_mean_something_also_in_pieces(data, at):
    at %= len(data) + 1
    first, state = restored_part(data[:at], PLAIN)
    assert [first + restored_part(data[at:], state)[0]] == restored([data])


def test_a_sign_before_no_letter_means_nothing():
    assert restored([b"\1", b"\2 \3", b"\1  a", b"\2\1 ab"]) == [b"", b" ", b"  a", b" Ab"]
