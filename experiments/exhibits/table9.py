"""Table 9 / fig 12: M1's context begins anew at every window, at every other, or never."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.analysis import figures, paper
from experiments.analysis.compare import DENSITY, INTERVAL, Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import ratio
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM
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
    """Narrow, wide, wide by two other rules: M1 begins anew every window, every other, never."""
    narrow = scale.narrow
    wide = scale.wide
    first = scale.windows[0]
    kinds = [(narrow, "paper"), (wide, "paper"), (wide, "free"), (wide, "unflushed")]
    training = scale.side[scale.ablation]
    return [
        [scale.lm(scale.window(first, width, rule, reset), training) for reset in RESETS]
        for width, rule in kinds
    ]


def lms(scale: Scale) -> list[LM]:
    return [lm for group in groups(scale) for lm in group]


def decided(scale: Scale) -> list[list[LM]]:
    """Wide ids by both readings of the paper's rule, with all seeds."""
    _, paper, _, unflushed = groups(scale)
    return [paper, unflushed]


def recipes(scale: Scale) -> list[LM]:
    return [*lms(scale), *scale.seeded(*(lm for group in decided(scale) for lm in group))]


def theirs(scale: Scale, lm: LM) -> list[Cell]:
    """[tokenizer, where M1 begins anew, size, bytes/token, bits/byte] of the paper's."""
    name = paper.counterpart(lm.stream.tokens, scale)
    reset = RESETS[lm.stream.tokens.reset]
    return [name, reset, SIZE, *(paper.lookup("table9_403m", name, reset) or [None, None])]


def reduce(results: Results) -> Table:
    scale = results.scale
    body = results.lines(lms(scale), DENSITY, lambda lm: theirs(scale, lm))
    return results.table("How often M1's context begins anew", COLUMNS, body, NOTE)


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    size = scale.side[scale.ablation].size
    with figures.figure() as (drawn, axes):
        for place, group in enumerate(groups(scale)):
            draw_group(axes, results, group, (place - 1.5) * 0.2)
        labels = [f"{name} window" for name in list(RESETS.values())[:2]] + ["never"]
        axes.set_xticks(range(len(RESETS)), labels=labels)
        axes.set_xlim(-0.5, 2.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("M1's context begins anew")
        axes.set_ylabel("bits / byte")
        drawn.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
        figures.title(
            axes,
            f"How often M1 begins anew — {scale.corpus} corpus, {scale.name} scale, M2 {size}\n"
            "bars: uniform lines; numbers: bytes a token; faint: Lester et al. 2024, 403m, C4",
        )
        figures.name_missing(axes, results.missing(lms(scale)))
        return figures.save(drawn, folder, "fig12")


def draw_group(axes: Any, results: Results, group: list[LM], shift: float) -> None:
    """One tokenizer's three runs; hollow where windows decode."""
    tokens = group[0].stream.tokens
    colour, mark = figures.style_of(tokens.name)
    if tokens.rule == "unflushed":
        mark = "X"
    face = "white" if tokens.rule == "free" else colour
    faint = {"color": colour, "alpha": figures.PAPER_ALPHA, "ms": 9}
    for x, lm in enumerate(group):
        at = x + shift
        bits = theirs(results.scale, lm)[-1]
        if bits is not None and tokens.rule == "paper":
            axes.plot([at], [bits], mark, **faint)
        row = results.done(lm)
        if row is None:
            continue
        ours = row.bits_per_byte
        axes.plot([at] * 2, [row.uniform, ours], color=colour, lw=1, alpha=0.4)
        axes.plot([at], [row.uniform], "_", color=colour, ms=17, mew=2)
        axes.plot([at], [ours], mark, color=colour, ms=9, mfc=face)
        where = {"xytext": (8, -2), "textcoords": "offset points"}
        axes.annotate(f"{row.ratio:.2f}", (at, ours), **where, color=colour, fontsize=8)
    axes.plot([], [], mark, color=colour, mfc=face, label=tokens.name)


def trends(results: Results) -> list[Trend]:
    reproduced = groups(results.scale)[:2]
    denser = [
        lower(
            f"{a.stream.tokens.name} to {b.stream.tokens.name}",
            results.coded(a, ratio),
            results.coded(b, ratio),
        )
        for group in reproduced
        for a, b in pairwise(group)
    ]
    return [
        trend(
            "M2 learns best where M1 begins anew at every window",
            "by the rules `paper` and `unflushed`, wide ids: bits/byte with M1 anew every window"
            f" are below every other and never ({INTERVAL})",
            results.ahead([(group[0], lm) for group in decided(results.scale) for lm in group[1:]]),
        ),
        trend(
            "The less often M1 begins anew, the more bytes a token",
            "by the paper's rule, narrow and wide: bytes/token rise from every window to every"
            " other to never (95 % intervals, paired over texts)",
            denser,
        ),
    ]


EXPERIMENT = exhibit(
    __name__, "table 9, figure 12", "M1's context begins anew at every window, every other, never"
)
