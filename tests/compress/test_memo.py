"""The memo of frequent beginnings: rows, codes and documents are the same with and without it."""

import functools
import threading

import numpy as np
import pytest
from byte_models import KINDS, neural_model
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder.equal_text import EqualTextCoder
from equinfo.compress.models.base import EOD, SYMBOLS, fingerprint
from equinfo.compress.network import memo as memo_module
from equinfo.compress.network.memo import MemoisedModel
from equinfo.compress.windows.intervals import LIMB
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError

MIB = 1 << 20


def likely(model, count, seed=0):
    """Text that the model itself finds likely, in one context after the other."""
    state, rng, out = model.start(1), np.random.default_rng(seed), bytearray()
    for _ in range(count):
        cumulative = np.cumsum(model.frequencies(state)[0, :EOD].astype(np.int64))
        out.append(int(np.searchsorted(cumulative, rng.integers(cumulative[-1]), side="right")))
        model.advance(state, np.array([out[-1]]), rng.random(1) < 0.2)
    return bytes(out)


def likely_lanes(model, lanes, count):
    text = np.frombuffer(likely(model, lanes * count, lanes), dtype=np.uint8)
    return text.reshape(lanes, count).astype(np.int64)


def grown_model(seed, scale=2, **changes):
    model = neural_model(seed=seed, scale=scale, **changes)
    model.memoised = MemoisedModel(model, MIB)
    model.memoised.memo.grow()
    return model


@functools.cache
def grown(seed):
    return grown_model(seed, max_context=(48, 3, 2, 40)[seed])


def strings(memo):
    """bytes of each node."""
    found = [b""] * memo.size
    for place, child in zip(*memo.edges, strict=True):
        found[child] = bytes([place % SYMBOLS])
    for node in range(1, memo.size):
        found[node] = found[memo.nodes.parents[node]] + found[node]
    return found


def without(model, bits, *options):
    coder = WindowCoder(model, bits, *options)
    coder.restarting = model
    return coder


def count_steps(model, monkeypatch):
    """A list to which each call of the network adds its rows."""
    steps, run = [], model._run
    monkeypatch.setattr(model, "_run", lambda *given: steps.append(len(given[1])) or run(*given))
    return steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("context", "memory", "lanes"),
    [
        (48, MIB, 1),
        (48, MIB, 40),
        (48, 20_000, 9),
        (48, 0, 2),
        (1, MIB, 9),
        (2, MIB, 1),
        (3, MIB, 9),
    ],
)
@pytest.mark.parametrize("grown", [True, False])
def test_rows_are_those_without_it(kind, context, memory, grown, lanes):
    """Likely bytes, any bytes, EOD and pauses, restarts, and contexts that end by themselves."""
    precision = 20 if grown else 16
    model = neural_model(seed=3, scale=2.5, max_context=context, precision=precision, **kind)
    memoised = MemoisedModel(model, memory)
    if grown:
        memoised.memo.grow()
    rng = np.random.default_rng(lanes)
    symbols = likely_lanes(model, lanes, 160).T
    others = rng.integers(-1, SYMBOLS, symbols.shape)
    symbols = np.where(rng.random(symbols.shape) < 0.1, others, symbols)
    restarts = rng.random(symbols.shape) < 0.15
    states = model.start(lanes), memoised.start(lanes)
    for fed, restart in zip(symbols, restarts, strict=True):
        assert (model.frequencies(states[0]) == memoised.frequencies(states[1])).all()
        model.advance(states[0], fed, restart)
        memoised.advance(states[1], fed, restart)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("context", "lanes"), [(1, 3), (2, 9), (7, 1), (48, 3)])
