"""Dense, mixture of depths, of experts, and depths that are upcycled to both, on four kinds of ids
(ours): does equal information an id make equal compute right?
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import figures
from experiments.analysis.compare import (
    INTERVAL,
    WORTH,
    Check,
    Results,
    Trend,
    lower,
    not_run,
    trend,
)
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import mflops_of_all
from experiments.analysis.statistics import Interval, Sample, contrast
from experiments.analysis.tables import Cell, Table
from experiments.exhibits import depths
from experiments.exhibits.beyond import entrants
from experiments.exhibits.upcycled import EXPERTS, gone_on, with_flops
from experiments.plan.cost import cost
from experiments.runs.recipes import LM, Recipe, Routes, Tokens, Training
from experiments.scales import Scale

SHARE = depths.SHARES[0]
DENSE, DEPTHS, SPARSE, BOTH = "dense", "depths", "experts", "depths, then experts"
ONE, CONTROL = "depths of one position", "depths, gone on with"
SEEDED = (DENSE, DEPTHS)  # on all ids; the others on `closer` alone
SHORTER = 2  # than a question's training: there are many
LETTERS = 96  # of a line of the paragraph
COLOUR = (0.0, 0.45, 0.7)  # of what the block computed
ROW = 0.22  # inches of such a line
SIZE = 8  # points, of its letters
LETTER = 0.602 * SIZE / 72  # inches, of one
COLUMNS = [
    "tokenizer", "M2", "steps", "MFLOPs/byte, every product", "seeds", "bits/byte", "difference",
    "positions computed, %", "given and loss", "given and entropy", "entropy and loss",
    "nats computed", "nats passed by",
]  # fmt: skip
NOTE = (
    "Equal training FLOPs, output layer counted, and for one seed the same first weights; every"
    f" other block, from the second on, computes {SHARE:.1%} of the positions (depths), or has"
    f" {EXPERTS} experts of which a position takes two (experts). With one position it is as good"
    " as gone: what depths of one position gain is the text that the steps saved pay for, and no"
    " routing. Depths, then experts: depths for half of the FLOPs, upcycled for the other half,"
    " with a warm-up of its own; gone on with: the same without experts. What a block saves becomes"
    " more steps, so more text, and more of it where the output layer is small: on bytes. All have"
    " the dense M2's rate. Differences are from the dense M2 of the tokenizer, with 95 % intervals"
    " over seeds and texts; where there is one seed, over its texts alone, which decides nothing."
    " given: the router's weight of the position that predicts an id, 0 where the block computed"
    " nothing; Spearman's correlation of it with the dense M2's loss of the id, and with the"
    " entropy of its prediction, which is all that a router could follow of the loss: how much that"
    " is, the third says. Beside them the dense M2's mean loss of ids where the block computed, and"
    " of others. All within each place of a sequence; means of seeds."
)


def tokenizers(scale: Scale) -> list[Tokens]:
    """Bytes, BPE, the codebook that the cards left (until then superwords), and windows of equal
    information.
    """
    book = scale.codebook
    if chosen := entrants(scale):
        book = replace(book, mode=chosen[0].tokens.mode, parse=chosen[0].tokens.parse)
    window = scale.window(scale.windows[0], scale.wide, "free")
    return [scale.bytes, scale.subwords[0], book, window]


def closer(scale: Scale) -> tuple[Tokens, Tokens]:
    """The two on which every arm has all seeds: BPE, and windows of equal information."""
    return scale.subwords[0], tokenizers(scale)[-1]


def once(scale: Scale, tokens: Tokens, name: str) -> bool:
    """Whether an arm has one seed on a tokenizer's ids."""
    return name not in SEEDED and tokens not in closer(scale)


