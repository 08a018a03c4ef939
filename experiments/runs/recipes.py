"""Recipes: frozen values that say all that decides a number. A recipe's key hashes its content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from equinfo.compress.models.base import SYMBOLS
from equinfo.files import content_hash
from equinfo.lm import config
from equinfo.tokenizers.base import NUM_SPECIAL, vocabulary_label
from equinfo.tokenizers.registry import FAMILIES

RECIPE_VERSION = 4
"""Raised when the code changes what a recipe means; rows of another version are ignored, named."""
RESEED = 1000
ATTEMPTS = 3
LETTERS = 26


def added(default: Any) -> Any:
    """A field added after rows were made: left out of the content where it holds its default."""
    return field(default=default, metadata={"added": True})


def _plain(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.to_dict()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Recipe:
    """What every recipe can do: name itself by content, and say what its run takes."""

    run_last: ClassVar[bool] = False
    """Whether it is run after all trainings."""
    borrowed: ClassVar[bool] = False
    """Whether its training is another recipe's, so that its run takes no time of its own."""

    @cached_property
    def key(self) -> str:
        """16 hex digits of the SHA-256 over version, type and all fields (nested recipes whole)."""
        return content_hash(
            {"version": RECIPE_VERSION, "type": type(self).__name__, "fields": self.to_dict()}
        )[:16]

    def to_dict(self) -> dict[str, Any]:
        held = [(one, getattr(self, one.name)) for one in fields(self)]
        return {
            one.name: _plain(value)
            for one, value in held
            if not (one.metadata.get("added") and value == one.default)
        }

    def parts(self) -> Iterator["Recipe"]:
        """The recipes inside this one, what a part needs before the part itself."""
        for one in fields(self):
            held = getattr(self, one.name)
            for value in held if isinstance(held, tuple) else (held,):
                if isinstance(value, Recipe):
                    yield from value.parts()
                    yield value

    def m1s(self) -> Iterator["M1"]:
        """The M1s in it, itself included."""
        return (part for part in (*self.parts(), self) if isinstance(part, M1))

    def needs(self) -> Iterator["Recipe"]:
        """The runs whose results its run reads, each after what it needs itself."""
        yield from self._needed_m1s()
        for part in self.parts():
            if isinstance(part, LM):
                yield from part.needs()
                yield part

    def _needed_m1s(self) -> Iterator["Recipe"]:
        for m1 in self.m1s():
            yield from m1.needs()
            yield m1

    def attempts(self) -> list["Recipe"]:
        """What is run until one succeeds."""
        return [self]

    @property
    def folder(self) -> str:
        """Where what its run makes lies in the work folder."""
        return f"{type(self).__name__.lower()}/{self.key}"

    @property
    def trained(self) -> "Training | None":
        """The training that its run is, if it is one."""
        return getattr(self, "training", None)

    @property
    def reads(self) -> "Stream | None":
        """The one stream that its run reads, if there is one."""
        return getattr(self, "stream", None)

    @property
    def model_size(self) -> str:
        return self.trained.size if self.trained else ""

    @property
    def vocab_size(self) -> int:
        """Ids of the model that its run trains; a transduction's and a speller's within a few."""
        return self.reads.tokens.vocab_size if self.reads else 0

    @property
    def title(self) -> str:
        """Its run's name, for people."""
        what = getattr(self, "what", getattr(self, "task", ""))
        tokenizer = self.reads.tokens.name if self.reads else ""
        words = (type(self).__name__, what, tokenizer, self.model_size)
        return " ".join(word for word in words if word)

    @property
    def alike(self) -> list[tuple[object, ...]]:
        """The groups of runs that its run's speed is like, the closest first."""
        kind = type(self).__name__
        size = self.model_size
        return [(kind, size, self.vocab_size), (kind, size), ("LM", size)]