def test_symbols_fed_together_are_those_fed_one_by_one(kind, context, lanes):
    """With and without the memo; a lane takes as many as fit its context, and some lanes wait."""
    model = neural_model(seed=3, scale=2.5, max_context=context, **kind)
    memoised = MemoisedModel(model, 200_000)
    memoised.memo.grow()
    rng = np.random.default_rng(lanes)
    text = likely_lanes(model, lanes, 300)
    text[rng.random(text.shape) < 0.05] = 7
    for fed in (model, memoised):
        at, state, plain = np.zeros(lanes, dtype=np.int64), fed.start(lanes), model.start(lanes)
        while (at < 290).all():
            symbols = np.take_along_axis(text, at[:, None] + np.arange(5), axis=1)
            symbols[np.arange(5) >= rng.integers(0, 6, lanes)[:, None]] = -1
            restart, out = rng.random(lanes) < 0.1, np.empty((lanes, 5, SYMBOLS), dtype=np.uint32)
            taken = fed.feed(state, symbols, restart, out)
            assert ((taken > 0) == (symbols[:, 0] >= 0)).all()
            for step in range(5):
                one = np.where(step < taken, symbols[:, step], -1)
                model.advance(plain, one, restart & (step == 0))
                rows = model.frequencies(plain)
                assert (out[step < taken, step] == rows[step < taken]).all()
            assert (fed.frequencies(state) == rows).all()
            at += taken


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", [16, 20])
def test_every_string_has_the_row_of_the_network(kind, precision):
    model = neural_model(seed=4, scale=2, max_context=5, precision=precision, **kind)
    memo = MemoisedModel(model, 400_000).memo
    memo.grow()
    assert memo.complete
    assert memo.nodes.depths[: memo.size].max() == 4  # another byte, and the context begins anew
    for node, string in list(enumerate(strings(memo)))[::7]:
        symbols = np.array([[*string, 0]])
        assert (memo.nodes.rows[node] == model.sequences(symbols)[0, -1]).all()


def test_likely_strings_come_first_and_each_after_its_beginning():
    model = neural_model(seed=5, scale=2, max_context=20)
    memo = MemoisedModel(model, MIB).memo
    memo.grow()
    found = strings(memo)
    assert len(set(found)) == memo.size == memo.capacity
    assert all(found.index(string[:-1]) < node for node, string in list(enumerate(found))[1::50])
    rows = memo.nodes.rows[: memo.size, :EOD] / (1 << model.precision)
    chances = np.ones(memo.size)
    for node in range(1, memo.size):
        parent = memo.nodes.parents[node]
        chances[node] = chances[parent] * rows[parent, found[node][-1]]
    known = set(found)
    others = [
        chances[node] * rows[node, byte]
        for node in range(memo.size)
        for byte in np.flatnonzero(chances[node] * rows[node] > np.median(chances))
        if found[node] + bytes([byte]) not in known
    ]
    assert len(others) < 0.02 * memo.size  # the last round adds all at once


def test_growth_is_the_same_every_time_and_keeps_to_its_memory():
    trees = [MemoisedModel(neural_model(seed=6, scale=2), 2 * MIB).memo for _ in range(2)]
    trees[0].grow()
    while not trees[1].complete:
        trees[1].note(memo_module.PRICE * trees[1].round)
    assert strings(trees[0]) == strings(trees[1])
    held = sum(part.nbytes for part in trees[0].nodes)
    assert held == trees[0].capacity * trees[0].node_bytes
    assert 1.9 * MIB < held <= 2 * MIB


def test_growth_costs_a_part_of_the_steps_that_were_made():
    model = neural_model(seed=6)
    memo = MemoisedModel(model, MIB).memo
    told = 0
    while not memo.complete:
        memo.note(10)
        told += 10
        assert memo_module.PRICE * (memo.size - 1) <= told


def test_likely_windows_cost_no_network(monkeypatch):
    model = grown_model(seed=7, scale=3)
    text = [string for string in strings(model.memoised.memo) if len(string) == 3][:200]
    steps = count_steps(model, monkeypatch)
    coder = WindowCoder(model, 32, 3)
    codes = coder.encode(text)
    assert coder.decode(codes) == text
    assert steps == []
    assert without(model, 32, 3).decode(codes) == text
    assert sum(steps) >= 2 * len(text) > 100


