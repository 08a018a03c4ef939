"""The integer M1: steps, whole sequences, the NumPy definition; one lane or many; both coders."""

import ast
import os
import re
import subprocess
import sys
from math import isqrt
from pathlib import Path

import numpy as np
import pytest
from byte_models import KINDS, neural_model

import equinfo.compress
from benchmarks import golden_networks as golden
from benchmarks.golden_networks import golden_hash, random_network
from equinfo import fixedpoint as fp
from equinfo.compress.coder import streams
from equinfo.compress.jit import kernel
from equinfo.compress.models.base import EOD, SYMBOLS, from_artifact
from equinfo.compress.network import attention, checks, matmul, network
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.compress.network.matmul import COLUMN_STEP, ROW_STEP, pack, round_up
from equinfo.compress.parallel import map_groups
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError
from equinfo.plain import network as plain

TEXT = (
    b"Call me Ishmael. Some years ago - never mind how long precisely - having little or no money"
)


def rows_of(model, lanes, symbols, restarts=None):
    """u32[steps + 1, lanes, 257]: rows at the start and after each of symbols[steps, lanes]."""
    state = model.start(lanes)
    rows = [model.frequencies(state).copy()]
    for step, fed in enumerate(symbols):
        restart = np.zeros(lanes, dtype=np.bool_) if restarts is None else restarts[step]
        model.advance(state, np.asarray(fed, dtype=np.int64), restart)
        rows.append(model.frequencies(state).copy())
    return np.stack(rows)


def rows_along(model, text):
    return rows_of(model, 1, [[byte] for byte in text])[:, 0]