@dataclass(frozen=True, kw_only=True)
class Training(config.Training, Recipe):
    """One language model's training. max_epochs: passes over the stream that the recipe allows.

    d_ff: of its MLPs in place of the size's, where arms are made equal in FLOPs; 0: the size's.
    depth_capacity, experts: of its routed blocks (lm.config.DecoderConfig).
    """

    max_epochs: float = 4.0
    d_ff: int = 0
    depth_capacity: float = 1.0
    experts: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Without what no recipe sets: keys are those of before there was a choice."""
        unset = {"short_contexts": [], "checkpoint_blocks": False, "compile": False, "d_ff": 0}
        unset |= {"depth_capacity": 1.0, "experts": 1}
        held = super().to_dict()
        return {name: held[name] for name in held if name not in unset or held[name] != unset[name]}

    @property
    def tokens(self) -> int:
        return self.steps * self.batch_size * self.context

    def config(self, vocab_size: int, bos_id: int, period: int = 1) -> config.TrainConfig:
        made = super().config(vocab_size, bos_id, period)
        model = replace(made.model, depth_capacity=self.depth_capacity, experts=self.experts)
        return replace(made, model=replace(model, d_ff=self.d_ff or model.d_ff))


@dataclass(frozen=True)
class M1(Recipe):
    """A byte LM trained on the first `train_bytes` bytes (whole documents) of a corpus.

    context: bytes after which it starts anew at inference; 0 for the training's. M1s that differ in
    it alone are one training.
    """

    corpus: str
    train_bytes: int
    training: Training
    context: int = 0

    @property
    def running_context(self) -> int:
        """Bytes after which it starts anew at inference."""
        return self.context or self.training.context

    @property
    def borrowed(self) -> bool:  # type: ignore[override]
        return bool(self.context)

    def needs(self) -> Iterator[Recipe]:
        if self.borrowed:
            yield replace(self, context=0)

    @property
    def folder(self) -> str:
        return f"m1/{replace(self, context=0).key}"

    @property
    def vocab_size(self) -> int:
        return SYMBOLS

    @property
    def title(self) -> str:
        return f"M1 {self.training.size}" + f" (context {self.context})" * self.borrowed


@dataclass(frozen=True)
class Tokens(Recipe):
    """A tokenizer. family: a row of FAMILIES, or "ready" for the one that ships as `ready`.

    size: ids in the vocabulary (codes). corpus, train_bytes: what it is fitted on. bits, rule,
    reset: of equalinfo's windows. text: bytes a window, of equaltext. raw: gzip without header and
    checksum. mode, parse: of codebooks. pretokens, transition: of BPE and Unigram. case: as signs.
    hard: an M2 by whose bits the text's pieces count when a codebook is fitted.
    """

    family: str
    size: int
    corpus: str
    train_bytes: int
    bits: int | None = None
    m1: M1 | None = None
    rule: str = "free"
    reset: int = 1
    text: int = 0
    raw: bool = False
    ready: str = added("")
    mode: str = added("superword")
    parse: str = added("longest")
    pretokens: str = added("words")
    transition: float = added(0.9)
    case: bool = added(False)
    hard: "LM | None" = field(default=None, metadata={"added": True})

    @property
    def vocab_size(self) -> int:
        return self.size + NUM_SPECIAL

    @property
    def options(self) -> dict[str, Any]:
        """What the registry's `make` takes besides size and M1."""
        known = FAMILIES[self.family].options
        return {name: getattr(self, name) for name in known if hasattr(self, name)}

    @property
    def name(self) -> str:
        """The tokenizer's own name, e.g. "EqualInfoAC[b=12,v=4096]", known before there is one."""
        if self.family == "bytes":
            return FAMILIES["bytes"].label
        if self.ready:
            return self.ready
        parts = [vocabulary_label(self.size)]
        if self.family == "equalinfo":
            parts = [f"b={self.bits}", *parts]
            parts += [self.rule] * (self.rule != "free") + [f"reset={self.reset}"] * (
                self.reset != 1
            )
        elif self.family == "equaltext":
            parts = [f"t={self.text}", *parts]
        elif self.family == "codebook":
            parts += [self.mode, *[self.parse] * (self.parse != "longest")]
        elif self.pretokens != "words":
            parts.append(self.pretokens)
        elif self.raw:
            parts.append("raw")
        name = f"{FAMILIES[self.family].label}[{','.join(parts)}]"
        return f"Cased[{name}]" if self.case else name


@dataclass(frozen=True)
class Stream(Recipe):
    """A tokenizer on a corpus: training and validation text, whole documents up to so many bytes.

    corpus: names joined by "+"; after a name "%60" leaves every 60th piece of its training
    documents out, to tune on (runner.pieces). mode: "document", or "block" (§3.3: documents joined
    and cut to 10,240 bytes; M2 sees a block's first ids). stride: bytes from a training block's
    beginning to the next one's; 0 for blocks that do not overlap. split: what M2s are evaluated on,
    "validation", or "tuning": what was left out.
    """

    tokens: Tokens
    corpus: str
    train_bytes: int
    validation_bytes: int
    mode: str = "document"
    stride: int = 0
    split: str = added("validation")

    @property
    def reads(self) -> "Stream":
        return self

    @property
    def folder(self) -> str:
        """Before "-" and the split."""
        return f"streams/{self.key}"

    @property
    def alike(self) -> list[tuple[object, ...]]:
        family = self.tokens.family
        return [("Stream", family, self.tokens.bits, self.tokens.size), ("Stream", family)]


