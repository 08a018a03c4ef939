"""The model "equinfo": its numbers are a slow oracle's and our own evaluation's, however asked."""

import functools
import math
import random
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from harness_lms import CONTEXT, NAMES, make, requests
from lm_eval import simple_evaluate
from lm_eval.api.model import CachingLM
from lm_eval.api.registry import get_model, model_registry
from lm_eval.tasks import TaskManager

import equinfo
from equinfo.errors import EquinfoError
from equinfo.generation import generate
from equinfo.harness import EquinfoLM
from equinfo.harness.__main__ import with_defaults
from equinfo.harness.joining import common
from equinfo.lm.config import modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import evaluate

VERSE = "In the beginning God created the heaven and the earth."
CUTS = [(0, 9), (6, 13), (13, 26), (20, 21), (24, 54), (10, 10)]
DOCUMENTS = [VERSE, "Grün – зелёный 緑.\n", VERSE * 9, "a", " \n" * 40]


def likelihoods(lm, *pairs):
    return lm.loglikelihood(requests("loglikelihood", *pairs))


def slow(lm, text):
    """log P(ids of text), nats: a pass for each id."""
    ids = [int(i) for i in lm.tokenizer.encode(text)] if text else []
    return sum(slow_id(lm, ids[:at], ids[at])[0] for at in range(len(ids)))


def slow_id(lm, before, one):
    """(log P(one | before), whether it is the likeliest)."""
    logits = logits_after(lm, tuple(before))
    return float(logits.log_softmax(-1)[one]), int(logits.argmax()) == one


@functools.cache
@torch.no_grad()
def logits_after(lm, before):
    return lm.model.logits(torch.tensor([[lm.tokenizer.bos_id, *before]]))[0, -1].double()


# -- loglikelihood ---------------------------------------------------------------------------------


def test_a_continuation_is_what_the_whole_is_more_than_its_context(lm):
    pairs = [(VERSE[:a], VERSE[a:b]) for a, b in CUTS]
    for (a, b), (found, _) in zip(pairs, likelihoods(lm, *pairs), strict=True):
        assert found == pytest.approx(slow(lm, a + b) - slow(lm, a), abs=1e-4)


def test_where_the_ids_of_the_context_are_a_prefix_it_is_the_sum_over_the_ids_after_them(lm):
    seen = 0
    for a in range(1, len(VERSE) - 1):
        before, whole = (lm.tokenizer.encode(text).tolist() for text in (VERSE[:a], VERSE))
        if whole[: len(before)] != before or seen == 5:
            continue
        seen += 1
        steps = [slow_id(lm, whole[:at], whole[at]) for at in range(len(before), len(whole))]
        ((found, greedy),) = likelihoods(lm, (VERSE[:a], VERSE[a:]))
        assert found == pytest.approx(sum(step for step, _ in steps), abs=1e-4)
        assert greedy == all(likeliest for _, likeliest in steps)
    assert seen or lm.tokenizer.name.startswith(("AC", "EqualInfo"))


def test_seams_without_a_prefix_are_in_these_tests():
    """Else they would show nothing. A shortened whole's ids would then not even be those of b."""
    broken = set()
    for name in NAMES:
        tokenizer = make(name).tokenizer
        for a, b in CUTS:
            before, whole = tokenizer.encode(VERSE[:a]), tokenizer.encode(VERSE[:b])
            if a and common(before, whole, tokenizer.unit or 1) < len(before):
                broken.add(name)
    assert broken == set(NAMES) - {"bytes"}


def test_pieces_add_up_however_a_text_is_cut(lm):
    """The chain rule: exact but for rounding, whatever the ids do at the seams."""
    whole = likelihoods(lm, ("", VERSE))[0][0]
    assert whole == pytest.approx(slow(lm, VERSE), abs=1e-4)
    for cuts in ([0, 3, 54], [0, 7, 8, 30, 54], [0, 13, 20, 21, 22, 40, 41, 54], [0, 0, 54, 54]):
        pairs = [(VERSE[:a], VERSE[a:b]) for a, b in pairwise(cuts)]
        assert sum(found for found, _ in likelihoods(lm, *pairs)) == pytest.approx(whole, abs=1e-3)


def test_the_ids_after_the_contexts_number_would_leave_text_out():
    """What harness's own joining does, ids[len(encode(a)):], of a string over the seam."""
    lm, a, b = make("english-16k"), "In the beginn", "ing God"
    before, whole = lm.tokenizer.encode(a), lm.tokenizer.encode(a + b)
    assert not lm.tokenizer.decode(whole[len(before) :]).endswith(b.encode())
    assert likelihoods(lm, (a, b))[0][0] == pytest.approx(slow(lm, a + b) - slow(lm, a), abs=1e-4)


