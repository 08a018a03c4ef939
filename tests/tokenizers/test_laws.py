"""The laws of `tokenizers/base.py`, one suite over every kind."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizer_zoo import NAMES, NEURAL, SUBWORDS, make, training_text

import equinfo
from equinfo.errors import EquinfoError

INVALID_UTF8 = [
    b"\xff",
    b"ab\xc3",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf5\x80\x80\x80",
    b"text \xe2\x96",
]
BINARY = [
    *INVALID_UTF8,
    bytes(range(256)),
    bytes(range(255, -1, -1)) * 2,
    np.random.default_rng(1).bytes(700),
]
TEXT = [
    b"",
    b"\0" * 300,
    b"a" * 500,
    b"ab" * 200,
    b" " * 100 + b"\n" * 100,
    b"\r\n\ttabs and\x0b\x0c breaks \r\n",
    " a  b   c ▁▁ \u2585 \u200b \ufeff ﬁ Å A\u030a 𝕏 👩‍👩‍👧 ".encode(),
    b"<unk><s></s><0x41> <|endoftext|> [PAD]",
    "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".encode(),
    "naïve – Ελληνικά русский 漢字 हिन्दी العربية".encode(),
]

examples = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@pytest.fixture(params=NAMES)
def tokenizer(request):
    return make(request.param)


def is_subword(tokenizer) -> bool:
    return tokenizer.kind in SUBWORDS


def edge_documents(tokenizer) -> list[bytes]:
    singles = [bytes([byte]) for byte in range(256)]
    return TEXT + (singles[:128] if is_subword(tokenizer) else singles + BINARY)


def long_text(tokenizer) -> bytes:
    size = 3 << 10 if tokenizer.m1_parameters else 1 << 15
    return b"".join(training_text())[:size]


def test_edge_documents_come_back(tokenizer):
    documents = edge_documents(tokenizer)
    streams = tokenizer.encode_batch(documents)
    assert tokenizer.decode_batch(streams) == documents


def test_long_text_comes_back_and_shrinks(tokenizer):
    text = long_text(tokenizer)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert 0 < len(ids) * min(np.log2(tokenizer.code_size), 8) <= 24 * len(text)


def test_any_documents_come_back_batched_and_one_by_one(tokenizer):
    kind = st.text(max_size=60).map(str.encode) if is_subword(tokenizer) else st.binary(max_size=80)

    @examples
    @given(st.lists(kind, max_size=6))
    def law(documents):
        streams = tokenizer.encode_batch(documents)
        assert tokenizer.decode_batch(streams) == documents
        for document, ids in zip(documents, streams, strict=True):
            np.testing.assert_array_equal(tokenizer.encode(document), ids)
            assert tokenizer.decode(ids) == document

    law()


def test_no_text_has_what_the_canonical_mask_forbids(tokenizer):
    """And dictionaries of longest matches and BPE have one that says something."""
    mask = tokenizer.canonical_mask()
    if mask is None:
        looked_up = getattr(tokenizer, "dictionary", None) and tokenizer.parse == "longest"
        assert not looked_up
        assert tokenizer.kind != "bpe"
        return
    rows = [[range(*one) for one in mask[1][a:b]] for a, b in pairwise(mask[0])]
    nothing = {i for one in rows[tokenizer.pad_id] for i in one}
    assert nothing >= {tokenizer.pad_id, tokenizer.bos_id}
    assert tokenizer.eos_id not in nothing
    assert sum(len(one) for row in rows[: tokenizer.code_size] for one in row) > 100
    streams = tokenizer.encode_batch([*edge_documents(tokenizer), long_text(tokenizer)])
    for a, b in {pair for ids in streams for pair in pairwise(ids.tolist())}:
        assert b not in nothing
        assert not any(b in one for one in rows[a])
    assert nothing.isdisjoint(int(ids[0]) for ids in streams if len(ids))


def test_a_batch_equals_a_loop(tokenizer):
    documents = [
        *edge_documents(tokenizer)[::7],
        *(text[:300] for text in training_text()[:9]),
        b"",
    ]
    batch = tokenizer.encode_batch(documents)
    for document, ids in zip(documents, batch, strict=True):
        np.testing.assert_array_equal(tokenizer.encode(document), ids)
    assert [tokenizer.decode(ids) for ids in batch] == documents
    assert tokenizer.encode_batch([]) == []
    assert tokenizer.decode_batch([]) == []


def test_str_means_its_utf8_and_lone_surrogates_are_refused(tokenizer):
    np.testing.assert_array_equal(tokenizer.encode("– é"), tokenizer.encode("– é".encode()))
    np.testing.assert_array_equal(
        tokenizer.encode(bytearray(b"ab")), tokenizer.encode(memoryview(b"ab"))
    )
    with pytest.raises(EquinfoError, match="lone surrogate at character 2"):
        tokenizer.encode("ab\ud800")
    for wrong in (5, None, [1, 2]):
        with pytest.raises(EquinfoError, match="must be bytes or str, not"):
            tokenizer.encode(wrong)
    with pytest.raises(EquinfoError, match="takes a list"):
        tokenizer.encode_batch("text")


def test_ids_are_codes_in_the_narrowest_type(tokenizer):
    assert tokenizer.dtype == (np.uint32 if tokenizer.code_size == 1 << 16 else np.uint16)
    for ids in tokenizer.encode_batch(edge_documents(tokenizer)):
        assert ids.ndim == 1
        assert ids.dtype == tokenizer.dtype
        assert ids.size == 0 or int(ids.max()) < tokenizer.code_size


def test_special_ids_are_distinct_and_beyond_the_codes(tokenizer):
    special = [tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id]
    assert sorted(special) == list(range(tokenizer.code_size, tokenizer.vocab_size))
    assert len(tokenizer) == tokenizer.vocab_size
    assert tokenizer.name in tokenizer._repr_html_()
    for one in special:
        with pytest.raises(EquinfoError, match=f"id {one} at position 1 is out of range"):
            tokenizer.decode([0, one])


class NoArray:
    def __array__(self, *_, **__):
        raise RuntimeError("none")


def test_wrong_ids_are_a_clear_error(tokenizer):
    wrong = [[-1], [1 << 40], [0.5], [1.0], ["a"], [[0, 1]], [None], 3, np.array([True])]
    for ids in [*wrong, [[0], [0, 1]], NoArray()]:
        with pytest.raises(EquinfoError, match=r"out of range|flat sequence of integers"):
            tokenizer.decode(ids)
    for streams in (3, np.array(3)):
        with pytest.raises(EquinfoError, match="takes a list of id streams"):
            tokenizer.decode_batch(streams)


def test_hostile_ids_decode_or_are_refused(tokenizer):
    rng = np.random.default_rng(3)
    true = tokenizer.encode(b"In the beginning God created the heaven and the earth.")
    streams = [rng.integers(tokenizer.code_size, size=size) for size in (1, 1, 2, 2, 3, 5, 16, 40)]
    streams += [np.zeros(size, dtype=np.int64) for size in (1, 2, 3, 16)]
    streams += [np.full(size, tokenizer.code_size - 1) for size in (1, 2, 3, 16)]
    streams += [true[:cut] for cut in range(0, len(true), 5)] + [np.tile(true, 2), true[::-1]]
    refusals = []
    for ids in streams:
        try:
            tokenizer.decode(ids)
        except EquinfoError as error:
            refusals.append(str(error))
    assert not any("\n" in refusal for refusal in refusals)


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "t")
    loaded = equinfo.load(tmp_path / "t")
    assert type(loaded) is type(tokenizer)
    assert (loaded.fingerprint, loaded.name, loaded.vocab_size, loaded.m1_parameters) == (
        tokenizer.fingerprint, tokenizer.name, tokenizer.vocab_size, tokenizer.m1_parameters,
    )  # fmt: skip
    text = long_text(tokenizer)[:700]
    np.testing.assert_array_equal(loaded.encode(text), tokenizer.encode(text))
    assert type(tokenizer).load(tmp_path / "t").fingerprint == tokenizer.fingerprint
    assert loaded.fingerprint[:12] in repr(loaded)


def test_units_decode_each_by_itself(tokenizer):
    text = long_text(tokenizer)[:2000]
    ids = tokenizer.encode(text)
    if tokenizer.unit is None:
        streams = ("ac", "range", "ans", "huffman", "gzip", "zstd", "xz", "equaltext")
        assert tokenizer.kind in (*streams, "cased") or tokenizer.reset == 0
    else:
        units = [ids[at : at + tokenizer.unit] for at in range(0, len(ids), tokenizer.unit)]
        assert b"".join(tokenizer.decode_batch(units)) == text


def test_fingerprints_tell_tokenizers_apart():
    assert len({make(name).fingerprint for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", [*SUBWORDS, "cased-bpe"])
@pytest.mark.parametrize("document", [*INVALID_UTF8, b"AB\xff"], ids=repr)
def test_subwords_refuse_other_than_utf8_naming_document_and_byte(name, document):
    at = len(document.decode("utf-8", "ignore"))
    with pytest.raises(EquinfoError, match=f"document 2 is not valid UTF-8 at byte {at}"):
        make(name).encode_batch([b"one", b"two", document])


@pytest.mark.parametrize("name", [NEURAL[0], "ac-static-8", "bytes"])
def test_m1_parameters_count_what_runs_at_inference(name):
    assert make(name).m1_parameters == (2 * 7 * 16 * 16 if name in NEURAL else 0)
