"""Cards and beyond: arms that are equal in all but what is asked, by their recipes alone."""

import pytest

from experiments.exhibits import beyond, cards
from experiments.plan.cost import forward_flops
from experiments.scales import SCALES

CPU = SCALES["cpu"]
WIDEST = ("BPE of 8,192", "EqualInfoAC")  # no MLP is thin enough for them


def flops_and_text(arm, lm):
    """(FLOPs/byte, bytes of text in training)."""
    a_token = cards.bytes_a_token(CPU, arm.tokens)
    return forward_flops(lm.training, lm.vocab_size) / a_token, lm.training.tokens * a_token


@pytest.mark.parametrize("name", [name for name in cards.arms(CPU) if name not in WIDEST])
def test_every_card_has_the_flops_and_the_text_of_bpe(name):
    arms = cards.arms(CPU)
    theirs, ours = (flops_and_text(arms[one], cards.card(CPU, arms[one])) for one in ("BPE", name))
    assert ours == pytest.approx(theirs, rel=0.005)


@pytest.mark.parametrize("rung", beyond.rungs(CPU), ids=lambda rung: f"{rung[0].size}-{rung[1]}")
def test_every_rung_has_the_same_flops_and_text_for_all(rung):
    training, text = rung
    for arm in beyond.entrants(CPU):
        flops, seen = flops_and_text(arm, beyond.climb(CPU, arm, training, text))
        assert seen == pytest.approx(text, rel=0.005)
        rival = flops_and_text(
            cards.arms(CPU)["BPE"], beyond.climb(CPU, cards.arms(CPU)["BPE"], *rung)
        )
        assert flops == pytest.approx(rival[0], rel=0.005)


def test_what_is_chosen_by_is_not_what_is_reported():
    assert {lm.stream.split for lm in cards.recipes(CPU)} == {"tuning"}
    assert {lm.stream.split for lm in beyond.recipes(CPU)} == {"validation"}
    assert {lm.stream.corpus for lm in [*cards.recipes(CPU), *beyond.recipes(CPU)]} == {
        CPU.beyond.corpus
    }
    assert all(part.endswith("%60") for part in CPU.beyond.corpus.split("+"))
