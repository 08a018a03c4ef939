"""Documents in pieces, whichever: the whole document's ids and bytes, in bounded memory."""

import inspect
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_zoo import CROSSING, NAMES, NEURAL, SUBWORDS, make, training_text

from equinfo.compress.coder import coder, streams
from equinfo.compress.models.base import SYMBOLS, StaticModel
from equinfo.errors import EquinfoError
from equinfo.tokenizers import subword
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.incremental import TextDecoder

SLOW = [
    name for name in NEURAL if name not in ("ac-neural-8", "ac-neural-12", "equalinfo-neural-16-8")
]
STREAMED = [name for name in NAMES if name not in SLOW]
FAST = ("bytes", "codebook", "bpe", "unigram", "gzip", "zstd", "xz", "ac-static")
CONSTANT = [name for name in STREAMED if name.startswith(FAST)]

examples = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@pytest.fixture(params=STREAMED)
def name(request):
    return request.param


def cut(data, sizes):
    """Pieces of the given sizes, again and again."""
    at, pieces, turn = 0, [], itertools.cycle(sizes)
    while at < len(data):
        size = next(turn)
        pieces.append(data[at : at + size])
        at += size
    return pieces


def fed(encoder, pieces):
    return [encoder.feed(piece) for piece in pieces] + [encoder.finish()]


def fed_ids(tokenizer, pieces):
    ids = fed(tokenizer.encoder(), pieces)
    assert all(part.dtype == tokenizer.dtype for part in ids)
    return np.concatenate(ids)


def fed_bytes(tokenizer, runs):
    decoder = tokenizer.decoder()
    return b"".join([decoder.feed(run) for run in runs] + [decoder.finish()])


def stream_of(decoder):
    """The coder's state behind a decoder of an arithmetic stream."""
    return inspect.getclosurevars(decoder.part).nonlocals["stream"]


def check(tokenizer, document, sizes):
    ids = tokenizer.encode(document)
    np.testing.assert_array_equal(fed_ids(tokenizer, cut(document, sizes)), ids)
    assert fed_bytes(tokenizer, cut(ids, sizes)) == document


def is_text(name):
    return make(name).kind in SUBWORDS


def test_pieces_give_what_the_whole_gives(name):
    tokenizer = make(name)
    text = training_text()[0]
    documents = [b"", b"a", "naïve – 漢字 👩‍👩‍👧 ".encode() * 6, b"\0" * 300, text[:600]]
    documents += (
        []
        if is_text(name)
        else [b"\xff" * 300, bytes(range(256)), np.random.default_rng(2).bytes(500)]
    )
    for document in documents:
        check(tokenizer, document, [1])
        check(tokenizer, document, [7, 1, 0, 100])