def base(scale: Scale) -> Training:
    """Of the M2s that are larger than the smallest, whose second block of two is its last."""
    larger = scale.m2_trainings[min(1, len(scale.m2_trainings) - 1)]
    return scale.apart(replace(larger, steps=max(scale.question.steps // SHORTER, 1)))


def arms(scale: Scale, tokens: Tokens) -> Mapping[str, LM]:
    """By name, the dense one first; at equal training FLOPs."""
    dense = scale.lm(tokens, base(scale))
    budget = cost(dense).flops

    def routed(flops: float, **changes: Any) -> LM:
        training = replace(dense.training, **changes)
        return replace(dense, training=with_flops(training, dense, flops))

    half = replace(routed(budget / 2, depth_capacity=SHARE), kept=True)
    return {
        DENSE: dense,
        DEPTHS: routed(budget, depth_capacity=SHARE),
        ONE: routed(budget, depth_capacity=depths.ONE),
        SPARSE: routed(budget, experts=EXPERTS),
        BOTH: gone_on(half, experts=EXPERTS),
        CONTROL: gone_on(half),
    }


def routes(scale: Scale, tokens: Tokens) -> list[Routes]:
    """Where compute goes, of each seed."""
    known = arms(scale, tokens)
    pairs = zip(scale.seeded(known[DEPTHS]), scale.seeded(known[DENSE]), strict=True)
    return [Routes(*pair) for pair in pairs]


def recipes(scale: Scale) -> list[Recipe]:
    if not scale.has_routes:
        return []
    found: list[Recipe] = []
    for tokens in tokenizers(scale):
        for name, lm in arms(scale, tokens).items():
            found += [lm] if once(scale, tokens, name) else scale.seeded(lm)
    return [*found, *(one for tokens in tokenizers(scale) for one in routes(scale, tokens))]


def gap(results: Results, tokens: Tokens, name: str, other: str = DENSE) -> Interval | None:
    """An arm's difference from another of the tokenizer; None until all seeds have run."""
    known = arms(results.scale, tokens)
    ours, theirs = (
        results.trained(known[one], alone=once(results.scale, tokens, one)) for one in (name, other)
    )
    return contrast([(1, ours), (-1, theirs)]) if ours and theirs else None


def followed(results: Results, tokens: Tokens, name: str) -> list[float | None]:
    """What `runs.routing.followed` has of the first routed block, a value a seed that has run."""
    rows = results.all_done(routes(results.scale, tokens))
    values = [row.values[name] for row in rows]
    return [one[0] if isinstance(one, list) else one for one in values]


def correlation(results: Results, tokens: Tokens) -> Sample | None:
    """Of what the router gave and what was expected, a value a seed; None until all have run."""
    found = [one for one in followed(results, tokens, "given_entropies") if one is not None]
    return Sample(np.array(found)) if len(found) == results.scale.seeds else None


def reduce(results: Results) -> Table:
    scale = results.scale
    body: list[list[Cell]] = []
    for tokens in tokenizers(scale) if recipes(scale) else []:
        for name, lm in arms(scale, tokens).items():
            apart = gap(results, tokens, name) if name != DENSE else None
            cells: list[Cell] = [tokens.name, name, lm.training.steps]
            cells += [results.number(lm, mflops_of_all)]
            seeded = [lm] if once(scale, tokens, name) else scale.seeded(lm)
            cells += results.spread(seeded)[:2]
            cells.append(str(apart) if apart else None)
            body.append(
                [*cells, *(told(results, tokens) if name == DEPTHS else [None] * len(TOLD))]
            )
    return results.table("Compute where it is needed, by tokenizer", COLUMNS, body, NOTE)


TOLD = (
    "taken", "given_nats", "given_entropies", "entropies_nats", "nats_taken", "nats_passed",
)  # fmt: skip


def told(results: Results, tokens: Tokens) -> list[Cell]:
    """Where compute went, means over seeds."""
    cells: list[Cell] = []
    for name in TOLD:
        found = [one for one in followed(results, tokens, name) if one is not None]
        cells.append(float(np.mean(found)) if found else None)
    taken, *others = cells
    return [None if taken is None else 100 * float(taken), *others]


def trends(results: Results) -> list[Trend]:
    scale = results.scale
    if not recipes(scale):
        return []
    *others, window = tokenizers(scale)
    subwords, _ = closer(scale)
    gains = trend(
        "At equal training FLOPs, depths are better than dense on subwords",
        f"bits/byte are {WORTH:.1%} below the dense M2's, and those of depths of one position"
        f" ({INTERVAL})",
        [below(results, subwords, DEPTHS, other) for other in (DENSE, ONE)],
    )
    return [
        trend(
            "Where ids are of equal information, the router follows what they are worth less",
            "the correlation of what the router gave and the entropy of the dense M2's prediction"
            " is nearer to 0 on windows than on each other tokenizer's ids (95 % interval over"
            " seeds)",
            [flatter(results, window, other) for other in others],
        ),
        gains,
        trend(
            "Where ids are of equal information, depths gain less",
            "they take a smaller share off the bits/byte of depths of one position on windows than"
            f" on BPE's ids ({INTERVAL}), where they gain (the trend above)",
            [gains_less(results, window, subwords, gains.holds)],
        ),
        trend(
            "Depths that get experts are better than depths that go on without",
            f"at equal training FLOPs, on windows and on BPE's ids: bits/byte are {WORTH:.1%} below"
            f" ({INTERVAL})",
            [below(results, tokens, BOTH, CONTROL) for tokens in closer(scale)],
        ),
    ]


def below(results: Results, tokens: Tokens, name: str, other: str) -> Check:
    known = arms(results.scale, tokens)
    ours, theirs = (results.trained(known[one]) for one in (name, other))
    return lower(f"{tokens.name}, {name} to {other}", ours, theirs, by=WORTH)


def flatter(results: Results, ours: Tokens, other: Tokens) -> Check:
    name = f"{ours.name} to {other.name}"
    found = [correlation(results, tokens) for tokens in (ours, other)]
    if None in found:
        return not_run(name)
    mine, theirs = (Sample(np.abs(one.values)) for one in found if one)
    apart = contrast([(1, mine), (-1, theirs)])
    return Check(f"{name}: {mine.mean:.3f} against {theirs.mean:.3f}, {apart}", apart.below())


def gains_less(results: Results, ours: Tokens, other: Tokens, gains: bool | None) -> Check:
    name = f"{ours.name} to {other.name}"
    parts: list[tuple[float, Sample]] = []
    for tokens, sign in ((ours, 1), (other, -1)):
        known = arms(results.scale, tokens)
        without, routed = (results.trained(known[arm]) for arm in (ONE, DEPTHS))
        if without is None or routed is None:
            return not_run(name)
        parts += [(sign / without.mean, without), (-sign / without.mean, routed)]
    apart = contrast(parts)
    return Check(f"{name}: shares apart by {apart}", apart.below() if gains else gains)


def draw(results: Results, folder: Path) -> list[Path]:
    """Differences from dense by tokenizer, and where compute went on one paragraph."""
    scale = results.scale
    there = tokenizers(scale)
    names = (DEPTHS, ONE, SPARSE, BOTH, CONTROL)
    marks = "o.vDs"
    with figures.figure() as (drawn, axes):
        for at, tokens in enumerate(there):
            colour, _ = figures.style_of(tokens.name)
            for number, (name, mark) in enumerate(zip(names, marks, strict=True)):
                apart = gap(results, tokens, name)
                if apart:
                    style = {"fmt": mark, "color": colour, "capsize": 3, "mfc": colour}
                    bar: list[float] | None = [apart.margin]
                    if once(scale, tokens, name):
                        bar, style["mfc"] = None, "none"
                    axes.errorbar([at + (number - 2) / 7], [apart.estimate], bar, **style)
        for name, mark in zip(names, marks, strict=True):
            axes.plot([], [], mark, color="#444444", label=name)
        axes.axhline(0, color="#444444", lw=1)
        axes.set_xticks(
            range(len(there)), labels=[tokens.name.replace("[", "\n[") for tokens in there]
        )
        axes.set_ylabel("bits / byte above the dense M2's")
        axes.legend(frameon=False)
        size = base(scale).size
        figures.title(
            axes, f"Equal training FLOPs — {scale.corpus}, M2 {size}; bars: 95 %, hollow: one seed"
        )
        every = [lm for tokens in there for lm in arms(scale, tokens).values()]
        figures.name_missing(axes, results.missing(every))
        made = figures.save(drawn, folder, "natural")
    return [*made, *draw_paragraph(results, folder)]


def draw_paragraph(results: Results, folder: Path) -> list[Path]:
    """The first validation text, an id a box, coloured by the router's weight in its block."""
    scale = results.scale
    rows = [(one, results.done(routes(scale, one)[0])) for one in tokenizers(scale)]
    shown = [(one.name, row.values["pieces"]) for one, row in rows if row]
    if not shown:
        return []
    laid = [(name, in_lines(pieces)) for name, pieces in shown]
    lines = sum(len(found) + 2 for _, found in laid)
    with figures.figure(LETTERS * LETTER, 0.4 + ROW * lines) as (drawn, axes):
        # a letter is as wide as the axes say, so these are as wide as the figure
        drawn.set_layout_engine("none")
        axes.set_position((0, 0, 1, 1 - 0.4 / drawn.get_figheight()))
        axes.set_axis_off()
        axes.set(xlim=(0, LETTERS), ylim=(lines, 0))
        y = 0
        for name, found in laid:
            axes.text(0, y + 0.9, name, fontsize=9, fontweight="bold")
            for number, pieces in enumerate(found, y + 1):
                for x, text, weight in pieces:
                    colour = (*COLOUR, 0.8 * weight)
                    place = (x, number + 0.08), len(text), 0.84
                    axes.add_patch(figures.plt.Rectangle(*place, fc=colour, ec="#DDDDDD", lw=0.5))
                letters = "".join(text for _, text, _ in pieces)
                axes.text(0, number + 0.55, letters, va="center", fontsize=SIZE, family="monospace")
            y += len(found) + 2
        given = f"block 2's share of predicting each id, of {SHARE:.1%} of positions; darker: more"
        figures.heading(drawn, f"Where compute went: {given}")
        return figures.save(drawn, folder, "natural-paragraph")


def in_lines(pieces: list[list[Any]]) -> list[list[tuple[int, str, float]]]:
    """(column, text, weight) of each piece, line by line; a piece is not broken."""
    found: list[list[tuple[int, str, float]]] = [[]]
    x = 0
    for text, _, weight, *_ in pieces:
        plain = "".join(letter if letter.isprintable() else " " for letter in text)
        if x + len(plain) > LETTERS and found[-1]:
            found.append([])
            x = 0
        found[-1].append((x, plain, weight))
        x += len(plain)
    return found


EXPERIMENT = exhibit(
    __name__, "ours", "dense, mixture of depths and of experts on four kinds of ids"
)
