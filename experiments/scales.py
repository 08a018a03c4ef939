"""Scales: how large everything is, one value a scale (`SCALE=`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from equinfo.errors import EquinfoError
from equinfo.lm.config import DecoderConfig, dimensions, modern
from equinfo.tokenizers.registry import FAMILIES
from experiments.runs import recipes as r
from experiments.runs.recipes import LM, M1, Stream, Tokens, Training


@dataclass(frozen=True)
class Kept:
    """What a side's cards left to be played together: names of an arm, whose tokenizer it is, and
    of cards told to M2; rate, batch: as an arm's (experiment cards).
    """

    tokenizer: str
    told: tuple[str, ...] = ()
    rate: float = 1.0
    batch: float = 1.0

    def __str__(self) -> str:
        parts = [self.tokenizer, *self.told, f"rate x {self.rate:g}", f"batch x {self.batch:g}"]
        return ", ".join(part for part in parts if not part.endswith(" x 1"))


@dataclass(frozen=True)
class Beyond:
    """What experiments cards and beyond compare tokenizers on, beside the paper's questions.

    corpus: with a tuning split (recipes.Stream). fit_bytes: of text that tokenizers are fitted to.
    train_bytes, validation_bytes: of streams. card_bytes: of text that each card's M2 sees. ladder:
    the same of the main runs. ratios: bytes a token of training text, EOS counted, by tokenizer, to
    make arms equal in text and FLOPs; empty: they are not. kept: by side; entrants: of the ladder,
    ours first; none of both until the cards have left them (docs/beyond.md says how).
    """

    corpus: str
    fit_bytes: int
    train_bytes: int
    validation_bytes: int
    card_bytes: int
    ladder: tuple[int, ...]
    ratios: Mapping[str, float] = field(default_factory=dict)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    entrants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scale:
    """What stands for what of the paper's, and how much of it.

    corpus, train_bytes, validation_bytes, mode: of every stream; question_bytes: of training text
    that only single questions need, measured_bytes: where no M2 is trained. m2_trainings: one a
    size, smallest first (the paper's 25m, 113m, 403m, 2b); scaled_steps: theirs where training
    grows with size (fig 15). claim_only: sizes but the smallest are for `claim` alone.
    question_steps: of the smallest M2 where a single question is asked, 0 for figure 3's. products:
    the precision of such M2s and of all others that no M2 of the main claim is compared with; "":
    each training's own. ablation: which of `side` table 9 and appendix A.1 take (in the paper
    403m). rates: learning rate by kind
    (`kind_of`) at the smallest size, chosen by trials of trial_steps steps at each of trial_rates
    (experiment sweep); other sizes take it times the smallest's width over theirs. Empty: each
    training's own. bytes_a_token: by kind, to train on as many bytes as M2s on bytes do. narrow,
    wide: bits of an id, the paper's 8 and 16; windows: its b of 16, 32, 64 and 128; between: its
    24. smaller: (size, learning rate) of M2s below the smallest, for speed at equal bits/byte.
    position_steps: of fig 10's training, 0 for the question's: long windows are learned late.
    large_bytes: of text that M2s of 65,536 ids see, 0 for none (experiment large). block_bytes,
    block_stride, block_steps: of training in blocks (experiment blocks). long_context: the paper's
    10,240 against M1's own 1,024. seeds: of key rows. task_*: of transduction and spelling (table
    5, fig 13). sample: how many words, pairs or examples a measure takes.
    """

    name: str
    summary: str
    corpus: str
    train_bytes: int
    validation_bytes: int
    measured_bytes: int
    m1_training: Training
    long_context: int
    m2_trainings: tuple[Training, ...]
    scaled_steps: tuple[int, ...]
    vocabulary: int
    narrow: int
    wide: int
    windows: tuple[int, ...]
    between: int
    seeds: int
    task_training: Training
    task_bytes: int
    sample: int
    mode: str = "document"
    ablation: int = 0
    position_steps: int = 0
    smaller: tuple[tuple[str, float], ...] = ()
    question_bytes: int = 0
    question_steps: int = 0
    products: Literal["", "float32", "bfloat16"] = ""
    claim_only: bool = False
    rates: Mapping[str, float] = field(default_factory=dict)
    trial_steps: int = 0
    trial_rates: tuple[float, ...] = ()
    bytes_a_token: Mapping[str, float] = field(default_factory=dict)
    large_bytes: int = 0
    block_bytes: int = 0
    block_stride: int = 0
    block_steps: int = 0
    beyond: Beyond | None = None

    @property
    def base(self) -> Training:
        """The smallest M2's (the paper's 25m)."""
        return self.m2_trainings[0]

    @property
    def question(self) -> Training:
        """The smallest M2's where a single question is asked."""
        return self.apart(replace(self.base, steps=self.question_steps or self.base.steps))

    @property
    def has_routes(self) -> bool:
        """Whether M2s may be mixtures of depths, which the paper's relative attention cannot be."""
        return self.base.style != "paper"

    def apart(self, training: Training) -> Training:
        """The training, for M2s that are not compared with those of the main claim."""
        return replace(training, precision=self.products or training.precision)

    @property
    def side(self) -> tuple[Training, ...]:
        """The M2s that a question beside the main result is asked of."""
        return (self.question,) if self.question_steps else self.m2_trainings

    @cached_property
    def m1(self) -> M1:
        return M1(self.corpus, self.train_bytes, self.m1_training)

    @cached_property
    def beyond_m1(self) -> M1 | None:
        """M1 trained on the text of `beyond`."""
        return replace(self.m1, corpus=self.beyond.corpus) if self.beyond else None

    # -- tokenizers --------------------------------------------------------------------------------

    def tokens(self, family: str, width: int, **options: object) -> Tokens:
        """A tokenizer of 2**width ids of this scale's text, over its M1 where it needs one."""
        m1 = self.m1 if FAMILIES[family].needs == "M1" else None
        given: Any = {"m1": m1, **options}
        return Tokens(family, 1 << width, self.corpus, self.train_bytes, **given)

    def window(self, bits: int, width: int, rule: str, reset: int = 1) -> Tokens:
        """EqualInfoAC; reproductions take rule "paper", all else one that decodes."""
        return self.tokens("equalinfo", width, bits=bits, rule=rule, reset=reset)

    @cached_property
    def bytes(self) -> Tokens:
        return self.tokens("bytes", 8)

    @cached_property
    def subwords(self) -> list[Tokens]:
        """BPE, and Unigram for the paper's SentencePiece."""
        return [
            Tokens(family, self.vocabulary, self.corpus, self.train_bytes)
            for family in ("bpe", "unigram")
        ]

    @cached_property
    def codebook(self) -> Tokens:
        return Tokens("codebook", self.vocabulary, self.corpus, self.train_bytes)

    @cached_property
    def widths(self) -> tuple[int, int]:
        return self.narrow, self.wide

    @cached_property
    def gzips(self) -> list[Tokens]:
        """GZip's bytes, as in the paper, and its wide ids."""
        return [self.tokens("gzip", width) for width in (8, self.wide)]

    @cached_property
    def main(self) -> list[Tokens]:
        """The main result's (fig 3), rivals first; windows by the paper's rule, one decodes."""
        first = self.windows[0]
        coded = [
            self.tokens(family, width) for family in ("static-ac", "ac") for width in self.widths
        ]
        windows = [self.window(first, width, "paper") for width in self.widths]
        return [
            self.bytes,
            *self.subwords,
            *self.gzips,
            *coded,
            *windows,
            self.window(first, self.wide, "free"),
        ]

    @cached_property
    def reproduced(self) -> list[Tokens]:
        """Those of the main result that the paper has: without the windows that decode."""
        return [tokens for tokens in self.main if tokens != self.claim[-1]]

    @cached_property
    def claim(self) -> list[Tokens]:
        """Those of the main claim: bytes, BPE, and windows of one id that decode."""
        return [self.bytes, self.subwords[0], self.window(self.windows[0], self.wide, "free")]

    @cached_property
    def contest(self) -> list[Tokens]:
        """The two that it is decided between, with every seed at every size; BPE beside them has
        its seeds at the smallest alone.
        """
        return [self.claim[0], self.claim[-1]]

    def at(self, training: Training) -> list[Tokens]:
        """The tokenizers of the main result that an M2 of this size is trained on."""
        return self.main if training.size == self.base.size or not self.claim_only else self.claim

    def kind_of(self, tokens: Tokens) -> str:
        """What shares a learning rate: a family, or the coded ones of narrow and of wide ids."""
        if tokens.family == "gzip" and tokens.size > 256:
            return "wide gzip"
        if tokens.ready or not FAMILIES[tokens.family].coded:
            return tokens.family
        return "narrow" if tokens.size <= 1 << self.narrow else "wide"

    # -- streams and trainings ---------------------------------------------------------------------

    def stream(self, tokens: Tokens) -> Stream:
        few = self.question_bytes if tokens.m1 is not None and tokens not in self.main else 0
        return Stream(
            tokens, self.corpus, few or self.train_bytes, self.validation_bytes, self.mode
        )

    def short_stream(self, tokens: Tokens) -> Stream:
        """The stream where no M2 is trained on it: less text, unless the whole is there anyway."""
        if tokens in self.main:
            return self.stream(tokens)
        return replace(self.stream(tokens), train_bytes=min(self.measured_bytes, self.train_bytes))

    def lm(self, tokens: Tokens, training: Training | None = None) -> LM:
        """An M2 on a tokenizer's stream, at its rate, in the question's training or another."""
        training = training or self.question
        rate = self.rates.get(self.kind_of(tokens))
        if rate is not None:
            least, width = self.widths_of(training.size)
            training = replace(training, learning_rate=rate * least / width)
        return LM(self.stream(tokens), training)

    def widths_of(self, size: str) -> tuple[int, int]:
        """(the smallest M2's, that size's): rates are carried by their quotient."""
        return dimensions(self.base.size)[0], dimensions(size)[0]

    @cached_property
    def lms(self) -> list[LM]:
        """The main result: every size on every tokenizer that it is for."""
        return [
            self.lm(tokens, training)
            for training in self.m2_trainings
            for tokens in self.at(training)
        ]

    def equal_bytes(self, tokens: Tokens, training: Training) -> LM:
        """As `lm`, on as many bytes of text as `training` on bytes sees."""
        steps = round(training.steps / self.bytes_a_token.get(self.kind_of(tokens), 1.0))
        return self.lm(tokens, replace(training, steps=steps))

    def seeded(self, *runs: r.Seeded) -> list[r.Seeded]:
        """Each of the runs with all the seeds that a claim takes."""
        return [one for run in runs for one in r.seeds(run, self.seeds)]


