"""Figure 13: what a tokenizer's ids tell an M2 about spelling: fine-tuned to write a word's letters."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from experiments import figures, paper
from experiments.experiment import Experiment, Trend
from experiments.recipes import Recipe, Spelling, Tokens
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

CONTEXT = 64  # holds 12 letters of two ids each, and what is read
PASSES = 16  # over the words, at most
WORDS = 20  # times the scale's sample
COLUMNS = [
    "tokenizer", "letters' ids", "held-out words %", "held-out letters %", "known words %", "known letters %", "words",
    "the paper's",
]  # fmt: skip
VALUES = ("held_out_exact", "held_out_letters", "known_exact", "known_letters")


def spellers(scale: Scale) -> dict[str, Spelling]:
    """Label -> what is run; the fine-tuned are the base M2s of the main result."""
    bpe, unigram = scale.subwords
    first = scale.windows[0]
    narrow, wide = (scale.window(first, width) for width in scale.widths)
    return {
        "Unigram, own": speller(scale, unigram, shared=False),
        "Unigram, shared": speller(scale, unigram),
        "EqualInfoAC narrow, shared": speller(scale, narrow),
        "EqualInfoAC wide, shared": speller(scale, wide),
        "BPE, shared": speller(scale, bpe),
        "Bytes, shared": speller(scale, scale.bytes),
    }


def speller(scale: Scale, tokens: Tokens, shared: bool = True) -> Spelling:
    task, count = scale.task_training, WORDS * scale.sample
    steps = min(task.steps, max(PASSES * count // task.batch_size, 1))
    # a word's sequence is mostly padding, so passes over words are counted above and not as ids
    training = replace(task, size=scale.base.size, steps=steps, context=CONTEXT, max_epochs=1e9)
    return Spelling(scale.lm(tokens), scale.stream(tokens), training, shared, count)


def recipes(scale: Scale) -> list[Recipe]:
    return list(spellers(scale).values())


def reduce(rows: Rows, scale: Scale) -> Table:
    body = [line(recipe, rows, scale) for recipe in spellers(scale).values()]
    note = (
        "Share of words spelt exactly (greedily, END included) and of letters at their place. Own: letters are ids of"
        " their own; shared: the tokenizer's ids for the single letter. The paper shows curves, without numbers. "
        + paper.values()["spelling_note"] + "."
    )  # fmt: skip
    return Table(f"Spelling after fine-tuning ({scale.name}, {scale.corpus})", COLUMNS, body, note)


def line(recipe: Spelling, rows: Rows, scale: Scale) -> list[Cell]:
    row, tokens = rows.done(recipe), recipe.stream.tokens
    ours: list[Cell] = [None] * 5
    if row:
        ours = [*(100 * row.values[name] for name in VALUES), row.values["held_out_words"]]
    return [tokens.name, "shared" if recipe.shared else "own", *ours, paper.counterpart(tokens, scale)]


def draw(rows: Rows, scale: Scale, folder: Path) -> list[Path]:
    runs = spellers(scale)
    with figures.figure(8.6, 4.6) as (drawn, axes):
        for number, recipe in enumerate(runs.values()):
            row, name = rows.done(recipe), recipe.stream.tokens.name
            if row is None:
                continue
            colour, _ = figures.style_of(name)
            known, unknown = (100 * row.values[f"{part}_exact"] for part in ("known", "held_out"))
            axes.bar([number - 0.2], [known], 0.38, color=colour, alpha=0.35)
            axes.bar([number + 0.2], [unknown], 0.38, color=colour, hatch=None if recipe.shared else "//")
            for x, value in ((number - 0.2, known), (number + 0.2, unknown)):
                axes.text(x, value, f"{value:.0f}", ha="center", va="bottom", fontsize=8)
        labels = [
            f"{r.stream.tokens.name.replace('[', chr(10) + '[')}\n{'shared' if r.shared else 'own'}"
            for r in runs.values()
        ]
        axes.set_xticks(range(len(runs)), labels, fontsize=7.5)
        axes.set_ylabel("words spelt exactly, %")
        axes.set_title(
            f"Spelling after fine-tuning — {scale.corpus}, {scale.name}; pale: words trained on, full: held out",
            fontsize=10, loc="left",
        )  # fmt: skip
        figures.name_missing(axes, [label for label, recipe in runs.items() if not rows.done(recipe)])
        return figures.save(drawn, folder, "fig13")


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    shares = {
        label: row.values["held_out_exact"]
        for label, recipe in spellers(scale).items()
        if (row := rows.done(recipe)) is not None
    }
    return [own_letters(shares, len(spellers(scale))), shared_letters(shares)]


def own_letters(shares: Mapping[str, float], count: int) -> Trend:
    claim = "SentencePiece with character ids of its own spells best"
    test = "Unigram with own letters has the largest share of held-out words right, Bytes aside, whose ids are letters"
    if len(shares) < count:
        return Trend(claim, test, None)
    rivals = {label: share for label, share in shares.items() if label not in ("Unigram, own", "Bytes, shared")}
    return Trend(claim, test, shares["Unigram, own"] > max(rivals.values()), said(shares))


def shared_letters(shares: Mapping[str, float]) -> Trend:
    claim = (
        "where letters are the tokenizer's own ids, EqualInfoAC with narrow ids beats SentencePiece on held-out words"
    )
    test = "the share of held-out words spelt exactly is larger than Unigram's"
    pair = [shares.get(label) for label in ("EqualInfoAC narrow, shared", "Unigram, shared")]
    if pair[0] is None or pair[1] is None:
        return Trend(claim, test, None)
    return Trend(claim, test, pair[0] > pair[1], said(shares))


def said(shares: Mapping[str, float]) -> str:
    return "; ".join(f"{label} {100 * share:.1f} %" for label, share in shares.items())


EXPERIMENT = Experiment(
    "fig13", "figure 13", "spelling: fine-tuned from word to characters", recipes, reduce, draw, trends
)
