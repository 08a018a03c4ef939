"""How fast M2s write: bytes a second, keys and values cached, prompts and tokenizers included."""

import time
from dataclasses import dataclass, field
from typing import Any

from equinfo.errors import EquinfoError
from equinfo.generation import generate
from equinfo.lm.decoder import Decoder
from equinfo.lm.train import load_lm
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from experiments.runs.recipes import LM, Latency, Tokens
from experiments.runs.runner import Runner, trained_folder

PROMPT = 64  # bytes
ROUNDS = 5


@dataclass
class Writer:
    """One M2, and what it has written: (bytes, ids drawn, seconds) of each round."""

    lm: LM
    model: Decoder
    tokenizer: Tokenizer
    max_ids: int
    rounds: list[tuple[int, int, float]] = field(default_factory=list)

    def write(self, prompts: list[bytes], seed: int) -> None:
        """A round: a sample of each prompt, at the model's own temperature."""
        limits = {"context": self.lm.training.context, "max_ids": self.max_ids}
        begun = time.perf_counter()
        made = generate(self.model, self.tokenizer, list(prompts), **limits, seed=seed)
        seconds = time.perf_counter() - begun
        drawn = sum(len(one.ids) for one in made)
        drawn -= sum(map(len, self.tokenizer.encode_batch(prompts)))
        self.rounds.append((sum(len(one.text.encode()) for one in made), drawn, round(seconds, 4)))

    def values(self) -> dict[str, Any]:
        """The first round, in which code is compiled and memory taken, does not count."""
        written, ids, seconds = zip(*self.rounds[1:], strict=True)
        return {
            "key": self.lm.key, "tokenizer": self.tokenizer.name, "size": self.lm.training.size,
            "bytes": written,
            "ids": ids, "seconds": seconds,
        }  # fmt: skip


def run(runner: Runner, recipe: Latency, label: str) -> dict[str, Any]:
    """All writers in turn, round after round, so that what else runs meets them alike."""
    writers = [writer(runner, lm, recipe.text, label) for lm in recipe.lms]
    prompts = beginnings(runner, recipe)
    for number in range(ROUNDS + 1):
        for one in writers:
            runner.check_time()
            one.write(prompts, recipe.seed + number)
    return {"values": {"prompt": PROMPT, "runs": [one.values() for one in writers]}}


def writer(runner: Runner, lm: LM, text: int, label: str) -> Writer:
    """max_ids: as many as hold `text` bytes of validation text."""
    model = load_lm(trained_folder(runner, lm, label))
    ratio = runner.stream(lm.stream, "validation", label).ratio
    return Writer(lm, model, compiled(runner, lm.stream.tokens, label), max(round(text / ratio), 1))


def compiled(runner: Runner, tokens: Tokens, label: str) -> Tokenizer:
    """The tokenizer; windows compiled, where they can be: the same ids without M1."""
    made = runner.tokenizer(tokens, label)
    return made.compile() if isinstance(made, EqualInfoTokenizer) and made.can_compile else made


def beginnings(runner: Runner, recipe: Latency) -> list[bytes]:
    """The first PROMPT bytes of validation documents that have as many, cut at a character."""
    found: list[bytes] = []
    stream = recipe.lms[0].stream
    for document in runner.documents(stream.corpus, "validation", stream.validation_bytes):
        if len(found) == recipe.batch:
            break
        if len(document) >= PROMPT:
            found.append(document[:PROMPT].decode("utf-8", "ignore").encode())
    if not found:
        raise EquinfoError(
            f"{stream.corpus} has no validation document of {PROMPT} bytes: take more text"
        )
    return [found[number % len(found)] for number in range(recipe.batch)]