@pytest.mark.parametrize("precision", [9, 16, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_and_whole_sequences_are_what_plain_integers_say(kind, precision):
    model = neural_model(seed=3, scale=1.3, max_context=len(TEXT), precision=precision, **kind)
    symbols = np.frombuffer(TEXT, dtype=np.uint8).astype(np.int64)
    expected = np.array(
        plain.frequencies(model.config, model.tensors, symbols, precision), dtype=np.uint32
    )
    assert (model.sequences(symbols[None])[0] == expected).all()
    assert (rows_along(model, TEXT)[:-1] == expected).all()
    assert expected.min() >= 1
    assert (expected.sum(axis=1) == 1 << precision).all()
    assert len(np.unique(expected, axis=0)) > 40  # contexts matter, or all of this says little


@pytest.mark.parametrize("kind", KINDS)
def test_values_at_their_limits_saturate_alike(kind):
    """Multipliers far too large, so that everything that can saturate does."""
    for seed in range(3):
        config, tensors = random_network(seed, max_context=40, **kind)
        for name, tensor in tensors.items():
            if name.endswith((".scale", "norm", "attended", "score", "embed")):
                limit = fp.RESIDUAL_MAX if name == "embed" else (1 << 31) - 1
                large = tensor.astype(np.int64) << (4 * seed + 3)
                tensors[name] = np.clip(large, -limit, limit).astype(np.int32)
        symbols = np.random.default_rng(seed).integers(0, SYMBOLS, 40)
        expected = np.array(plain.frequencies(config, tensors, symbols))
        assert (IntegerByteModel(config, tensors).sequences(symbols[None])[0] == expected).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_a_batch_is_its_sequences_one_by_one_whatever_the_threads(kind, threads, monkeypatch):
    model = neural_model(seed=4, max_context=300, **kind)
    symbols = np.random.default_rng(1).integers(0, SYMBOLS, (33, 299))
    monkeypatch.setenv("EQUINFO_THREADS", threads)
    together = model.sequences(symbols)
    assert together.shape == (33, 299, SYMBOLS)
    for i in (0, 16, 32):
        assert (together[i] == model.sequences(symbols[i : i + 1])[0]).all()
    assert (model.sequences(symbols[:, :101]) == together[:, :101]).all()


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (1, 1)])
def test_small_batches(shape):
    model = neural_model()
    rows = model.sequences(np.zeros(shape, dtype=np.int64))
    assert rows.shape == (*shape, SYMBOLS)
    assert (rows == rows_along(model, b"")[0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_contexts_of_all_lengths_go_through_in_one_batch(kind):
    model = neural_model(seed=4, **kind)
    rng = np.random.default_rng(2)
    parts = [rng.integers(0, SYMBOLS, length) for length in (1, 48, 7, 8, 9, 1, 33, 16, 47, 2)]
    rows = model.along(np.concatenate(parts), np.cumsum([len(part) for part in parts]))
    assert rows.dtype == np.uint32
    assert (rows == np.concatenate([model.sequences(part[None])[0] for part in parts])).all()
    nothing = np.empty(0, dtype=np.int64)
    assert model.along(nothing, nothing).shape == (0, SYMBOLS)


@pytest.mark.parametrize("symbols", [[[0, 257]], [[-1, 0]], np.zeros((1, 49), dtype=np.int64)])
def test_symbols_and_contexts_that_are_none_are_refused(symbols):
    with pytest.raises(EquinfoError, match="symbols 0 to 256 in contexts of at most 48"):
        neural_model().sequences(np.array(symbols))


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
    config, tensors = random_network(8, max_context=500)
    short = {name: t[:40] if name in ("cos", "sin") else t for name, t in tensors.items()}
    long_model = IntegerByteModel(config, tensors)
    short_model = IntegerByteModel(config | {"max_context": 40}, short)
    assert (rows_along(long_model, TEXT[:39]) == rows_along(short_model, TEXT[:39])).all()


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


@pytest.mark.parametrize("threads", ["1", "3"])
def test_codes_do_not_depend_on_batch_or_threads(threads, monkeypatch):
    model = neural_model(seed=10, max_context=64)
    rng = np.random.default_rng(0)
    documents = [TEXT * int(n) for n in rng.integers(0, 20, 24)]
    windows = WindowCoder(model, 16)
    first = documents[:6]
    alone = [as_bytes(streams.encode(model, [document])[0]) for document in first]
    windows_alone = [windows.encode([document])[0].tolist() for document in first]
    monkeypatch.setenv("EQUINFO_THREADS", threads)
    coded = map_groups(lambda group: streams.encode(model, group), documents)
    codes = map_groups(windows.encode, documents)
    assert [as_bytes(stream) for stream in coded[:6]] == alone
    assert [windows.tolist() for windows in codes[:6]] == windows_alone
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
    found = map_groups(lambda group: calls.append(group) or [len(item) for item in group], items)
    assert found == list(range(5000, 5009))
    assert len(calls) == 3


# -- the golden hash -------------------------------------------------------------------------------


def whole(config, tensors, symbols):
    return IntegerByteModel(config, tensors).sequences(symbols)


def defined(config, tensors, symbols):
    """Each eighth context by the plain network, the others as before: all would take a minute."""
    rows = whole(config, tensors, symbols).copy()
    rows[::8] = [plain.frequencies(config, tensors, row) for row in symbols[::8]]
    return rows


def one_by_one(config, tensors, symbols):
    model = IntegerByteModel(config, tensors)
    return np.concatenate([model.sequences(row[None]) for row in symbols])


def in_steps(config, tensors, symbols, lanes=golden.SEQUENCES):
    model = IntegerByteModel(config, tensors)
    groups = np.split(symbols, len(symbols) // lanes)
    parts = [rows_of(model, lanes, group.T)[:-1] for group in groups]
    return np.concatenate(parts, axis=1).transpose(1, 0, 2)


@pytest.mark.parametrize(
    "run",
    [defined, whole, one_by_one, in_steps, lambda *given: in_steps(*given, lanes=1)],
    ids=["plain", "whole", "batch 1", "64 lanes", "1 lane"],
)
def test_golden_hash(run):
    assert golden_hash(run) == golden.HASH


def test_the_golden_hash_needs_no_special_instructions():
    """The kernels as Numba compiles them for any processor of this family."""
    code = (
        "from benchmarks import golden_networks as golden\n"
        "from equinfo.compress.network import matmul\n"
        "from equinfo.compress.network.integer import IntegerByteModel\n"
        "assert not matmul.VNNI\n"
        "print(golden.golden_hash(lambda c, t, s: IntegerByteModel(c, t).sequences(s)))"
    )
    settings = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    settings["PYTHONPATH"] = os.pathsep.join(sys.path)
    output = subprocess.check_output([sys.executable, "-c", code], env=os.environ | settings)
    assert output.decode().strip() == golden.HASH


def test_no_float_is_in_the_files_that_decide_a_frequency():
    """No constant, no division that makes one, no type or function of NumPy's that is one."""
    folder = Path(equinfo.compress.__file__).parent / "network"
    files = ["integer", "network", "attention", "matmul", "rounding", "checks"]
    sources = [fp.__file__, plain.__file__, golden.__file__, *(folder / f"{f}.py" for f in files)]
    for file in map(Path, sources):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), file
            assert not isinstance(getattr(node, "op", None), ast.Div), file
            name = getattr(node, "attr", getattr(node, "id", ""))
            assert not re.search("float|double", str(name)), (file, name)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
                assert not re.fullmatch("sqrt|exp2?|log2?|cos|sin|mean|divide", node.attr), file


# -- parts -----------------------------------------------------------------------------------------


def test_powers_are_the_floors_of_powers():
    table = fp.powers()
    assert table.dtype == np.int32
    assert table[0] == fp.ONE
    exact = fp.ONE * 2.0 ** (-np.arange(1 << fp.EXPONENT) / (1 << fp.EXPONENT))
    assert (table == np.floor(exact)).all()


def test_integer_roots():
    for n in (2, 3, 4, 2**16, 2**32 - 1, 2**32, 10**12, (1 << 31) ** 2 - 1, 2**62 - 2):
        for value in (n - 1, n, n + 1):
            assert network.integer_root(value) == isqrt(value)


@kernel
def multiply_by(x, w, offset, y, groups):
    for j in range(0, len(offset), matmul.VECTORS * matmul.LANES):
        for r in range(0, len(x), matmul.ROWS):
            portable_tile(x, w, offset, y, r, j, groups)


portable_tile = matmul.make_tile(matmul.ROWS, vnni=False)


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(1, 1, 1), (8, 16, 32), (9, 20, 257), (64, 64, 192), (13, 7, 33), (1, 64, 100)],
)
def test_products_are_exact_with_and_without_special_instructions(rows, inner, columns, extreme):
    rng = np.random.default_rng(rows)
    x = np.zeros((round_up(rows, ROW_STEP), round_up(inner, 4) + 3), dtype=np.uint8)
    draw = rng.choice if extreme else lambda ends, shape: rng.integers(*ends, shape, endpoint=True)
    x[:rows] = draw([0, 255], (rows, x.shape[1]))
    w = draw([-128, 127], (columns, inner)).astype(np.int8)
    packed, offset = pack(w)
    expected = (x[:rows, :inner].astype(np.int64) - 128) @ w.T.astype(np.int64)
    y = np.full((len(x), round_up(columns, COLUMN_STEP) + 5), 7, dtype=np.int32)
    some = x[: 1 if rows == 1 else len(x)]
    matmul.multiply(some, packed, offset, y, rows, columns, packed.shape[1])
    assert (y[:rows, :columns] == expected).all()
    assert (y[:, round_up(columns, COLUMN_STEP) :] == 7).all()
    multiply_by(x, packed, offset, y, packed.shape[1])
    assert (y[:rows, :columns] == expected).all()


