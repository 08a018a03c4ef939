"""M1's context: what a longer one gives AC's ratio (in the paper 5.46 at 1,024 bytes and 5.49 at 10,240)."""

from dataclasses import replace

from experiments import paper
from experiments.experiment import Experiment, Trend
from experiments.recipes import M1, Stream
from experiments.rows import Rows
from experiments.scales import Scale
from experiments.tables import Cell, Table

COLUMNS = ["tokenizer", "M1's context", "M1 trained at", "bytes/id, ours", "against the shorter", "context, paper",
           "bytes/id, paper"]  # fmt: skip
NOTE = (
    "The paper's style of M1 has learned distances that end at a longest one, so the same weights take any context. A"
    " modern one (rotary) knows no distance that it was not trained on: it is trained anew at the longer context, on as"
    " many bytes. No document needs more context than it has bytes."
)


def longer(scale: Scale) -> M1:
    """M1 with the long context: the same weights where the style allows, else trained for it on as many bytes."""
    training = scale.m1_training
    if training.style == "paper":
        return replace(scale.m1, context=scale.long_context)
    batch = max(training.batch_size * training.context // scale.long_context, 1)
    steps = training.tokens // (batch * scale.long_context)
    anew = replace(training, context=scale.long_context, batch_size=batch, steps=steps)
    return replace(scale.m1, training=anew)


def recipes(scale: Scale) -> list[Stream]:
    return [scale.short_stream(scale.tokens("ac", scale.narrow, m1=m1)) for m1 in (scale.m1, longer(scale))]


def reduce(rows: Rows, scale: Scale) -> Table:
    theirs = paper.values()["m1"]
    done = [rows.done(recipe) for recipe in recipes(scale)]
    body: list[list[Cell]] = []
    for recipe, row, context in zip(recipes(scale), done, (1024, 10_240), strict=True):
        m1 = recipe.tokens.m1
        assert m1 is not None
        gain = row.ratio / done[0].ratio if row and done[0] else None
        ours: list[Cell] = [m1.running_context, m1.training.context, row.ratio if row else None, gain]
        body.append([recipe.tokens.name, *ours, context, theirs[f"ratio_ctx_{context}"]])
    return Table(f"AC's ratio by M1's context ({scale.name}, {scale.corpus})", COLUMNS, body, NOTE)


def trends(rows: Rows, scale: Scale) -> list[Trend]:
    done = rows.all_done(recipes(scale))
    ratios = [row.ratio for row in done]
    return [
        Trend(
            "a longer context makes AC's ratio a little better (5.46 to 5.49 in the paper)",
            "the ratio with the longer context is higher, by less than a tenth",
            1 < ratios[1] / ratios[0] < 1.1 if len(ratios) == 2 else None,
            " and ".join(f"{ratio:.3f}" for ratio in ratios),
        )
    ]


EXPERIMENT = Experiment(
    "context", "its ratios by context", "AC's ratio with a longer context of M1", recipes, reduce, trends=trends
)
