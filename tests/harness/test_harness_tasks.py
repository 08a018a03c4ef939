"""The tasks ask the same questions everywhere, and nothing but the text tells the answer."""

import hashlib
import json
import math
import socket

import numpy as np
import pytest
from harness_lms import CONTEXT, make
from lm_eval.tasks import TaskManager

from equinfo.corpora import load_corpus
from equinfo.errors import EquinfoError
from equinfo.harness import TASKS, evaluate, task_manager
from equinfo.harness.tasks import FOLDER, examples
from equinfo.lm.evaluate import evaluate as our_evaluate


@pytest.fixture(scope="module")
def validation():
    return [document.decode() for document in load_corpus("bundled").documents("validation")]


@pytest.fixture(scope="module")
def asked():
    return {
        make_.__name__: list(make_()["validation"])
        for make_ in (examples.cloze, examples.order, examples.text)
    }


def test_the_true_choice_is_the_texts_own_and_no_other_is(asked, validation):
    text = "\0".join(validation)
    for name in ("cloze", "order"):
        for one in asked[name]:
            assert one["text"] + one["choices"][one["answer"]] in text
            assert len(set(one["choices"])) == examples.CHOICES
            assert len((one["text"] + one["choices"][0]).encode()) <= examples.LONGEST


def test_choices_are_alike_in_length_and_words(asked):
    for one in asked["cloze"]:
        assert len({len(choice) for choice in one["choices"]}) == 1
        assert len({choice[-1] for choice in one["choices"] if not choice[-1].isalpha()}) <= 1
    for one in asked["order"]:
        words = [choice.split(" ") for choice in one["choices"]]
        assert len({tuple(sorted(some)) for some in words}) == 1
        assert len({(some[0], some[-1]) for some in words}) == 1


def test_answers_stand_anywhere(asked):
    for name in ("cloze", "order"):
        counts = np.bincount([one["answer"] for one in asked[name]], minlength=examples.CHOICES)
        share = 1 / examples.CHOICES
        deviation = math.sqrt(counts.sum() * share * (1 - share))
        assert (abs(counts - counts.sum() * share) < 4 * deviation).all()


def test_whole_documents(asked, validation):
    assert sorted(one["text"] for one in asked["text"]) == sorted(validation)[: examples.DOCUMENTS]


def test_the_questions_are_these(asked):
    """Golden: results are comparable only while they are."""
    found = {
        name: hashlib.sha256(json.dumps(some).encode()).hexdigest()[:16]
        for name, some in asked.items()
    }
    assert found == {
        "cloze": "906238a36976eaba",
        "order": "18e3900391704309",
        "text": "2f086e952c545a8a",
    }


def test_another_corpus_and_one_that_asks_nothing(tmp_path):
    lines = [
        {"text": f"{n}. And all the {n * 7} birds of the air flew over the sea."} for n in range(60)
    ]
    corpus = tmp_path / "birds.jsonl"
    corpus.write_text("\n".join(map(json.dumps, lines)))
    some = examples.order(str(corpus))["validation"]
    assert all(
        one["choices"][one["answer"]].endswith("birds of the air flew over the sea.")
        for one in some
    )
    with pytest.raises(EquinfoError, match=r"birds\.jsonl .*another corpus"):
        examples.cloze(str(corpus))


def test_harness_finds_the_tasks_by_name_and_by_tag():
    for manager in (task_manager(), TaskManager(include_defaults=False, include_path=FOLDER)):
        assert set(manager.match_tasks(list(TASKS))) == set(TASKS)
        assert set(manager.load(["equinfo"])["tasks"]) == set(TASKS)


@pytest.mark.parametrize("name", ["bytes", "codebook-fewest", "compiled-halves"])
def test_harness_and_we_measure_the_same_without_a_network(name, asked, monkeypatch):
    """bits_per_byte is ours over the same documents; accuracies are shares of whole questions."""
    monkeypatch.setattr(
        socket.socket, "connect", lambda *_: pytest.fail("the network was reached for")
    )
    lm, limit = make(name), 4
    found = evaluate(lm, limit=limit)
    nats = total = 0.0
    for one in asked["text"][:limit]:
        data = one["text"].encode()
        ids = np.append(lm.tokenizer.encode(data), lm.tokenizer.eos_id)
        nats += our_evaluate(
            lm.model, ids, len(data), context=CONTEXT, bos_id=lm.tokenizer.bos_id
        ).sum_nats
        total += len(data)
    assert found["equinfo_text"]["bits_per_byte,none"] == pytest.approx(
        nats / math.log(2) / total, abs=1e-6
    )
    for task in ("equinfo_cloze", "equinfo_order"):
        assert found[task]["sample_len"] == limit
        assert found[task]["acc,none"] * limit == pytest.approx(
            round(found[task]["acc,none"] * limit)
        )
