"""How long runs take on this device: from its finished rows, or else from a trial of a second or
so.
"""

import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from equinfo.compress.models.base import SYMBOLS
from equinfo.tokenizers.registry import make
from experiments.plan import cost
from experiments.runs.recipes import M1, Latency, Measure, Recipe, Stream, Training
from experiments.runs.rows import Rows

Group = tuple[object, ...]

FROM_ROWS, FROM_TRIAL = "measured from rows", "from a one-second trial"
FROM_SMALLER, ASSUMED, UNKNOWN = "from a smaller size's trial", "assumed: 1 MB/s", "not known yet"
GUESSED = "guessed: too large for a trial"
ASSUMED_BYTES_PER_SECOND = 1e6  # of tokenizers without an M1
STEPS = 4  # of a trial
STEP_SECONDS = 0.25
LONGEST_STEP = 2.0  # expected seconds above which a size has no trial of its own
TRIAL_BYTES, TRIAL_DOCUMENTS = 1 << 14, 64
FIRST_GUESS = {"cpu": 2e10, "cuda": 2e13}  # FLOPs a second, to choose a trial's batch


def groups(recipe: Recipe) -> list[Group]:
    """The groups of runs that a run's speed is like, the closest first."""
    if isinstance(recipe, Stream):
        tokens = recipe.tokens
        return [("Stream", tokens.family, tokens.bits, tokens.size), ("Stream", tokens.family)]
    if isinstance(recipe, Measure):
        return [("Measure", recipe.what, recipe.stream.tokens.family), ("Measure", recipe.what)]
    if isinstance(recipe, Latency):
        return [("Latency",)]
    kind, size = type(recipe).__name__, cost.size_of(recipe)
    return [(kind, size, cost.vocabulary(recipe)), (kind, size), ("LM", size)]


@dataclass
class Speeds:
    """What rows and trials say. training, encoding: (FLOPs a second, source) by M2's and M1's size,
    of trials; rows: sums of (seconds, Cost.amount) by group.
    """

    training: dict[str, tuple[float, str]] = field(default_factory=dict)
    encoding: dict[str, tuple[float, str]] = field(default_factory=dict)
    rows: dict[Group, tuple[float, float]] = field(default_factory=dict)

    def learn(self, recipes: Iterable[Recipe], rows: Rows, device: str) -> None:
        """Take what the rows of this device say of `recipes`, in place of what was known of
        rows.
        """
        self.rows = {}
        for recipe in recipes:
            row = rows.done(recipe)
            if row is None or row.device != device or (isinstance(recipe, M1) and recipe.context):
                continue
            for group in groups(recipe):
                seconds, amount = self.rows.get(group, (0.0, 0.0))
                self.rows[group] = (seconds + row.seconds, amount + cost.cost(recipe).amount)

    def known(self, recipe: Recipe) -> float | None:
        """Seconds a unit, from rows."""
        sums = next((self.rows[group] for group in groups(recipe) if group in self.rows), None)
        return sums and sums[0] / sums[1]

    def estimate(self, recipe: Recipe) -> tuple[float | None, str]:
        """(seconds, source) of all of a run; None where neither rows nor trials say."""
        needed, known = cost.cost(recipe), self.known(recipe)
        if isinstance(recipe, M1) and recipe.context:
            return 0.0, ""  # its training is another's
        if known is not None:
            return known * needed.amount, FROM_ROWS
        if isinstance(recipe, Stream) and recipe.tokens.m1 is None:
            return needed.text / ASSUMED_BYTES_PER_SECOND, ASSUMED
        tried = self.encoding if isinstance(recipe, Stream) else self.training
        rate, source = tried.get(_size(recipe), (None, UNKNOWN))
        return rate and needed.amount / rate, source

    def try_out(self, recipes: Sequence[Recipe], device: str) -> None:
        """Make the trials that `recipes` need where rows say nothing. device: cpu or cuda."""
        unknown = [recipe for recipe in recipes if self.known(recipe) is None]
        m1s = {r.tokens.m1.training for r in unknown if isinstance(r, Stream) and r.tokens.m1}
        self.encoding |= {training.size: (encoding_rate(training), FROM_TRIAL) for training in m1s}
        rate, source = FIRST_GUESS[device], GUESSED
        for recipe in largest_of_each_size(unknown):
            measured = training_rate(cost.training_of(recipe), cost.vocabulary(recipe), rate)
            if measured:
                rate, source = measured, FROM_SMALLER
            self.training[_size(recipe)] = (rate, FROM_TRIAL if measured else source)


def _size(recipe: Recipe) -> str:
    """Of the model that a run trains or, a stream, that its tokenizer runs."""
    m1 = recipe.tokens.m1 if isinstance(recipe, Stream) else None
    return m1.training.size if m1 else cost.size_of(recipe)


def largest_of_each_size(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Of the trainings among `recipes`, the one with the most ids of each size, smallest size
    first.
    """
    found: dict[str, Recipe] = {}
    for recipe in recipes:
        size = cost.size_of(recipe)
        if size and (size not in found or cost.vocabulary(recipe) > cost.vocabulary(found[size])):
            found[size] = recipe
    return sorted(found.values(), key=cost.parameters)


def training_rate(training: Training | None, vocab_size: int, guess: float) -> float | None:
    """FLOPs a second of real training steps on random ids; None where, by the guess, a single one
    takes too long.
    """
    assert training is not None
    sequence = 3 * training.context * cost.forward_flops(training, vocab_size)
    if sequence / guess > LONGEST_STEP:
        return None
    batch = int(
        min(max(guess * STEP_SECONDS / sequence, 1), training.batch_size // training.micro_batches)
    )
    from equinfo.lm.train import train

    short = replace(training, steps=STEPS, batch_size=batch, micro_batches=1)
    ids = np.random.default_rng(0).integers(
        vocab_size, size=STEPS * batch * training.context, dtype=np.uint32
    )
    with tempfile.TemporaryDirectory() as folder:
        train(cost.train_config(short, vocab_size), ids, Path(folder))
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in lines]
    return (
        sequence * batch * (STEPS - 2) / max(seconds[-1] - seconds[1], 1e-3)
    )  # the first steps warm up


def encoding_rate(training: Training) -> float:
    """FLOPs a second of arithmetic coding, with an M1 of this training's size and no training."""
    from equinfo.lm.bridge import to_byte_model
    from equinfo.lm.decoder import Decoder

    drawn = np.random.default_rng(0)
    model = Decoder(cost.train_config(training, SYMBOLS).model).eval()
    m1 = to_byte_model(model, training.context, drawn.integers(256, size=1 << 12))
    tokenizer = make("ac", 256, m1=m1)
    documents = [drawn.bytes(TRIAL_BYTES // TRIAL_DOCUMENTS) for _ in range(TRIAL_DOCUMENTS)]
    tokenizer.encode_batch(documents[:2])  # compiles
    begun = time.perf_counter()
    tokenizer.encode_batch(documents)
    return TRIAL_BYTES * cost.forward_flops(training, SYMBOLS) / (time.perf_counter() - begun)
