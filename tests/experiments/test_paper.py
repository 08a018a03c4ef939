"""The paper's numbers as the figures use them."""

import pytest

from experiments.figures import STYLES, style_of
from experiments.paper import lookup, points, values


def test_the_numbers_beside_ours():
    assert lookup("table1", "AC[v=65k]", "token_ratio") == 10.98
    assert lookup("table1", "Unigram[v=4096]", "token_ratio") == 4.28
    assert lookup("table1", "BPE[v=4096]", "token_ratio") is None
    assert lookup("table3", "EqualInfoAC[b=16,v=256]", "uniform") == 3.008
    assert "cit" in values()["source"] or "Lester" in values()["source"]


def test_every_tokenizer_of_the_papers_has_a_style_and_its_points_agree_with_its_ratios():
    for name, sizes in points().items():
        assert style_of(name)[0].startswith("#")
        for mflops, bits_per_byte, ratio in sizes:
            assert mflops > 0
            assert 0.5 < bits_per_byte < 9
            assert 0.9 < ratio < 12


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("EqualInfoAC[b=12,v=4096]", "EqualInfoAC"),
        ("EqualInfoAC[b=16,v=65k]", "EqualInfoAC"),
        ("EqualInfoAC[b=16,v=256]", "EqualInfoAC, several ids a window"),
        ("EqualInfoAC[b=24,v=4096]", "EqualInfoAC, several ids a window"),
        ("GZip[v=256]", "GZip"),
        ("Bytes", "Bytes"),
    ],
)
def test_one_colour_a_tokenizer(name, family):
    assert style_of(name) == STYLES[family]


def test_colours_differ():
    ours = {name: style for name, style in STYLES.items() if name != "SentencePiece"}
    assert len(set(ours.values())) == len(ours)
