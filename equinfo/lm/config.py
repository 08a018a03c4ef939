"""What a language model is and how it is trained, as frozen values. No torch here."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

from equinfo.errors import EquinfoError, did_you_mean

# d_model, heads, layers, head_dim, d_ff. 3m, 25m to 2b: table 4. The smaller ones are ours, for
# CPUs.
SIZES: dict[str, tuple[int, int, int, int, int]] = {
    "30k": (32, 1, 2, 32, 96),
    "50k": (48, 2, 2, 24, 120),
    "0.1m": (64, 2, 2, 32, 192),
    "0.4m": (128, 4, 2, 32, 384),
    "1m": (160, 5, 3, 32, 448),
    "3m": (256, 4, 3, 64, 1024),
    "10m": (384, 6, 5, 64, 1280),
    "25m": (512, 8, 6, 64, 2048),
    "113m": (768, 12, 12, 64, 3072),
    "403m": (1024, 16, 24, 64, 4096),
    "2b": (2048, 32, 24, 64, 8192),
}


NUM_SPECIAL = 3  # PAD, BOS and EOS end a tokenizer's vocabulary (tokenizers/base.py)


@dataclass(frozen=True)
class DecoderConfig:
    """A pre-norm decoder: RMSNorm, causal attention, gated MLP, no biases, separate output layer.

    position: "rope", or "relative" (learned terms per layer, clipped at `relative_clip` positions
    back; Shaw et al. 2018). activation: of the gated MLP. tied: the output layer shares the
    embedding. period: ids a unit, as the tokenizer says; above 1 an embedding tells the place in
    its unit of the id to come (`Decoder.places`).
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    head_dim: int
    d_ff: int
    position: Literal["rope", "relative"] = "rope"
    activation: Literal["silu", "relu"] = "silu"
    rope_base: float = 10_000.0
    relative_clip: int = 128
    norm_eps: float = 1e-6
    tied: bool = False
    period: int = 1

    @property
    def special(self) -> int:
        """The first special id of a tokenizer's vocabulary; codes are below it."""
        return self.vocab_size - NUM_SPECIAL

    @property
    def inner(self) -> int:
        return self.n_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """The layers' weights, without embeddings and output layer: the paper's count (table 4)."""
        return self.n_layers * (4 * self.d_model * self.inner + 3 * self.d_model * self.d_ff)


def dimensions(size: str) -> tuple[int, int, int, int, int]:
    """The five numbers of a named size; EquinfoError names those that exist."""
    if size not in SIZES:
        known = f"known: {', '.join(SIZES)}"
        raise EquinfoError(f"unknown size {size!r}; {known}{did_you_mean(size, SIZES)}")
    return SIZES[size]


def modern(size: str, vocab_size: int) -> DecoderConfig:
    """RoPE and a gated SiLU MLP, as in Llama."""
    return DecoderConfig(vocab_size, *dimensions(size))