def test_it_may_exceed_zero_where_a_string_is_broken_off():
    """Under nearly equal probabilities, fewer ids are more probable."""
    lm, a, b = make("english-16k"), "In the beginn", "ing"
    assert len(lm.tokenizer.encode(a)) > len(lm.tokenizer.encode(a + b))
    assert likelihoods(lm, (a, b))[0][0] > 0


def test_choices_rank_by_the_probability_of_context_and_choice(lm):
    choices = [" earth.", " waters.", "", " heaven and all", "ly host", ", and", "\n"]
    context = VERSE[:48].rstrip()
    alone = [found for found, _ in likelihoods(lm, *((context, choice) for choice in choices))]
    joint = [found for found, _ in likelihoods(lm, *(("", context + choice) for choice in choices))]
    assert np.argsort(alone).tolist() == np.argsort(joint).tolist()
    assert np.ptp(np.array(joint) - alone) == pytest.approx(0, abs=1e-3)


def test_one_by_one_in_batches_and_in_any_order(lm):
    pairs = [(VERSE[:a], VERSE[a:b]) for a, b in CUTS] + [("", VERSE), (VERSE * 9, VERSE), ("", "")]
    together = likelihoods(lm, *pairs)
    shuffled = random.Random(0).sample(range(len(pairs)), len(pairs))
    assert [
        likelihoods(lm, *(pairs[n] for n in shuffled))[shuffled.index(n)] for n in range(len(pairs))
    ] == together
    for pair, (found, greedy) in zip(pairs, together, strict=True):
        ((one, likeliest),) = likelihoods(lm, pair)
        assert (one, likeliest) == (pytest.approx(found, abs=1e-3), greedy)
    assert together[-1] == (0.0, True)


@pytest.mark.parametrize("name", ["bytes", "english-16k", "compiled-halves"])
def test_of_a_context_that_is_too_long_the_last_ids_are_read(name):
    lm = make(name)
    a, b = (VERSE * 12)[:-6], "earth. And"
    before, whole = lm.tokenizer.encode(a), lm.tokenizer.encode(a + b)
    shared = common(before, whole, lm.tokenizer.unit)
    nats = 0.0
    for ids, sign in ((whole, 1), (before, -1)):
        begin = len(ids) - CONTEXT
        assert 0 < begin < shared
        assert begin % lm.tokenizer.unit == 0
        nats += sign * sum(
            slow_id(lm, ids[begin:at].tolist(), int(ids[at]))[0] for at in range(shared, len(ids))
        )
    assert likelihoods(lm, (a, b))[0][0] == pytest.approx(nats, abs=1e-4)


def test_windows_are_not_cut_where_the_context_is_no_multiple_of_them():
    """A context of 63 holds 31 windows of 2 ids."""
    lm, shorter = make("compiled-halves", 63), make("compiled-halves", 62)
    pair = (VERSE * 12, VERSE)
    assert likelihoods(lm, pair) == likelihoods(shorter, pair)


def test_what_greedy_decoding_writes_is_greedy_and_nothing_else_is():
    """Of a model that writes nothing but ASCII: what may not be drawn is never the likeliest."""
    model = Decoder(modern("30k", 259)).initialise(1)
    model.head.weight.data[128:] = 0
    lm = EquinfoLM(model, "bytes", context=99)
    (written,) = generate(model, "bytes", VERSE, context=99, max_ids=8, temperature=0)
    other = written.text[:-1] + ("~" if written.text[-1] != "~" else "!")
    found = likelihoods(lm, (VERSE, written.text), (VERSE, written.text[:-1]), (VERSE, other))
    assert len(written.text) == 8
    assert [greedy for _, greedy in found] == [True, True, False]


# -- loglikelihood_rolling -------------------------------------------------------------------------


def test_rolling_is_our_evaluation_of_the_document_alone(lm):
    found = lm.loglikelihood_rolling(
        requests("loglikelihood_rolling", *((text,) for text in DOCUMENTS))
    )
    for text, nats in zip(DOCUMENTS, found, strict=True):
        ids, size = np.append(lm.tokenizer.encode(text), lm.tokenizer.eos_id), len(text.encode())
        ours = evaluate(lm.model, ids, size, context=CONTEXT, bos_id=lm.tokenizer.bos_id)
        assert -nats / math.log(2) / size == pytest.approx(ours.bits_per_byte, rel=3e-7)


# -- generate_until --------------------------------------------------------------------------------


def test_generation_is_ours_up_to_a_stop(lm):
    options = {"until": [], "max_gen_toks": 8}
    prompts = [VERSE, "In", VERSE * 9, ""]
    found = lm.generate_until(
        requests("generate_until", *((prompt, options) for prompt in prompts))
    )
    for prompt, text in zip(prompts, found, strict=True):
        (one,) = generate(lm.model, lm.tokenizer, prompt, context=CONTEXT, max_ids=8, temperature=0)
        assert text == one.text
    stop = found[0][2:4] or "x"
    (cut,) = lm.generate_until(
        requests("generate_until", (prompts[0], {"until": stop, "max_gen_toks": 8}))
    )
    assert cut == found[0].partition(stop)[0]


