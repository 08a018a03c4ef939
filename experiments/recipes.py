"""Recipes: frozen values that say all that decides a number. A recipe's key is the hash of its content."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from equinfo.files import content_hash

RECIPE_VERSION = 2
"""Raised when the code changes what a recipe means; rows of another version are ignored and named."""


@dataclass(frozen=True)
class Recipe:
    """What every recipe can do: name itself by content."""

    @cached_property
    def key(self) -> str:
        """16 hex digits of the SHA-256 over version, type and all fields (nested recipes whole)."""
        return content_hash({"version": RECIPE_VERSION, "type": type(self).__name__, "fields": self.to_dict()})[:16]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Training(Recipe):
    """One language model's training. style: "modern" or "paper"; steps of batch_size sequences of `context` ids."""

    style: str
    size: str
    steps: int
    batch_size: int
    context: int
    learning_rate: float
    warmup_steps: int
    seed: int = 0
    precision: str = "float32"

    @property
    def tokens(self) -> int:
        return self.steps * self.batch_size * self.context


@dataclass(frozen=True)
class M1(Recipe):
    """A byte LM trained on the first `train_bytes` bytes (whole documents) of a corpus."""

    corpus: str
    train_bytes: int
    training: Training


@dataclass(frozen=True)
class Tokens(Recipe):
    """A tokenizer. family: bytes, bpe, unigram, gzip, ac, static-ac or equalinfo.

    size: ids in the vocabulary (codes). bits: a window's, for equalinfo. corpus, train_bytes: what it is fitted on.
    """

    family: str
    size: int
    corpus: str
    train_bytes: int
    bits: int | None = None
    m1: M1 | None = None


@dataclass(frozen=True)
class Stream(Recipe):
    """A tokenizer applied to a corpus: training and validation text, whole documents up to so many bytes."""

    tokens: Tokens
    corpus: str
    train_bytes: int
    validation_bytes: int


@dataclass(frozen=True)
class LM(Recipe):
    """An M2 trained on a stream's training part and evaluated on its validation part."""

    stream: Stream
    training: Training


RESEED = 1000
ATTEMPTS = 3


def attempts(recipe: Recipe) -> list[Recipe]:
    """The recipe and, for an M2, what is run where it fails: the same with other seeds, as in the paper (D.1)."""
    if not isinstance(recipe, LM):
        return [recipe]
    return [with_training(recipe, seed=recipe.training.seed + RESEED * number) for number in range(ATTEMPTS)]


def with_training(recipe: LM, **changes: Any) -> LM:
    """The recipe with some of its training's fields changed."""
    return replace(recipe, training=replace(recipe.training, **changes))


def seeds(recipe: LM, count: int) -> list[LM]:
    """The recipe with its own seed and the next ones: `count` in all."""
    return [with_training(recipe, seed=recipe.training.seed + number) for number in range(count)]


def sweep(recipe: LM, learning_rates: Sequence[float]) -> list[LM]:
    """The recipe at each learning rate. To choose among them compare rows' `last_nats`, not what is reported."""
    return [with_training(recipe, learning_rate=rate) for rate in learning_rates]
