"""Scales: how large everything is, one value a scale (`SCALE=`)."""

from dataclasses import dataclass, replace
from functools import cached_property

from equinfo.errors import EquinfoError
from experiments.recipes import LM, M1, Stream, Tokens, Training


@dataclass(frozen=True)
class Scale:
    """corpus and bytes for everything; M1's training; M2's trainings (one a size).

    `streams` are the tokenizers that M2s are trained on; `measured` those whose ratios and baselines are measured
    too (tables 1 to 3), on `measured_bytes` of training text.
    """

    name: str
    corpus: str
    train_bytes: int
    validation_bytes: int
    measured_bytes: int
    m1_training: Training
    m2_trainings: tuple[Training, ...]
    vocabulary: int
    gzip: int
    windows: tuple[tuple[int, int], ...]  # (b, v) of the windows that M2s are trained on
    measured: tuple[tuple[str, int, int | None], ...]  # (family, v, b)

    @cached_property
    def m1(self) -> M1:
        return M1(self.corpus, self.train_bytes, self.m1_training)

    def tokens(self, family: str, size: int, bits: int | None = None) -> Tokens:
        m1 = self.m1 if family in ("ac", "equalinfo") else None
        return Tokens(family, size, self.corpus, self.train_bytes, bits, m1)

    @cached_property
    def streams(self) -> list[Stream]:
        """What M2s are trained on, rivals first."""
        plain = [("bytes", 256), *((family, self.vocabulary) for family in ("bpe", "unigram"))]
        plain += [("gzip", self.gzip), ("static-ac", self.vocabulary), ("ac", self.vocabulary)]
        tokens = [self.tokens(family, size) for family, size in plain]
        tokens += [self.tokens("equalinfo", size, bits) for bits, size in self.windows]
        return [Stream(t, self.corpus, self.train_bytes, self.validation_bytes) for t in tokens]

    @cached_property
    def measured_streams(self) -> list[Stream]:
        """Those of `streams`, and the others that only ratios are measured of."""
        known = {stream.tokens for stream in self.streams}
        others = [self.tokens(family, size, bits) for family, size, bits in self.measured]
        small = [Stream(t, self.corpus, self.measured_bytes, self.validation_bytes) for t in others if t not in known]
        return self.streams + small

    @cached_property
    def lms(self) -> list[LM]:
        return [LM(stream, training) for training in self.m2_trainings for stream in self.streams]


_M2_TINY = Training(
    style="modern", size="0.4m", steps=160, batch_size=16, context=256, learning_rate=8e-3, warmup_steps=16
)

TINY = Scale(
    name="tiny",
    corpus="bundled",
    train_bytes=1 << 23,  # all of it
    validation_bytes=1 << 23,
    measured_bytes=1 << 19,
    m1_training=replace(_M2_TINY, size="0.1m", steps=500, batch_size=32, learning_rate=4e-3, warmup_steps=40),
    m2_trainings=(replace(_M2_TINY, size="0.1m"), _M2_TINY),
    vocabulary=4096,
    gzip=256,
    windows=((12, 4096), (24, 4096)),
    measured=(
        ("ac", 256, None),
        ("ac", 65536, None),
        ("static-ac", 256, None),
        ("equalinfo", 256, 16),
        ("equalinfo", 65536, 16),
        ("equalinfo", 256, 32),
        ("equalinfo", 256, 64),
        ("equalinfo", 256, 128),
        ("gzip", 65536, None),
    ),
)

SCALES = {scale.name: scale for scale in (TINY,)}


def scale(name: str) -> Scale:
    """The scale called `name`; EquinfoError names those that exist."""
    if name not in SCALES:
        raise EquinfoError(f"unknown scale {name!r}; known: {', '.join(SCALES)}")
    return SCALES[name]
