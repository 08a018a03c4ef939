"""Count models: the table against a dictionary in Python integers, and every place that takes an
M1.
"""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder import streams
from equinfo.compress.models import counts
from equinfo.compress.models.base import (
    EOD,
    SYMBOLS,
    fingerprint,
    load_model,
    normalise,
    to_artifact,
)
from equinfo.compress.models.counts import SCALE, CountModel
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError

TEXT = [
    b"abracadabra, abracadabra! " * 4,
    b"the cat sat on the mat; the cat sat.",
    b"",
    bytes(range(256)),
    b"\xff\0" * 9,
]


class Oracle:
    """What counts.py says, from dictionaries: nothing sorted, no trie."""

    def __init__(self, documents, order, precision=16, min_count=2):
        self.order, self.precision, self.min_count = order, precision, min_count
        self.seen = {}
        for document in documents:
            symbols = [*document, EOD]
            for at, symbol in enumerate(symbols):
                for k in range(min(order, at) + 1):
                    self.seen.setdefault(tuple(symbols[at - k : at]), Counter())[symbol] += 1

    def kept(self, context):
        return context in self.seen and (
            not context or self.seen[context].total() >= self.min_count
        )

    def discount(self, length):
        every = [
            n for context,
            after in self.seen.items() if len(context) == length and self.kept(context)
            for n in after.values()
        ]  # fmt: skip
        once, twice = every.count(1), every.count(2)
        return min(max(256 * once // max(once + 2 * twice, 1), 1), 255)

    def row(self, history):
        one = 1 << SCALE
        weight, units = one, [0] * SYMBOLS
        for k in range(min(self.order, len(history)), 0, -1):
            context = tuple(history[len(history) - k :])
            if not self.kept(context):
                continue
            after, discount = self.seen[context], self.discount(k)
            total = after.total()
            for symbol, n in after.items():
                units[symbol] += weight * ((256 * n - discount) * one // (256 * total)) // one
            weight = weight * (discount * len(after) * one // (256 * total)) // one
        root = normalise(np.array([self.seen[()][s] for s in range(SYMBOLS)]), SCALE)
        units = [u + weight * int(r) // one for u, r in zip(units, root, strict=True)]
        freqs = [1 + u * ((1 << self.precision) - SYMBOLS) // one for u in units]
        freqs[units.index(max(units))] += (1 << self.precision) - sum(freqs)
        return freqs


def rows_along(model, text, restarts=()):
    state = model.start(1)
    rows = [model.frequencies(state)[0].tolist()]
    for at, byte in enumerate(text):
        model.advance(state, np.array([byte]), np.array([at in restarts]))
        rows.append(model.frequencies(state)[0].tolist())
    return rows


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("min_count", [1, 2, 4])
def test_rows_are_those_of_dictionaries_of_counts(order, min_count):
    model = CountModel.train(TEXT, order, min_count=min_count)
    oracle = Oracle(TEXT, order, min_count=min_count)
    text = b"abracadabrz the cat\xff\0\xff"
    for at, row in enumerate(rows_along(model, text)):
        assert row == oracle.row(text[:at]), at


@settings(max_examples=40, deadline=None)
@given(
    documents=st.lists(
        st.binary(max_size=30) | st.text("ab", max_size=40).map(str.encode), min_size=1, max_size=6
    ),
    order=st.integers(1, 6),
    precision=st.integers(9, 20),
    text=st.binary(max_size=6) | st.text("abc", max_size=9).map(str.encode),
)
def test_rows_of_any_text_are_those_of_the_oracle_and_can_be_coded(
    documents, order, precision, text
):
    model, oracle = (
        CountModel.train(documents, order, precision),
        Oracle(documents, order, precision),
    )
    rows = rows_along(model, text)
    assert all(min(row) >= 1 and sum(row) == 1 << precision for row in rows)
    assert rows[-1] == oracle.row(text)


def test_golden_row():
    model = CountModel.train([b"abab"], 2, precision=9)
    row = rows_along(model, b"ab")[-1]
    assert {s: f for s, f in enumerate(row) if f > 1} == GOLDEN


GOLDEN = {97: 117, 98: 51, 256: 90}


def test_a_restart_forgets_and_lanes_are_independent():
    model = CountModel.train(TEXT, 4)
    text = b"the cat sat on the mat"
    again = rows_along(model, text + text, restarts={len(text)})
    assert again[len(text) + 1 :] == rows_along(model, text)[1:]
    state = model.start(3)
    rng = np.random.default_rng(0)
    histories = [b"", b"", b""]
    for _ in range(60):
        fed, restart = rng.choice([*b"the cat", -1], 3), rng.random(3) < 0.1
        model.advance(state, fed, restart)
        rows = model.frequencies(state)
        for lane in range(3):
            byte = bytes([fed[lane]]) if fed[lane] >= 0 else b""
            histories[lane] = (b"" if restart[lane] else histories[lane]) + byte
            assert rows[lane].tolist() == rows_along(model, histories[lane])[-1]


def test_a_lane_restarts_by_itself(monkeypatch):
    model = CountModel.train(TEXT, 3)
    model.max_context = 5
    text = b"the cat sat"
    rows = rows_along(model, text)
    assert rows[5] == rows[10] == rows[0]
    assert rows[7] == rows_along(model, text[5:7])[-1]


@pytest.mark.parametrize("order", [1, 3, 6])
def test_it_works_wherever_an_m1_does(order, tmp_path):
    model = CountModel.train(TEXT, order)
    documents = [*TEXT, TEXT[0] * 300, np.random.default_rng(0).bytes(900)]
    assert streams.decode(model, streams.encode(model, documents)) == documents
    windows = WindowCoder(model, 16)
    assert windows.decode(windows.encode(documents[:5])) == documents[:5]
    to_artifact(model).save(tmp_path / "m1")
    again = load_model(tmp_path / "m1")
    assert (type(again), again.order, fingerprint(again)) == (CountModel, order, fingerprint(model))
    assert rows_along(again, TEXT[1]) == rows_along(model, TEXT[1])


def test_longer_contexts_tell_more():
    text = [b"In the beginning was the word, and the word was with the reader. " * 9]
    sizes = [streams.encode(CountModel.train(text, order), text)[0][1] for order in (1, 2, 3, 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 3


@pytest.mark.parametrize("most", [300, 258, 1])
def test_the_table_keeps_the_contexts_seen_most_within_its_bound(most):
    full = CountModel.train(TEXT, 3)
    small = CountModel.train(TEXT, 3, max_entries=most)
    assert len(small.tensors["symbols"]) < len(full.tensors["symbols"])
    assert len(small.tensors["symbols"]) <= max(most, 257)
    assert streams.decode(small, streams.encode(small, TEXT)) == TEXT


def test_unusable_texts_and_orders_are_refused(monkeypatch):
    with pytest.raises(EquinfoError, match="empty"):
        CountModel.train([], 2)
    for order in (0, 7, -1):
        with pytest.raises(EquinfoError, match="choose 1 to 6"):
            CountModel.train(TEXT, order)
    monkeypatch.setattr(counts, "MAX_TEXT", 100)
    with pytest.raises(EquinfoError, match="more than 100 bytes"):
        CountModel.train(TEXT, 2)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("first", lambda t: t[:-1]),
        ("first", lambda t: t[::-1]),
        ("symbols", lambda t: t + 300),
        ("symbols", lambda t: t[::-1]),
        ("counts", lambda t: t * 0),
        ("counts", lambda t: t[:-1]),
        ("counts", lambda t: t + (1 << 28)),
        ("children", lambda t: np.full_like(t, 1 << 20)),
        ("children", lambda t: np.concatenate([t, t, t, t])),
        ("discounts", lambda t: t[:-1]),
        ("discounts", lambda t: t * 0),
    ],
)
def test_tables_that_do_not_fit_are_refused_before_a_kernel_reads_beyond_them(name, change):
    model = CountModel.train(TEXT, 2)
    with pytest.raises(EquinfoError, match="do not fit together"):
        CountModel(2, {**model.tensors, name: change(model.tensors[name])})


def test_the_rule_costs_little_beside_the_entropy_it_estimates():
    rng = np.random.default_rng(0)
    text = rng.choice(list(b"ab"), 20_000, p=[0.9, 0.1]).astype(np.uint8).tobytes()
    bits = streams.encode(CountModel.train([text], 2), [text])[0][1]
    entropy = -sum(p * math.log2(p) for p in (0.9, 0.1)) * len(text)
    assert abs(bits - entropy) < 0.06 * entropy
