"""Fig 5 / table 16: the size of a window, in bits/byte and in bits a token."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.analysis import figures, paper
from experiments.analysis.compare import DENSITY, INTERVAL, Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import (
    Quantity,
    bits_per_byte,
    bits_per_token,
    uniform,
    uniform_per_token,
)
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Training
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "bits/token, ours",
    "paper's", "size, paper", "bytes/token, paper", "bits/byte, paper", "bits/token, paper",
]  # fmt: skip
NOTE = (
    "`paper` is section 3.3 as we read it; the paper's tables suggest that its windows are those"
    " of `unflushed`. By neither does all decode; windows without a rule's name do, and the trend"
    " is of those: by the paper's rule long windows are filled up with zeros, which is all that is"
    " learned of them. Bits/byte leave out what codes leave untold (d5)."
)
PANELS = (
    ("bits / byte", bits_per_byte, uniform),
    ("bits / token", bits_per_token, uniform_per_token),
)


def runs(scale: Scale, width: int, training: Training, rule: str = "paper") -> list[LM]:
    """The windows of one id width and M2 size, shortest first."""
    return [scale.lm(scale.window(bits, width, rule), training) for bits in scale.windows]


def series(scale: Scale) -> list[tuple[int, Training]]:
    return [(width, training) for training in scale.side for width in scale.widths]


def lms(scale: Scale) -> list[LM]:
    return [lm for width, training in series(scale) for lm in runs(scale, width, training)]


def beside(scale: Scale) -> list[tuple[int, str, list[LM]]]:
    """(id width, rule, windows) of other rules, at the smallest M2; the free cell in wide ids."""
    rules = ((scale.wide, "free"), (scale.narrow, "unflushed"), (scale.wide, "unflushed"))
    return [(width, rule, runs(scale, width, scale.question, rule)) for width, rule in rules]


def every(scale: Scale) -> list[LM]:
    return [*lms(scale), *(lm for _, _, found in beside(scale) for lm in found)]


def recipes(scale: Scale) -> list[LM]:
    """A line a run, and the seeds that the trend asks for."""
    return [*every(scale), *scale.seeded(*decoding(scale))]


def decoding(scale: Scale) -> list[LM]:
    """The windows that decode, shortest first: in wide ids, the shortest one id each."""
    return runs(scale, scale.wide, scale.question, "free")


def reduce(results: Results) -> Table:
    def theirs(lm: LM) -> list[Cell]:
        name, size, per_token, bits = results.theirs(lm)
        return [name, size, per_token, bits, bits and bits * per_token]  # type: ignore[operator]

    body = results.lines(every(results.scale), [*DENSITY, bits_per_token], theirs)
    return results.table("The size of a window", COLUMNS, body, f"{NOTE} {lost(results)}")


def lost(results: Results) -> str:
    """Appendix D.1, counted: trainings on windows of each size that came to nothing, of all."""
    scale = results.scale
    tried: dict[int | None, dict[str, bool]] = {bits: {} for bits in scale.windows}
    for lm in recipes(scale):
        for attempt in lm.attempts():
            if (row := results.rows.by_key.get(attempt.key)) is not None:
                tried[lm.stream.tokens.bits][row.key] = row.status != "done"
    counts = ", ".join(
        f"{bits} bits {sum(found.values())} of {len(found)}" for bits, found in tried.items()
    )
    return (
        "Trainings that diverged or collapsed (some of the paper's did, from 64 bits on:"
        f" D.1): {counts}."
    )


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    with figures.figure(11.5, 5) as (drawn, axes):
        axes.remove()
        for panel, (name, quantity, ignorance) in enumerate(PANELS):
            axes = drawn.add_subplot(1, 2, panel + 1)
            draw_paper(axes, panel)
            for width, training in series(scale):
                found = known(results, runs(scale, width, training), quantity)
                draw_line(axes, found, scale, width, training)
            for width, rule, others in beside(scale):
                found = known(results, others, quantity)
                draw_line(axes, found, scale, width, scale.question, rule)
            for width in scale.widths:
                found = known(results, runs(scale, width, scale.question), ignorance)
                label = f"{width} bits an id: uniform line"
                style = {"color": style_of(scale, width)[0], "lw": 1.2, "label": label}
                axes.plot([x for x, _ in found], [y for _, y in found], ":", **style)
            axes.set_xscale("log", base=2)
            axes.set_xlim(scale.windows[0] / 1.2, paper.WINDOWS[-1] * 1.2)
            axes.set_xticks(scale.windows, labels=[str(bits) for bits in scale.windows])
            axes.set_xlabel("bits a window")
            axes.set_ylabel(name)
        figures.name_missing(axes, results.missing(lms(scale)))
        drawn.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=len(scale.side) + 1,
            frameon=False,
            fontsize=9,
        )
        figures.heading(
            drawn,
            f"The size of a window — {scale.corpus} corpus, {scale.name}; faint: Lester et"
            " al. 2024, 25m to 2b",
        )
        return figures.save(drawn, folder, "fig5")


def style_of(scale: Scale, width: int) -> tuple[str, str]:
    return figures.style_of(f"EqualInfoAC[b={scale.windows[0]},v={1 << width}]")


def known(results: Results, lms: list[LM], quantity: Quantity) -> list[tuple[int, float]]:
    """(bits a window, number) of a line's windows that have run."""
    found = zip(results.scale.windows, (results.number(lm, quantity) for lm in lms), strict=True)
    return [(bits, y) for bits, y in found if y is not None]


def draw_line(
    axes: Any,
    points: list[tuple[int, float]],
    scale: Scale,
    width: int,
    training: Training,
    rule: str = "paper",
) -> None:
    """One id width and size, in the colour of its shortest window; hollow if windows decode."""
    if not points:
        return
    colour, mark = style_of(scale, width)
    step = scale.side.index(training)
    style = {"color": colour, "ms": 4.5 + 2 * step, "lw": 1 + 0.6 * step, "zorder": 3}
    dashes, told = {"paper": ("-", ""), "free": ("--", ", free cell")}.get(rule, (":", f", {rule}"))
    if rule == "free":
        style["mfc"] = "white"
    label = f"{width} bits an id, M2 {training.size}{told}"
    axes.plot(*zip(*points, strict=True), mark + dashes, label=label, **style)


def draw_paper(axes: Any, panel: int) -> None:
    for width, v in ((8, "v=256"), (16, "v=65k")):
        colour, mark = figures.style_of(f"EqualInfoAC[b=16,v={1 << width}]")
        style = {"color": colour, "alpha": figures.PAPER_ALPHA, "ms": 4, "lw": 1}
        for size in paper.SIZES:
            points = []
            for bits in paper.WINDOWS:
                name = f"EqualInfoAC[b={bits},{v}]"
                table = "fig3_table15" if bits == paper.WINDOWS[0] else "fig5_table16"
                y = paper.lookup(table, name, size, "bits_per_byte")
                points.append((bits, y * paper.lookup("table12", name, "ratio") if panel else y))
            axes.plot(*zip(*points, strict=True), mark + "-", **style)


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    checks = [
        lower(
            f"{shorter.label} to {longer.label}",
            results.trained(shorter, "codes"),
            results.trained(longer, "codes"),
        )
        for shorter, longer in pairwise(decoding(scale))
    ]
    test = (
        "windows that decode, wide ids: bits/token rise from each window to the next longer one"
        f" ({INTERVAL})"
    )
    return [trend("Longer windows are harder to learn: bits/token rises with b", test, checks)]


EXPERIMENT = exhibit(
    __name__, "figure 5, table 16", "the size of a window: bits/byte and bits a token"
)