def test_any_pieces_of_any_document(name):
    tokenizer = make(name)
    kind = st.text(max_size=60).map(str.encode) if is_text(name) else st.binary(max_size=80)

    @examples
    @given(kind, st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
    def law(document, sizes):
        check(tokenizer, document, [*sizes, 1])

    law()


@pytest.mark.parametrize("name", CONSTANT)
def test_longer_documents(name):
    text = b"".join(training_text())[:150_000]
    check(make(name), text, [4096, 1, 9000])
    assert fed_ids(make(name), [text]).tolist() == make(name).encode(text).tolist()


@pytest.mark.parametrize("name", [name for name in STREAMED if make(name).unit is None])
def test_cut_streams_are_refused_at_the_end(name):
    tokenizer = make(name)
    ids = tokenizer.encode(training_text()[1][:300])
    for end in range(0, len(ids), 1 + len(ids) // 12):
        decoder = tokenizer.decoder()
        try:
            found = decoder.feed(ids[:end]) + decoder.finish()
        except EquinfoError:
            continue
        assert found == tokenizer.decode(
            ids[:end]
        )  # by chance it ends there: then the whole stream's decoding agrees


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([name for name in STREAMED if name.startswith(("ac-", "bpe", "unigram"))]),
    st.data(),
)
def test_any_ids_fare_in_pieces_as_they_do_whole(name, data):
    tokenizer = make(name)
    most = 24 if tokenizer.code_size >= 256 else 80
    ids = data.draw(st.lists(st.integers(0, tokenizer.code_size - 1) | st.just(0), max_size=most))
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    try:
        expected = tokenizer.decode(ids)
    except EquinfoError:
        expected = None
    try:
        found = fed_bytes(tokenizer, cut(np.array(ids, dtype=np.int64), sizes))
    except EquinfoError:
        found = None
    assert found == expected


def test_wrong_ids_and_pieces_are_refused(name):
    tokenizer = make(name)
    with pytest.raises(EquinfoError, match="out of range"):
        fed_bytes(tokenizer, [[tokenizer.pad_id]])
    with pytest.raises(EquinfoError):
        tokenizer.decoder().feed([0.5])


@pytest.mark.parametrize(
    "name",
    [
        "bytes",
        "ac-static-1",
        "ac-static-6",
        "ac-static-8",
        "ac-static-12",
        "ac-counts-8",
        *SUBWORDS,
    ],
)
def test_bytes_come_out_early(name):
    tokenizer = make(name)
    text = b"".join(training_text())[:40_000]
    ids = tokenizer.encode(text)
    decoder, known = tokenizer.decoder(), 0
    for at in range(0, len(ids), 500):
        known += len(decoder.feed(ids[at : at + 500]))
        assert tokenizer.kind != "bytes" or known == min(at + 500, len(text))
    assert known >= len(text) - 60


@pytest.mark.parametrize(
    "name", [name for name in STREAMED if make(name).kind in ("gzip", "zstd", "xz")]
)
def test_a_block_comes_out_with_its_last_id(name):
    tokenizer = make(name)
    text = b"".join(training_text())[: 2 * min(tokenizer.block, 10_240)]
    ids = tokenizer.encode(text + b"the last block")
    decoder, sizes = tokenizer.decoder(), set()
    for i in ids:
        sizes.add(len(decoder.feed([i])))
    assert sizes == {0, tokenizer.block, len(b"the last block")} or tokenizer.block < 15
    assert decoder.finish() == b""


@pytest.mark.parametrize("name", CONSTANT)
def test_memory_does_not_grow_with_the_document(name):
    tokenizer = make(name)
    encoder = tokenizer.encoder()
    text = b"".join(training_text())[:100_000]
    runs = [encoder.feed(text) for _ in range(3)]
    tracemalloc.start()
    for _ in range(8):
        encoder.feed(text)
    held = tracemalloc.get_traced_memory()[0]
    decoder = tokenizer.decoder()
    for run in runs:
        decoder.feed(run)
    tracemalloc.stop()
    assert held < 150_000


def test_a_carry_runs_through_any_number_of_bytes():
    """Symbols are chosen so that a run of 255s is pending, and then that a carry comes, or none."""
    freqs = np.ones(SYMBOLS, dtype=np.uint32)
    freqs[0] = (1 << 16) - (SYMBOLS - 1)
    for last in (0, 256):
        for run in (0, 1, 2, 3, 40, 5000):
            starts, widths = _straddling(run, last)
            whole, num_bits = coder.encode(starts, widths, 16)
            for size in (1, 7, len(starts)):
                state = coder.start_encoder()
                parts = [
                    coder.encode_piece(state, starts[at : at + size], widths[at : at + size], 16)
                    for at in range(0, len(starts), size)
                ]
                rest, rest_bits = coder.finish_encoder(state)
                assert np.concatenate([*parts, rest]).tolist() == whole.tolist()
                assert 8 * sum(map(len, parts)) + rest_bits == num_bits


def _straddling(run, last):
    """Each holds the middle of the one before: what is settled is 0.0111... or turns 0.1000..."""
    starts = np.full(2 * run + 8, (1 << 15) - 1, dtype=np.uint32)
    widths = np.full(2 * run + 8, 2, dtype=np.uint32)
    starts[-4:] = last and 1 << 15
    widths[-4:] = 1 << 14
    return starts, widths


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 16)), max_size=80), st.integers(1, 9))
def test_any_intervals_in_pieces(intervals, size):
    """Of 4 bits, so that ends of intervals coincide and carries are frequent."""
    starts = np.array([start for start, _ in intervals], dtype=np.uint32)
    freqs = np.array([min(width, 16 - start) for start, width in intervals], dtype=np.uint32)
    whole, num_bits = coder.encode(starts, freqs, 4)
    state = coder.start_encoder()
    parts = [
        coder.encode_piece(state, starts[at : at + size], freqs[at : at + size], 4)
        for at in range(0, len(starts), size)
    ]
    rest, rest_bits = coder.finish_encoder(state)
    assert np.concatenate([*parts, rest]).tolist() == whole.tolist()
    assert 8 * sum(map(len, parts)) + rest_bits == num_bits


