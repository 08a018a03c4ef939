"""M1 in Numba against NumPy in float64; one lane against many; and through both coders."""

import numpy as np
import pytest
from byte_models import neural_model

from equinfo.compress import network, streams
from equinfo.compress.matmul import COLUMN_STEP, ROW_STEP, multiply, pad_columns, round_up
from equinfo.compress.models import EOD, SYMBOLS
from equinfo.compress.parallel import map_groups
from equinfo.compress.windows import WindowCoder
from equinfo.errors import EquinfoError

KINDS = [
    {"position": "rope", "activation": "silu"},
    {"position": "relative", "activation": "relu"},
    {"position": "rope", "activation": "relu", "head_dim": 12, "n_heads": 3, "d_ff": 36, "d_model": 20},
]
TEXT = b"Call me Ishmael. Some years ago - never mind how long precisely - having little or no money"


def reference(model, text):
    """Softmax probabilities after EOD and each byte of `text`, all at once in float64: f64[len(text) + 1, 257]."""
    c, t = model.config, {name: tensor.astype(np.float64) for name, tensor in model.tensors.items()}
    heads, size, time = c["n_heads"], c["head_dim"], len(text) + 1

    def norm(x, weight):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + c["norm_eps"]) * weight

    def split(x):
        return x.reshape(time, heads, size).transpose(1, 0, 2)

    def rotated(x):
        half = size // 2
        angle = np.arange(time)[:, None] * c["rope_base"] ** (-np.arange(half) / half)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=-1)

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    back = np.arange(time)[:, None] - np.arange(time)[None, :]
    x = t["embed.weight"][[EOD, *text]]
    for i in range(c["n_layers"]):
        layer = {
            name[len(f"blocks.{i}.") : -len(".weight")]: w for name, w in t.items() if name.startswith(f"blocks.{i}.")
        }
        h = norm(x, layer["attn_norm"])
        q, k, v = (split(h @ layer[part].T) for part in "qkv")
        if c["position"] == "rope":
            q, k = rotated(q), rotated(k)
        scores = q @ k.transpose(0, 2, 1)
        if c["position"] == "relative":
            terms = layer["rel"][np.clip(back, 0, len(layer["rel"]) - 1)]
            scores += np.einsum("htd,tsd->hts", q, terms)
        scores = np.where(back >= 0, scores / np.sqrt(size), -np.inf)
        x = x + (softmax(scores) @ v).transpose(1, 0, 2).reshape(time, -1) @ layer["o"].T
        h = norm(x, layer["mlp_norm"])
        gate = h @ layer["gate"].T
        gate = gate / (1 + np.exp(-gate)) if c["activation"] == "silu" else np.maximum(gate, 0)
        x = x + (gate * (h @ layer["up"].T)) @ layer["down"].T
    return softmax(norm(x, t["norm.weight"]) @ t["head.weight"].T)


def rows_of(model, lanes, symbols, restarts=None):
    """u32[steps + 1, lanes, 257]: the rows at the start and after each step. symbols: int[steps, lanes]."""
    state = model.start(lanes)
    rows = [model.frequencies(state).copy()]
    for step, fed in enumerate(symbols):
        restart = np.zeros(lanes, dtype=np.bool_) if restarts is None else restarts[step]
        model.advance(state, np.asarray(fed, dtype=np.int64), restart)
        rows.append(model.frequencies(state).copy())
    return np.stack(rows)


