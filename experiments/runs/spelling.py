"""Spelling: an M2 reads a word's ids and writes its letters (fig 13).

A sequence is [ids of " word"][SEP][letters][END]; letters and END are scored. The vocabulary is the
tokenizer's, then SEP, END and, where letters have ids of their own, a to z.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from itertools import islice
from string import ascii_lowercase
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.sample import Sampling, sample
from equinfo.lm.sequences import Examples, example
from equinfo.lm.train import best_device, load_lm
from equinfo.tokenizers.base import Tokenizer
from experiments.runs.recipes import LM, Spelling
from experiments.runs.runner import Runner, m2_fields, trained_folder
from experiments.runs.words import frequent_words

WORD = re.compile(rb"(?<![\w'-])[a-z]{3,12}(?![\w'-])")
COUNTED = 1 << 26  # bytes of training text in which words are counted
HELD_OUT = 4  # one word in so many is held out, by its hash
BATCH = 256


@dataclass(frozen=True)
class Speller:
    """letters: each letter's ids, int64[n]; vocab_size: all ids, BOS being the tokenizer's."""

    tokenizer: Tokenizer
    letters: dict[str, np.ndarray]
    vocab_size: int
    context: int

    @classmethod
    def over(cls, tokenizer: Tokenizer, shared: bool, context: int) -> "Speller":
        """shared: letters are the tokenizer's own ids for them."""
        first = tokenizer.vocab_size + 2
        if shared:
            ids = tokenizer.encode_batch(list(ascii_lowercase))
            codes = dict(zip(ascii_lowercase, (code.astype(np.int64) for code in ids), strict=True))
            return cls(tokenizer, codes, first, context)
        own = {letter: np.array([first + number]) for number, letter in enumerate(ascii_lowercase)}
        return cls(tokenizer, own, first + len(own), context)

    @property
    def sep(self) -> int:
        return self.tokenizer.vocab_size

    @property
    def end(self) -> int:
        return self.sep + 1

    def prompts(self, words: list[str]) -> list[np.ndarray]:
        """int64[n] of each word: what is read."""
        return [
            np.append(ids.astype(np.int64), self.sep)
            for ids in self.tokenizer.encode_batch([" " + w for w in words])
        ]

    def written(self, word: str) -> np.ndarray:
        return np.concatenate([*(self.letters[letter] for letter in word), [self.end]])

    def rows(self, words: list[str]) -> np.ndarray:
        """int32[words, context]. Raises EquinfoError for a word that does not fit."""
        pairs = zip(self.prompts(words), map(self.written, words), strict=True)
        rows = [example(read, written, self.context) for read, written in pairs]
        if any(row is None for row in rows):
            raise EquinfoError(
                f"a word's ids and letters do not fit {self.context} ids: take a longer context"
            )
        return np.array(rows)

    def spelt(self, model: Decoder, words: list[str]) -> list[np.ndarray]:
        """What the model writes, greedily, until END or the longest word's length."""
        prompts = self.prompts(words)
        longest = max(len(self.written(word)) for word in words)
        steps = max(map(len, prompts)) - min(map(len, prompts)) + longest
        context = self.context + longest
        drawn = sample(
            model, prompts, bos_id=self.tokenizer.bos_id, context=context, sampling=Sampling(0.0)
        )
        columns = np.stack(list(islice(drawn, steps)), axis=1)
        return [row[row >= 0][:longest] for row in columns]


def run(runner: Runner, recipe: Spelling, label: str) -> dict[str, Any]:
    """A speller's training on frequent words, its spelling of those and of words held out."""
    training = recipe.training
    tokenizer = runner.tokenizer(recipe.stream.tokens, label)
    speller = Speller.over(tokenizer, recipe.shared, training.context)
    known, unknown = words(runner, recipe)
    weights = extended(runner, recipe.lm, speller, training.seed, label) if recipe.lm else None
    folder = runner.store.folder(recipe)
    trained = runner.train(
        training, speller.vocab_size, tokenizer.bos_id,
        Examples(speller.rows(known), speller.vocab_size), folder,
        f"{label} {tokenizer.name} spells", initial=weights,
    )  # fmt: skip
    fields = m2_fields(tokenizer, training, trained)
    if trained["status"] != "done":
        return fields
    model = load_lm(folder).to(best_device())
    values: dict[str, Any] = {}
    for name, some in (("held_out", unknown), ("known", known[: len(unknown)])):
        exact, letters = score(runner, speller, model, some)
        share = sum(exact) / len(some)
        values |= {
            f"{name}_words": len(some),
            f"{name}_exact": share,
            f"{name}_letters": letters,
            f"{name}_right": exact,
        }
    return fields | {"values": values | {"train_words": len(known)}}


def score(
    runner: Runner, speller: Speller, model: Decoder, some: list[str]
) -> tuple[list[int], float]:
    """(1 or 0 of each word as spelt exactly, with END; share of letters at their place)."""
    exact = []
    right = 0
    for at in range(0, len(some), BATCH):
        runner.check_time()
        batch = some[at : at + BATCH]
        for word, written in zip(batch, speller.spelt(model, batch), strict=True):
            expected = speller.written(word)
            exact.append(int(np.array_equal(written[: len(expected)], expected)))
            right += right_letters(speller, word, written)
    return exact, right / sum(map(len, some))


def right_letters(speller: Speller, word: str, written: np.ndarray) -> int:
    """How many of a word's letters were written where they belong."""
    ends = np.cumsum([len(speller.letters[letter]) for letter in word])
    return sum(
        np.array_equal(written[end - len(ids) : end], ids)
        for end, ids in zip(ends, (speller.letters[letter] for letter in word), strict=True)
    )


def words(runner: Runner, recipe: Spelling) -> tuple[list[str], list[str]]:
    """(`words` most frequent for training, the held-out among those as frequent): distinct, most
    frequent first.

    Only words whose letters are all lower-case ASCII, 3 to 12 of them.
    """
    stream = recipe.stream
    found = frequent_words(runner, stream.corpus, min(stream.train_bytes, COUNTED), WORD)
    known: list[str] = []
    unknown: list[str] = []
    for word in map(bytes.decode, found):
        if len(known) == recipe.words:
            break
        (unknown if held_out(word) else known).append(word)
    if not known or not unknown:
        raise EquinfoError(f"{stream.corpus} has too few words to hold any out: take more text")
    return known, unknown


def held_out(word: str) -> bool:
    return hashlib.sha256(word.encode()).digest()[0] % HELD_OUT == 0


def extended(
    runner: Runner, lm: LM, speller: Speller, seed: int, label: str
) -> dict[str, np.ndarray]:
    """The LM's weights, with drawn ones for the new ids."""
    old = load_lm(trained_folder(runner, lm, label))
    new = Decoder(replace(old.config, vocab_size=speller.vocab_size)).initialise(seed).state_dict()
    for name, tensor in old.state_dict().items():
        new[name][: len(tensor)] = tensor
    return {name: tensor.numpy() for name, tensor in new.items()}
