"""What the tasks ask, made of a corpus alone: the same text gives the same questions, in order.

A sentence ends at . ! or ? or with its line (a verse of the bundled corpus is one or more). Choices
differ in nothing that counting words, bytes or final marks could tell. Questions stand in the order
of their hash, so that the first ones (harness's `limit`) are from all of the text.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import Any, TypeVar

from datasets import Dataset

from equinfo.corpora import limited, load_corpus, read_units
from equinfo.errors import EquinfoError

T = TypeVar("T")
Example = dict[str, Any]

SENTENCE = re.compile(r"[^\s.!?][^.!?\n]*[.!?]*")
WORD = re.compile(r"[a-z]+")
LAST_WORD = re.compile(r" ([a-z]{3,})[^\w\s]*$")
LONGEST = 200  # bytes of a question and its answer, so that an LM on bytes sees all of it too
READ = 4 << 20  # bytes of a split that are read
DOCUMENTS = 100
QUESTIONS = 1000
CHOICES = 4
SHUFFLED = 5  # words at least


def text(corpus: str = "bundled", **_: Any) -> dict[str, Dataset]:
    """Whole documents: {"text"}."""
    return _dataset(corpus, ({"text": one} for one in _documents(corpus, "validation")), DOCUMENTS)


def cloze(corpus: str = "bundled", **_: Any) -> dict[str, Dataset]:
    """A sentence's last word among three as long and about as frequent in training text (x 2)."""
    return _dataset(corpus, _clozes(corpus), QUESTIONS)


def order(corpus: str = "bundled", **_: Any) -> dict[str, Dataset]:
    """The next sentence among three with its words shuffled, all but the first and the last."""
    return _dataset(corpus, _orders(corpus), QUESTIONS)


def _clozes(corpus: str) -> Iterator[Example]:
    counts = Counter(word for one in _documents(corpus, "train") for word in WORD.findall(one))
    alike: dict[tuple[int, int], list[str]] = defaultdict(list)
    for word in sorted(counts):
        alike[_kind(word, counts)].append(word)
    for before, sentence in _pairs(corpus):
        last = LAST_WORD.search(sentence)
        if last is None:
            continue
        question = before + sentence[: last.start()]
        word = last[1]
        mark = sentence[last.end(1) :]
        others = [other for other in alike[_kind(word, counts)] if other != word]
        others = _mixed(others, question)[: CHOICES - 1]
        if len(others) == CHOICES - 1:
            yield _example(question, f" {word}{mark}", [f" {other}{mark}" for other in others])


def _kind(word: str, counts: Counter[str]) -> tuple[int, int]:
    return counts[word].bit_length(), len(word)


def _orders(corpus: str) -> Iterator[Example]:
    for before, sentence in _pairs(corpus):
        first, *middle, last = sentence.split(" ")
        if len(set(middle)) < SHUFFLED:
            continue
        shuffles = (_mixed(middle, f"{sentence}\0{number}") for number in range(2 * CHOICES))
        changed = (" ".join([first, *one, last]) for one in shuffles if one != middle)
        question = before.rstrip()
        space = before[len(question) :]
        others = [space + other for other in dict.fromkeys(changed)]
        yield _example(question, space + sentence, others[: CHOICES - 1])


def _pairs(corpus: str) -> Iterator[tuple[str, str]]:
    """(a sentence and the white space after it, the next one), at most LONGEST bytes together."""
    for document in _documents(corpus, "validation"):
        for before, after in pairwise(SENTENCE.finditer(document)):
            sentence = after[0].rstrip()
            found = document[before.start() : after.start()], sentence
            if len(sentence.split(" ")) > 1 and len("".join(found).encode()) <= LONGEST:
                yield found


def _example(question: str, answer: str, others: list[str]) -> Example:
    choices = _mixed([answer, *others], question)
    return {"text": question, "choices": choices, "answer": choices.index(answer)}


def _documents(corpus: str, split: str) -> Iterator[str]:
    """Documents that are UTF-8, the first ones of each part of a corpus."""
    parts = load_corpus(corpus).parts
    for part in parts:
        for document in limited(chain.from_iterable(read_units(part(split))), READ // len(parts)):
            try:
                yield document.decode()
            except UnicodeDecodeError:
                continue


def _dataset(corpus: str, examples: Iterable[Example], most: int) -> dict[str, Dataset]:
    """The `most` with the smallest hashes. Raises EquinfoError where there are none."""
    found = sorted(examples, key=lambda example: _digest(example["text"]))[:most]
    if not found:
        raise EquinfoError(
            f"{corpus} has no validation text that makes a question: take another corpus"
        )
    return {"validation": Dataset.from_list(found)}


def _mixed(items: list[str], key: str) -> list[str]:
    """In an order that items and key alone decide."""
    numbered = sorted(enumerate(items), key=lambda pair: _digest(f"{key}\0{pair[0]}\0{pair[1]}"))
    return [item for _, item in numbered]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