@pytest.mark.parametrize("precision", [9, 12, 16, 20])
@pytest.mark.parametrize("kind", ["equal", "one", "wide", "huge", "last"])
def test_any_logits_become_frequencies(kind, precision):
    logits = {
        "equal": np.zeros(SYMBOLS),
        "one": np.eye(1, SYMBOLS, 40)[0] * 100_000,
        "wide": np.random.default_rng(0).standard_normal(SYMBOLS) * 10_000,
        "huge": np.linspace(-(2**31) + 1, 2**31 - 1, SYMBOLS),
        "last": np.eye(1, SYMBOLS, 256)[0] * -(2**31),
    }[kind].astype(np.int32)
    row = np.zeros(SYMBOLS, dtype=np.uint32)
    scale = np.full(SYMBOLS, 1 << fp.SHIFT, dtype=np.int32)
    network.to_frequencies(logits.copy(), scale, fp.powers(), row, precision)
    assert row.min() >= 1
    assert int(row.sum()) == 1 << precision
    assert row.tolist() == plain.to_frequencies(logits.tolist(), precision)


@pytest.mark.parametrize("multiplier", [1, 300, 65536, 2**31 - 1])
def test_attention_weights_are_what_plain_integers_say(multiplier):
    rng = np.random.default_rng(multiplier)
    scores = rng.integers(-(1 << 29), 1 << 29, 300).astype(np.int32) >> 10
    scores[7:9] = 1 << 29, -(1 << 29)
    high, low = np.zeros((2, 300), dtype=np.uint8)
    total = attention.weigh(scores.copy(), 300, multiplier, fp.powers(), high, low)
    expected = np.array(plain.attention_weights(scores.tolist(), multiplier))
    assert (256 * high.astype(np.int64) + low == expected).all()
    assert total == expected.sum()
    assert expected.max() == 65535


# -- what is refused -------------------------------------------------------------------------------


