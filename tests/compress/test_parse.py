"""All parses against plain Python, on any bytes, whole and in pieces."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.codebook.pretokens import MODES, masks_of
from equinfo.compress.codebook.segments import dictionary_of
from equinfo.compress.dictionary import dictionary as module
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.parse import AHEAD, BLOCK, PARSES, _cost, _fill, costs_of, parse
from equinfo.plain import codebook as plain

SINGLES = [bytes([byte]) for byte in range(256)]
LETTERS = st.sampled_from([b"a", b"b", b" ", b".", b"\n", b"\0", b"\xff"])
TEXTS = st.lists(LETTERS, max_size=60).map(b"".join) | st.binary(max_size=60)
STRINGS = st.lists(st.lists(LETTERS, min_size=2, max_size=6).map(b"".join), max_size=30)


def codebook(strings, mode):
    """(strings, dictionary) of the bytes and those of `strings` that may be pieces."""
    distinct = [*SINGLES, *sorted(set(strings) - set(SINGLES))]
    pieces = [s for s, mask in zip(distinct, masks_of(distinct, mode), strict=True) if mask]
    return pieces, dictionary_of(pieces, mode)


def drawn_costs(strings):
    return costs_of(np.random.default_rng(len(strings)).integers(0, 9, len(strings)) ** 3)


def part(dictionary, data, how, last=True, before=b""):
    """(codes, bytes) of a part of a document."""
    if how == "longest":
        return dictionary.part(data, last, before)
    costs = drawn_costs(dictionary.strings) if how == "likeliest" else None
    text = np.frombuffer(data, dtype=np.uint8)
    amid = dictionary.trie.begins_amid(before, data)
    return parse(text, last, amid, *dictionary.for_parse(costs))


def parsed(strings, dictionary, text, how):
    codes, used = part(dictionary, text, how)
    assert used == len(text)
    return [strings[code] for code in codes]


@settings(max_examples=200, deadline=None)
@given(STRINGS, TEXTS, st.sampled_from(MODES))
def test_all_parses_are_their_oracles(strings, text, mode):
    strings, dictionary = codebook(strings, mode)
    pieces, costs = set(strings), dict(zip(strings, drawn_costs(strings).tolist(), strict=True))
    assert parsed(strings, dictionary, text, "longest") == plain.longest(pieces, text, mode)
    assert parsed(strings, dictionary, text, "fewest") == plain.fewest(pieces, text, mode)
    assert parsed(strings, dictionary, text, "likeliest") == plain.likeliest(costs, text, mode)


def test_only_what_has_a_code_is_asked_for_its_cost(monkeypatch):
    """Not the beginnings, more than there are codes, that no piece ends near. In plain Python,
    where an index beyond an array is an error."""
    drawn = [np.random.default_rng(k).bytes(40) for k in range(20)]
    strings, dictionary = codebook(drawn, "free")
    text = np.array([*b"".join(drawn)])
    totals, chosen, lengths = np.zeros((3, len(text) + 1), dtype=np.int32)
    *trie, classes, costs = dictionary.for_parse(drawn_costs(strings))
    given = *trie, classes.astype(int), costs
    monkeypatch.setattr("equinfo.compress.dictionary.parse._cost", _cost.py_func)
    _fill.py_func(text, 0, len(text), 0, *given, totals, chosen, lengths)
    assert chosen[0] == strings.index(drawn[0])


def test_fewer_pieces_than_the_longest_first():
    strings, dictionary = codebook([b"ab", b"abc", b"cdef"], "free")
    assert parsed(strings, dictionary, b"abcdef", "longest") == [b"abc", b"d", b"e", b"f"]
    assert parsed(strings, dictionary, b"abcdef", "fewest") == [b"ab", b"cdef"]


@settings(max_examples=100, deadline=None)
@given(
    STRINGS, TEXTS, st.sampled_from(MODES), st.sampled_from(PARSES), st.integers(1, 9),
    st.integers(0, 9),
)  # fmt: skip
def test_what_is_given_early_is_what_the_whole_gives(strings, text, mode, how, size, ahead):
    """Whether a part ends where the parse says, or earlier: what follows knows the byte before."""
    strings, dictionary = codebook(strings, mode)
    whole = parsed(strings, dictionary, text, how)
    pieces, held, before = [], b"", b""
    for at in range(0, len(text), size):
        held += text[at : at + size]
        codes, used = part(dictionary, held, how, last=False, before=before)
        pieces += [strings[code] for code in codes]
        before, held = held[used - 1 : used] or before, held[used:]
    pieces += [strings[code] for code in part(dictionary, held, how, True, before)[0]]
    assert pieces == whole
    if how != "longest":  # from any place where a piece begins, the best is the rest of the best
        at = sum(map(len, whole[:ahead]))
        rest = part(dictionary, text[at:], how, True, text[:at][-1:])[0]
        assert [strings[code] for code in rest] == whole[ahead:]


@pytest.mark.parametrize("mode", MODES)
def test_spans_of_a_long_document_know_what_was_before(monkeypatch, mode):
    """One that begins inside a word does not take what only a word's begin may."""
    rng = Random(3)
    letters = [b"a", b"b", b"ab", b" ", b". ", b"\0", b"\xff"]
    drawn = [b"".join(rng.choices(letters, k=rng.randrange(2, 6))) for _ in range(300)]
    strings, dictionary = codebook(drawn, mode)
    pieces = set(strings)
    documents = [b"".join(rng.choices(letters, k=k)) for k in (4000, 0, 50)]
    documents += [b"aab" * 500 + documents[0], b"b a" * 1000]
    monkeypatch.setattr(module, "SPAN", 1)
    monkeypatch.setattr(Dictionary, "_overlap", 40)
    for text, codes in zip(documents, dictionary.encode(documents), strict=True):
        at = 0
        for piece in [strings[code] for code in codes]:
            ends = range(at + 1, min(at + dictionary.longest, len(text)) + 1)
            there = [e for e in ends if text[at:e] in pieces]
            longest = [e for e in there if plain.may_be_a_piece(text, at, e, mode)][-1]
            assert piece == text[at:longest]
            at = longest
        assert at == len(text)


@pytest.fixture(scope="module")
def dense():
    rng = np.random.default_rng(5)
    sizes = rng.integers(2, 9, 300)
    return codebook([rng.integers(97, 100, n).astype(np.uint8).tobytes() for n in sizes], "free")


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
    used = part(dense[1], text, "fewest", last=False)[1]
    assert len(text) - BLOCK - AHEAD <= used < len(text)