@dataclass(frozen=True)
class LM(Recipe):
    """An M2 trained on a stream's training part and evaluated on its validation part.

    used: its ids are those that the training part holds, and one that stands for all others (see
    renumbered.UsedIds). place: it is told each id's place in its window, where windows are several
    ids. canonical: no probability for what the tokenizer never writes next. bigrams, shares: of
    lm.config.DecoderConfig. start: the LM whose weights it begins with, upcycled where this one has
    experts and that has none; carried: with its optimiser's state as well, which is there where
    that one is `kept`.
    """

    stream: Stream
    training: Training
    used: bool = added(False)
    place: bool = added(False)
    canonical: bool = added(False)
    bigrams: int = added(0)
    shares: bool = added(False)
    start: "LM | None" = field(default=None, metadata={"added": True})
    carried: bool = added(False)
    kept: bool = added(False)

    def needs(self) -> Iterator[Recipe]:
        yield from super().needs()
        yield self.stream

    def attempts(self) -> list[Recipe]:
        """Itself, then the same with other seeds, as in the paper (D.1)."""
        first = self.training.seed
        return [with_training(self, seed=first + RESEED * number) for number in range(ATTEMPTS)]

    @property
    def label(self) -> str:
        """Its tokenizer and size, for people."""
        return f"{self.stream.tokens.name} {self.training.size}" + " told the place" * self.place


@dataclass(frozen=True)
class Positions(Recipe):
    """An M2's accuracy at each position of a window, on validation ids, after some steps (fig 10).

    It trains an LM of its own.
    """

    lm: LM
    steps: tuple[int, ...]

    def needs(self) -> Iterator[Recipe]:
        return self._needed_m1s()

    @property
    def trained(self) -> Training:
        return self.lm.training

    @property
    def reads(self) -> Stream:
        return self.lm.stream


@dataclass(frozen=True)
class Transduction(Recipe):
    """An M2 that reads one form of a text and writes another (§5.2, table 5).

    task: "decompress" (ids, then bytes), "compress" (bytes, then ids), or "control" (the same bytes
    alone); loss and accuracy are of what is written. text_bytes: of an example.
    """

    task: str
    stream: Stream
    training: Training
    text_bytes: int

    @property
    def vocab_size(self) -> int:
        return super().vocab_size + SYMBOLS - 1


@dataclass(frozen=True)
class Spelling(Recipe):
    """An M2 fine-tuned to spell words (fig 13). lm: None for one that was not trained before.

    shared: letters are written with the tokenizer's own ids for single letters, or with ids of
    their own. words: in training and, held out, in validation.
    """

    lm: LM | None
    stream: Stream
    training: Training
    shared: bool
    words: int

    @property
    def vocab_size(self) -> int:
        return super().vocab_size + LETTERS


@dataclass(frozen=True)
class Latency(Recipe):
    """How fast M2s write, all in one run: samples of about `text` bytes, `batch` at once."""

    run_last: ClassVar[bool] = True
    lms: tuple[LM, ...]
    batch: int
    text: int
    seed: int = 0

    @property
    def alike(self) -> list[tuple[object, ...]]:
        return [("Latency",)]


@dataclass(frozen=True)
class Questions(Recipe):
    """An M2 under lm-evaluation-harness: so many questions a task, of its validation text."""

    run_last: ClassVar[bool] = True
    lm: LM
    number: int

    @property
    def reads(self) -> Stream:
        return self.lm.stream


@dataclass(frozen=True)
class Routes(Recipe):
    """Where an M2 that is a mixture of depths spends its compute, on validation text. dense: an M2
    of the same ids, by which it is told what an id is worth.
    """

    run_last: ClassVar[bool] = True
    lm: LM
    dense: LM

    @property
    def reads(self) -> Stream:
        return self.lm.stream


@dataclass(frozen=True)
class Measure(Recipe):
    """What is measured of a tokenizer without an M2; `what` names it (experiments/runs/measures).

    number: how large a sample; its meaning is the measure's.
    """

    what: str
    stream: Stream
    number: int
    seed: int = 0

    @property
    def alike(self) -> list[tuple[object, ...]]:
        return [("Measure", self.what, self.stream.tokens.family), ("Measure", self.what)]


Seeded = TypeVar("Seeded", M1, LM, Transduction)


def with_training(recipe: Seeded, **changes: Any) -> Seeded:
    """The recipe with some of its training's fields changed."""
    return replace(recipe, training=replace(recipe.training, **changes))


def seeds(recipe: Seeded, count: int) -> list[Seeded]:
    """The recipe with its own seed and the next ones, `count` in all; so is what it starts from."""
    return [_numbered(recipe, number) for number in range(count)]


def _numbered(recipe: Any, number: int) -> Any:
    changed = with_training(recipe, seed=recipe.training.seed + number)
    start = getattr(recipe, "start", None)
    return replace(changed, start=_numbered(start, number)) if start else changed


def sweep(recipe: LM, learning_rates: Sequence[float]) -> list[LM]:
    """The recipe at each learning rate; to be compared by `last_nats`, not by what is reported."""
    return [with_training(recipe, learning_rate=rate) for rate in learning_rates]
