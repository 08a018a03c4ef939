"""Cards and beyond: arms that are equal in all but what is asked, by their recipes alone."""

from dataclasses import replace

import numpy as np
import pytest
from test_lm_experiments import row, rows_of, verdicts

from experiments.analysis.compare import Results
from experiments.exhibits import beyond, cards
from experiments.plan.cost import forward_flops
from experiments.runs.recipes import seeds
from experiments.scales import SCALES, Kept

CPU = replace(SCALES["cpu"], beyond=replace(SCALES["cpu"].beyond, entrants=cards.SIDES))
WIDEST = ("BPE of 8,192", "Unigram of 8,192", "EqualInfoAC")  # no MLP is thin enough for them


def flops_and_text(arm, lm):
    """(FLOPs/byte, bytes of text in training)."""
    a_token = cards.bytes_a_token(CPU, arm.tokens)
    return forward_flops(lm.training, lm.vocab_size) / a_token, lm.training.tokens * a_token


@pytest.mark.parametrize("name", [name for name in cards.arms(CPU) if name not in WIDEST])
def test_every_card_has_the_flops_and_the_text_of_bpe(name):
    arms = cards.arms(CPU)
    theirs, ours = (flops_and_text(arms[one], cards.card(CPU, arms[one])) for one in ("BPE", name))
    # MLPs are widened in steps of 8: of those that are as thin as bytes' each is 1.4 % of all
    assert ours == pytest.approx(theirs, rel=0.007 if name == "bytes" else 0.005)


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


RIVALS = {"BPE": (3.4, 2.01), "BPE across words": (3.6, 2.0), "Unigram": (3.4, 2.01)}


@pytest.mark.parametrize(
    ("ours", "spread", "expected"),
    [
        ((4.0, 1.995), 0.0002, [True, True]),
        ((4.0, 2.001), 0.0002, [False, True]),  # above the best, though by less than the interval
        ((4.0, 1.999), 0.02, [None, True]),
        ((3.9, 1.995), 0.0002, [True, False]),  # a tenth fewer steps than others, not than the best
    ],
)
def test_what_decides_is_what_the_page_says(tmp_path, ours, spread, expected):
    """ours, RIVALS: bytes a token and bits/byte; spread: of seeds."""
    there = []
    for arm in beyond.entrants(CPU):
        density, value = RIVALS.get(arm.name, ours)
        for number, lm in enumerate(seeds(beyond.claimed(CPU, arm), beyond.SEEDS)):
            there.append(row(lm, density, value + spread * (number - 2)))
    assert verdicts(beyond, rows_of(tmp_path, there), CPU) == expected


def test_each_corpus_has_bits_of_its_own(tmp_path):
    lm = cards.card(CPU, cards.arms(CPU)["BPE"])
    stream = replace(row(lm.stream, 3.5), values={"bytes": [100, 300, 200], "parts": [2, 1]})
    found = replace(row(lm, 3.5, 2.0), values={"nats": [70, 210, 280]})
    results = Results(rows_of(tmp_path, [stream, found]), CPU)
    assert results.by_corpus(lm, [found]) == pytest.approx([0.7 / np.log(2), 1.4 / np.log(2)])


LEFT = Kept("strict", ("canonical", "shares"), 2.0, 0.5)


@pytest.mark.parametrize(
    ("named", "entrants", "expected"),
    [
        ({}, ("superwords",), False),  # what is below 0 was not played together
        ({"superwords": LEFT}, ("superwords, together",), True),
        ({"superwords": LEFT}, ("strict",), False),  # together is better
    ],
)
def test_the_ladder_has_what_the_rule_leaves(tmp_path, named, entrants, expected):
    """Bits/byte by arm; the same number for each seed but a hair."""
    scale = replace(CPU, beyond=replace(CPU.beyond, kept=named, entrants=entrants))
    better = {
        "superwords, shares": 1.9,  # of another tokenizer than the best
        "superwords, bigrams": 1.9,  # likewise
        "strict": 1.95, "strict, canonical": 1.94, "strict, shares": 1.94,
        "superwords, rate x 0.5": 1.98, "superwords, rate x 2": 1.97,
        "superwords, half the batch": 1.99, "superwords, together": 1.8,
    }  # fmt: skip
    there = []
    for arm in cards.arms(scale).values():
        for number, lm in enumerate(scale.seeded(cards.card(scale, arm))):
            there.append(row(lm, 4.0, better.get(arm.name, 2.0) + 0.0002 * (number - 1)))
    results = Results(rows_of(tmp_path, there), scale)
    assert cards.kept(results, "superwords") == LEFT
    assert cards.of_the_rule(results, "superwords").holds is expected
    assert cards.kept(results, "BPE") == Kept("BPE")
    results.rows.by_key.pop(there[0].key)
    assert cards.of_the_rule(results, "superwords").holds is None


def test_no_arm_is_left_before_the_cards_have_run():
    none = replace(CPU, beyond=replace(CPU.beyond, entrants=()))
    assert beyond.recipes(none) == []
    assert cards.recipes(none) == cards.recipes(CPU)


def test_other_seeds_are_other_trainings_on_the_same_ids():
    arms = cards.arms(CPU)
    plain, others = (
        cards.card(CPU, arms[name]) for name in ("superwords", "superwords, other seeds")
    )
    assert plain.stream == others.stream
    assert not {lm.key for lm in CPU.seeded(plain)} & {lm.key for lm in CPU.seeded(others)}