def test_zeros_at_the_end_are_held_back_and_padding_is_bounded():
    row = np.ones(SYMBOLS, dtype=np.uint32)
    row[0] = (1 << 16) - (SYMBOLS - 1)
    tokenizer = ArithmeticTokenizer(StaticModel(row), 8)
    check(tokenizer, bytes(50_000), [1000])
    decoder = tokenizer.decoder()
    for _ in range(20):
        decoder.feed(np.zeros(100, dtype=np.int64))
    with pytest.raises(EquinfoError, match="does not end"):
        decoder.finish()
    assert len(stream_of(decoder).data) < 100


def test_after_the_end_nothing_is_kept():
    tokenizer = make("ac-static-8")
    decoder = tokenizer.decoder()
    ids = tokenizer.encode(b"text")
    decoder.feed([*ids.tolist(), *[0] * 40])
    for _ in range(20):
        decoder.feed(np.zeros(1000, dtype=np.int64))
    assert len(stream_of(decoder).data) == 0
    assert decoder.finish() == b""
    with pytest.raises(EquinfoError, match="does not end"):
        decoder.feed([1])


def test_streams_over_a_model_agree_with_its_intervals():
    model = make("ac-counts-8").model
    text = b"".join(training_text())[: 2 * model.max_context + 5]
    encoder = streams.StreamEncoder(model)
    parts = [encoder.feed(piece) for piece in cut(text, [1000, 1])]
    rest, num_bits = encoder.finish()
    (data, bits) = streams.encode(model, [text])[0]
    assert np.concatenate([*parts, rest]).tolist() == data.tolist()
    assert 8 * sum(map(len, parts)) + num_bits == bits


WHITE = [" ", " ", "\n", "\n", "\t", "\u00a0", "\u2003", "\x1c", "\x85", "\u180e", "\u200b"]
CHARACTERS = [
    *WHITE,
    "'s",
    "'",
    "ll",
    "a",
    "Z",
    "é",
    "漢",
    "7",
    "½",
    ".",
    "!?",
    "\u0301",
    "👩",
    "\U000e0001",
]


# -- subwords --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SUBWORDS, *CROSSING])
@pytest.mark.parametrize(
    "text",
    [
        "a" * 400, "the cat  sat\n\n on  the mat's edge, they'll say 'tis 1,234.5 \t\r\n ok " * 9,
        "漢字かな。" * 60,
        "漢字かな。\n" * 50, " " * 300, "\n" * 300, "x\u00a0 y\u2003\nz\x1c \x85 \u180e w" * 30,
        "▁▁ ▁a▁ b" * 40,
        "I'd we've '" * 40, "é" * 299 + " é",
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_parts_are_the_same_in_pieces(name, text, monkeypatch):
    monkeypatch.setattr(subword, "PART", 16)
    check(make(name), text.encode(), [1])
    check(make(name), text.encode(), [5, 64, 3])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(CHARACTERS), max_size=60).map("".join), st.integers(1, 9))
