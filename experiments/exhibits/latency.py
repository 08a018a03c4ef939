"""Latency, the paper's promise (§1): bytes a second, at equal M2 size and equal bits/byte."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import Check, Results, Trend, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import bits_per_byte, ratio
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Latency, Recipe, Tokens, Training
from experiments.scales import Scale

BATCHES = (1, 32)
TEXT = 256  # bytes a sample
EACH = ["bytes/s", "ids/s", "x bytes, equal size", "x bytes, equal bits/byte"]
PANELS = [f"{name}, batch {b}" for b in BATCHES for name in EACH]
COLUMNS = ["tokenizer", "size", "bits/byte", "bytes/token", *PANELS]
NOTE = (
    f"Medians of rounds in which all M2s take turns, each writing up to {TEXT} bytes after a"
    " prompt of 64, at temperature 1, keys and values cached; encoding the prompt and decoding"
    " the ids are included, windows are compiled. equal bits/byte: the speed of a tokenizer's M2"
    " that would reach what the M2 of this size reaches on bytes, interpolated between sizes (log"
    " speed against bits/byte), or of its smallest where even that is better, over the speed on"
    " bytes; a dash where none is good enough. The paper promises fewer steps and gives no times."
)


@dataclass(frozen=True)
class Speed:
    """An M2's bits/byte, bytes/token, and medians of bytes and ids a second."""

    bits: float
    ratio: float
    bytes: float
    ids: float


def trainings(scale: Scale) -> list[Training]:
    """The smaller sizes, then the smallest two of the M2s."""
    smaller = [
        replace(scale.question, size=size, learning_rate=rate) for size, rate in scale.smaller
    ]
    return [*smaller, *scale.side[:2]]


def tokenizers(scale: Scale) -> list[Tokens]:
    """Bytes first: what others are compared with."""
    bytes_, bpe, windows = scale.claim
    return [bytes_, bpe, scale.codebook, windows]


def lms(scale: Scale) -> list[LM]:
    return [scale.lm(one, training) for one in tokenizers(scale) for training in trainings(scale)]


def timings(scale: Scale) -> list[Latency]:
    return [Latency(tuple(lms(scale)), batch, min(TEXT, 4 * scale.sample)) for batch in BATCHES]


def recipes(scale: Scale) -> list[Recipe]:
    return [*lms(scale), *timings(scale)]


def speeds(results: Results, recipe: Latency) -> dict[str, Speed]:
    """By the LM's key; none where the timing has not been run."""
    row = results.done(recipe)
    found: dict[str, Any] = {one["key"]: one for one in row.values["runs"]} if row else {}
    made = {}
    for lm in recipe.lms:
        trained = results.done(lm)
        one = found.get(lm.key)
        if trained and one:
            per_second = [
                median(n / s for n, s in zip(one[what], one["seconds"], strict=True))
                for what in ("bytes", "ids")
            ]
            made[lm.key] = Speed(bits_per_byte(trained), trained.ratio, *per_second)
    return made


def curve(found: dict[str, Speed], scale: Scale, tokens: Tokens) -> list[Speed]:
    """A tokenizer's M2s, from the worst bits/byte to the best."""
    keys = [scale.lm(tokens, training).key for training in trainings(scale)]
    return sorted((found[key] for key in keys if key in found), key=lambda speed: -speed.bits)


def speed_at(points: Sequence[Speed], bits: float) -> float | None:
    """Bytes a second at so many bits/byte (see NOTE); points: a curve."""
    if not points or bits < points[-1].bits:
        return None
    x = [-speed.bits for speed in points]
    y = [np.log(speed.bytes) for speed in points]
    return float(np.exp(np.interp(-bits, x, y)))


def to_bytes(found: dict[str, Speed], scale: Scale, lm: LM) -> list[float | None]:
    """How many times as fast as on bytes: at equal size, at equal bits/byte."""
    speed = found.get(lm.key)
    base = found.get(scale.lm(scale.bytes, lm.training).key)
    if base is None:
        return [None, None]
    equal = speed_at(curve(found, scale, lm.stream.tokens), base.bits)
    return [speed.bytes / base.bytes if speed else None, equal / base.bytes if equal else None]