def broken(name, changed):
    config, tensors = random_network(0)
    return config, tensors | {name: changed}


NAMES = sorted(random_network(0)[1])


@pytest.mark.parametrize("name", NAMES)
def test_tensors_of_another_shape_or_type_are_refused_before_a_kernel_reads_beyond_them(name):
    tensor = random_network(0)[1][name]
    for changed in (tensor[:-1], tensor[..., None], tensor.astype(np.int64), tensor.astype("f4")):
        with pytest.raises(EquinfoError, match=re.escape(name)):
            IntegerByteModel(*broken(name, changed))


RANGED = ["embed", "sigmoid", "cos", "blocks.0.score", "head.weight", "norm"]


@pytest.mark.parametrize("name", RANGED)
def test_values_outside_their_range_are_refused(name):
    tensor = random_network(0)[1][name]
    lowest = np.full_like(tensor, np.iinfo(tensor.dtype).min)
    with pytest.raises(EquinfoError, match=f"{re.escape(name)} has values outside"):
        IntegerByteModel(*broken(name, lowest))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_tensor_is_named(name):
    config, tensors = random_network(0)
    del tensors[name]
    with pytest.raises(EquinfoError, match=f"lacks {re.escape(name)}"):
        IntegerByteModel(config, tensors)


def test_a_strange_tensor_is_named():
    config, tensors = random_network(0)
    with pytest.raises(EquinfoError, match="strange tensor, bias"):
        IntegerByteModel(config, tensors | {"bias": np.zeros(3, dtype=np.int32)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head_dim": 10}, "multiple of 4"),
        ({"n_layers": 2.0}, "n_layers is 2.0, not an integer"),
        ({"n_layers": 1 << 40}, "n_layers is 1099511627776"),
        ({"d_ff": 0}, "d_ff is 0, not an integer from 1 to 65536"),
        ({"max_context": True}, "max_context is True"),
        ({"max_context": 1 << 16, "n_heads": 1 << 10}, "keep 5632 MiB of each text"),
        ({"n_heads": 1 << 14}, "131072 wide"),
        ({"epsilon": 1 << 45}, "epsilon"),
        ({"bias": 1}, "strange 'bias'"),
        ({"position": "absolute"}, "absolute"),
        ({"activation": "gelu"}, "gelu"),
    ],
)
def test_configurations_that_no_kernel_knows_are_refused(change, message):
    config, tensors = random_network(0)
    with pytest.raises(EquinfoError, match=message):
        IntegerByteModel(config | change, tensors)


def test_sums_that_might_leave_32_bits_are_refused():
    sizes = golden.style("rope", "silu", 4, 1, 4, 60_000)
    config, tensors = random_network(0, n_layers=1, max_context=4, **sizes)
    IntegerByteModel(config, tensors)
    worst = tensors | {"blocks.0.down.weight": np.full((4, 60_000), 127, dtype=np.int8)}
    with pytest.raises(EquinfoError, match=r"down\.weight may reach 2918460000, beyond 32 bits"):
        IntegerByteModel(config, worst)
    bounds = checks.sum_bounds(config | {"max_context": 1 << 17}, tensors)
    assert bounds["values"] > 2**31


def test_bounds_hold_for_the_worst_inputs():
    rng = np.random.default_rng(0)
    w = rng.integers(-127, 128, (40, 64)).astype(np.int8)
    config = {"head_dim": 4, "position": "rope", "max_context": 1}
    bound = checks.sum_bounds(config, {"x.weight": w})["x.weight"]
    _, offset = pack(w)
    for sign in (1, -1):
        sums = 255 * np.maximum(sign * w.astype(np.int64), 0).sum(1)
        assert abs(sign * sums + offset[:40]).max() <= bound


def test_a_kernel_that_errs_is_noticed(monkeypatch):
    def saturating(x, w, offset, y, rows, columns, groups):
        multiply(x, w, offset, y, rows, columns, groups)
        # as 16-bit pairs that saturate would, somewhere
        np.clip(y, -(1 << 15) * 32, (1 << 15) * 31, out=y)

    multiply = matmul.multiply
    monkeypatch.setattr(matmul, "multiply", saturating)
    with pytest.raises(EquinfoError, match="kernels give wrong products"):
        neural_model()


def test_a_float_network_of_earlier_versions_is_to_be_rebuilt():
    with pytest.raises(EquinfoError, match="rebuild it with equinfo train-m1"):
        from_artifact({"model": "neural", "precision": 16, "lm": {}}, {})
