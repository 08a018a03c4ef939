"""Fig 5 / table 16: the size of a window, in bits/byte and in bits a token."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.analysis import figures, paper
from experiments.analysis.compare import (
    INTERVAL,
    bits_per_byte,
    bits_per_token,
    label,
    lines,
    lower,
    missing,
    number,
    ratio,
    trained,
    trend,
    uniform,
    uniform_per_token,
)
from experiments.analysis.compare import their_number as number_of_theirs
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Training, attempts
from experiments.runs.rows import Rows
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "bits/token, ours",
    "paper's",
    "size, paper", "bytes/token, paper", "bits/byte, paper", "bits/token, paper",
]  # fmt: skip
NOTE = (
    "`paper` is section 3.3 as we read it; the paper's tables suggest that its windows are those"
    " of `unflushed`. By neither does all decode; windows without a rule's name do. Bits/byte"
    " leave out what codes leave untold (d5)."
)
PANELS = (
    ("bits / byte", bits_per_byte, uniform),
    ("bits / token", bits_per_token, uniform_per_token),
)


def runs(scale: Scale, width: int, training: Training) -> list[LM]:
    """The windows of one id width and M2 size, shortest first."""
    return [scale.lm(scale.window(bits, width), training) for bits in scale.windows]


def series(scale: Scale) -> list[tuple[int, Training]]:
    return [(width, training) for training in scale.side for width in scale.widths]


def lms(scale: Scale) -> list[LM]:
    return [lm for width, training in series(scale) for lm in runs(scale, width, training)]


def beside(scale: Scale) -> list[tuple[int, str, list[LM]]]:
    """(id width, rule, windows) of other rules, at the smallest M2; the free cell with wide ids
    alone.
    """
    return [
        (width, rule, [scale.lm(scale.window(bits, width, rule)) for bits in scale.windows])
        for width, rule in (
            (scale.wide, "free"),
            (scale.narrow, "unflushed"),
            (scale.wide, "unflushed"),
        )
    ]


def every(scale: Scale) -> list[LM]:
    return [*lms(scale), *(lm for _, _, found in beside(scale) for lm in found)]


def recipes(scale: Scale) -> list[LM]:
    """A line a run, and the seeds that the trend asks for."""
    asked = [lm for width in scale.widths for lm in runs(scale, width, scale.question)]
    return [*every(scale), *(one for lm in asked for one in scale.seeded(lm))]


def reduce(rows: Rows, scale: Scale) -> Table:
    body = lines(
        every(scale),
        rows,
        [ratio, uniform, bits_per_byte, bits_per_token],
        lambda recipe: theirs(recipe, scale),
    )
    return Table(
        f"The size of a window ({scale.name}, {scale.corpus})",
        COLUMNS,
        body,
        f"{NOTE} {lost(rows, scale)}",
    )


def lost(rows: Rows, scale: Scale) -> str:
    """Appendix D.1, counted: trainings on windows of each size that came to nothing, of all that
    were tried.
    """
    tried: dict[int | None, dict[str, bool]] = {bits: {} for bits in scale.windows}
    for lm in recipes(scale):
        for attempt in attempts(lm):
            if (row := rows.by_key.get(attempt.key)) is not None:
                tried[lm.stream.tokens.bits][row.key] = row.status != "done"
    counts = ", ".join(
        f"{bits} bits {sum(found.values())} of {len(found)}" for bits, found in tried.items()
    )
    return (
        "Trainings that diverged or collapsed (some of the paper's did, from 64 bits on:"
        f" D.1): {counts}."
    )


def theirs(recipe: LM, scale: Scale) -> list[Cell]:
    name, size = paper.counterpart(recipe.stream.tokens, scale), paper.size(recipe.training, scale)
    bits, per_token = (
        number_of_theirs(recipe, scale, "bits_per_byte"),
        paper.lookup("table12", name, "ratio"),
    )
    return [name, size, per_token, bits, None if bits is None else bits * per_token]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    with figures.figure(11.5, 5) as (drawn, axes):
        axes.remove()
        for panel, (name, measure, ignorance) in enumerate(PANELS):
            axes = drawn.add_subplot(1, 2, panel + 1)
            draw_paper(axes, panel)
            for width, training in series(scale):
                found = [
                    (bits, number(rows, lm, measure))
                    for bits, lm in windows(scale, width, training)
                ]
                draw_line(axes, found, scale, width, training)
            for width, rule, others in beside(scale):
                points = zip(
                    scale.windows, (number(rows, lm, measure) for lm in others), strict=True
                )
                draw_line(axes, list(points), scale, width, others[0].training, rule)
            for width in scale.widths:
                lines_of = [
                    (bits, number(rows, lm, ignorance))
                    for bits, lm in windows(scale, width, scale.question)
                ]
                known = [(bits, y) for bits, y in lines_of if y is not None]
                style = {
                    "color": colour_of(scale, width),
                    "lw": 1.2,
                    "label": f"{width} bits an id: uniform line",
                }
                axes.plot([x for x, _ in known], [y for _, y in known], ":", **style)
            axes.set_xscale("log", base=2)
            axes.set_xlim(scale.windows[0] / 1.2, paper.WINDOWS[-1] * 1.2)
            axes.set_xticks(scale.windows, labels=[str(bits) for bits in scale.windows])
            axes.set_xlabel("bits a window")
            axes.set_ylabel(name)
        figures.name_missing(axes, missing(lms(scale), rows))
        drawn.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=len(scale.side) + 1,
            frameon=False,
            fontsize=9,
        )
        title = (
            f"The size of a window — {scale.corpus} corpus, {scale.name}; faint: Lester et"
            " al. 2024, 25m to 2b"
        )
        drawn.suptitle(title, fontsize=10, x=0.01, ha="left")
        return figures.save(drawn, folder, "fig5")


def colour_of(scale: Scale, width: int) -> str:
    return figures.style_of(f"EqualInfoAC[b={scale.windows[0]},v={1 << width}]")[0]


def windows(scale: Scale, width: int, training: Training) -> list[tuple[int, LM]]:
    return list(zip(scale.windows, runs(scale, width, training), strict=True))


def draw_line(
    axes: Any,
    points: list[tuple[int, float | None]],
    scale: Scale,
    width: int,
    training: Training,
    rule: str = "paper",
) -> None:
    """One id width and size; the colour is that of its shortest window in every figure, hollow if
    windows decode.
    """
    kept = [(x, y) for x, y in points if y is not None]
    if not kept:
        return
    _, mark = figures.style_of(f"EqualInfoAC[b={scale.windows[0]},v={1 << width}]")
    step = scale.side.index(training)
    style = {
        "color": colour_of(scale, width),
        "ms": 4.5 + 2 * step,
        "lw": 1 + 0.6 * step,
        "zorder": 3,
    }
    label, line = f"{width} bits an id, M2 {training.size}", mark + "-"
    if rule == "free":
        style, label, line = {**style, "mfc": "white"}, label + ", free cell", mark + "--"
    elif rule == "unflushed":
        label, line = label + ", unflushed", mark + ":"
    axes.plot(*zip(*kept, strict=True), line, label=label, **style)


def draw_paper(axes: Any, panel: int) -> None:
    for width, v in ((8, "v=256"), (16, "v=65k")):
        colour, mark = figures.style_of(f"EqualInfoAC[b=16,v={1 << width}]")
        for size in paper.SIZES:
            points = []
            for bits in paper.WINDOWS:
                name = f"EqualInfoAC[b={bits},{v}]"
                table = "fig3_table15" if bits == paper.WINDOWS[0] else "fig5_table16"
                y = paper.lookup(table, name, size, "bits_per_byte")
                points.append((bits, y * paper.lookup("table12", name, "ratio") if panel else y))
            axes.plot(
                *zip(*points, strict=True),
                mark + "-",
                color=colour,
                alpha=figures.PAPER_ALPHA,
                ms=4,
                lw=1,
            )


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    asked = [runs(scale, width, scale.question) for width in scale.widths]
    per_code = {lm: trained(rows, scale, lm, "codes") for group in asked for lm in group}
    checks = [
        lower(f"{label(a)} to {label(b)}", per_code[a], per_code[b])
        for group in asked
        for a, b in pairwise(group)
    ]
    test = (
        f"bits/token rise from each window to the next longer one, for each id width ({INTERVAL})"
    )
    return [trend("Longer windows are harder to learn: bits/token rises with b", test, checks)]


EXPERIMENT = Experiment(
    "fig5",
    "figure 5, table 16",
    "the size of a window: bits/byte and bits a token",
    recipes,
    reduce,
    draw,
    trends,
)