def test_samples_of_one_prompt_differ_and_are_the_same_again():
    lm = make("bytes")
    asked = requests(
        "generate_until", *[(VERSE, {"until": ["\n\n"], "do_sample": True, "max_gen_toks": 12})] * 6
    )
    found = lm.generate_until(asked)
    assert found == lm.generate_until(asked)
    assert len(set(found)) == len(found)


def test_options_that_cannot_be_had_are_refused():
    with pytest.raises(EquinfoError, match="num_beams"):
        make("bytes").generate_until(
            requests("generate_until", ("a", {"until": [], "num_beams": 2}))
        )


# -- at home in harness ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("lm") / "lm"
    equinfo.train_lm(
        out, "bytes", [VERSE.encode()] * 40, size="30k", steps=2, batch_size=2, context=48
    )
    return out


def test_harness_makes_the_model_by_its_name(folder):
    assert get_model("equinfo") is EquinfoLM
    assert "hf" in model_registry
    arguments = f"lm={folder},batch_size=3"
    manager = TaskManager(include_defaults=False)  # lm_eval's own, which knows our tasks
    options = {"tasks": ["equinfo_cloze"], "limit": 3, "bootstrap_iters": 0}
    options["task_manager"] = manager
    found = simple_evaluate(model="equinfo", model_args=arguments, **options)
    assert found["results"]["equinfo_cloze"]["sample_len"] == 3
    assert (found["config"]["tokenizer"], found["config"]["context"]) == ("Bytes", 48)
    made = EquinfoLM.create_from_arg_string(
        arguments, {"device": "cuda:0" if not torch.cuda.is_available() else None}
    )
    again = [list(map(tuple, sample["resps"])) for sample in found["samples"]["equinfo_cloze"]]
    pairs = [pair for sample in found["samples"]["equinfo_cloze"] for pair in sample["arguments"]]
    direct = likelihoods(made, *pairs)
    assert [
        pytest.approx(one, abs=1e-4) for ((one, _),) in (r for sample in again for r in sample)
    ] == [one for one, _ in direct]


def test_harness_caches_what_was_answered(tmp_path):
    lm = make("bytes")
    asked = requests("loglikelihood", ("In the", " beginning"), ("", "God"))
    cached = CachingLM(lm, str(tmp_path / "cache.db"))
    assert cached.loglikelihood(asked) == lm.loglikelihood(asked)
    assert len(cached.dbdict) == 2
    assert cached.loglikelihood(asked[::-1]) == lm.loglikelihood(asked)[::-1]
    cached.dbdict.close()


def test_the_command_line_is_lm_evals_with_our_defaults():
    filled = with_defaults(["--model_args", "lm=lm,tokenizer=bytes", "-b", "8"])
    assert filled[:5] == ["run", "--model_args", "lm=lm,tokenizer=bytes", "-b", "8"]
    assert with_defaults([])[:3] == ["run", "--model", "equinfo"]
    assert filled[5:] == ["--model", "equinfo", "--tasks", "equinfo"]
    assert with_defaults(["ls", "tasks"]) == ["ls", "tasks"]
    assert with_defaults(["run", "--help"]) == ["run", "--help"]


def test_wrong_arguments_are_one_line(folder):
    with pytest.raises(EquinfoError, match="model_args lm=FOLDER"):
        EquinfoLM()
    with pytest.raises(EquinfoError, match=r"trained with Bytes .*, not with Codebook"):
        EquinfoLM(folder, "english-16k")
    with pytest.raises(EquinfoError, match="needs `context`"):
        EquinfoLM(make("bytes").model, "bytes")
    with pytest.raises(EquinfoError, match="batch_size"):
        EquinfoLM(folder, "bytes", batch_size="some")
    with pytest.raises(EquinfoError, match="unknown model_args pretrained"):
        EquinfoLM.create_from_arg_string("pretrained=gpt2")
    assert EquinfoLM(folder, "bytes", batch_size="auto").batch_size > 1


def test_model_args_win_over_harness_own_options(folder):
    made = EquinfoLM.create_from_arg_obj(
        {"lm": folder, "tokenizer": "bytes", "batch_size": 5}, {"batch_size": 1}
    )
    assert made.batch_size == 5


def test_without_the_harness_the_remedy_is_named():
    code = "import sys; sys.modules['lm_eval'] = None; import equinfo.harness"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "equinfo.errors.EquinfoError: equinfo.harness needs lm_eval: pip install 'equinfo[harness]'"
    )
