"""What a run takes, from its recipe alone: tokens to train on, floating-point operations, text to
encode.
"""

from dataclasses import dataclass

from equinfo.compress.models.base import EOD, SYMBOLS
from equinfo.lm.config import TrainConfig, modern
from equinfo.lm.flops import flops_per_token_exact
from experiments.runs.recipes import (
    LM,
    M1,
    Positions,
    Recipe,
    Spelling,
    Stream,
    Training,
    Transduction,
)

SPECIAL_IDS = 3  # PAD, BOS and EOS
LETTERS = 26


@dataclass(frozen=True)
class Cost:
    """tokens, flops: of training (a backward pass counts as two forward). encoded: FLOPs of M1 over
    a stream's text. text: bytes of a stream.
    """

    tokens: int = 0
    flops: float = 0.0
    encoded: float = 0.0
    text: int = 0

    @property
    def amount(self) -> float:
        """What its time is in proportion to; 1 for a run of which nothing is known."""
        return self.flops or self.encoded or self.text or 1.0


def cost(recipe: Recipe) -> Cost:
    """From the recipe alone: no corpus is read, so text counts as much as the recipe takes at
    most.
    """
    if isinstance(recipe, Stream):
        text = recipe.train_bytes + recipe.validation_bytes
        m1 = recipe.tokens.m1
        return Cost(encoded=text * forward_flops(m1.training, SYMBOLS) if m1 else 0.0, text=text)
    training = training_of(recipe)
    if training is None or (isinstance(recipe, M1) and recipe.context):
        return Cost()
    return Cost(training.tokens, 3 * training.tokens * forward_flops(training, vocabulary(recipe)))


def forward_flops(training: Training, vocab_size: int) -> float:
    """Of one token, every product counted."""
    return flops_per_token_exact(train_config(training, vocab_size).model, training.context)


def train_config(training: Training, vocab_size: int) -> TrainConfig:
    return training.config(vocab_size, min(EOD, vocab_size - 1))


def training_of(recipe: Recipe) -> Training | None:
    """The training that a run is, if it is one."""
    if isinstance(recipe, Positions):
        return recipe.lm.training
    return recipe.training if isinstance(recipe, M1 | LM | Transduction | Spelling) else None


def vocabulary(recipe: Recipe) -> int:
    """Ids of the model that a run trains; a transduction's and a speller's within a few."""
    if isinstance(recipe, M1):
        return SYMBOLS
    stream = recipe.lm.stream if isinstance(recipe, Positions) else recipe.stream  # type: ignore[attr-defined]
    more = {"Transduction": SYMBOLS - 1, "Spelling": LETTERS}.get(type(recipe).__name__, 0)
    return int(stream.tokens.size) + SPECIAL_IDS + more


def size_of(recipe: Recipe) -> str:
    training = training_of(recipe)
    return training.size if training else ""


def parameters(recipe: Recipe) -> int:
    """Of the model that a run trains."""
    return modern(size_of(recipe), SYMBOLS).parameters


def title(recipe: Recipe) -> str:
    """A run's name, for people."""
    if isinstance(recipe, M1):
        return f"M1 {recipe.training.size}" + (
            f" (context {recipe.context})" if recipe.context else ""
        )
    stream = recipe.lm.stream if isinstance(recipe, Positions) else getattr(recipe, "stream", None)
    what = getattr(recipe, "what", getattr(recipe, "task", ""))
    tokens = recipe.tokens if isinstance(recipe, Stream) else stream and stream.tokens
    name = tokens.name if tokens else ""
    return " ".join(word for word in (type(recipe).__name__, what, name, size_of(recipe)) if word)
