"""Compiled windows against the coder they come from: the same codes, the same texts, rule by
rule.
"""

import numpy as np
import pytest
from byte_models import TableModel, neural_model, peaky_row

from equinfo.compress.models.base import StaticModel
from equinfo.compress.windows.compiled import CompiledWindows
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError

MODELS = {
    "uniform": StaticModel.uniform,
    "peaky": lambda: StaticModel(peaky_row(101)),
    "table": lambda: TableModel.random(seed=3, sharpness=2.0),
    "table-sharp": lambda: TableModel.random(seed=4, sharpness=6.0),
    "table12": lambda: TableModel.random(seed=5, precision=12),
    "neural": lambda: neural_model(seed=1, max_context=16),
}
RULES = ["free", "reserve", "paper"]


def documents(seed: int = 0) -> list[bytes]:
    generator = np.random.default_rng(seed)
    likely = [
        bytes(generator.choice([101, 32, 116, 97], size=n).astype(np.uint8))
        for n in (1, 2, 50, 400)
    ]
    return [
        b"",
        *likely,
        generator.bytes(300),
        b"e" * 500,
        bytes(range(256)),
        b"\0" * 77,
        b"\xff" * 9,
    ]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("name", "bits"),
    [(name, bits) for name in MODELS for bits in (9, 12)] + [("peaky", 8), ("neural", 14)],
)
def test_codes_and_meanings_are_those_of_the_coder(name, bits, rule):
    model, window = MODELS[name](), 12
    coder = WindowCoder(model, bits, window, rule)
    compiled = CompiledWindows.compile(model, bits, window, rule)
    texts = documents()
    for ours, theirs in zip(compiled.encode(texts), coder.encode(texts), strict=True):
        assert (ours == theirs).all()
    codes = list(np.arange(1 << bits)[:, None, None])
    assert compiled.decode(codes) == coder.decode(codes)


@pytest.mark.parametrize("window", [1, 2, 5, 40])
@pytest.mark.parametrize("rule", RULES)
def test_windows_are_as_long_as_the_coders(window, rule):
    model = StaticModel(peaky_row(101))
    texts = documents(1)
    compiled = CompiledWindows.compile(model, 10, window, rule)
    assert compiled.dictionary.longest <= window
    for ours, theirs in zip(
        compiled.encode(texts), WindowCoder(model, 10, window, rule).encode(texts), strict=True
    ):
        assert (ours == theirs).all()


@pytest.mark.parametrize("rule", [*RULES, "rank"])
def test_parts_make_the_same_windows(rule):
    compiled = CompiledWindows.compile(TableModel.random(seed=3), 11, 20, rule)
    again = CompiledWindows.from_parts(*compiled.parts())
    assert all(
        (a == b).all()
        for a, b in zip(compiled.encode(documents()), again.encode(documents()), strict=True)
    )
    assert again.decode(again.encode(documents())) == compiled.decode(compiled.encode(documents()))
    assert (again.bits, again.max_window) == (11, 20)
    for document in documents():
        encoder = again.encoder()
        fed = [encoder.feed(document[at : at + 7]) for at in range(0, len(document), 7)]
        fed.append(encoder.feed(b"", last=True))
        np.testing.assert_array_equal(np.concatenate(fed), again.encode([document])[0])


@pytest.mark.parametrize(
    ("bits", "options", "message"),
    [
        (16, {"rule": "delay"}, "depend on the byte after"),
        (16, {"rule": "unflushed"}, "depend on the byte after"),
        (21, {}, "at most 20"),
        (20, {"memory": 1 << 26}, "takes about 128 MiB, more than the 64 MiB"),
        (9, {"memory": 1 << 16}, "more than 256 strings"),
    ],
)
def test_what_cannot_be_compiled_is_refused(bits, options, message):
    with pytest.raises(EquinfoError, match=message):
        CompiledWindows.compile(StaticModel(peaky_row(101)), bits, 40, **options)


def test_altered_parts_are_refused():
    config, tensors = CompiledWindows.compile(StaticModel.uniform(), 8, 3).parts()
    for name, value in [
        ("lengths", tensors["lengths"] + np.uint16(1)),
        ("codes", tensors["codes"][:-1]),
        ("codes", np.full_like(tensors["codes"], 1 << 21)),
        ("meanings", np.full_like(tensors["meanings"], len(tensors["codes"]))),
        ("meanings", np.zeros(1 << 9, dtype=np.int32)),
    ]:
        with pytest.raises(EquinfoError):
            CompiledWindows.from_parts(config, {**tensors, name: value})
