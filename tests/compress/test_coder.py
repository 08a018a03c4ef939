"""The coder against exact arithmetic, against the ideal code length, and against another range
coder.
"""

from fractions import Fraction

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinfo.compress.coder import coder
from equinfo.compress.models.base import normalise
from equinfo.errors import EquinfoError


def intervals(rows, symbols):
    """(starts, freqs) of the symbols under their rows."""
    cumulative = np.cumsum(rows, axis=1) - rows
    at = np.arange(len(symbols))
    return cumulative[at, symbols].astype(np.uint32), rows[at, symbols].astype(np.uint32)


def draw(seed, n, symbols=257, precision=16, sharpness=3.0, distinct=64):
    """n rows out of `distinct` random ones, and a symbol drawn from each."""
    rng = np.random.default_rng(seed)
    weights = np.exp(sharpness * rng.standard_normal((distinct, symbols)))
    rows = np.stack([normalise((w / w.max() * 1e6).astype(np.int64), precision) for w in weights])
    chosen = rng.integers(0, distinct, n)
    edges = np.cumsum(rows, axis=1)[chosen]
    return rows[chosen], (edges <= rng.integers(0, 1 << precision, (n, 1))).sum(axis=1)


def exact_interval(starts, freqs, precision):
    """The interval of an exact arithmetic coder: Fractions, no rounding anywhere."""
    low, width = Fraction(0), Fraction(1)
    for start, freq in zip(starts, freqs, strict=True):
        low += width * Fraction(int(start), 1 << precision)
        width *= Fraction(int(freq), 1 << precision)
    return low, width


def integer_interval(starts, freqs, precision):
    """The coder's own interval, by the rule of its docstring in Python integers: no bytes, no
    carries.
    """
    low, width, scale = 0, coder.FULL, coder.STATE
    for start, freq in zip(starts, freqs, strict=True):
        unit = width >> precision
        low, width = low + unit * int(start), unit * int(freq)
        while width <= coder.BOTTOM:
            low, width, scale = low << 8, width << 8, scale + 8
    return Fraction(low, 1 << scale), Fraction(width, 1 << scale)


def value_of(data):
    return Fraction(int.from_bytes(bytes(data), "big"), 1 << (8 * len(data)))


messages = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "n": st.integers(0, 60),
        "symbols": st.sampled_from([2, 5, 257]),
        "precision": st.sampled_from([9, 12, 16, 20]),
        "sharpness": st.sampled_from([0.0, 3.0, 9.0]),
    }
)


@settings(max_examples=150, deadline=None)
@given(messages)
def test_what_was_coded_is_decoded(message):
    rows, symbols = draw(**message)
    data, _ = coder.encode(*intervals(rows, symbols), message["precision"])
    assert coder.decode(data, rows, message["precision"]).tolist() == symbols.tolist()


