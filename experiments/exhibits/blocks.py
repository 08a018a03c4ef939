"""Block mode, as the paper trains (§3.3): streams of 10,240 bytes, of which M2 sees the first ids.
Can GZip be learned?

A document's own GZip stream is short and has a Huffman table of its own, so a film review
compresses worse than the paper's blocks (1.9 against 2.2 bytes a byte), and what is learned of it
may be its header. AC stands beside it.
"""

from dataclasses import replace

from experiments.analysis.compare import DENSITY, Results, Trend, trend
from experiments.analysis.experiment import exhibit
from experiments.analysis.tables import Table
from experiments.runs.recipes import LM, Tokens
from experiments.scales import Scale

COLUMNS = ["tokenizer", "size", "bytes/token", "uniform", "bits/byte, ours", "bits/byte, paper"]
NOTE = (
    "Blocks of 10,240 bytes, compressed one by one; a block's first ids are trained and evaluated"
    " on. Training blocks"
    " overlap, so that a text of this size gives enough of them; validation blocks do not."
)


def recipes(scale: Scale) -> list[LM]:
    """GZip's bytes for as long as the scale allows, AC's narrow ids as long as in figure 3."""
    gzip = scale.gzips[0]
    ac = scale.tokens("ac", scale.narrow)
    steps = max(scale.block_steps, scale.base.steps)
    return [in_blocks(scale, gzip, steps), in_blocks(scale, ac, scale.base.steps)]


def in_blocks(scale: Scale, tokens: Tokens, steps: int) -> LM:
    lm = scale.lm(tokens, scale.apart(replace(scale.base, steps=steps)))
    text = scale.block_bytes if tokens.m1 is None else scale.question_bytes
    text = text or scale.train_bytes
    stream = replace(lm.stream, mode="block", train_bytes=text, stride=scale.block_stride)
    return replace(lm, stream=stream)


def reduce(results: Results) -> Table:
    lms = recipes(results.scale)
    body = results.lines(lms, DENSITY, lambda lm: [results.their_number(lm, "bits_per_byte")])
    return results.table("Training in blocks", COLUMNS, body, NOTE)


def trends(results: Results) -> list[Trend]:
    gzip, ac = recipes(results.scale)
    return [
        trend(
            "GZip is learned in blocks",
            "bits/byte of this one run are below the uniform line and below what the ids'"
            " frequencies give (95 % interval over blocks)",
            [results.learned(gzip, alone=True)],
        ),
        trend(
            "AC is not learned in blocks",
            "bits/byte of this one run are within 1 % of the uniform line: the whole interval"
            " over blocks is",
            [results.at_uniform(ac, alone=True)],
        ),
    ]


EXPERIMENT = exhibit(__name__, "figure 3, §3.3", "training in blocks, as in the paper")
