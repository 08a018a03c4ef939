"""What a language model is and how it is trained, as frozen values. No torch here."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from equinfo.errors import EquinfoError, did_you_mean
from equinfo.stored import check_bounds, check_types, made

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


LONGEST_CONTEXT = 1 << 20  # ids; positions take memory
# Of DecoderConfig, what came later: left out where it is off, so that older folders stay the same.
LATER: dict[str, Any] = {"period": 1, "bigrams": 0, "shares": False, "canonical": 0}
LATER |= {"depth_capacity": 1.0, "experts": 1, "experts_per_token": 2, "expert_capacity": 2.0}
MOST_EXPERTS = 1 << 12
MLP = ("gate", "up", "down")
NUM_SPECIAL = 3  # PAD, BOS and EOS end a tokenizer's vocabulary (tokenizers/base.py)


@dataclass(frozen=True)
class DecoderConfig:
    """A pre-norm decoder: RMSNorm, causal attention, gated MLP, no biases, separate output layer.

    position: "rope", or "relative" (learned terms per layer, clipped at `relative_clip` positions
    back; Shaw et al. 2018). activation: of the gated MLP. tied: the output layer shares the
    embedding. period: ids a unit, as the tokenizer says; above 1 an embedding tells the place in
    its unit of the id to come (`Decoder.places`). bigrams: rows of an embedding of the last two ids
    (`Decoder.pairs`); 0 for none. shares: before each block the input embedding (of id, place and
    pair) is added once more, times a number that is learned: x = x + share * x0, as nanochat's
    x0_lambdas. canonical: ranges of ids that the tokenizer never writes after another, which then
    get no probability (`lm.canonical`); 0: all ids have some.

    Every other block, from the second on, may be routed (`lm.routing`). depth_capacity: the share
    of a sequence's positions that it computes (mixture of depths); 1: all. experts: MLPs in place
    of its one, of which a position takes experts_per_token (mixture of experts); 1: no choice.
    expert_capacity: in training, how many times its even share of a sequence an expert takes at
    most; 0: all that choose it.
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
    bigrams: int = 0
    shares: bool = False
    canonical: int = 0
    depth_capacity: float = 1.0
    experts: int = 1
    experts_per_token: int = 2
    expert_capacity: float = 2.0

    def __post_init__(self) -> None:
        check_types(self)
        sizes = ("d_model", "n_heads", "n_layers", "head_dim", "d_ff", "period")
        check_bounds(self, 1, *sizes, "rope_base")
        check_bounds(self, 0, "relative_clip", "norm_eps", "vocab_size")  # 0: layers are counted
        check_bounds(self, 0, "bigrams", most=1 << 31)
        check_bounds(self, 0, "canonical")
        if self.position == "rope" and self.head_dim % 2:
            raise EquinfoError(f"head_dim is {self.head_dim}: rope turns pairs, it must be even")
        check_bounds(self, 1, "experts", "experts_per_token", most=MOST_EXPERTS)
        check_bounds(self, 0, "expert_capacity")
        if not 0 < self.depth_capacity <= 1:
            raise EquinfoError(
                f"depth_capacity is {self.depth_capacity:g}: a share of the positions, above 0 and"
                " at most 1"
            )
        if self.experts > 1 and not 2 <= self.experts_per_token <= self.experts:
            raise EquinfoError(
                f"a position cannot take {self.experts_per_token} of {self.experts} experts: 2 at"
                " least, by whose weights the router learns, and as many as there are"
            )
        if self.depth_capacity < 1 and self.position != "rope":
            raise EquinfoError(
                "mixture of depths needs rope: relative attention counts positions that a block"
                " does not see"
            )
        if self.is_routed and self.n_layers == 1:
            raise EquinfoError("every other block is routed, from the second on: 1 layer has none")

    @property
    def special(self) -> int:
        """The first special id of a tokenizer's vocabulary; codes are below it."""
        return self.vocab_size - NUM_SPECIAL

    @property
    def inner(self) -> int:
        return self.n_heads * self.head_dim

    @property
    def is_routed(self) -> bool:
        """Whether every other block chooses positions or experts."""
        return self.depth_capacity < 1 or self.experts > 1

    @property
    def routed_blocks(self) -> range:
        """The numbers of those blocks: 1, 3, ..."""
        return range(1, self.n_layers if self.is_routed else 1, 2)

    @property
    def predictor_width(self) -> int:
        """Of the hidden layer of what says whether a block computes a position."""
        return max(self.d_model // 4, 1)

    @property
    def parameters(self) -> int:
        """The layers' weights, without embeddings and output layer: the paper's count (table 4)."""
        return round(self._weights(self.experts, 1.0))

    def active_parameters(self, taken: float | None = None) -> float:
        """Those that a position passes through, in the mean. taken: the share of positions that
        routed blocks compute; None: depth_capacity.
        """
        share = self.depth_capacity if taken is None else taken
        return self._weights(min(self.experts, self.experts_per_token), share)

    def _weights(self, experts: int, share: float) -> float:
        d = self.d_model
        attention = 4 * d * self.inner
        mlp = 3 * d * self.d_ff
        width = self.predictor_width
        choice = (d + d * width + width) * (self.depth_capacity < 1)
        routed = attention + experts * mlp + d * self.experts * (self.experts > 1)
        count = len(self.routed_blocks)
        return (self.n_layers - count) * (attention + mlp) + count * (choice + share * routed)


# Of what is no weight in `Decoder.state_dict`: NumPy's name of its type, safetensors' name.
INTEGERS = {"canonical.offsets": ("int64", "I64"), "canonical.ranges": ("int32", "I32")}


def mask_weights(mask: tuple[Any, Any]) -> dict[str, Any]:
    """A tokenizer's canonical mask, (offsets, ranges), by its names in the decoder."""
    return dict(zip(INTEGERS, mask, strict=True))


def shapes(config: DecoderConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of each weight of `Decoder.state_dict`, in an order of its own."""
    d = config.d_model
    inner = config.inner
    ff = config.d_ff
    yield "embed.weight", (config.vocab_size, d)
    yield "norm.weight", (d,)
    if not config.tied:
        yield "head.weight", (config.vocab_size, d)
    if config.period > 1:
        yield "place.weight", (config.period, d)
    if config.bigrams:
        yield "pair.weight", (config.bigrams, d)
    if config.shares:
        yield "share.weight", (config.n_layers, 1)
    if config.canonical:
        yield "canonical.offsets", (config.vocab_size + 1,)
        yield "canonical.ranges", (config.canonical, 2)
    block = {"attn_norm": (d,), "q": (inner, d), "k": (inner, d), "v": (inner, d), "o": (d, inner)}
    block |= {"mlp_norm": (d,), "gate": (ff, d), "up": (ff, d), "down": (d, ff)}
    if config.position == "relative":
        block["rel"] = (config.relative_clip + 1, config.head_dim)
    for number in range(config.n_layers):
        here = dict(block)
        if number in config.routed_blocks and config.depth_capacity < 1:
            width = config.predictor_width
            here |= {"depths.router": (1, d)}
            here |= {"depths.hidden": (width, d), "depths.predictor": (1, width)}
        if number in config.routed_blocks and config.experts > 1:
            mlp = {name: here.pop(name) for name in MLP}
            here |= {"experts.router": (config.experts, d)}
            for name, shape in mlp.items():
                yield f"blocks.{number}.experts.{name}", (config.experts, *shape)
        for name, shape in here.items():
            yield f"blocks.{number}.{name}.weight", shape


def check_shapes(
    expected: Iterator[tuple[str, tuple[int, ...]]],
    found: Mapping[str, tuple[int, ...]],
    where: Path | str,
) -> None:
    """Raises EquinfoError where what was `found` in `where` has other names or shapes.

    It ends at the first that is missing: nothing is made of the size that a configuration claims.
    """
    left = dict(found)
    for name, shape in expected:
        if left.pop(name, None) != shape:
            raise EquinfoError(f"the weights in {where} do not fit its configuration: see {name}")
    if left:
        raise EquinfoError(
            f"the weights in {where} do not fit its configuration: it has no {min(left)[:60]!r}"
        )


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
    weight_decay: of matrices, not of norms and embeddings. balance_loss: weight of what keeps
    experts evenly used (`lm.routing.Experts`).
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
    balance_loss: float = 0.01

    def __post_init__(self) -> None:
        check_types(self)


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
        check_types(self)
        check_bounds(self, 1, "steps", "batch_size", "micro_batches")
        check_bounds(self, 1, "context", most=LONGEST_CONTEXT)
        check_bounds(self, 0, "seed")
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
        self._check_routing()
        if not 0 <= self.bos_id < self.model.vocab_size:
            raise EquinfoError(
                f"bos_id {self.bos_id} is no id of a vocabulary of {self.model.vocab_size}"
            )
        if not 0 < self.optimizer.learning_rate < float("inf"):
            raise EquinfoError(
                f"learning_rate is {self.optimizer.learning_rate}: it must be a positive number"
            )

    def _check_routing(self) -> None:
        model = self.model
        shortest = min((self.context, *self.short_contexts))
        if model.depth_capacity * shortest < 1:
            raise EquinfoError(
                f"depth_capacity {model.depth_capacity:g} of a context of {shortest} leaves no"
                f" position: take {1 / shortest:.2g} at least"
            )
        choices = self.context * model.experts_per_token
        if model.experts > 1 and model.expert_capacity and choices % model.experts:
            raise EquinfoError(
                f"{model.experts} experts do not divide the {choices} choices of a context of"
                f" {self.context}: they have no even share (expert_capacity 0 needs none)"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON values. Fields that came later stay out at their defaults: older trainings keep
        their configuration.
        """
        values = asdict(self)
        values["model"] = {n: v for n, v in values["model"].items() if (n, v) not in LATER.items()}
        if values["optimizer"]["balance_loss"] == OptimizerConfig.balance_loss:
            del values["optimizer"]["balance_loss"]
        short = list(values.pop("short_contexts"))
        return {**values, "short_contexts": short} if short else values

    @classmethod
    def from_dict(cls, values: Any) -> "TrainConfig":
        """The inverse of `to_dict`. Raises EquinfoError for what that cannot have written."""
        if not isinstance(values, dict):
            return made(cls, values)
        short = values.get("short_contexts", [])
        parts: dict[str, Any] = {
            "model": made(DecoderConfig, values.get("model")),
            "optimizer": made(OptimizerConfig, values.get("optimizer")),
            "short_contexts": tuple(short) if isinstance(short, list) else short,
        }
        return made(cls, {**values, **parts})
