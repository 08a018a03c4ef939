"""Figure 13: what ids tell an M2 about spelling: fine-tuned to write a word's letters."""

import math
from dataclasses import replace
from pathlib import Path

from experiments.analysis import figures, paper
from experiments.analysis.compare import Results, Trend, lower, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.statistics import Sample
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import LM, Spelling, Tokens
from experiments.scales import Scale

CONTEXT = 64  # holds 12 letters of two ids each, and what is read
PASSES = 16  # over the words, at most
BYTES = "Bytes, shared"
WORDS = 20  # times the scale's sample
COLUMNS = [
    "tokenizer", "letters' ids", "held-out words %", "standard error", "held-out letters %",
    "known words %", "known letters %", "words", "the paper's",
]  # fmt: skip
VALUES = ("held_out_exact", "held_out_letters", "known_exact", "known_letters")


def spellers(scale: Scale) -> dict[str, Spelling]:
    """Label -> what is run; the fine-tuned are the base M2s of the main result."""
    bpe, unigram = scale.subwords
    first = scale.windows[0]
    narrow, wide = (scale.window(first, width, "paper") for width in scale.widths)
    return {
        "Unigram, own": speller(scale, unigram, shared=False),
        "Unigram, shared": speller(scale, unigram),
        "EqualInfoAC narrow, shared": speller(scale, narrow),
        "EqualInfoAC wide, shared": speller(scale, wide),
        "BPE, shared": speller(scale, bpe),
        BYTES: speller(scale, scale.bytes),
    }


def speller(scale: Scale, tokens: Tokens, shared: bool = True) -> Spelling:
    task = scale.task_training
    count = WORDS * scale.sample
    steps = min(task.steps, max(PASSES * count // task.batch_size, 1))
    # a word's sequence is mostly padding, so passes over words are counted above and not as ids
    training = replace(task, size=scale.question.size, steps=steps, context=CONTEXT, max_epochs=1e9)
    return Spelling(scale.lm(tokens), scale.stream(tokens), training, shared, count)


def seeds(scale: Scale, recipe: Spelling) -> list[Spelling]:
    """Both trainings with each seed: the M2's and the speller's."""
    assert recipe.lm is not None
    spellers = scale.seeded(LM(recipe.stream, recipe.training))
    made = zip(scale.seeded(recipe.lm), spellers, strict=True)
    return [replace(recipe, lm=lm, training=speller.training) for lm, speller in made]


def recipes(scale: Scale) -> list[Spelling]:
    """Bytes, in no trend, have one seed."""
    asked = compared(scale).values()
    return [spellers(scale)[BYTES], *(one for recipe in asked for one in seeds(scale, recipe))]


def compared(scale: Scale) -> dict[str, Spelling]:
    return {label: recipe for label, recipe in spellers(scale).items() if label != BYTES}


def reduce(results: Results) -> Table:
    body = [line(results, recipe) for recipe in spellers(results.scale).values()]
    note = (
        "Share of words spelt exactly (greedily, END included) and of letters at their place. Own:"
        " letters are ids of their own; shared: the tokenizer's ids for the single letter."
        " Standard error: over words, of one seed; the trends are of all seeds. The paper shows"
        f" curves, without numbers. {paper.values()['spelling_note']}."
    )
    return results.table("Spelling after fine-tuning", COLUMNS, body, note)


def line(results: Results, recipe: Spelling) -> list[Cell]:
    tokens = recipe.stream.tokens
    ours: list[Cell] = [None] * 6
    if row := results.done(recipe):
        share = row.values["held_out_exact"]
        words = row.values["held_out_words"]
        ours = [*(100 * row.values[name] for name in VALUES), words]
        ours.insert(1, 100 * math.sqrt(share * (1 - share) / words))
    whose = "shared" if recipe.shared else "own"
    return [tokens.name, whose, *ours, paper.counterpart(tokens, results.scale)]


def draw(results: Results, folder: Path) -> list[Path]:
    scale = results.scale
    runs = spellers(scale)
    with figures.figure(8.6, 4.6) as (drawn, axes):
        for number, recipe in enumerate(runs.values()):
            row = results.done(recipe)
            if row is None:
                continue
            colour, _ = figures.style_of(recipe.stream.tokens.name)
            known, unknown = (100 * row.values[f"{part}_exact"] for part in ("known", "held_out"))
            hatch = None if recipe.shared else "//"
            axes.bar([number - 0.2], [known], 0.38, color=colour, alpha=0.35)
            axes.bar([number + 0.2], [unknown], 0.38, color=colour, hatch=hatch)
            for x, value in ((number - 0.2, known), (number + 0.2, unknown)):
                axes.text(x, value, f"{value:.0f}", ha="center", va="bottom", fontsize=8)
        labels = [
            f"{r.stream.tokens.name.replace('[', chr(10) + '[')}\n{'shared' if r.shared else 'own'}"
            for r in runs.values()
        ]
        axes.set_xticks(range(len(runs)), labels, fontsize=7.5)
        axes.set_ylabel("words spelt exactly, %")
        figures.title(
            axes,
            f"Spelling after fine-tuning — {scale.corpus}, {scale.name}; pale: words trained on,"
            " full: held out",
        )
        missing = [label for label, recipe in runs.items() if not results.done(recipe)]
        figures.name_missing(axes, missing)
        return figures.save(drawn, folder, "fig13")


def trends(results: Results) -> list[Trend]:
    found = {label: spelt(results, run) for label, run in compared(results.scale).items()}
    best = found["Unigram, own"]
    own = [
        lower(f"{label} to Unigram, own", share, best)
        for label, share in found.items()
        if label != "Unigram, own"
    ]
    narrow = found["EqualInfoAC narrow, shared"]
    unigram = found["Unigram, shared"]
    test = (
        "share of held-out words spelt exactly (95 % intervals over seeds, and paired over words)"
    )
    return [
        trend(
            "SentencePiece with character ids of its own spells best",
            f"{test}: Unigram's with own letters is above all, Bytes aside, whose ids are letters",
            own,
        ),
        trend(
            "Where letters are the tokenizer's own ids, EqualInfoAC with narrow ids beats"
            " SentencePiece on held-out words",
            f"{test}: it is above Unigram's",
            [lower("Unigram to EqualInfoAC narrow", unigram, narrow)],
        ),
    ]


def spelt(results: Results, recipe: Spelling) -> Sample | None:
    """The share of held-out words right over seeds and words; None unless all seeds have run."""
    return results.over_texts(
        seeds(results.scale, recipe), lambda row: row.values["held_out_right"]
    )


EXPERIMENT = exhibit(__name__, "figure 13", "spelling: fine-tuned from word to characters")
