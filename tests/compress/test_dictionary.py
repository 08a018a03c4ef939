"""Longest match against a plain one in Python; masks, spans, pieces, threads."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.dictionary import dictionary as module
from equinfo.compress.dictionary import double_array
from equinfo.compress.dictionary.dictionary import Dictionary
from equinfo.compress.dictionary.double_array import BASE, BASE_MASK, LABEL_MASK
from equinfo.compress.dictionary.follow import never_follow
from equinfo.errors import EquinfoError

SINGLES = [bytes([byte]) for byte in range(256)]
CLASSES = np.full(256, 2, dtype=np.uint8)
CLASSES[list(b"ab")] = 0
CLASSES[32] = 1


def longest_match(strings, codes, masks, classes, text):
    """The definition, byte by byte: the longest string that has a code and may end there."""
    pieces, prefixes = {}, {string[:n] for string in strings for n in range(len(string) + 1)}
    for string, code, mask in zip(strings, codes, masks, strict=True):
        if code >= 0:
            pieces[string] = (code, mask)
    found, at = [], 0
    while at < len(text):
        best, stop = None, at
        while stop < len(text) and text[at : stop + 1] in prefixes:
            stop += 1
            code, mask = pieces.get(text[at:stop], (-1, 0))
            following = classes[text[stop]] if stop < len(text) else 7
            if code >= 0 and mask >> following & 1:
                best = code, stop
        found.append(best[0])
        at = best[1]
    return found


def drawn(generator, letters, size):
    return generator.choice(np.frombuffer(letters, dtype=np.uint8), size).tobytes()


def made(seed, letters=b"ab ", strings=200, longest=9, inner=0.2):
    generator = np.random.default_rng(seed)
    sizes = (generator.integers(2, longest) for _ in range(strings))
    more = {drawn(generator, letters, size) for size in sizes}
    strings = SINGLES + sorted(more)
    codes = generator.permutation(len(strings))
    codes[generator.random(len(strings)) < inner] = -1
    codes[:256] = np.setdiff1d(np.arange(2 * len(strings)), codes)[:256]
    masks = generator.choice([255, 255, 0b10000110, 0b00000001], size=len(strings)).astype(np.uint8)
    masks[:256] = 255
    return strings, codes, masks


text = st.text(alphabet="abc ", max_size=60).map(str.encode) | st.binary(max_size=30)
texts = st.lists(text, max_size=12)


@settings(max_examples=60, deadline=None, database=None)
@given(seed=st.integers(0, 5), documents=texts)
def test_pieces_are_the_longest_that_may_end_where_they_do(seed, documents):
    strings, codes, masks = made(seed)
    dictionary = Dictionary(strings, codes, masks, CLASSES)
    for document, found in zip(documents, dictionary.encode(documents), strict=True):
        assert found.tolist() == longest_match(strings, codes, masks, CLASSES, document)
    assert dictionary.decode(dictionary.encode(documents)) == documents


def test_far_fallbacks_are_found():
    """From the end of a string that is no piece, or may not end there, back to a single byte."""
    strings = [*SINGLES, b"a" * 120, b"b" * 12, b"b" * 40]
    codes = np.array([*range(256), 300, 301, -1])
    masks = np.full(len(strings), 255, dtype=np.uint8)
    masks[256] = 0b10
    dictionary = Dictionary(strings, codes, masks, CLASSES)
    a, b = b"a", b"b"
    for text in (a * 119, a * 120, a * 120 + b" ", a * 121, b * 39, b * 41, b * 40 + b"c"):
        expected = longest_match(strings, codes, masks, CLASSES, text)
        assert dictionary.encode([text])[0].tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_long_strings_and_few_pieces_are_the_oracle_s(seed):
    """Pieces that end near, far, or as the next byte says, deep in the trie; with any lanes."""
    generator = np.random.default_rng(seed)
    strings, codes, masks = made(seed, letters=b"ab", strings=60, longest=40, inner=0.5)

    def part():
        return strings[generator.integers(256, len(strings))][: generator.integers(1, 40)]

    documents = [b"".join(part() for _ in range(n)) for n in (1, 0, 2, 3, 5, 8, 40, 1, 0)]
    for ends in (masks, np.full(len(strings), 255, dtype=np.uint8)):
        dictionary = Dictionary(strings, codes, ends, CLASSES)
        for count in range(len(documents) + 1):
            some = documents[:count]
            expected = [longest_match(strings, codes, ends, CLASSES, text) for text in some]
            assert [pieces.tolist() for pieces in dictionary.encode(some)] == expected


def test_pairs_at_the_end_of_a_document():
    """Every document of up to three bytes, with and without strings of two and three as pieces."""
    letters = [bytes([byte]) for byte in b"abc"]
    documents = [b"", *letters, *[x + y for x in letters for y in letters]]
    documents += [x + y for x in documents[4:] for y in letters]
    for more in ([], [b"ab"], [b"abc"], [b"bc", b"abb", b"cab"]):
        strings = [*SINGLES, *more]
        codes, masks = np.arange(len(strings)), np.full(len(strings), 255, dtype=np.uint8)
        encoded = Dictionary(strings, codes).encode(documents)
        for document, found in zip(documents, encoded, strict=True):
            assert found.tolist() == longest_match(strings, codes, masks, CLASSES, document)


@pytest.mark.parametrize("seed", range(3))
def test_children_lie_where_their_parents_look_and_nowhere_else(seed):
    """The table holds the trie: sparse and crowded families, of all bytes."""
    generator = np.random.default_rng(seed)
    every = bytes(range(256))
    sets = [b"\x00\xff", every, every[::3], b"\x00", b"\xff\xfe", every[:130]]
    tails = [
        bytes([a, b, c])
        for a in range(0, 250, 7)
        for b in sets[a % 6][:40]
        for c in sets[generator.integers(6)]
    ]
    strings = [*SINGLES, *sorted(set(tails))]
    trie = Dictionary(strings, np.arange(len(strings))).trie
    prefixes = {string[:n] for string in strings for n in range(1, 4)}
    level = {b"": trie.root}
    while level:
        below = {}
        for string, entry in level.items():
            for byte in range(256):
                child = int(trie.table[((entry >> BASE) & BASE_MASK) + byte])
                assert (child & LABEL_MASK == byte) == (string + bytes([byte]) in prefixes)
                if child & LABEL_MASK == byte:
                    below[string + bytes([byte])] = child
        level = {string: entry for string, entry in below.items() if len(string) < 3}


@pytest.mark.parametrize("seed", range(4))
def test_spans_join_to_the_document(monkeypatch, seed):
    """A document cut small, with pieces that meet at once, late, or (where it repeats) never."""
    strings, codes, masks = made(seed)
    dictionary = Dictionary(strings, codes, masks, CLASSES)
    generator = np.random.default_rng(seed)
    mixed = drawn(generator, b"aaab b ", 40_000)
    documents = [mixed, b"", b"ab" * 9000, mixed[:777], b"a" * 30_000 + mixed]
    expected = [dictionary._alone(d, np.uint32).tolist() if d else [] for d in documents]
    monkeypatch.setattr(module, "SPAN", 1)
    monkeypatch.setattr(Dictionary, "_overlap", 40)
    monkeypatch.setattr(module, "GROUP_BYTES", 5000)
    for found, alone in zip(dictionary.encode(documents), expected, strict=True):
        assert found.tolist() == alone


@pytest.mark.parametrize("batch", [500, 100_000])
def test_threads_and_batches_do_not_matter(monkeypatch, batch):
    strings, codes, masks = made(9)
    dictionary = Dictionary(strings, codes, masks, CLASSES)
    generator = np.random.default_rng(0)
    sizes = (0, 1, 3000, 20, 0, 70_000, 5)
    documents = [drawn(generator, b"abc ", size) for size in sizes]
    alone = [dictionary.encode([document])[0].tolist() for document in documents]
    monkeypatch.setattr(module, "GROUP_BYTES", 1000)
    monkeypatch.setattr(module, "BATCH_BYTES", batch)
    for threads in ("1", "3"):
        monkeypatch.setenv("EQUINFO_THREADS", threads)
        assert [codes.tolist() for codes in dictionary.encode(documents)] == alone


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces_of_a_document_give_its_codes(size):
    strings, codes, masks = made(2)
    dictionary = Dictionary(strings, codes, masks, CLASSES)
    document = drawn(np.random.default_rng(1), b"abc ", 2500)
    held, found = b"", []
    for at in range(0, len(document) + size, size):
        held += document[at : at + size]
        codes, used = dictionary.part(held, last=at >= len(document))
        found += codes.tolist()
        held = held[used:]
    assert found == dictionary.encode([document])[0].tolist()
    assert not held


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64])
def test_codes_of_any_width_are_read(dtype):
    strings, codes, _ = made(3, inner=0)
    dictionary = Dictionary(strings, codes)
    found = dictionary.encode([b"abba baab"], np.uint16)[0]
    assert found.dtype == np.uint16
    assert dictionary.decode([found.astype(dtype), found.astype(dtype)]) == [b"abba baab"] * 2


def test_codes_that_mean_nothing_are_refused():
    dictionary = Dictionary(SINGLES, np.arange(256) * 2)
    for code in (1, 511, 100_000, -1):
        with pytest.raises(EquinfoError, match=f"code {code} stands for no string"):
            dictionary.decode([np.array([0, code])])


@pytest.mark.parametrize(
    ("strings", "codes", "message"),
    [
        (SINGLES[:-1], range(255), "every byte"),
        ([*SINGLES, b"ab", b"ab"], range(258), "distinct"),
        ([*SINGLES, b""], range(257), "distinct"),
        (SINGLES, [-1, *range(255)], "every byte"),
        (SINGLES, range(255), "as many codes"),
        (SINGLES, [*range(255), 1 << 20], "codes must be below"),
    ],
)
def test_what_is_no_dictionary_is_refused(strings, codes, message):
    with pytest.raises(EquinfoError, match=message):
        Dictionary(list(strings), np.array(list(codes)))


def test_a_code_for_two_strings_that_may_not_end_everywhere_is_refused():
    masks = np.array([255] * 256 + [1, 3], dtype=np.uint8)
    with pytest.raises(EquinfoError, match="codes of their own"):
        Dictionary([*SINGLES, b"ab", b"ac"], np.array([*range(256), 256, 256]), masks)


@pytest.mark.parametrize(
    ("string", "message"),
    [
        (b"x" * 4096, "at most 4095"),
        (b"x" * 140, "for 138 bytes in which no piece may end"),
    ],
)
def test_too_long_a_string_is_refused(string, message):
    with pytest.raises(EquinfoError, match=message):
        Dictionary([*SINGLES, string], np.arange(257))


@pytest.mark.parametrize("tries", [1, 2])
def test_too_many_beginnings_are_refused_before_the_table_is_built(monkeypatch, tries):
    monkeypatch.setattr(double_array, "_place", None)
    monkeypatch.setattr(double_array, "MAX_NODES", 400)
    strings = [*SINGLES, *(bytes([b]) * 2 for b in range(193))]
    cut = np.ones((8, 8), dtype=bool) if tries == 2 else None
    with pytest.raises(EquinfoError, match=f"{450 * tries} beginnings.* at most {400 * tries}"):
        Dictionary(strings, np.arange(449), cut=cut).encode([b""])


@pytest.mark.parametrize("seed", range(3))
def test_what_never_follows_is_what_no_text_has(seed):
    """All texts of up to 7 letters; "c" begins no string. Seed 1: pieces end anywhere."""
    generator = np.random.default_rng(seed)
    more = sorted({drawn(generator, b"ab ", size) for size in generator.integers(2, 4, size=14)})
    strings = [*SINGLES, *more]
    codes = generator.permutation(2 * len(strings))[: len(strings)]
    masks = generator.choice([255, 0b10000110, 0b10000001], size=len(strings)).astype(np.uint8)
    masks[: len(strings) if seed == 1 else 256] = 255
    dictionary = Dictionary(strings, codes, masks, CLASSES)
    texts = [bytes(text) for size in range(2, 8) for text in product(b"ab c", repeat=size)]
    written = {p for ids in dictionary.encode(texts) for p in pairwise(ids.tolist())}

    (offsets, ranges), never = never_follow(dictionary)
    assert np.flatnonzero(~never).tolist() == sorted(codes)
    rows = [ranges[a:b].tolist() for a, b in pairwise(offsets)]
    assert all(one[1] < other[0] for row in rows for one, other in pairwise(row))
    found = {(a, b) for a, row in enumerate(rows) for low, high in row for b in range(low, high)}
    lettered = codes[[k for k, string in enumerate(strings) if set(string) <= set(b"ab c")]]
    possible = set(product(lettered.tolist(), repeat=2)) - found
    assert written <= possible
    assert possible == written
