"""Both parses against plain Python, on any bytes, whole and in pieces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.codebook.pretokens import CLASS, MODES, masks_of
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.parse import AHEAD, BLOCK, fewest
from equinfo.plain import codebook as plain

SINGLES = [bytes([byte]) for byte in range(256)]
LETTERS = st.sampled_from([b"a", b"b", b" ", b".", b"\n", b"\0", b"\xff"])
TEXTS = st.lists(LETTERS, max_size=60).map(b"".join) | st.binary(max_size=60)
STRINGS = st.lists(st.lists(LETTERS, min_size=2, max_size=6).map(b"".join), max_size=30)


def codebook(strings, mode):
    """(strings, dictionary) of the bytes and those of `strings` that may be pieces."""
    distinct = sorted(set(strings) - set(SINGLES))
    pieces = [
        *SINGLES,
        *[s for s, mask in zip(distinct, masks_of([*distinct, b"x"], mode), strict=False) if mask],
    ]
    return pieces, Dictionary(pieces, np.arange(len(pieces)), masks_of(pieces, mode), CLASS)


def few(dictionary, text, last=True):
    trie = dictionary.trie
    return fewest(
        np.frombuffer(text, dtype=np.uint8), last, trie.table, trie.root, dictionary.classes
    )


def parsed(strings, dictionary, text, how):
    if how == "longest":
        return [strings[code] for code in dictionary.encode([text])[0]]
    codes, used = few(dictionary, text)
    assert used == len(text)
    return [strings[code] for code in codes]


@settings(max_examples=300, deadline=None)
@given(STRINGS, TEXTS, st.sampled_from(MODES))
def test_both_parses_are_their_oracles(strings, text, mode):
    strings, dictionary = codebook(strings, mode)
    pieces = set(strings)
    assert parsed(strings, dictionary, text, "longest") == plain.longest(pieces, text, mode)
    assert parsed(strings, dictionary, text, "fewest") == plain.fewest(pieces, text, mode)


def test_fewer_pieces_than_the_longest_first():
    strings, dictionary = codebook([b"ab", b"abc", b"cdef"], "free")
    assert parsed(strings, dictionary, b"abcdef", "longest") == [b"abc", b"d", b"e", b"f"]
    assert parsed(strings, dictionary, b"abcdef", "fewest") == [b"ab", b"cdef"]


@settings(max_examples=100, deadline=None)
@given(STRINGS, TEXTS, st.sampled_from(MODES), st.integers(1, 9))
def test_what_is_given_early_is_what_the_whole_gives(strings, text, mode, size):
    strings, dictionary = codebook(strings, mode)
    pieces, held = [], b""
    for at in range(0, len(text), size):
        held += text[at : at + size]
        codes, used = few(dictionary, held, last=False)
        pieces += [strings[code] for code in codes]
        held = held[used:]
    assert pieces + parsed(strings, dictionary, held, "fewest") == parsed(
        strings, dictionary, text, "fewest"
    )


@pytest.fixture(scope="module")
def dense():
    rng = np.random.default_rng(5)
    return codebook(
        [rng.integers(97, 100, size=n).astype(np.uint8).tobytes() for n in rng.integers(2, 9, 300)],
        "free",
    )


def test_the_fewest_of_a_long_document_are_found_block_by_block(dense):
    strings, dictionary = dense
    text = np.random.default_rng(6).integers(97, 100, size=3 * BLOCK + 5).astype(np.uint8).tobytes()
    pieces, rest = [], text
    while rest:
        best = parsed(strings, dictionary, rest[: BLOCK + AHEAD], "fewest")
        if len(rest) > BLOCK + AHEAD:
            ends = np.cumsum([len(piece) for piece in best])
            best = best[: int(np.searchsorted(ends, BLOCK)) + 1]
        pieces += best
        rest = rest[sum(map(len, best)) :]
    assert parsed(strings, dictionary, text, "fewest") == pieces
    assert len(pieces) < len(parsed(strings, dictionary, text, "longest"))


def test_memory_for_the_fewest_is_bounded(dense):
    text = b"a" * (10 * BLOCK)
    used = few(dense[1], text, last=False)[1]
    assert len(text) - BLOCK - AHEAD <= used < len(text)
