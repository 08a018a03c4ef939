"""M1's context: what a longer one gives AC's ratio (the paper's: 5.46 at 1,024, 5.49 at 10,240)."""

from dataclasses import replace

from experiments.analysis import paper
from experiments.analysis.compare import Results, Trend, lower, near, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.quantities import ratio
from experiments.analysis.tables import Cell, Table
from experiments.runs.recipes import M1, Stream
from experiments.scales import Scale

COLUMNS = [
    "tokenizer", "M1's context", "M1 trained at", "bytes/id, ours", "against the shorter",
    "context, paper", "bytes/id, paper",
]  # fmt: skip
NOTE = (
    "The paper's style of M1 has learned distances that end at a longest one, so the same weights"
    " take any context. A modern one (rotary) knows no distance that it was not trained on: it is"
    " trained anew at the longer context, on as many bytes, and these weights run with both. No"
    " document needs more context than it has bytes."
)


def longer(scale: Scale) -> M1:
    """M1 with the long context: the same weights where the style allows, else trained anew."""
    training = scale.m1_training
    if training.style == "paper":
        return replace(scale.m1, context=scale.long_context)
    batch = max(training.batch_size * training.context // scale.long_context, 1)
    steps = training.tokens // (batch * scale.long_context)
    anew = replace(training, context=scale.long_context, batch_size=batch, steps=steps)
    return replace(scale.m1, training=anew)


def pair(scale: Scale) -> tuple[Stream, Stream]:
    """AC by the same weights with the shorter and with the longer context."""
    long = longer(scale)
    if scale.m1_training.style == "paper":
        short = scale.m1
    else:
        short = replace(long, context=scale.m1.running_context)
    first, other = (
        scale.short_stream(scale.tokens("ac", scale.narrow, m1=one)) for one in (short, long)
    )
    return first, other


def recipes(scale: Scale) -> list[Stream]:
    return list(pair(scale))


def reduce(results: Results) -> Table:
    theirs = paper.values()["m1"]
    first = pair(results.scale)
    shorter = results.number(first[0], ratio)
    body: list[list[Cell]] = []
    for recipe, context in zip(first, (1024, 10_240), strict=True):
        m1 = recipe.tokens.m1
        assert m1 is not None
        ours = results.number(recipe, ratio)
        gain = ours / shorter if ours and shorter else None
        contexts = [m1.running_context, m1.training.context]
        line = [recipe.tokens.name, *contexts, ours, gain, context, theirs[f"ratio_ctx_{context}"]]
        body.append(line)
    return results.table("AC's ratio by M1's context", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    short, long = (results.coded(stream, ratio) for stream in pair(results.scale))
    test = (
        "the ratio of the same weights with the longer context is higher, and by less than a tenth"
        " (95 % intervals, paired over texts)"
    )
    more = lower("bytes/id, shorter to longer", short, long)
    little = near("bytes/id, longer to shorter", long, short, 0.1)
    claim = "a longer context makes AC's ratio a little better (5.46 to 5.49 in the paper)"
    return [trend(claim, test, [more, little])]


EXPERIMENT = exhibit(__name__, "its ratios by context", "AC's ratio with a longer context of M1")
