"""Equal-text windows: each decodes by itself, whatever follows it."""

import numpy as np
import pytest
from byte_models import TableModel, neural_model, peaky_row
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder.equal_text import EqualTextCoder
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError

MODELS = {
    "uniform": StaticModel.uniform(),
    "uniform20": StaticModel.uniform(20),
    "peaky": StaticModel(peaky_row(97)),
    "table": TableModel.random(seed=1),
    "table-short": TableModel.random(seed=2, max_context=5),
    "neural": neural_model(seed=4, scale=1.5),
}
DOCUMENTS = [
    b"",
    b"a",
    b"abcdefgh",
    b"a" * 100,
    b"\0" * 61,
    b"\xff" * 64,
    bytes(range(256)),
    np.random.default_rng(0).bytes(99),
]


@pytest.mark.parametrize("width", [1, 6, 8, 12, 16])
@pytest.mark.parametrize("size", [1, 8, 60])
@pytest.mark.parametrize("name", MODELS)
def test_documents_come_back_and_windows_are_their_own(name, size, width):
    coder = EqualTextCoder(MODELS[name], size, width)
    streams = coder.encode(DOCUMENTS)
    assert coder.decode(streams) == DOCUMENTS
    for document, ids in zip(DOCUMENTS, streams, strict=True):
        windows = coder.encode([document[at : at + size] for at in range(0, len(document), size)])
        np.testing.assert_array_equal(np.concatenate([ids[:0], *windows]), ids)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(MODELS)),
    size=st.integers(1, 12),
    width=st.sampled_from([1, 6, 7, 8, 10, 12, 16]),
    text=st.binary(max_size=60),
)
def test_a_windows_ids_begin_no_other_windows(name, size, width, text):
    """No length is stored: no cut of a document reads as another document, but for the cuts between
    its windows.
    """
    coder = EqualTextCoder(MODELS[name], size, width)
    (ids,) = coder.encode([text])
    for cut in range(len(ids)):
        try:
            (read,) = coder.decode([ids[:cut]])
        except EquinfoError:
            continue
        assert text.startswith(read)
        assert len(read) % size == 0
    assert coder.decode([ids]) == [text]


@pytest.mark.parametrize("name", ["uniform", "table"])
def test_likely_text_takes_fewer_ids_and_a_window_at_most_what_its_bits_need(name):
    model = MODELS[name]
    coder = EqualTextCoder(model, 8, 8)
    (ids,) = coder.encode([np.random.default_rng(1).bytes(8)])
    assert len(ids) <= (8 * model.precision + 2) // 8 + 1
    peaky = EqualTextCoder(MODELS["peaky"], 8, 8)
    assert len(peaky.encode([b"a" * 8])[0]) < len(peaky.encode([b"b" * 8])[0])


@pytest.mark.parametrize("name", ["uniform", "table"])
def test_cut_and_joined_streams_are_refused(name):
    coder = EqualTextCoder(MODELS[name], 8, 8)
    ids = coder.encode([b"0123456789"])[0]
    with pytest.raises(EquinfoError, match="no windows"):
        coder.decode([ids[:3]])
    with pytest.raises(EquinfoError, match="no windows"):
        coder.decode([np.concatenate([ids, ids])])


@pytest.mark.parametrize("name", ["peaky", "table", "neural"])
def test_hostile_ids_decode_or_are_refused(name):
    rng = np.random.default_rng(3)
    for width in (8, 16):
        coder = EqualTextCoder(MODELS[name], 20, width)
        for size in (1, 2, 5, 40):
            for ids in (rng.integers(1 << width, size=size), np.zeros(size, dtype=np.int64)):
                try:
                    (data,) = coder.decode([ids])
                except EquinfoError:
                    continue
                assert len(data) <= 20 * size
