"""What codes leave untold: known by hand, by brute force, and nothing where windows decode."""

from collections import defaultdict

import numpy as np
import pytest

from equinfo.compress.models.base import StaticModel, normalise
from equinfo.compress.models.counts import CountModel
from equinfo.compress.windows.windows import WindowCoder
from equinfo.errors import EquinfoError
from experiments.runs.measures import untold

TEXT = (
    b"It is a truth universally acknowledged, that a single man in possession of a good fortune. "
)


def test_a_uniform_model_leaves_untold_what_is_known_by_hand():
    """In 15 bits: a window is two bytes, as wide as half a code's cell, and begins anywhere against
    the cells.

    So a code has a string that lies in it whole, half of its cell, and the parts t / 2 and (1 - t)
    / 2 of two more: 1 + h(t) / 2 bits, for t uniform in [0, 1) 1 + 1 / (4 ln 2) on average.
    """
    found = untold.values(WindowCoder(StaticModel.uniform(), 15, rule="unflushed"), [])
    assert found["window_bits"] == pytest.approx(1 + 1 / (4 * np.log(2)), abs=0.01)
    assert found["byte_bits"] == pytest.approx(found["window_bits"] / 2, rel=0.01)
    assert found["likeliest"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("rule", ["paper", "unflushed", "free"])
def test_endings_are_those_of_the_coder(rule):
    """Every string and every next byte that ends its window, encoded: the same codes, strings and
    entropy.
    """
    model = StaticModel(normalise(np.array([900, 500, 200, 60, 9, *[1] * 251, 0])))
    coder = WindowCoder(model, 9, 6, rule)
    endings = untold.enumerated(coder)
    inside = set(endings.texts)
    shares = model.row[:256] / model.row[:256].sum()
    joint: dict[tuple[int, bytes], float] = defaultdict(float)
    for string in endings.texts:
        texts = [string + bytes([byte]) for byte in range(256)]
        for byte, (codes, lengths) in enumerate(coder.encode_lengths(texts)):
            if texts[byte] not in inside:
                chance = float(np.prod(shares[list(string)])) * shares[byte]
                joint[int(codes[0, 0]), string[: lengths[0]]] += chance
    assert sum(joint.values()) == pytest.approx(1)
    pairs = [
        (code, endings.texts[s])
        for code, s in zip(endings.codes.tolist(), endings.strings, strict=True)
    ]
    assert dict(zip(pairs, endings.chances, strict=True)) == pytest.approx(joint)


def test_what_decodes_leaves_nothing_untold_and_what_does_not_does():
    model = CountModel.train([TEXT] * 20 + [bytes(range(256))], order=2)
    found = {
        rule: untold.values(WindowCoder(model, 12, 20, rule), [TEXT])
        for rule in ("free", "paper", "unflushed")
    }
    assert found["free"]["window_bits"] == found["free"]["text_bits"] == 0
    assert found["free"]["likeliest"] == pytest.approx(1)
    assert 0 < found["paper"]["window_bits"] < found["unflushed"]["window_bits"] < 2


def test_other_rules_are_refused():
    with pytest.raises(EquinfoError, match='rule "delay"'):
        untold.enumerated(WindowCoder(StaticModel.uniform(), 12, rule="delay"))