def paper(size: str, vocab_size: int) -> DecoderConfig:
    """Relative attention and a ReLU MLP: the paper's (§3.4), gated as table 4's counts say."""
    return DecoderConfig(vocab_size, *dimensions(size), position="relative", activation="relu")


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move; see lm/optimize.py for what the schedules are.

    clip: the largest norm of all gradients together; 0 for none. z_loss: weight of log(Z)**2.
    weight_decay: of matrices, not of norms and embeddings.
    """

    name: Literal["adamw", "adafactor"] = "adamw"
    schedule: Literal["warmup_decay", "rsqrt"] = "warmup_decay"
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    z_loss: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What the training loop takes, whatever the model: steps, batches, arithmetic.

    Attributes:
        steps: optimiser steps of batch_size sequences of `context` ids (an M1's are bytes).
        batch_size: sequences a step.
        context: ids a sequence; an M1's context restarts after as many at inference.
        short_contexts: for an M1 of windows, which hardly ever has a context: half of each batch's
            sequences are dealt evenly to these lengths and cut into pieces of them, e.g. 32 8.
        seed: of initial weights and order.
        precision: of the products; weights, sums and losses stay float32.
        micro_batches: equal parts of a batch, computed one after another, for less memory.
        checkpoint_blocks: compute activations twice instead of keeping them, for less memory.
        compile: torch.compile the model, for GPUs and long runs (other rounding).
    """

    steps: int = 200
    batch_size: int = 16
    context: int = 256
    short_contexts: tuple[int, ...] = ()
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    micro_batches: int = 1
    checkpoint_blocks: bool = False
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class Training(Loop):
    """One training as a user chooses it; `config` is all that follows from it.

    Attributes:
        size: a named size, e.g. 0.1m, 0.4m, 1m, 3m (the paper's M1), 25m.
        style: modern (RMSNorm, RoPE, AdamW) or paper (relative attention, gated ReLU, Adafactor).
        learning_rate: the peak for modern, the factor before 1/sqrt(step) for paper (which uses
            1.0).
        warmup_steps: steps of warm-up; for paper the step at which the rate begins to fall.
    """

    size: str = "0.4m"
    style: Literal["modern", "paper"] = "modern"
    learning_rate: float = 2e-3
    warmup_steps: int = 20

    @property
    def optimizer(self) -> OptimizerConfig:
        """The one that belongs to the style: AdamW, or Adafactor for paper."""
        chosen = OptimizerConfig()
        if self.style == "paper":
            chosen = OptimizerConfig("adafactor", "rsqrt", z_loss=1e-4)
        return replace(chosen, learning_rate=self.learning_rate, warmup_steps=self.warmup_steps)

    def config(self, vocab_size: int, bos_id: int, period: int = 1) -> "TrainConfig":
        """All of it, for a vocabulary. Raises EquinfoError for what does not exist or fit."""
        styles = {"modern": modern, "paper": paper}
        if self.style not in styles:
            raise EquinfoError(f"unknown architecture {self.style!r}; known: {', '.join(styles)}")
        model = replace(styles[self.style](self.size, vocab_size), period=period)
        loop = {one.name: getattr(self, one.name) for one in fields(Loop)}
        return TrainConfig(model, self.optimizer, bos_id, **loop)

    def but(self, **changes: Any) -> Self:
        """With other values. Raises EquinfoError for a name that is no field."""
        known = [one.name for one in fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise EquinfoError(f"a training has no {unknown[0]!r}; it has {', '.join(known)}")
        short = {"short_contexts": tuple(changes.get("short_contexts", self.short_contexts))}
        return replace(self, **changes | short)


# What train_m1 does unless told otherwise; train_lm does Training().
M1_TRAINING = Training(size="0.1m", steps=500, batch_size=32, learning_rate=4e-3, warmup_steps=40)


@dataclass(frozen=True)
class TrainConfig(Loop):
    """One training in full: model, optimiser and loop. bos_id begins every sequence."""

    model: DecoderConfig
    optimizer: OptimizerConfig
    bos_id: int

    def __post_init__(self) -> None:
        numbers = {"steps": self.steps, "batch_size": self.batch_size, "context": self.context}
        numbers |= {"micro_batches": self.micro_batches, "period": self.model.period}
        for name, value in numbers.items():
            if value < 1:
                raise EquinfoError(f"{name} is {value}: it must be at least 1")
        if self.batch_size % self.micro_batches:
            raise EquinfoError(
                f"batch_size {self.batch_size} does not divide into {self.micro_batches}"
                " micro-batches"
            )
        shares = 2 * len(self.short_contexts)
        if shares and (self.batch_size // self.micro_batches) % shares:
            raise EquinfoError(
                f"{self.batch_size // self.micro_batches} sequences do not divide into {shares}"
                f" parts: choose a batch size for {len(self.short_contexts)} short contexts"
            )
        if any(
            not 1 <= length <= self.context or self.context % length
            for length in self.short_contexts
        ):
            raise EquinfoError(
                f"short_contexts {self.short_contexts} must divide the context, {self.context}"
            )
        if self.short_contexts and self.model.period > 1:
            raise EquinfoError(
                "short_contexts begin amid units: an LM that is told places in units has none"
            )
        if not 0 <= self.bos_id < self.model.vocab_size:
            raise EquinfoError(
                f"bos_id {self.bos_id} is no id of a vocabulary of {self.model.vocab_size}"
            )
        if not 0 < self.optimizer.learning_rate < float("inf"):
            raise EquinfoError(
                f"learning_rate is {self.optimizer.learning_rate}: it must be a positive number"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON values. Fields that came later stay out at their defaults: older trainings keep
        their configuration.
        """
        values = asdict(self)
        if self.model.period == 1:
            del values["model"]["period"]
        short = list(values.pop("short_contexts"))
        return {**values, "short_contexts": short} if short else values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """The inverse of `to_dict`."""
        model, optimizer = DecoderConfig(**values["model"]), OptimizerConfig(**values["optimizer"])
        short = tuple(values.get("short_contexts", ()))
        return cls(**{**values, "model": model, "optimizer": optimizer, "short_contexts": short})
