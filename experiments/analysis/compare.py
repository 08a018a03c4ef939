"""The rows of a scale beside the paper's numbers: lines of tables, samples, and decided trends."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

from experiments.analysis import paper
from experiments.analysis.quantities import (
    Quantity,
    bit_ratio,
    bits_per_byte,
    bits_per_token,
    ratio,
    uniform,
    uniform_with_ends,
    unigram,
)
from experiments.analysis.statistics import Sample, contrast, influence, quotient
from experiments.analysis.tables import Cell, Table, shown
from experiments.runs.recipes import LM, Recipe, Stream
from experiments.runs.rows import Row, Rows
from experiments.scales import Scale

INTERVAL = "95 % intervals over seeds and texts"
WORTH = 0.005
"""Of bits/byte: what a way to train must save at least, so that one that saves nothing fails."""
BESIDE = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "paper's",
    "size, paper", "bytes/token, paper", "bits/byte, paper",
]  # fmt: skip
"""The columns of a table of M2s beside the paper's, under `lines` of these quantities:"""
DENSITY: tuple[Quantity, ...] = (ratio, uniform, bits_per_byte)


@dataclass(frozen=True)
class Trend:
    """Something that must come out. claim: in words; test: how the numbers decide; numbers: those
    that did. holds: None where runs that decide it are missing, or decide nothing.
    """

    claim: str
    test: str
    holds: bool | None
    numbers: str = ""


@dataclass(frozen=True)
class Check:
    """One comparison of a trend. text: its numbers; holds: None where that is undecided."""

    text: str
    holds: bool | None


def lower(
    name: str, left: Sample | None, right: Sample | None, paired: bool = False, by: float = 0.0
) -> Check:
    """Whether left is below right: so where the whole 95 % interval of the difference is.

    by: a fraction of right, at least so far below; it fails where the whole interval is above that.
    """
    if left is None or right is None:
        return not_run(name)
    gap = contrast([(1, left), (-1, right)], paired)
    text = f"{name}: {shown(left.mean)} against {shown(right.mean)}, {gap}"
    off = f" ({gap.estimate / right.mean:+.2%}, asked for {-by:.1%})" if by else ""
    return Check(text + off, gap.below(-by * right.mean))


def near(
    name: str, left: Sample | None, right: Sample | None, tolerance: float, paired: bool = False
) -> Check:
    """Whether left is right's within `tolerance`, a fraction: so where the whole interval is."""
    if left is None or right is None:
        return not_run(name)
    gap = contrast([(1, left), (-1, right)], paired)
    off = f"{gap.estimate / right.mean:+.2%}, tolerance {tolerance:.0%}"
    text = f"{name}: {shown(left.mean)} against {shown(right.mean)}, {gap} ({off})"
    return Check(text, gap.within(tolerance * right.mean))


def not_run(name: str) -> Check:
    return Check(f"{name}: not run yet", None)


def trend(claim: str, test: str, checks: Sequence[Check]) -> Trend:
    """A trend that holds where all checks do, fails where one does, and else is open."""
    verdicts = [check.holds for check in checks]
    holds = False if False in verdicts else None if None in verdicts or not verdicts else True
    said = {True: "", False: " (does not hold)", None: " (open)"}
    return Trend(claim, test, holds, "; ".join(check.text + said[check.holds] for check in checks))