def reduce(results: Results) -> Table:
    found = [speeds(results, recipe) for recipe in timings(results.scale)]
    body = results.lines(
        lms(results.scale),
        [bits_per_byte, ratio],
        lambda lm: [cell for one in found for cell in cells(results.scale, one, lm)],
    )
    return results.table("Bytes a second of generation", COLUMNS, body, NOTE)


def cells(scale: Scale, found: dict[str, Speed], lm: LM) -> list[Cell]:
    """An M2 in one timing: EACH."""
    speed = found.get(lm.key)
    own = [speed.bytes, speed.ids] if speed else [None, None]
    return [*own, *to_bytes(found, scale, lm)]


def draw(results: Results, folder: Path) -> list[Path]:
    """A panel a batch: bytes a second against bits/byte, a tokenizer's sizes joined."""
    scale = results.scale
    with figures.figure(13, 5.2) as (drawn, axes):
        axes.remove()
        panels = drawn.subplots(1, len(BATCHES), sharex=True)
        for panel, recipe in zip(panels, timings(scale), strict=True):
            found = speeds(results, recipe)
            figures.title(panel, f"batch {recipe.batch} — {scale.corpus}, {scale.name}")
            panel.set_xlabel("bits / byte (further right: better)")
            panel.set_ylabel("bytes / second")
            panel.set_yscale("log")
            figures.plain_ticks(panel.yaxis, subs=(1, 2, 5))
            draw_curves(panel, found, scale)
            untimed = [] if found else ["the timing"]
            figures.name_missing(panel, results.missing(recipe.lms) or untimed)
        return figures.save(drawn, folder, "latency")


def draw_curves(panel: Any, found: dict[str, Speed], scale: Scale) -> None:
    curves = {tokens.name: curve(found, scale, tokens) for tokens in tokenizers(scale)}
    everything = [speed for points in curves.values() for speed in points]
    if not everything:
        return
    worst = max(s.bits for s in everything)
    best = min(s.bits for s in everything)
    panel.set_xlim(worst + 0.05, best - 0.05)
    panel.set_ylim(min(s.bytes for s in everything) / 1.3, max(s.bytes for s in everything) * 1.3)
    for name, points in curves.items():
        colour, mark = figures.style_of(name)
        x = [s.bits for s in points]
        y = [s.bytes for s in points]
        panel.plot(x, y, mark + "-", color=colour, ms=8, lw=1.4)
    last = [(points[-1].bits, points[-1].bytes, name) for name, points in curves.items() if points]
    figures.label_points(panel, last)


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    bytes_, bpe, _, windows = tokenizers(scale)
    larger = trainings(scale)[len(scale.smaller) :]
    test = (
        f"more bytes/s at equal size, M2s of {' and '.join(one.size for one in larger)}, batches of"
        f" {' and '.join(map(str, BATCHES))} (95 % intervals,"
        " paired over rounds, in which all take turns)"
    )
    return [
        trend(
            f"Windows of one id write faster than {rival.name}",
            test,
            [
                faster(results, recipe, scale.lm(windows, training), scale.lm(rival, training))
                for recipe in timings(scale)
                for training in larger
            ],
        )
        for rival in (bytes_, bpe)
    ]


def faster(results: Results, recipe: Latency, ours: LM, rival: LM) -> Check:
    """Whether one M2 writes more bytes a second than another, on the geometric mean of rounds."""
    name = f"batch {recipe.batch}, {ours.label} to {rival.label}"
    row = results.done(recipe)
    if row is None:
        return not_run(name)
    found = {
        one["key"]: Sample(np.log(one["bytes"]) - np.log(one["seconds"]), of="rounds")
        for one in row.values["runs"]
    }
    gap = contrast([(1, found[rival.key]), (-1, found[ours.key])], paired=True)
    times, least, most = (math.exp(-value) for value in (gap.estimate, gap.high, gap.low))
    return Check(f"{name}: {times:.2f} times as fast ({least:.2f} to {most:.2f})", gap.below())


EXPERIMENT = exhibit(__name__, "§1's promise, not measured there", "bytes a second of generation")
