"""Numbers of a run, from its row: what tables have columns of and figures have axes for."""

import math
from collections.abc import Callable
from operator import attrgetter

from experiments.runs.rows import Row

Quantity = Callable[[Row], float]
ratio: Quantity = attrgetter("ratio")
bit_ratio: Quantity = attrgetter("bit_ratio")
uniform: Quantity = attrgetter("uniform")
unigram: Quantity = attrgetter("unigram")
bits_per_byte: Quantity = attrgetter("bits_per_byte")


def bits_per_token(row: Row) -> float:
    return row.bits_per_byte * row.ratio


def uniform_per_token(row: Row) -> float:
    return row.uniform * row.ratio


def mflops(row: Row) -> float:
    """MFLOPs/byte as the paper counts them: M1's added where it runs."""
    return _mega(row.flops_per_byte)


def mflops_of_all(row: Row) -> float:
    """MFLOPs/byte with every product counted."""
    return _mega(row.flops_per_byte_exact)


def _mega(flops: float | None) -> float:
    return math.nan if flops is None else flops / 1e6


def mflops_alone(row: Row) -> float:
    """As the paper counts them, without M1's."""
    return 2 * row.parameters / row.ratio / 1e6


def training_nats(row: Row) -> float:
    """Loss of a training id, nats: the mean of the last tenth of the steps."""
    return math.nan if row.last_nats is None else row.last_nats


def uniform_with_ends(row: Row) -> float:
    """Bits/byte of a model that takes all codes for equally probable and knows how often documents
    end: the uniform line, and over all ids the entropy of "does the document end here?".
    """
    ends = 0.0 if row.blocks else (row.num_ids - row.num_tokens) / max(row.num_ids, 1)
    if not 0 < ends < 1:
        return row.uniform
    entropy = -ends * math.log2(ends) - (1 - ends) * math.log2(1 - ends)
    return row.uniform + entropy * row.num_ids / row.num_bytes