@dataclass(frozen=True)
class Results:
    """What a scale's rows say. A missing row is a gap: None, or an open check."""

    rows: Rows
    scale: Scale

    def done(self, recipe: Recipe) -> Row | None:
        return self.rows.done(recipe)

    def all_done(self, recipes: Iterable[Recipe]) -> list[Row]:
        return self.rows.all_done(recipes)

    def number(self, recipe: Recipe, quantity: Quantity = bits_per_byte) -> float | None:
        return self.numbers(recipe, [quantity])[0]  # type: ignore[return-value]

    def numbers(self, recipe: Recipe, quantities: Iterable[Quantity]) -> list[Cell]:
        row = self.done(recipe)
        return [None if row is None else quantity(row) for quantity in quantities]

    # -- tables ------------------------------------------------------------------------------------

    def table(
        self,
        title: str,
        columns: Sequence[str],
        body: Sequence[Sequence[Cell]],
        note: str = "",
        corpus: str = "",
    ) -> Table:
        """corpus: by default the scale's."""
        where = f"{self.scale.name}, {corpus or self.scale.corpus}"
        return Table(f"{title} ({where})", columns, body, note)

    def lines(
        self,
        lms: Iterable[LM],
        quantities: Sequence[Quantity],
        theirs: Callable[[LM], Sequence[Cell]] = lambda lm: (),
        known: Callable[[LM], Sequence[Cell]] = lambda lm: (),
    ) -> list[list[Cell]]:
        """A line a run: tokenizer, size, what else is `known` of it, `quantities`, the paper's."""
        return [
            [
                lm.stream.tokens.name,
                lm.training.size,
                *known(lm),
                *self.numbers(lm, quantities),
                *theirs(lm),
            ]
            for lm in lms
        ]

    def stream_lines(
        self, streams: Iterable[Stream], quantities: Sequence[Quantity], table: str, *fields: str
    ) -> list[list[Cell]]:
        """A line a stream: tokenizer, `quantities`, the paper's name for it, and `table`'s `fields`
        (or its number, where they are none).
        """
        body = []
        for stream in streams:
            name = paper.counterpart(stream.tokens, self.scale)
            theirs = [paper.lookup(table, name, field) for field in fields]
            theirs = theirs or [paper.lookup(table, name)]
            body.append([stream.tokens.name, *self.numbers(stream, quantities), name, *theirs])
        return body

    def spread(self, recipes: Sequence[LM]) -> list[Cell]:
        """[e.g. "3 of 5" done, mean, standard deviation] of one run's bits/byte over seeds."""
        values = [row.bits_per_byte for row in self.all_done(recipes)]
        deviation = stdev(values) if len(values) > 1 else None
        return [f"{len(values)} of {len(recipes)}", mean(values) if values else None, deviation]

    def missing(self, lms: Iterable[LM]) -> list[str]:
        """What a figure says it lacks: a run, or the first and how many more (names are long)."""
        names = [lm.label for lm in lms if self.done(lm) is None]
        return names if len(names) < 2 else [names[0], f"{len(names) - 1} more"]

    def missing_tokenizers(self, recipes: Iterable[Recipe]) -> list[str]:
        missing = [recipe for recipe in recipes if self.done(recipe) is None]
        return [recipe.reads.tokens.name for recipe in missing if recipe.reads]

    # -- the paper's -------------------------------------------------------------------------------

    def counterpart(self, lm: LM) -> tuple[str | None, str | None]:
        """The paper's names of the tokenizer and of the size that one of our runs stands for."""
        tokens = paper.counterpart(lm.stream.tokens, self.scale)
        return tokens, paper.size(lm.training, self.scale)

    def their_number(self, lm: LM, field: str) -> float | None:
        """Of table 15 or 16: the paper's run that one of ours stands for."""
        tables = ("fig3_table15", "fig5_table16")
        found = [paper.lookup(table, *self.counterpart(lm), field) for table in tables]
        return found[1] if found[0] is None else found[0]

    def theirs(self, lm: LM) -> list[Cell]:
        """[tokenizer, size, bytes/token, bits/byte] of the paper's: BESIDE's last columns."""
        name, size = self.counterpart(lm)
        per_token = paper.lookup("table12", name, "ratio")
        return [name, size, per_token, self.their_number(lm, "bits_per_byte")]

    # -- samples -----------------------------------------------------------------------------------

    def trained(self, lm: LM, per: str = "bytes", alone: bool = False) -> Sample | None:
        """An LM's bits/byte (per "bytes") or bits an id (per "codes") over the scale's seeds; None
        unless all have run.

        alone: this one run's, for what can be said of one: only its texts are sampled.
        """
        done = self.all_done([lm] if alone else self.scale.seeded(lm))
        if len(done) < (1 if alone else self.scale.seeds):
            return None
        quantity = bits_per_byte if per == "bytes" else bits_per_token
        values = np.array([quantity(row) for row in done])
        texts = self.documents(lm).get(per)
        nats = [row.values.get("nats", []) for row in done]
        if texts is None or any(len(found) != len(texts) for found in nats):
            return Sample(values, certain=alone)
        parts = self.parts(lm)
        edges = np.cumsum(parts)[:-1].astype(int)
        shares = np.split(texts / texts.sum(), edges)
        # Proportions only: whole nats, and blocks' first ids, do not add up to the row's sum. Each
        # corpus has its own bits/byte, and its share of the bytes, about which texts vary.
        pulls = [
            value * np.concatenate([
                share.sum() * influence(over, share)
                for over, share in zip(np.split(np.divide(n, sum(n)), edges), shares, strict=True)
            ])
            for value, n in zip(values, nats, strict=True)
        ]  # fmt: skip
        return Sample(values, np.mean(pulls, axis=0), certain=alone, parts=parts)

    def parts(self, lm: LM) -> tuple[int, ...]:
        """How many validation documents are of each corpus; () of one."""
        row = self.done(lm.stream)
        return () if row is None else tuple(row.values.get("parts", ()))

    def by_corpus(self, lm: LM, rows: Sequence[Row]) -> list[float]:
        """Bits/byte on each corpus of the LM's text, the mean of the rows; [] where unknown."""
        edges = np.cumsum((0, *self.parts(lm)[:-1]))
        if len(edges) < 2 or not rows:
            return []
        sizes = np.add.reduceat(self.documents(lm)["bytes"], edges)
        nats = np.mean([np.add.reduceat(row.values["nats"], edges) for row in rows], axis=0)
        return (nats / math.log(2) / sizes).tolist()

    def over_texts(
        self, seeds: Sequence[Recipe], values: Callable[[Row], Sequence[float]]
    ) -> Sample | None:
        """The mean of the texts' `values` over seeds and texts; None unless all seeds have run."""
        done = self.all_done(seeds)
        if len(done) < len(seeds):
            return None
        found = np.array([values(row) for row in done], dtype=np.float64)  # [seeds, texts]
        return Sample(found.mean(1), influence(found.mean(0), np.ones(found.shape[1])))

    def documents(self, recipe: LM | Stream) -> dict[str, np.ndarray]:
        """Of each validation document float64[documents] of what there is: "bytes", "codes", and
        "unigram", its nats by the training text's frequencies. Of an LM in blocks all are alike: as
        many ids are scored of each.
        """
        row = self.done(recipe)
        names = ("bytes", "codes", "unigram")
        if row is not None and row.blocks:
            return dict.fromkeys(names, np.ones(len(row.values.get("nats", []))))
        row = self.done(recipe.stream if isinstance(recipe, LM) else recipe)
        kept = {} if row is None else row.values
        return {name: np.array(kept[name], dtype=np.float64) for name in names if name in kept}

    def coded(self, recipe: LM | Stream, quantity: Quantity) -> Sample | None:
        """A quantity that its stream alone decides: of `quantities` a ratio or a line."""
        row = self.done(recipe.stream if quantity is unigram and isinstance(recipe, LM) else recipe)
        if row is None:
            return None
        value = np.array([quantity(row)])
        texts = self.documents(recipe)
        over, under = ("bytes", "codes") if quantity in (ratio, bit_ratio) else ("codes", "bytes")
        over = "unigram" if quantity is unigram else over
        if over not in texts or under not in texts:
            return Sample(value, certain=True)
        pulls = influence(texts[over] / texts[over].sum(), texts[under] / texts[under].sum())
        return Sample(value, value * pulls, certain=True)

    def m1_alone(self) -> Sample | None:
        """Bits/byte of M1 alone on the M2s' validation text: one M1, so no seeds are sampled."""
        row = self.done(self.scale.m1)
        if row is None:
            return None
        sizes = self.documents(self.scale.stream(self.scale.bytes)).get("bytes", np.empty(0))
        nats = row.values.get("nats", [])
        if not 0 < len(sizes) <= len(nats):
            return Sample(np.array([bits_per_byte(row)]), certain=True)
        # it may have been measured on more
        return quotient(np.divide(nats[: len(sizes)], math.log(2)), sizes)

    # -- checks ------------------------------------------------------------------------------------

    def ahead(self, pairs: Iterable[tuple[LM, LM]], alone: bool = False) -> list[Check]:
        """Of each pair: whether the first's bits/byte are below the second's. alone: of these two
        runs, over texts.
        """
        return [
            lower(
                f"{left.label} to {right.label}",
                self.trained(left, alone=alone),
                self.trained(right, alone=alone),
            )
            for left, right in pairs
        ]

    def below_m1(self, lms: Iterable[LM]) -> list[Check]:
        """Of each LM: whether its bits/byte are below those of M1 by itself."""
        alone = self.m1_alone()
        return [lower(f"{lm.label} to M1 alone", self.trained(lm), alone) for lm in lms]

    def learned(self, lm: LM, alone: bool = False) -> Check:
        """Whether an LM ends below its uniform line, and below its ids' frequencies alone."""
        lines = [self.coded(lm, quantity) for quantity in (uniform, unigram)]
        known = [line for line in lines if line is not None]
        best = min(known, key=lambda line: line.mean) if len(known) == len(lines) else None
        return lower(f"{lm.label} to its line", self.trained(lm, alone=alone), best)

    def at_uniform(self, lm: LM, tolerance: float = 0.01, alone: bool = False) -> Check:
        """Whether an LM has not learned: it ends where one does that knows documents' ends."""
        line = self.coded(lm, uniform_with_ends)
        return near(f"{lm.label} to its uniform", self.trained(lm, alone=alone), line, tolerance)