def rows_along(model, text):
    return rows_of(model, 1, [[byte] for byte in text])[:, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_frequencies_are_those_of_the_network_in_float64(kind):
    model = neural_model(seed=3, scale=1.3, max_context=120, **kind)
    rows = rows_along(model, TEXT)
    probabilities = reference(model, TEXT)
    shares = (rows - 1.0) / (65536 - SYMBOLS)
    tolerance = 1e-4 * probabilities + 1 / 65000
    wrong = abs(shares - probabilities) > tolerance
    wrong[np.arange(len(rows)), rows.argmax(axis=1)] = False  # the remainder goes there
    assert not wrong.any()
    assert (rows.argmax(axis=1) == probabilities.argmax(axis=1)).mean() > 0.98
    assert abs(probabilities[0] - probabilities[30]).max() > 0.05  # contexts matter, or all of this says little


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lanes", [2, 3, 8, 9, 33])
def test_a_lane_does_not_see_the_others(kind, lanes):
    model = neural_model(seed=5, **kind)
    rng = np.random.default_rng(lanes)
    symbols = rng.integers(-1, 257, size=(70, lanes))
    symbols[symbols == EOD] = -1
    restarts = rng.random((70, lanes)) < 0.1
    together = rows_of(model, lanes, symbols, restarts)
    for lane in range(lanes):
        alone = rows_of(model, 1, symbols[:, lane : lane + 1], restarts[:, lane : lane + 1])
        assert (together[:, lane] == alone[:, 0]).all()


def test_a_restarted_lane_is_a_fresh_one():
    model = neural_model(seed=6)
    symbols = [[byte] for byte in b"abc" + TEXT[:20]]
    restarts = [[at == 3] for at in range(len(symbols))]
    rows = rows_of(model, 1, symbols, np.array(restarts))[:, 0]
    assert (rows[4:] == rows_along(model, TEXT[:20])[1:]).all()
    assert (rows[3] != rows_along(model, b"")[0]).any()


def test_a_restart_without_a_symbol_gives_the_first_row():
    model = neural_model(seed=6)
    rows = rows_of(model, 1, [[97], [-1], [98]], np.array([[False], [True], [False]]))[:, 0]
    assert (rows[2] == rows[0]).all()
    assert (rows[3] == rows_along(model, b"b")[1]).all()


@pytest.mark.parametrize("context", [1, 2, 7])
def test_after_max_context_symbols_a_lane_restarts_by_itself(context):
    model = neural_model(seed=7, max_context=context)
    rows = rows_along(model, TEXT[: 4 * context])
    for begin in range(0, 4 * context, context):
        piece = rows_along(model, TEXT[begin : begin + context])
        assert (rows[begin : begin + context + 1] == piece).all()


def test_a_long_context_does_not_change_what_a_short_one_says():
    short, long = neural_model(seed=8, max_context=40), neural_model(seed=8, max_context=500)
    assert (rows_along(short, TEXT[:39]) == rows_along(long, TEXT[:39])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_documents_come_back_through_both_coders(kind):
    model = neural_model(seed=9, scale=1.5, **kind)
    documents = [b"", TEXT, TEXT * 2, bytes(range(256)), b"\0" * 300, b"x"]
    assert streams.decode(model, streams.encode(model, documents)) == documents
    for bits in (16, 64):
        coder = WindowCoder(model, bits)
        assert coder.decode(coder.encode(documents)) == documents


def as_bytes(stream):
    return bytes(stream[0]), stream[1]


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_codes_do_not_depend_on_batch_or_threads(threads, monkeypatch):
    model = neural_model(seed=10, max_context=64)
    rng = np.random.default_rng(0)
    documents = [TEXT * int(n) for n in rng.integers(0, 30, 40)]
    windows = WindowCoder(model, 16)
    alone = [(as_bytes(streams.encode(model, [d])[0]), windows.encode([d])[0].tolist()) for d in documents[:6]]
    monkeypatch.setenv("EQUINFO_THREADS", threads)
    coded = map_groups(lambda group: streams.encode(model, group), documents)
    codes = map_groups(windows.encode, documents)
    assert [(as_bytes(a), b.tolist()) for a, b in zip(coded[:6], codes[:6], strict=True)] == alone
    assert map_groups(windows.decode, codes) == documents
    assert streams.decode(model, coded) == documents


@pytest.mark.parametrize("threads", ["0", "-1", "many", "1.5"])
def test_impossible_numbers_of_threads_are_refused(threads, monkeypatch):
    monkeypatch.setenv("EQUINFO_THREADS", threads)
    with pytest.raises(EquinfoError, match="EQUINFO_THREADS"):
        map_groups(list, [b"a"])


def test_groups_are_used_and_keep_their_order(monkeypatch):
    monkeypatch.setenv("EQUINFO_THREADS", "3")
    calls = []
    items = [bytes(5000 + i) for i in range(9)]
    assert map_groups(lambda group: calls.append(len(group)) or [len(item) for item in group], items) == list(
        range(5000, 5009)
    )
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(1, 1, 1), (8, 16, 32), (9, 20, 257), (64, 64, 192), (13, 7, 33)]
)
def test_products_are_sums_in_order_each_step_rounded(rows, inner, columns):
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((round_up(rows, ROW_STEP), inner + 3)).astype(np.float32)
    w = rng.standard_normal((inner, columns)).astype(np.float32)
    y = np.full((len(x), round_up(columns, COLUMN_STEP) + 5), 7, dtype=np.float32)
    multiply(x, pad_columns(w), y, rows)
    expected = np.zeros((rows, columns), dtype=np.float32)
    for k in range(inner):
        expected += x[:rows, k : k + 1] * w[k]
    assert (y[:rows, :columns] == expected).all()
    assert (y[:, round_up(columns, COLUMN_STEP) :] == 7).all()