_TINY = Training(
    style="modern", size="0.1m", steps=40, batch_size=16, context=256, learning_rate=1.6e-2,
    warmup_steps=4,
)  # fmt: skip
_BRIEF = replace(_TINY, steps=16, batch_size=8, warmup_steps=2)

TINY = Scale(
    name="tiny",
    summary="a smoke test of everything, minutes on two cores: too little training for its trends"
    " to mean much",
    corpus="bundled",
    train_bytes=1 << 18,
    validation_bytes=1 << 15,
    measured_bytes=1 << 15,
    m1_training=replace(_TINY, size="30k", steps=100, learning_rate=1e-2, warmup_steps=10),
    long_context=512,
    m2_trainings=(_BRIEF, replace(_BRIEF, size="0.4m", learning_rate=8e-3)),
    claim_only=True,
    scaled_steps=(4, 16),
    beyond=Beyond(
        "bundled%20",
        1 << 18,
        1 << 18,
        1 << 15,
        1 << 14,
        (1 << 14, 1 << 15),
        kept={"superwords": Kept("strict", ("bigrams", "shares"), 0.5, 0.5)},
        entrants=("superwords, together", "BPE", "BPE across words", "Unigram"),
    ),
    vocabulary=2048,
    narrow=6,
    wide=12,
    windows=(12, 24, 48, 96),
    between=18,
    seeds=1,
    task_training=replace(_BRIEF, context=128),
    task_bytes=64,
    sample=10,
    smaller=(("30k", 3.2e-2),),
)

