"""M2 is told each id's place in its window (ours): how much of what narrow ids lack is it?"""

from dataclasses import replace
from pathlib import Path

from experiments.analysis import figures
from experiments.analysis.compare import INTERVAL, Check, Results, Trend, lower, not_run, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import ratio
from experiments.analysis.statistics import Interval, Sample, contrast
from experiments.analysis.tables import Cell, Table, shown
from experiments.runs.recipes import LM
from experiments.scales import Scale

WINDOWS = 3  # the shortest; longer ones are hardly learned
COLUMNS = [
    "tokenizer", "size", "ids a window", "bytes/token", "bits/byte without",
    "bits/byte with the place",
    "difference", "of the gap to wide ids, %",
]  # fmt: skip
NOTE = (
    "An embedding of the place in the window is added to the ids' own; every decoder knows the"
    " place, and it costs no FLOPs. Wide ids of the shortest windows are a window each. Both M2s"
    " of a line begin as the same function and see the same batches, so differences are paired by"
    " seed. The gap is from narrow ids to wide ones of the same windows, both without the place;"
    " what the place closes of it, seed by seed. Windows that decode: by the paper's rule they are"
    " filled up with zeros, which the place alone predicts. The paper never tells M2 the place."
)


def told(lm: LM) -> LM:
    """The same M2 with the place."""
    return replace(lm, place=True)


def bits_of(lm: LM) -> tuple[int, int]:
    """Of a window and of an id."""
    return lm.stream.tokens.bits or 0, lm.stream.tokens.size.bit_length() - 1


def lms(scale: Scale) -> list[LM]:
    """Each of the windows as wide and as narrow ids, without the place."""
    pairs = [(bits, width) for bits in scale.windows[:WINDOWS] for width in reversed(scale.widths)]
    return [scale.lm(scale.window(bits, width, "free")) for bits, width in pairs]


def several(scale: Scale) -> list[LM]:
    """Those whose windows are several ids, so that there is a place to tell."""
    return [lm for lm in lms(scale) if bits_of(lm)[0] > bits_of(lm)[1]]


def compared(scale: Scale, lm: LM) -> tuple[LM, LM, LM]:
    """With the place, without, and without on the same windows as wide ids."""
    return told(lm), lm, scale.lm(scale.window(bits_of(lm)[0], scale.wide, "free"))


def recipes(scale: Scale) -> list[LM]:
    return scale.seeded(*lms(scale), *map(told, several(scale)))


def reduce(results: Results) -> Table:
    scale = results.scale
    title = (
        f"M2 is told the place of an id in its window ({scale.name}, {scale.corpus},"
        f" {scale.seeds} seeds)"
    )
    return Table(title, COLUMNS, [line(results, lm) for lm in lms(scale)], NOTE)


def line(results: Results, lm: LM) -> list[Cell]:
    bits, width = bits_of(lm)
    density = results.number(lm, ratio)
    placed, without, wide = map(results.trained, compared(results.scale, lm))
    cells: list[Cell] = [lm.stream.tokens.name, lm.training.size, bits // width, density]
    cells += [one.mean if one else None for one in (without, placed)]
    if not (without and placed and wide):
        return [*cells, None, None]
    cells.append(str(gained(results, lm)))
    gap = contrast([(1, without), (-1, wide)])
    if width != results.scale.narrow or gap.low <= 0:
        return [*cells, None]
    closed = 100 * (without.values - placed.values) / (without.values - wide.values)
    return [*cells, str(contrast([(1, Sample(closed))]))]


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    with figures.figure() as (drawn, axes):
        for x, lm in enumerate(lms(scale)):
            colour, mark = figures.style_of(lm.stream.tokens.name)
            without, placed = map(results.trained, (lm, told(lm)))
            if without and placed:
                axes.plot([x, x], [without.mean, placed.mean], color=colour, lw=1.5, alpha=0.5)
            for trained, face in ((without, "white"), (placed, colour)):
                if trained:
                    axes.plot([x], [trained.mean], mark, color=colour, mfc=face, ms=9)
        for face, label in (("white", "without the place"), ("#444444", "told the place")):
            axes.plot([], [], "o", color="#444444", mfc=face, label=label)
        labels = ["b={}\nids of {} bits".format(*bits_of(lm)) for lm in lms(scale)]
        axes.set_xticks(range(len(labels)), labels=labels)
        axes.set_ylabel("bits / byte")
        axes.legend(frameon=False)
        figures.title(
            axes,
            f"M2 is told the place of an id in its window — {scale.corpus} corpus, {scale.name}"
            f" scale, M2 {scale.side[0].size}",
        )
        figures.name_missing(axes, results.missing(lms(scale)))
        return figures.save(drawn, folder, "place")


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    first, *longer = several(scale)
    bits, width = bits_of(first)
    windows = f"windows of {' and '.join(str(b) for b in scale.windows[1:WINDOWS])} bits"
    return [
        trend(
            f"M2 learns windows of {bits} bits in narrow ids better when it is told the place",
            f"bits/byte with the place are below those without ({INTERVAL}, paired)",
            [better(results, first)],
        ),
        trend(
            "Of longer windows too",
            f"{windows}, narrow and wide ids: bits/byte with the place are below those without"
            f" ({INTERVAL}, paired)",
            [better(results, lm) for lm in longer],
        ),
        trend(
            "Most of what narrow ids are worse than wide ones is that M2 does not know the place",
            f"windows of {bits} bits: ids of {width} bits are above wide ones, and with the place"
            f" below the middle of both without ({INTERVAL}, paired)",
            mostly(results, first),
        ),
    ]


def gained(results: Results, lm: LM) -> Interval | None:
    """Bits/byte with the place less those without; None: not run yet."""
    placed, without = map(results.trained, (told(lm), lm))
    return contrast([(1, placed), (-1, without)], paired=True) if placed and without else None


def better(results: Results, lm: LM) -> Check:
    placed, without = map(results.trained, (told(lm), lm))
    return lower(f"{told(lm).label} to without", placed, without, paired=True)


def mostly(results: Results, lm: LM) -> list[Check]:
    """Whether there is a gap from narrow ids to wide ones, and the place closes more than half."""
    placed, without, wide = map(results.trained, compared(results.scale, lm))
    name = f"{told(lm).label} to the middle"
    if not (placed and without and wide):
        return [not_run(name)]
    below = contrast([(1, placed), (-0.5, without), (-0.5, wide)], paired=True)
    middle = (without.mean + wide.mean) / 2
    text = f"{name}: {shown(placed.mean)} against {shown(middle)}, {below}"
    return [lower("wide to narrow", wide, without), Check(text, below.below())]


EXPERIMENT = exhibit(
    __name__, "ours", "M2 is told the place of an id in its window: bits/byte with and without"
)