def test_exponentials_are_close_and_never_zero_or_nan():
    x = -np.linspace(0, 87, 1001).astype(np.float32)
    y = x.copy()
    network.exponentials(y, len(y), np.float32(0))
    assert abs(y / np.exp(x.astype(np.float64)) - 1).max() < 1e-5
    assert y[0] == 1
    odd = np.array([-100, -1e30, -np.inf, np.nan], dtype=np.float32)
    network.exponentials(odd, 4, np.float32(0))
    assert (odd == np.float32(2.0**-126)).all()


@pytest.mark.parametrize("precision", [9, 12, 16, 20])
@pytest.mark.parametrize("kind", ["equal", "one", "wide", "nan", "inf", "-inf", "first nan", "huge"])
def test_any_logits_become_frequencies(kind, precision):
    logits = {
        "equal": np.zeros(SYMBOLS),
        "one": np.eye(1, SYMBOLS, 40)[0] * 100,
        "wide": np.random.default_rng(0).standard_normal(SYMBOLS) * 30,
        "nan": np.where(np.arange(SYMBOLS) == 9, np.nan, 1.0),
        "inf": np.where(np.arange(SYMBOLS) == 9, np.inf, 1.0),
        "-inf": np.full(SYMBOLS, -np.inf),
        "first nan": np.where(np.arange(SYMBOLS) == 0, np.nan, 1.0),
        "huge": np.linspace(-3e38, 3e38, SYMBOLS),
    }[kind].astype(np.float32)
    row = np.zeros(SYMBOLS, dtype=np.uint32)
    network.to_frequencies(logits.copy(), row, precision)
    assert row.min() >= 1
    assert int(row.sum()) == 1 << precision


def golden_model():
    """Weights from integers alone and no cosines: IEEE arithmetic decides the golden stream, no library."""
    model = neural_model(position="relative")
    tensors = {
        name: (((np.arange(t.size) * 2654435761 + i * 40503) % 2**16 / 2**15 - 1) / (1 if t.ndim == 1 else 3))
        .astype(np.float32)
        .reshape(t.shape)
        for i, (name, t) in enumerate(sorted(model.tensors.items()))
    }
    return type(model)(model.config, tensors)


def test_golden_stream():
    data, num_bits = streams.encode(golden_model(), [TEXT[:30]])[0]
    assert (bytes(data).hex(), num_bits) == GOLDEN


GOLDEN = ("42abc46e1676474639b3ac04e004a6ae3d2fdc42beac3eae3bc61fbe0fa08220", 251)
