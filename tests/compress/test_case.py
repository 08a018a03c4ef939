"""Case as signs: the rule stated by a regular expression, and that it loses nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.case import LONGEST, PLAIN, lowered, restored

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
    assert lowered(text.encode())[0] == signs.encode()


@settings(max_examples=200, deadline=None, database=None)
@given(TEXTS, st.integers(0))
def test_it_is_the_rules_also_in_pieces_and_comes_back(text, at):
    at %= len(text) + 1
    found = lowered(text)[0]
    assert found == by_rule(text)
    assert restored(found)[0] == text
    first, used, inside = lowered(text[:at], last=False)
    assert 0 <= at - used <= LONGEST + 1
    assert first + lowered(text[used:], inside)[0] == found


@settings(max_examples=200, deadline=None, database=None)
@given(TEXTS, st.integers(0))
def test_any_bytes_mean_something_also_in_pieces(data, at):
    at %= len(data) + 1
    first, state = restored(data[:at])
    assert first + restored(data[at:], state)[0] == restored(data)[0]
    assert restored(b"\1")[0] == restored(b"\2 \3", PLAIN)[0].strip() == b""
