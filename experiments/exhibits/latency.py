"""Latency, the paper's promise (§1): bytes a second of generation, at equal M2 size and at equal
bits/byte.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import Check, bits_per_byte, label, missing, trend
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.statistics import Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Latency, Recipe, Tokens, Training
from experiments.runs.rows import Rows
from experiments.scales import Scale

BATCHES = (1, 32)
TEXT = 256  # bytes a sample
EACH = ["bytes/s", "ids/s", "x bytes, equal size", "x bytes, equal bits/byte"]
COLUMNS = [
    "tokenizer",
    "size",
    "bits/byte",
    "bytes/token",
    *(f"{name}, batch {b}" for b in BATCHES for name in EACH),
]
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
    bpe, _ = scale.subwords
    codebook = Tokens("codebook", scale.vocabulary, scale.corpus, scale.train_bytes)
    return [scale.bytes, bpe, codebook, scale.window(scale.windows[0], scale.wide, "free")]


def lms(scale: Scale) -> list[LM]:
    return [
        scale.lm(tokens, training) for tokens in tokenizers(scale) for training in trainings(scale)
    ]


def timings(scale: Scale) -> list[Latency]:
    return [Latency(tuple(lms(scale)), batch, min(TEXT, 4 * scale.sample)) for batch in BATCHES]


def recipes(scale: Scale) -> list[Recipe]:
    return [*lms(scale), *timings(scale)]


def speeds(rows: Rows, recipe: Latency) -> dict[str, Speed]:
    """By the LM's key; none where the timing has not been run."""
    row = rows.done(recipe)
    found: dict[str, Any] = {one["key"]: one for one in row.values["runs"]} if row else {}
    made = {}
    for lm in recipe.lms:
        trained, one = rows.done(lm), found.get(lm.key)
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
    x, y = [-speed.bits for speed in points], [np.log(speed.bytes) for speed in points]
    return float(np.exp(np.interp(-bits, x, y)))


def to_bytes(
    found: dict[str, Speed], scale: Scale, tokens: Tokens, training: Training
) -> list[float | None]:
    """How many times as fast as on bytes: at equal size, at equal bits/byte."""
    base, speed = (found.get(scale.lm(one, training).key) for one in (scale.bytes, tokens))
    if base is None:
        return [None, None]
    equal = speed_at(curve(found, scale, tokens), base.bits)
    return [speed.bytes / base.bytes if speed else None, equal / base.bytes if equal else None]


def reduce(rows: Rows, scale: Scale) -> Table:
    found = [speeds(rows, recipe) for recipe in timings(scale)]
    body = [
        line(rows, scale, found, tokens, training)
        for tokens in tokenizers(scale)
        for training in trainings(scale)
    ]
    return Table(
        f"Bytes a second of generation ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def line(
    rows: Rows, scale: Scale, found: list[dict[str, Speed]], tokens: Tokens, training: Training
) -> list[Cell]:
    lm = scale.lm(tokens, training)
    row = rows.done(lm)
    cells: list[Cell] = [
        tokens.name,
        training.size,
        *([row.bits_per_byte, row.ratio] if row else [None, None]),
    ]
    for one in found:
        speed = one.get(lm.key)
        cells += [speed.bytes, speed.ids] if speed else [None, None]
        cells += to_bytes(one, scale, tokens, training)
    return cells


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    """A panel a batch: bytes a second against bits/byte, a tokenizer's sizes joined."""
    with figures.figure(13, 5.2) as (drawn, axes):
        axes.remove()
        panels = drawn.subplots(1, len(BATCHES), sharex=True)
        for panel, recipe in zip(panels, timings(scale), strict=True):
            found = speeds(rows, recipe)
            panel.set_title(
                f"batch {recipe.batch} — {scale.corpus}, {scale.name}", fontsize=10, loc="left"
            )
            panel.set_xlabel("bits / byte (further right: better)")
            panel.set_ylabel("bytes / second")
            panel.set_yscale("log")
            figures.plain_ticks(panel.yaxis, subs=(1, 2, 5))
            draw_curves(panel, found, scale)
            figures.name_missing(
                panel, missing(recipe.lms, rows) or ([] if found else ["the timing"])
            )
        return figures.save(drawn, folder, "latency")


def draw_curves(panel: Any, found: dict[str, Speed], scale: Scale) -> None:
    curves = {tokens.name: curve(found, scale, tokens) for tokens in tokenizers(scale)}
    everything = [speed for points in curves.values() for speed in points]
    if not everything:
        return
    worst, best = max(s.bits for s in everything), min(s.bits for s in everything)
    panel.set_xlim(worst + 0.05, best - 0.05)
    panel.set_ylim(min(s.bytes for s in everything) / 1.3, max(s.bytes for s in everything) * 1.3)
    for name, points in curves.items():
        colour, mark = figures.style_of(name)
        panel.plot(
            [s.bits for s in points],
            [s.bytes for s in points],
            mark + "-",
            color=colour,
            ms=8,
            lw=1.4,
        )
    figures.label_points(
        panel,
        [(points[-1].bits, points[-1].bytes, name) for name, points in curves.items() if points],
    )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    bytes_, bpe, _, windows = tokenizers(scale)
    test = (
        "more bytes/s at equal size, the larger two M2s, batches of"
        f" {' and '.join(map(str, BATCHES))} (95 % intervals,"
        " paired over rounds, in which all take turns)"
    )
    return [
        trend(
            f"Windows of one id write faster than {rival.name}",
            test,
            [
                faster(rows, recipe, scale.lm(windows, training), scale.lm(rival, training))
                for recipe in timings(scale)
                for training in trainings(scale)[len(scale.smaller) :]
            ],
        )
        for rival in (bytes_, bpe)
    ]


def faster(rows: Rows, recipe: Latency, ours: LM, rival: LM) -> Check:
    """Whether one M2 writes more bytes a second than another, on the geometric mean of rounds."""
    name, row = f"batch {recipe.batch}, {label(ours)} to {label(rival)}", rows.done(recipe)
    if row is None:
        return Check(f"{name}: not run yet", None)
    found = {
        one["key"]: np.log(one["bytes"]) - np.log(one["seconds"]) for one in row.values["runs"]
    }
    gap = contrast(
        [(1, Sample(found[rival.key], of="rounds")), (-1, Sample(found[ours.key], of="rounds"))],
        paired=True,
    )
    times = [math.exp(-value) for value in (gap.estimate, gap.high, gap.low)]
    return Check(
        f"{name}: {times[0]:.2f} times as fast ({times[1]:.2f} to {times[2]:.2f})", gap.below()
    )


EXPERIMENT = Experiment(
    "latency",
    "§1's promise, not measured there",
    "bytes a second of generation",
    recipes,
    reduce,
    draw,
    trends,
)