@pytest.mark.parametrize(
    ("bits", "rule", "reset"),
    [(bits, "free", 1) for bits in (12, 24, 32, 64, 128)]
    + [(24, "delay", 1), (64, "delay", 2), (24, "delay", 0), (32, "free", 0), (128, "free", 2)]
    + [(12, "reserve", 1), (24, "reserve", 2), (64, "reserve", 0)],
)
def test_windows_are_those_without_it(bits, rule, reset):
    for model in (neural_model(seed=8, scale=2), grown(0)):
        coder = WindowCoder(model, bits, None, rule, reset)
        plain = without(model, bits, None, rule, reset)
        assert coder.restarting is model.memoised
        rng = np.random.default_rng(bits)
        documents = [likely(model, n, n) for n in (200, 1, 60)]
        documents += [b"", rng.bytes(90), b"\0" * 70, b"\xff" * 50]
        codes = coder.encode(documents)
        for ours, plains in zip(codes, plain.encode(documents), strict=True):
            np.testing.assert_array_equal(ours, plains)
        assert coder.decode(codes) == plain.decode(codes) == documents
        if bits <= LIMB:
            hostile = [rng.integers(0, 1 << bits, code.shape) for code in codes]
            assert coder.decode(hostile) == plain.decode(hostile)


@settings(max_examples=40, deadline=None)
@given(
    documents=st.lists(st.binary(max_size=60), max_size=12),
    bits=st.integers(8, 128),
    seed=st.integers(0, 3),
)
def test_any_documents_come_back(documents, bits, seed):
    model = grown(seed)
    coder = WindowCoder(model, bits)
    codes = coder.encode(documents)
    plain = without(model, bits).encode(documents)
    assert [c.tolist() for c in codes] == [c.tolist() for c in plain]
    assert coder.decode(codes) == documents


@pytest.mark.parametrize("size", [1, 3, 8])
def test_equal_text_comes_back(size):
    coder = EqualTextCoder(grown(0), size, 8)
    documents = [likely(grown(0), 100), b"", b"abc", np.random.default_rng(0).bytes(99)]
    ids = coder.encode(documents)
    assert coder.decode(ids) == documents
    coder.restarting = grown(0)
    assert coder.decode(ids) == documents


def test_threads_may_share_it_while_it_grows():
    model = neural_model(seed=10, scale=2)
    documents = [[likely(model, 300, seed)] * 5 for seed in range(6)]
    expected = [without(model, 32).encode(group) for group in documents]
    results = [None] * len(documents)

    def work(at):
        results[at] = [WindowCoder(model, 32).encode(documents[at]) for _ in range(3)]

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(documents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.memoised.memo.size > 1
    for rounds, plain in zip(results, expected, strict=True):
        for codes in rounds:
            assert [c.tolist() for c in codes] == [c.tolist() for c in plain]


def test_it_is_the_same_model_to_the_outside():
    model = neural_model(seed=1)
    assert fingerprint(MemoisedModel(model, 0)) == fingerprint(model)
    assert model.memoised is model.memoised


@pytest.mark.parametrize(("value", "capacity"), [("0", 1), ("1", MIB), ("", memo_module.MEMORY)])
def test_the_environment_may_say_how_much_memory(value, capacity, monkeypatch):
    monkeypatch.setenv("EQUINFO_MEMO_MIB", value)
    memo = MemoisedModel(neural_model()).memo
    assert memo.capacity == max(capacity // memo.node_bytes, 1)


def test_memory_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("EQUINFO_MEMO_MIB", "lots")
    with pytest.raises(EquinfoError, match="EQUINFO_MEMO_MIB is 'lots'"):
        MemoisedModel(neural_model())
