"""The integer M1 in torch: to the bit what NumPy defines, by every product that it may use."""

from math import isqrt

import numpy as np
import pytest
import torch

from benchmarks import golden_networks as golden
from benchmarks import integer_torch as integer
from benchmarks.golden_networks import golden_hash, random_network
from benchmarks.integer_torch import IntegerDecoder
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.errors import EquinfoError
from equinfo.plain import network as plain

STYLES = [golden.style("rope", "silu"), golden.style("relative", "relu", 20)]


def by_torch(config, tensors, symbols):
    return IntegerDecoder(IntegerByteModel(config, tensors)).frequencies(symbols)


def test_golden_hash_by_torch():
    assert golden_hash(by_torch) == golden.HASH


def test_golden_hash_without_products_of_int8(monkeypatch):
    def missing(x, w):
        raise RuntimeError("not implemented for this device")

    monkeypatch.setattr(integer, "int8_product", missing)
    assert golden_hash(by_torch) == golden.HASH


def test_golden_hash_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert golden_hash(by_torch) == golden.HASH


@pytest.mark.parametrize("precision", [9, 20])
@pytest.mark.parametrize("style", STYLES)
def test_torch_agrees_with_numba_on_long_contexts(style, precision):
    """Beyond 518 positions attention's sums no longer fit float32, and are taken in float64."""
    model = IntegerByteModel(*random_network(2, max_context=600, **style), precision)
    symbols = np.random.default_rng(0).integers(0, 257, (2, 600))
    rows = IntegerDecoder(model).frequencies(symbols).numpy()
    assert (rows == model.sequences(symbols)).all()
    expected = plain.frequencies(model.config, model.tensors, symbols[0, :30], precision)
    assert rows[0, :30].tolist() == expected


@pytest.mark.parametrize("rows", [1, 2, 17])
def test_few_rows_go_through_products_of_int8_too(rows):
    rng = np.random.default_rng(rows)
    x = torch.from_numpy(rng.integers(-127, 128, (rows, 24)).astype(np.int8))
    w = torch.from_numpy(rng.integers(-127, 128, (9, 24)).astype(np.int8))
    assert torch.equal(integer.int8_product(x, w), x.long() @ w.long().T)


@pytest.mark.parametrize("size", [1030, 1050, 4000])
def test_floating_point_products_are_exact_as_long_as_their_bound_says(size):
    x, w = torch.full((3, size), 127), torch.full((size, 2), 127)
    x[1], w[0, 1] = -127, 126
    assert torch.equal(integer.exact_product(x, w, size * 127 * 127), x @ w)


def test_roots_are_those_of_integers():
    values = [1, 2, 3, 4, 2**31, 2**52 + 1, (2**31 - 1) ** 2 - 1, (2**31 - 1) ** 2, 2**62 - 1]
    assert integer.integer_root(torch.tensor(values)).tolist() == [isqrt(value) for value in values]


def test_products_that_err_are_noticed(monkeypatch):
    def off(x, w):
        return (x.long() @ w.long().T).clamp(-(2**15), 2**15)

    weight = torch.full((8, 64), 127, dtype=torch.int8)
    monkeypatch.setattr(integer, "int8_product", off)
    assert integer.product_for(weight, weight.device) is not off
    clamped = lambda a, b, bound: (a @ b).clamp(-(2**15), 2**15)  # noqa: E731
    monkeypatch.setattr(integer, "exact_product", clamped)
    with pytest.raises(EquinfoError, match="products of integers wrong"):
        integer.product_for(weight, weight.device)
    with pytest.raises(EquinfoError, match="products of integers wrong"):
        IntegerDecoder(IntegerByteModel(*random_network(0)))