@settings(max_examples=150, deadline=None)
@given(messages)
def test_the_code_is_the_shortest_bitstring_inside_the_interval(message):
    rows, symbols = draw(**message)
    starts, freqs = intervals(rows, symbols)
    data, num_bits = coder.encode(starts, freqs, message["precision"])
    low, width = integer_interval(starts, freqs, message["precision"])
    assert len(data) == -(-num_bits // 8)
    assert low <= value_of(data) < low + width
    shortest = next(
        n
        for n in range(10**6)
        if -((-low.numerator << n) // low.denominator) < (low + width) * 2**n
    )
    trimmed = bin(int.from_bytes(bytes(data), "big") | 1 << (8 * len(data)))[3:].rstrip("0")
    assert len(trimmed) == shortest <= num_bits


@settings(max_examples=60, deadline=None)
@given(messages)
def test_the_interval_is_as_wide_as_exact_arithmetic_makes_it(message):
    rows, symbols = draw(**message)
    starts, freqs = intervals(rows, symbols)
    _, exact = exact_interval(starts, freqs, message["precision"])
    _, width = integer_interval(starts, freqs, message["precision"])
    floored = 1 - Fraction(1, 1 << (coder.SHIFT - message["precision"]))
    assert exact * floored ** len(symbols) <= width <= exact


@pytest.mark.parametrize(("precision", "sharpness"), [(9, 1.0), (16, 0.0), (16, 3.0), (20, 3.0)])
def test_long_streams_cost_what_the_frequencies_say(precision, sharpness):
    rows, symbols = draw(1, 50_000, precision=precision, sharpness=sharpness, distinct=8)
    starts, freqs = intervals(rows, symbols)
    ideal = -np.log2(freqs / 2.0**precision).sum() / 8
    assert ideal > 10_000
    data, _ = coder.encode(starts, freqs, precision)
    assert ideal - 1 <= len(data) <= ideal * 1.0001 + 2
    assert (coder.decode(data, rows, precision) == symbols).all()


def test_as_short_as_constrictions_range_coder():
    rows, symbols = draw(2, 20_000, distinct=1)
    model = constriction.stream.model.Categorical(rows[0] / 65536.0, perfect=True)
    peer = constriction.stream.queue.RangeEncoder()
    peer.encode(symbols.astype(np.int32), model)
    data, _ = coder.encode(*intervals(rows, symbols), 16)
    assert len(data) > 1000
    assert len(data) <= 4 * len(peer.get_compressed()) * 1.0001 + 4
    assert 4 * len(peer.get_compressed()) <= len(data) * 1.0001 + 8


@pytest.mark.parametrize(
    ("last", "begins_with"),
    [
        ((40000, 10), "80" + "00" * 30),
        ((32768, 10), "80" + "00" * 30),
        ((20000, 10), "7f" + "ff" * 30),
    ],
)
def test_a_carry_runs_through_all_that_was_settled(last, begins_with):
    """Twenty intervals with one half in their middle settle 0x7fffff...; the last one lies above
    it, or below.
    """
    code = [(32767, 2)] * 20 + [last]
    starts, freqs = (np.array(column, dtype=np.uint32) for column in zip(*code, strict=True))
    data, _ = coder.encode(starts, freqs, 16)
    assert bytes(data).hex().startswith(begins_with)
    rows = np.array([[start, freq, 65536 - start - freq] for start, freq in code], dtype=np.uint32)
    assert coder.decode(data, rows, 16).tolist() == [1] * len(code)


@pytest.mark.parametrize("start", [0, 65535])
@pytest.mark.parametrize("n", [1, 3, 4, 5, 9, 50])
def test_a_message_of_first_or_last_symbols_ends_where_a_decoder_still_looks(start, n):
    """Its interval begins at 0 (or ends at 1) exactly, so the shortest bitstring would be empty for
    any n.
    """
    starts, freqs = np.full(n, start, dtype=np.uint32), np.ones(n, dtype=np.uint32)
    data, _ = coder.encode(starts, freqs, 16)
    low, width = integer_interval(starts, freqs, 16)
    assert low <= value_of(data) < low + width
    assert len(bytes(data).rstrip(b"\0")) >= 2 * (n - 1) - coder.TAIL
    rows = np.array([[start, 1, 65535 - start]] * n, dtype=np.uint32)
    assert coder.decode(data, rows, 16).tolist() == [1] * n


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=20), seed=st.integers(0, 999))
def test_no_stream_keeps_a_decoder_busy(data, seed):
    """Symbols that come out of any bytes: at most those that bytes + look-ahead + tail can hold."""
    peak = np.ones(257, dtype=np.uint32)
    peak[seed % 257] = 65536 - 256
    limit = int((len(data) + coder.LOOK_AHEAD + coder.TAIL + 8) * 8 / -np.log2(1 - 256 / 65536))
    rows = np.broadcast_to(peak, (limit, 257))
    with pytest.raises(EquinfoError, match="cut, altered"):
        coder.decode(np.frombuffer(data, dtype=np.uint8), rows, 16)


def test_golden_stream():
    i = np.arange(40)
    data, num_bits = coder.encode(i * 7919 % 65000, 1 + i * i * 31 % 500, 16)
    assert (bytes(data).hex(), num_bits) == GOLDEN


def test_nothing_takes_no_bits():
    data, num_bits = coder.encode(np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.uint32), 16)
    assert (len(data), num_bits) == (0, 0)


@pytest.mark.parametrize(
    ("starts", "freqs", "precision"),
    [
        ([0], [0], 16),
        ([65536], [1], 16),
        ([65535], [2], 16),
        ([0, 1], [1], 16),
        ([0], [1], 0),
        ([0], [1], 21),
    ],
)
def test_impossible_frequencies_are_refused(starts, freqs, precision):
    with pytest.raises(EquinfoError):
        coder.encode(np.array(starts), np.array(freqs), precision)


GOLDEN = (
    "00001ef6c17259df80d3e29836be1e5e66d8a722bdceb25f5c7e948500ff379a8d4faf86ed85d7484b600e60",
    347,
)
