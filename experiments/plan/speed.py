"""How long runs take on this device: from its finished rows, or from a trial of a second or so."""

import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from equinfo.compress.models.base import SYMBOLS
from equinfo.lm.config import modern
from equinfo.tokenizers.registry import make
from experiments.plan.cost import cost, forward_flops, train_config
from experiments.runs.recipes import Recipe, Stream, Training
from experiments.runs.rows import Rows

Group = tuple[object, ...]

FROM_ROWS = "measured from rows"
FROM_TRIAL = "from a one-second trial"
FROM_SMALLER = "from a smaller size's trial"
ASSUMED = "assumed: 1 MB/s"
UNKNOWN = "not known yet"
GUESSED = "guessed: too large for a trial"
ASSUMED_BYTES_PER_SECOND = 1e6  # of tokenizers without an M1
STEPS = 4  # of a trial
STEP_SECONDS = 0.25
LONGEST_STEP = 2.0  # expected seconds above which a size has no trial of its own
TRIAL_BYTES = 1 << 14
TRIAL_DOCUMENTS = 64
FIRST_GUESS = {"cpu": 2e10, "cuda": 2e13}  # FLOPs a second, to choose a trial's batch


@dataclass
class Speeds:
    """What rows and trials say. training, encoding: (FLOPs a second, source) by M2's and M1's size,
    of trials; rows: sums of (seconds, Cost.amount) by group.
    """

    training: dict[str, tuple[float, str]] = field(default_factory=dict)
    encoding: dict[str, tuple[float, str]] = field(default_factory=dict)
    rows: dict[Group, tuple[float, float]] = field(default_factory=dict)

    def learn(self, recipes: Iterable[Recipe], rows: Rows, device: str) -> None:
        """Take what this device's rows say of `recipes`, in place of what was known of rows."""
        self.rows = {}
        for recipe in recipes:
            row = rows.done(recipe)
            if row is None or row.device != device or recipe.borrowed:
                continue
            for group in recipe.alike:
                seconds, amount = self.rows.get(group, (0.0, 0.0))
                self.rows[group] = (seconds + row.seconds, amount + cost(recipe).amount)

    def known(self, recipe: Recipe) -> float | None:
        """Seconds a unit, from rows."""
        sums = next((self.rows[group] for group in recipe.alike if group in self.rows), None)
        return sums and sums[0] / sums[1]

    def estimate(self, recipe: Recipe) -> tuple[float | None, str]:
        """(seconds, source) of all of a run; None where neither rows nor trials say."""
        if recipe.borrowed:
            return 0.0, ""
        needed = cost(recipe)
        known = self.known(recipe)
        if known is not None:
            return known * needed.amount, FROM_ROWS
        if needed.text and not needed.encoded:
            return needed.text / ASSUMED_BYTES_PER_SECOND, ASSUMED
        tried = self.encoding if needed.encoded else self.training
        rate, source = tried.get(needed.size, (None, UNKNOWN))
        return rate and needed.amount / rate, source

    def try_out(self, recipes: Sequence[Recipe], device: str) -> None:
        """Make the trials that `recipes` need where rows say nothing. device: cpu or cuda."""
        unknown = [recipe for recipe in recipes if self.known(recipe) is None]
        m1s = {r.tokens.m1.training for r in unknown if isinstance(r, Stream) and r.tokens.m1}
        self.encoding |= {training.size: (encoding_rate(training), FROM_TRIAL) for training in m1s}
        rate = FIRST_GUESS[device]
        source = GUESSED
        for recipe in largest_of_each_size(unknown):
            assert recipe.trained is not None
            measured = training_rate(recipe.trained, recipe.vocab_size, rate)
            if measured:
                rate = measured
                source = FROM_SMALLER
            self.training[recipe.model_size] = (rate, FROM_TRIAL if measured else source)


def largest_of_each_size(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Of the trainings among `recipes` the one with the most ids of each size, smallest first."""
    found: dict[str, Recipe] = {}
    for recipe in recipes:
        size = recipe.model_size
        if size and (size not in found or recipe.vocab_size > found[size].vocab_size):
            found[size] = recipe
    return sorted(found.values(), key=lambda recipe: modern(recipe.model_size, 0).parameters)


def training_rate(training: Training, vocab_size: int, guess: float) -> float | None:
    """FLOPs a second of training on random ids; None where, by the guess, a step takes too long."""
    sequence = 3 * training.context * forward_flops(training, vocab_size)
    if sequence / guess > LONGEST_STEP:
        return None
    from equinfo.lm.train import train

    most = training.batch_size // training.micro_batches
    batch = int(min(max(guess * STEP_SECONDS / sequence, 1), most))
    short = replace(training, steps=STEPS, batch_size=batch, micro_batches=1)
    ids = np.random.default_rng(0).integers(
        vocab_size, size=STEPS * batch * training.context, dtype=np.uint32
    )
    with tempfile.TemporaryDirectory() as folder:
        train(train_config(short, vocab_size), ids, Path(folder))
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in lines]
    # the first steps warm up
    return sequence * batch * (STEPS - 2) / max(seconds[-1] - seconds[1], 1e-3)


def encoding_rate(training: Training) -> float:
    """FLOPs a second of arithmetic coding, with an M1 of this training's size and no training."""
    from equinfo.lm.bridge import to_byte_model
    from equinfo.lm.decoder import Decoder

    drawn = np.random.default_rng(0)
    model = Decoder(train_config(training, SYMBOLS).model).eval()
    m1 = to_byte_model(model, training.context, drawn.integers(256, size=1 << 12))
    tokenizer = make("ac", 256, m1=m1)
    documents = [drawn.bytes(TRIAL_BYTES // TRIAL_DOCUMENTS) for _ in range(TRIAL_DOCUMENTS)]
    tokenizer.encode_batch(documents[:2])  # compiles
    begun = time.perf_counter()
    tokenizer.encode_batch(documents)
    return TRIAL_BYTES * forward_flops(training, SYMBOLS) / (time.perf_counter() - begun)