# M1 sees less text than M2s: what it leaves is theirs to learn, in minutes.
DEMO = replace(
    TINY,
    name="demo",
    summary="of `make demo` alone",
    train_bytes=3 << 19,
    m1_training=replace(_TINY, size="30k", steps=100, learning_rate=1e-2, warmup_steps=10),
    m2_trainings=(replace(_TINY, steps=150, warmup_steps=15),),
    vocabulary=2048,
    narrow=8,
)

_CPU = Training(
    style="modern", size="0.4m", steps=2448, batch_size=16, context=256, learning_rate=4e-3,
    warmup_steps=64,
)  # fmt: skip

CPU = Scale(
    name="cpu",
    summary="film reviews on two cores, hours, in pieces; ids of 6 and 12 bits for the paper's 8"
    " and 16",
    corpus="imdb",
    train_bytes=40 << 20,
    validation_bytes=1 << 20,
    measured_bytes=1 << 21,
    question_bytes=24 << 20,
    # as many bytes as an M2 on bytes sees, at an eighth of the size: weak beside M2s, as in the
    # paper
    m1_training=replace(_CPU, size="50k", steps=1280, context=512, learning_rate=1e-2),
    long_context=2048,
    m2_trainings=tuple(replace(_CPU, size=size) for size in ("0.4m", "1m", "3m")),
    claim_only=True,
    question_steps=1224,
    products="bfloat16",
    scaled_steps=(188, 680, 2448),
    trial_steps=640,
    trial_rates=(2e-3, 4e-3, 8e-3, 1.6e-2),
    rates={
        "bytes": 4e-3,
        "bpe": 8e-3,
        "unigram": 8e-3,
        "codebook": 8e-3,
        "gzip": 2e-3,
        "wide gzip": 4e-3,
        "narrow": 8e-3,
        "wide": 8e-3,
    },
    bytes_a_token={"bpe": 3.642, "wide": 2.497},
    vocabulary=4096,
    narrow=6,
    wide=12,
    windows=(12, 24, 48, 96),
    between=18,
    seeds=3,
    task_training=replace(_CPU, steps=2000, batch_size=32, context=128, precision="bfloat16"),
    task_bytes=64,
    sample=100,
    position_steps=2448,
    smaller=(("50k", 1.2e-2), ("0.1m", 8e-3)),
    large_bytes=8 << 20,
    block_bytes=112 << 20,
    block_stride=2048,
    block_steps=9766,  # 40 M ids
    beyond=Beyond(
        "imdb%60+books%60",
        fit_bytes=16 << 20,
        train_bytes=120 << 20,
        validation_bytes=2 << 20,
        card_bytes=10_240_000,
        ladder=(3_200_000, 10_240_000, 32_768_000, 104_857_600),
        ratios={
            "Bytes": 1.000,
            "BPE[v=512]": 2.109,
            "BPE[v=1024]": 2.661,
            "BPE[v=2048]": 3.105,
            "BPE[v=4096]": 3.510,
            "BPE[v=8192]": 3.860,
            "Cased[BPE[v=4096]]": 3.475,
            "BPE[v=4096,superwords]": 3.922,
            "BPE[v=4096,free]": 3.677,
            "Unigram[v=4096]": 3.467,
            "Unigram[v=4096,superwords]": 3.685,
            "Codebook[v=512,superword]": 2.105,
            "Codebook[v=1024,superword]": 2.783,
            "Codebook[v=2048,superword]": 3.382,
            "Codebook[v=4096,superword]": 4.015,
            "Codebook[v=8192,superword]": 4.657,
            "Codebook[v=2048,superword,fewest]": 3.388,
            "Codebook[v=4096,superword,fewest]": 4.024,
            "Codebook[v=4096,superword,likeliest]": 4.015,
            "Codebook[v=4096,strict]": 3.974,
            "Codebook[v=4096,strict,likeliest]": 3.966,
            "BPE[v=8192,superwords]": 4.500,
            "Unigram[v=8192]": 3.815,
            "Cased[Unigram[v=4096]]": 3.452,
            "Cased[BPE[v=4096,superwords]]": 3.957,
            "Codebook[v=4096,aligned]": 3.590,
            "Cased[Codebook[v=4096,superword]]": 4.087,
            "EqualInfoAC[b=12,v=4096]": 2.44,
        },
    ),
)

