"""What a run takes, from its recipe alone: tokens to train on, FLOPs, text to encode."""

from dataclasses import dataclass, replace

from equinfo.compress.models.base import EOD, SYMBOLS
from equinfo.lm.config import TrainConfig
from equinfo.lm.flops import flops_per_token_exact
from experiments.runs.recipes import Recipe, Stream, Training

STEP = 8  # MLPs are as wide as a multiple of it
LEAST_WIDTH = 32


@dataclass(frozen=True)
class Cost:
    """tokens, flops: of training (a backward pass counts as two forward). encoded: FLOPs of M1 over
    a stream's text. text: bytes of a stream. size: of the model that is trained or, encoding, run.
    """

    tokens: int = 0
    flops: float = 0.0
    encoded: float = 0.0
    text: int = 0
    size: str = ""

    @property
    def amount(self) -> float:
        """What its time is in proportion to; 1 for a run of which nothing is known."""
        return self.flops or self.encoded or self.text or 1.0


def cost(recipe: Recipe) -> Cost:
    """From the recipe alone: no corpus is read, so text counts as much as it takes at most."""
    if isinstance(recipe, Stream):
        text = recipe.train_bytes + recipe.validation_bytes
        m1 = recipe.tokens.m1
        if m1 is None:
            return Cost(text=text)
        encoded = text * forward_flops(m1.training, SYMBOLS)
        return Cost(encoded=encoded, text=text, size=m1.training.size)
    training = recipe.trained
    if training is None or recipe.borrowed:
        return Cost()
    flops = 3 * training.tokens * forward_flops(training, recipe.vocab_size)
    return Cost(training.tokens, flops, size=training.size)


def forward_flops(training: Training, vocab_size: int) -> float:
    """Of one token, every product counted."""
    return flops_per_token_exact(train_config(training, vocab_size).model, training.context)


def widened(training: Training, vocab_size: int, flops: float) -> Training:
    """The training with MLPs so wide that a token takes these FLOPs, as nearly as STEPs allow."""
    narrow, wider = (
        forward_flops(replace(training, d_ff=width), vocab_size) for width in (STEP, 2 * STEP)
    )
    width = STEP + STEP * round((flops - narrow) / (wider - narrow))
    return replace(training, d_ff=max(width, LEAST_WIDTH))


def train_config(training: Training, vocab_size: int) -> TrainConfig:
    return training.config(vocab_size, min(EOD, vocab_size - 1))
