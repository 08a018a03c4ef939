"""Table 9 / fig 12: M1's context begins anew at every window, at every other, or never."""

from itertools import pairwise
from pathlib import Path

from experiments.analysis import figures, paper
from experiments.analysis.compare import (
    INTERVAL,
    ahead,
    bits_per_byte,
    coded,
    lines,
    lower,
    missing,
    ratio,
    trend,
    uniform,
)
from experiments.analysis.experiment import Experiment, Trend
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Recipe
from experiments.runs.rows import Rows
from experiments.scales import Scale

RESETS = {1: "every", 2: "every other", 0: "never"}
SIZE = "403m"  # the paper's
COLUMNS = [
    "tokenizer", "size", "bytes/token, ours", "uniform", "bits/byte, ours", "paper's",
    "M1 begins anew, paper",
    "size, paper", "bytes/token, paper", "bits/byte, paper",
]  # fmt: skip
NOTE = (
    "By the rules `paper` (section 3.3 as we read it) and `unflushed` (as the paper's tables"
    " suggest it) nothing decodes where M1 does not begin anew at every window; by the free cell"
    " (no rule's name) all does."
)


def groups(scale: Scale) -> list[list[LM]]:
    """Narrow, wide, and wide by two other rules: each with M1 beginning anew every, every other,
    never.
    """
    kinds = [
        (scale.narrow, "paper"),
        (scale.wide, "paper"),
        (scale.wide, "free"),
        (scale.wide, "unflushed"),
    ]
    first, training = scale.windows[0], scale.side[scale.ablation]
    return [
        [scale.lm(scale.window(first, width, rule, reset), training) for reset in RESETS]
        for width, rule in kinds
    ]


def lms(scale: Scale) -> list[LM]:
    return [lm for group in groups(scale) for lm in group]


def recipes(scale: Scale) -> list[Recipe]:
    narrow, wide, *others = groups(scale)
    seeded = [one for lm in [*narrow, *wide] for one in scale.seeded(lm)]
    return [*seeded, *(lm for group in others for lm in group)]


def reduce(rows: Rows, scale: Scale) -> Table:
    def theirs(recipe: LM) -> list[Cell]:
        tokens = recipe.stream.tokens
        name, reset = paper.counterpart(tokens, scale), RESETS[tokens.reset]
        found = paper.lookup("table9_403m", name, reset) or [None, None]
        return [name, reset, SIZE, *found]

    body = lines(lms(scale), rows, [ratio, uniform, bits_per_byte], theirs)
    return Table(
        f"How often M1's context begins anew ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE
    )


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    size = scale.side[scale.ablation].size
    with figures.figure() as (drawn, axes):
        for place, group in enumerate(groups(scale)):
            tokens = group[0].stream.tokens
            free = tokens.rule == "free"
            colour, mark = figures.style_of(tokens.name)
            if tokens.rule == "unflushed":
                mark = "X"
            shift = (place - 1.5) * 0.2
            for x, lm in enumerate(group):
                theirs = paper.lookup(
                    "table9_403m", paper.counterpart(tokens, scale), RESETS[lm.stream.tokens.reset]
                )
                if theirs and tokens.rule == "paper":
                    axes.plot(
                        [x + shift],
                        [theirs[1]],
                        mark,
                        color=colour,
                        alpha=figures.PAPER_ALPHA,
                        ms=9,
                    )
                row = rows.done(lm)
                if row is None:
                    continue
                axes.plot(
                    [x + shift] * 2, [row.uniform, row.bits_per_byte], color=colour, lw=1, alpha=0.4
                )
                axes.plot([x + shift], [row.uniform], "_", color=colour, ms=17, mew=2)
                axes.plot(
                    [x + shift],
                    [row.bits_per_byte],
                    mark,
                    color=colour,
                    ms=9,
                    mfc="white" if free else colour,
                )
                axes.annotate(
                    f"{row.ratio:.2f}", (x + shift, row.bits_per_byte), xytext=(8, -2),
                    textcoords="offset points",
                    color=colour, fontsize=8,
                )  # fmt: skip
            axes.plot(
                [], [], mark, color=colour, mfc="white" if free else colour, label=tokens.name
            )
        axes.set_xticks(
            range(len(RESETS)),
            labels=[f"{name} window" for name in list(RESETS.values())[:2]] + ["never"],
        )
        axes.set_xlim(-0.5, 2.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("M1's context begins anew")
        axes.set_ylabel("bits / byte")
        drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
        axes.set_title(
            f"How often M1 begins anew — {scale.corpus} corpus, {scale.name} scale, M2 {size}\n"
            "bars: uniform lines; numbers: bytes a token; faint: Lester et al. 2024, 403m, C4",
            fontsize=10,
            loc="left",
        )
        figures.name_missing(axes, missing(lms(scale), rows))
        return figures.save(drawn, folder, "fig12")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    reproduced = groups(scale)[:2]
    denser = [
        lower(
            f"{a.stream.tokens.name} to {b.stream.tokens.name}",
            coded(rows, a, ratio),
            coded(rows, b, ratio),
        )
        for group in reproduced
        for a, b in pairwise(group)
    ]
    return [
        trend(
            "M2 learns best where M1 begins anew at every window",
            "by the paper's rule, narrow and wide: bits/byte with M1 anew every window are below"
            f" every other and never ({INTERVAL})",
            ahead(rows, scale, [(group[0], lm) for group in reproduced for lm in group[1:]]),
        ),
        trend(
            "The less often M1 begins anew, the more bytes a token",
            "by the paper's rule, narrow and wide: bytes/token rise from every window to every"
            " other to never (95 % intervals, paired over texts)",
            denser,
        ),
    ]


EXPERIMENT = Experiment(
    "table9", "table 9, figure 12", "M1's context begins anew at every window, every other, never",
    recipes, reduce,
    draw, trends,
)  # fmt: skip
