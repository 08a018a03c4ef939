import functools

import numpy as np
import pytest
from byte_models import TableModel, neural_model, peaky_row
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder import coder, streams
from equinfo.compress.models.base import EOD, StaticModel
from equinfo.compress.models.lanes import STEPS, Collector
from equinfo.errors import EquinfoError

TEXT = b"We hold these truths to be self-evident, that all men are created equal. " * 3


@functools.cache
def model_named(name):
    return {
        "uniform": lambda: StaticModel.uniform(),
        "unigram": lambda: StaticModel.unigram([TEXT]),
        "peaky": lambda: StaticModel(peaky_row(97)),
        "peaky-first": lambda: StaticModel(peaky_row(0)),
        "peaky20": lambda: StaticModel(peaky_row(97, 20), 20),
        "table": lambda: TableModel.random(seed=1, max_context=50),
        "table-peaky": lambda: TableModel(np.stack([peaky_row(byte) for byte in (0, 97, 255)])),
        "neural": lambda: neural_model(seed=2, scale=1.5),
    }[name]()


MODELS = ["uniform", "unigram", "peaky", "peaky-first", "peaky20", "table", "table-peaky", "neural"]


def decodes(model, stream):
    """The document, or None where the stream is refused."""
    try:
        return streams.decode(model, [stream])[0]
    except EquinfoError:
        return None


@pytest.mark.parametrize("name", MODELS)
def test_documents_come_back(name):
    documents = [
        b"",
        TEXT,
        b"",
        bytes(range(256)),
        b"a" * 5000,
        b"\0" * 5000,
        b"\xff" * 99,
        np.random.default_rng(0).bytes(999),
    ]
    model = model_named(name)
    assert streams.decode(model, streams.encode(model, documents)) == documents


@pytest.mark.parametrize("name", ["unigram", "table"])
def test_64_kib_come_back(name):
    data = np.random.default_rng(1).bytes(1 << 16)
    model = model_named(name)
    assert streams.decode(model, streams.encode(model, [data])) == [data]


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(MODELS), documents=st.lists(st.binary(max_size=80), max_size=10))
def test_any_documents_come_back(name, documents):
    model = model_named(name)
    assert streams.decode(model, streams.encode(model, documents)) == documents


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_its_documents_one_by_one(name):
    model = model_named(name)
    documents = [TEXT[:n] for n in range(0, 120, 3)]
    together = streams.encode(model, documents)
    for document, (data, num_bits) in zip(documents, together, strict=True):
        alone, alone_bits = streams.encode(model, [document])[0]
        assert (bytes(data), num_bits) == (bytes(alone), alone_bits)


class Stepping:
    """A network that offers nothing but steps."""

    along = None

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)