# The paper warms up for a twentieth of its steps, to a rate of 1 / sqrt(10,000): both are kept.
_SMALL = Training(
    style="paper", size="3m", steps=400, batch_size=128, context=512, learning_rate=0.01 * 20**0.5,
    warmup_steps=20,
    precision="bfloat16",
)  # fmt: skip

SMALL = Scale(
    name="small",
    summary="the paper's b and v on reviews and books: an hour or two of one data-centre GPU, in"
    " pieces",
    corpus="imdb+books",
    train_bytes=64 << 20,
    validation_bytes=2 << 20,
    measured_bytes=1 << 22,
    m1_training=replace(
        _SMALL,
        steps=2000,
        batch_size=64,
        context=1024,
        learning_rate=0.01 * 100**0.5,
        warmup_steps=100,
    ),
    long_context=10_240,
    m2_trainings=tuple(replace(_SMALL, size=size) for size in ("3m", "10m", "25m")),
    scaled_steps=(48, 160, 400),
    vocabulary=32_000,
    narrow=8,
    wide=16,
    windows=(16, 32, 64, 128),
    between=24,
    seeds=3,
    task_training=replace(
        _SMALL, steps=600, learning_rate=0.01 * 30**0.5, warmup_steps=30, context=256
    ),
    task_bytes=128,
    sample=500,
    smaller=(("0.4m", _SMALL.learning_rate), ("1m", _SMALL.learning_rate)),
)