def test_a_part_ends_where_pretokens_do(text, part):
    """Whatever is beside a place, GPT-2's expression finds the same on each of its sides alone."""
    library = make("bpe")._library.pre_tokenizer
    place = subword.PLACE.search(text, part)
    if place is None:
        return
    pieces = [piece for piece, _ in library.pre_tokenize_str(text)]
    sides = (text[: place.end()], text[place.end() :])
    assert [piece for side in sides for piece, _ in library.pre_tokenize_str(side)] == pieces


def test_no_unigram_piece_holds_a_space_inside():
    assert not any(b" " in piece[1:] for piece in make("unigram").pieces)


@pytest.mark.parametrize("name", [*SUBWORDS, *CROSSING])
def test_parts_of_a_long_text_are_its_librarys_ids(name):
    """At PART characters and more: the library, given the whole text, cuts it as we do."""
    text = b"".join(training_text())[:100_000].decode("utf-8", "ignore")
    (whole,) = make(name).encode_texts([text])
    assert len(list(subword.parts_of(text, where=make(name).place))) > 3
    assert make(name).encode(text).tolist() == whole.tolist()


@pytest.mark.parametrize("name", SUBWORDS)
def test_a_part_is_at_most_twice_its_length(name):
    text = "漢" * 100_000
    assert {len(part) for part in subword.parts_of(text)} == {
        2 * subword.PART,
        100_000 % (2 * subword.PART),
    }
    encoder = make(name).encoder()
    for _ in range(30):
        encoder.feed("漢".encode() * 5000)
        assert len(encoder.held.decode()) < 2 * subword.PART


@pytest.mark.parametrize("name", SUBWORDS)
def test_invalid_text_is_refused_where_it_is(name):
    for pieces, at in [
        ([b"abc", b"d\xffe"], 4),
        ([b"ab\xc3", b"x"], 2),
        ([b"ab", "é".encode(), b"\xe2\x96"], 4),
    ]:
        encoder = make(name).encoder()
        with pytest.raises(EquinfoError, match=f"not valid UTF-8 at byte {at}:"):
            fed(encoder, pieces)
    lone = [i for i, piece in enumerate(make(name).pieces) if piece == b"\xe2"]
    decoder = make(name).decoder()
    decoder.feed(lone)
    with pytest.raises(EquinfoError, match="invalid UTF-8"):
        decoder.finish()


@pytest.mark.parametrize("name", ["bytes", "bpe", "compiled-whole"])
def test_memory_of_decoding_is_in_proportion(name, monkeypatch):
    """At most three times the data, and what one run of ids takes."""
    monkeypatch.setattr(subword, "RUN", 1 << 10)
    tokenizer = make(name)
    ids = np.tile(tokenizer.encode(training_text()[0]), 5_000)[: 1 << 17]
    ids = ids[: len(ids) - len(ids) % tokenizer.unit]
    assert tokenizer.checked(ids) is ids
    tokenizer.decode(ids[:1000])
    tracemalloc.start()
    size = len(tokenizer.decode(ids))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 3 * (ids.nbytes + size) + (1 << 18)


@pytest.mark.parametrize("name", ["bytes", "ac-static-8", "gzip8"])
def test_text_holds_a_character_back_until_it_is_whole(name):
    tokenizer = make(name)
    text = "naïve – 漢字 👩‍👩‍👧"
    ids = tokenizer.encode(text)
    decoder = TextDecoder(tokenizer)
    found = [decoder.feed([i]) for i in ids] + [decoder.finish()]
    assert "".join(found) == text
    assert "\ufffd" not in "".join(found)
    broken = TextDecoder(make("bytes"))
    assert broken.feed([0xE2, 0x96]) + broken.finish() == "\ufffd"