@pytest.mark.parametrize("lengths", [[0], [47, 48, 49, 0, 1], [500] * 3, list(range(130))])
def test_a_network_that_runs_along_the_text_gives_the_streams_of_its_steps(lengths):
    model = neural_model(seed=2, scale=1.5)
    documents = [np.random.default_rng(n).bytes(n // 2) + TEXT[: n - n // 2] for n in lengths]
    along, stepped = streams.encode(model, documents), streams.encode(Stepping(model), documents)
    assert [(bytes(data), bits) for data, bits in along] == [
        (bytes(data), bits) for data, bits in stepped
    ]
    assert streams.decode(model, along) == documents


@pytest.mark.parametrize("name", MODELS)
def test_zero_bits_may_be_dropped_from_the_end_or_added(name):
    model = model_named(name)
    for n in range(60):
        data, _ = streams.encode(model, [TEXT[:n]])[0]
        trimmed = np.frombuffer(bytes(data).rstrip(b"\0"), dtype=np.uint8)
        padded = np.concatenate([data, np.zeros(50, dtype=np.uint8)])
        assert decodes(model, (trimmed, 8 * len(trimmed))) == TEXT[:n]
        assert decodes(model, (padded, 8 * len(padded))) == TEXT[:n]


def test_a_document_costs_what_its_frequencies_say_and_an_end():
    model = model_named("table")
    rows = model.rows / 65536
    bits, context = 0.0, 0
    for at, symbol in enumerate([*TEXT, EOD]):
        context = 0 if at % model.max_context == 0 else context
        bits -= np.log2(rows[context, symbol])
        context = model.next_context(context, symbol)
    _, num_bits = streams.encode(model, [TEXT])[0]
    assert bits < num_bits + 1e-6
    assert num_bits < bits + 2


@pytest.mark.parametrize("name", MODELS)
def test_cut_streams_are_refused_unless_an_end_turns_up(name):
    """The bits that are left can happen to be another document's; where ends are rare, they are
    refused.
    """
    model = model_named(name)
    document = TEXT[:100]
    data, _ = streams.encode(model, [document])[0]
    cuts = [data[:n] for n in range(len(bytes(data).rstrip(b"\0")))]
    found = [decodes(model, (cut, 8 * len(cut))) for cut in cuts]
    assert len(found) > 20
    assert document not in found
    accepted = len(found) - found.count(None)
    assert accepted < 0.1 * len(found)
    assert accepted == 0 or name not in ("uniform", "peaky-first", "table-peaky")


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(MODELS), data=st.binary(max_size=40))
def test_any_bytes_are_refused_or_are_a_document_and_nothing_more(name, data):
    """What is accepted is about as long as the document's own code: nothing after the end is passed
    over.
    """
    model = model_named(name)
    document = decodes(model, (np.frombuffer(data, dtype=np.uint8), 8 * len(data)))
    if document is not None:
        own, _ = streams.encode(model, [document])[0]
        difference = len(data.rstrip(b"\0")) - len(bytes(own).rstrip(b"\0"))
        assert abs(difference) <= coder.TAIL + coder.MAX_ENDING


@pytest.mark.parametrize("name", MODELS)
def test_something_after_the_end_is_refused(name):
    model = model_named(name)
    data, _ = streams.encode(model, [TEXT[:50]])[0]
    longer = np.concatenate([data, np.arange(1, 9, dtype=np.uint8)])
    assert decodes(model, (longer, 8 * len(longer))) is None


@pytest.mark.parametrize("name", MODELS)
def test_altered_streams_give_another_document_or_none(name):
    model = model_named(name)
    document = TEXT[:40]
    data, _ = streams.encode(model, [document])[0]
    for at in range(len(data) - 1):
        altered = data.copy()
        altered[at] ^= 1 << (at % 8)
        assert decodes(model, (altered, 8 * len(altered))) != document


@pytest.mark.parametrize("name", ["peaky", "peaky-first", "table-peaky", "neural", "uniform"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x01",
        b"\x80",
        b"\xff" * 30,
        b"\x00" * 30,
        b"\x55" * 8,
        b"\x00" * 9 + b"\x01",
    ],
)
def test_hostile_streams_end_soon(name, data):
    """Bytes out are bounded by the bits in, whatever the model: of padding only LOOK_AHEAD + TAIL
    bytes are read.
    """
    model = model_named(name)
    most = 8 * (len(data) + coder.LOOK_AHEAD + coder.TAIL + 1) / -np.log2(1 - 256 / 65536)
    steps = []
    if model.row is None:
        advance = model.advance
        model = type(
            "Counted",
            (),
            {**vars(model), "__getattr__": lambda _, key: getattr(model_named(name), key)},
        )()
        model.advance = lambda *arguments: steps.append(1) or advance(*arguments)
    document = decodes(model, (np.frombuffer(data, dtype=np.uint8), 8 * len(data)))
    assert len(steps) <= most
    assert document is None or len(document) <= most


def test_one_bad_stream_fails_its_batch():
    for name in ("unigram", "neural"):
        model = model_named(name)
        good = streams.encode(model, [TEXT] * 3)
        with pytest.raises(EquinfoError, match="cut, altered"):
            streams.decode(model, [good[0], (good[1][0][:5], 40), good[2]])


def test_no_documents_are_no_streams():
    for name in ("unigram", "neural"):
        assert streams.encode(model_named(name), []) == []
        assert streams.decode(model_named(name), []) == []


def test_golden_stream():
    row = np.full(257, 255, dtype=np.uint32)
    row[101] += 65536 - row.sum()
    data, num_bits = streams.encode(StaticModel(row), [TEXT[:30]])[0]
    assert (bytes(data).hex(), num_bits) == GOLDEN


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    lanes=st.integers(1, 5),
    steps=st.sampled_from([0, 1, STEPS - 1, STEPS, 2 * STEPS + 7]),
)
def test_collected_bytes_are_sorted_by_document(seed, lanes, steps):
    rng = np.random.default_rng(seed)
    collector, expected = Collector(lanes, 4), [bytearray() for _ in range(4)]
    for _ in range(steps):
        symbols = rng.integers(-1, 256, lanes)
        owners = rng.permutation(5)[:lanes] - 1  # -1 owns nothing
        symbols[owners < 0] = -1
        collector.add(symbols, owners)
        for symbol, owner in zip(symbols.tolist(), owners.tolist(), strict=True):
            if symbol >= 0:
                expected[owner].append(symbol)
    assert collector.documents() == [bytes(part) for part in expected]


GOLDEN = ("570d568c57e77944a5bb6bdef922342e8008da9818c1ca7cb397a98f50b10c", 248)
