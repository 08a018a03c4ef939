"""The paper's numbers as the figures use them."""

import pytest

from experiments.analysis.figures import STYLES, style_of
from experiments.analysis.paper import counterpart, lookup, points, values
from experiments.scales import SCALES


def test_the_numbers_beside_ours():
    assert lookup("table1", "AC[v=65k]", "token_ratio") == 10.98
    assert lookup("table1", "SentencePiece", "token_ratio") == 4.28
    assert lookup("table1", None, "token_ratio") is None
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


@pytest.mark.parametrize("name", ["cpu", "small"])
def test_what_stands_for_what_of_the_papers(name):
    scale = SCALES[name]
    names = {tokens.name: counterpart(tokens, scale) for tokens in scale.main}
    assert list(names.values()) == [
        "Bytes", None, "SentencePiece", "GZip[v=256]", "GZip[v=65k]", "StaticAC[v=256]",
        "StaticAC[v=65k]",
        "AC[v=256]", "AC[v=65k]", "EqualInfoAC[b=16,v=256]", "EqualInfoAC[b=16,v=65k]",
        "EqualInfoAC[b=16,v=65k]",
    ]  # fmt: skip
    wide = [
        counterpart(scale.window(bits, scale.wide, "paper"), scale)
        for bits in (*scale.windows, scale.between)
    ]
    assert wide == [f"EqualInfoAC[b={bits},v=65k]" for bits in (16, 32, 64, 128, 24)]
    assert counterpart(scale.tokens("ac", 1), scale) is None


def test_at_the_papers_scale_names_are_the_papers():
    scale = SCALES["paper"]
    for tokens in scale.main:
        assert counterpart(tokens, scale) in (
            tokens.name.replace(",paper", ""),
            "SentencePiece",
            None,
        )