_PAPER = Training(
    style="paper", size="25m", steps=200_000, batch_size=256, context=512, learning_rate=1.0,
    warmup_steps=10_000,
    precision="bfloat16", max_epochs=1.0,
)  # fmt: skip

PAPER = Scale(
    name="paper",
    summary="the paper's own sizes, steps and data (26.2 G ids a run): written down, for whoever"
    " has the machines",
    corpus="hf:allenai/c4:en",
    train_bytes=51_200_000 * 10_240,
    validation_bytes=20 * 256 * 10_240,
    measured_bytes=1 << 30,
    m1_training=replace(_PAPER, size="3m", steps=2_500_000, batch_size=128, context=1024),
    long_context=10_240,
    m2_trainings=tuple(
        replace(_PAPER, size=size, micro_batches=parts)
        for size, parts in (("25m", 1), ("113m", 2), ("403m", 8), ("2b", 32))
    ),
    scaled_steps=(3_000, 11_000, 40_000, 200_000),
    vocabulary=32_000,
    narrow=8,
    wide=16,
    windows=(16, 32, 64, 128),
    between=24,
    seeds=5,
    task_training=replace(_PAPER, context=1024),
    task_bytes=512,
    sample=500,
    mode="block",
    ablation=2,
)

SCALES = {scale.name: scale for scale in (TINY, CPU, SMALL, PAPER)}


def scale(name: str) -> Scale:
    """The scale called `name`; EquinfoError names those that exist."""
    if name not in SCALES:
        raise EquinfoError(f"unknown scale {name!r}; known: {', '.join(SCALES)}")
    return SCALES[name]


def decoder(size: str) -> DecoderConfig:
    """A named size's model without a vocabulary: its dimensions are the same in both styles."""
    return modern(size, 0)
